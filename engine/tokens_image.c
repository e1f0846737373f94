#include "tokens_image.h"

#include <stdbool.h>
#include <string.h>

enum { SEGMENTS = 256 }; /* of a JPEG, before its size */

/* The bytes of a file behind base64, each decoded when it is looked at. Beyond the end and
 * where there is no base64, they are 0. */
struct file {
    const char *text;
    size_t len; /* of the text */
};

static unsigned digit(char c)
{
    if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9') return (unsigned)(c - '0') + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : 0;
}

static unsigned byte(const struct file *file, size_t at)
{
    size_t place = at / 3 * 4 + at % 3;
    unsigned shift = 2 * (unsigned)(at % 3);

    if (place + 1 >= file->len) return 0;
    unsigned two = digit(file->text[place]) << 6 | digit(file->text[place + 1]);
    return two >> (4 - shift) & 0xFF;
}

static uint32_t big(const struct file *file, size_t at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | byte(file, at + i);
    }
    return value;
}

static uint32_t little(const struct file *file, size_t at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = bytes; i > 0; i--) {
        value = value << 8 | byte(file, at + i - 1);
    }
    return value;
}

static bool has(const struct file *file, size_t at, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        if (byte(file, at + i) != (unsigned char)text[i]) return false;
    }
    return true;
}

/* From segment to segment, to the one that begins a frame. */
static void size_jpeg(const struct file *file, struct image *image)
{
    size_t at = 2;

    for (int i = 0; i < SEGMENTS && at / 3 * 4 < file->len; i++) {
        unsigned mark = byte(file, at + 1), length = big(file, at + 2, 2);
        if (byte(file, at) != 0xFF || length < 2) return;
        if (mark >= 0xC0 && mark <= 0xCF && mark != 0xC4 && mark != 0xC8 && mark != 0xCC) {
            image->height = big(file, at + 5, 2);
            image->width = big(file, at + 7, 2);
            return;
        }
        at += 2 + length;
    }
}

static void size_webp(const struct file *file, struct image *image)
{
    if (has(file, 12, "VP8 ")) {
        image->width = little(file, 26, 2) & 0x3FFF;
        image->height = little(file, 28, 2) & 0x3FFF;
    } else if (has(file, 12, "VP8L")) {
        uint32_t both = little(file, 21, 4);
        image->width = (both & 0x3FFF) + 1;
        image->height = (both >> 14 & 0x3FFF) + 1;
    } else if (has(file, 12, "VP8X")) {
        image->width = little(file, 24, 3) + 1;
        image->height = little(file, 27, 3) + 1;
    }
}

static struct image size_file(const struct file *file)
{
    struct image image = {IMAGE_UNSIZED, 0, 0, (uint64_t)file->len / 4 * 3};

    if (has(file, 0, "\x89PNG\r\n") && has(file, 12, "IHDR")) {
        image.width = big(file, 16, 4);
        image.height = big(file, 20, 4);
    } else if (has(file, 0, "GIF8")) {
        image.width = little(file, 6, 2);
        image.height = little(file, 8, 2);
    } else if (has(file, 0, "\xFF\xD8\xFF")) {
        size_jpeg(file, &image);
    } else if (has(file, 0, "RIFF") && has(file, 8, "WEBP")) {
        size_webp(file, &image);
    } else if (has(file, 0, "%PDF")) {
        image.kind = IMAGE_PDF;
    }
    if (image.width > 0 && image.height > 0) image.kind = IMAGE_SIZED;
    return image;
}

struct image image_of(const char *text, size_t len)
{
    enum { HEAD = 256 }; /* a data URL's words before its bytes are fewer */
    const char *comma = memchr(text, ',', len < HEAD ? len : HEAD);

    if (len >= 5 && memcmp(text, "data:", 5) == 0 && comma) {
        len -= (size_t)(comma + 1 - text);
        text = comma + 1;
    } else if (memchr(text, ':', len < HEAD ? len : HEAD) || len < HEAD / 4) {
        return (struct image){.kind = IMAGE_ELSEWHERE}; /* https:, gs:, file-abc123 */
    }
    return size_file(&(struct file){text, len});
}
