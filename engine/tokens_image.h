/* How large an image is, from the first bytes of its file, as base64 carries them.
 *
 * Knows the headers of PNG, JPEG, GIF and WebP; decodes no picture and fetches nothing. */
#ifndef MOONGATE_TOKENS_IMAGE_H
#define MOONGATE_TOKENS_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum image_kind {
    IMAGE_ELSEWHERE, /* at an address, or known to the provider by a name: nothing is known */
    IMAGE_SIZED,
    IMAGE_UNSIZED, /* its bytes are here, but not a header that we read */
    IMAGE_PDF,
};

struct image {
    enum image_kind kind;
    uint32_t width, height; /* where it is sized, neither 0 */
    uint64_t bytes;         /* of the file; 0: elsewhere */
};

/* Of a data URL (`data:image/png;base64,…`), another URL, or base64 alone. */
struct image image_of(const char *text, size_t len);

#endif
