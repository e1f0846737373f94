/* Growable bytes that refuse to pass a ceiling.
 *
 * Knows nothing but memory. Any thread, one at a time. */
#ifndef MOONGATE_BUF_H
#define MOONGATE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;   /* owned; NULL while nothing was ever stored */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* len never passes this */
};

void buf_init(struct buf *buf, size_t limit);

/* Room for `extra` more bytes behind len. False, and nothing changed: over the limit, or no
 * memory. */
bool buf_reserve(struct buf *buf, size_t extra) __attribute__((warn_unused_result));

/* Append; false, and nothing changed: over the limit, or no memory. */
bool buf_append(struct buf *buf, const void *bytes, size_t len)
    __attribute__((warn_unused_result));

/* Drop `len` bytes from the front. Pointers into the buffer are stale after. */
void buf_consume(struct buf *buf, size_t len);

/* Hand the bytes to the caller, who frees them with free(); the buffer is empty after. */
char *buf_take(struct buf *buf, size_t *len);

/* Forget the bytes, keep the memory. */
void buf_clear(struct buf *buf);

void buf_free(struct buf *buf);

#endif
