#include "buf.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256 };

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

bool buf_reserve(struct buf *buf, size_t extra)
{
    if (extra > buf->limit - buf->len) return false;
    size_t need = buf->len + extra;
    if (need <= buf->cap) return true;

    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need) {
        cap = cap > buf->limit / 2 ? buf->limit : cap * 2;
    }
    if (cap > buf->limit) cap = buf->limit; /* a limit below FIRST_CAP */
    char *data = realloc(buf->data, cap);
    if (!data) return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool buf_append(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_reserve(buf, len)) return false;
    if (len) memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    return true;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    if (len) memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}

char *buf_take(struct buf *buf, size_t *len)
{
    char *data = buf->data;
    *len = buf->len;
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    return data;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}
