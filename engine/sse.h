/* Bytes in any pieces → whole server-sent events.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html, with ceilings. Knows bytes
 * only. Works over the caller's buffer: nothing is copied but events of several data lines. */
#ifndef MOONGATE_SSE_H
#define MOONGATE_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* Where the parser stands in one stream. */
struct sse {
    size_t scanned;    /* bytes at the front of the buffer known to hold no event's end */
    size_t block;      /* of these, bytes that are only comments and blank lines */
    bool begun;        /* a leading BOM was looked for */
    size_t max_event;  /* bytes */
    struct buf joined; /* owned: the data of an event of several lines */
};

struct sse_event {
    const char *name; /* borrowed from the buffer; "" when none; not terminated */
    size_t name_len;
    const char *data; /* borrowed from the buffer or from `joined`, until the next call */
    size_t data_len;
    size_t size;       /* bytes from the front of the buffer to the event's end, as received:
                          comments and blank lines before it included */
    const char *lacks; /* static; what ends it where the stream did not: "" or line ends */
    bool has_data;
};

enum sse_result {
    SSE_EVENT, /* *event is whole; consume event->size bytes before the next call */
    SSE_MORE,  /* no whole event in the buffer */
    SSE_TOO_LONG,
    SSE_NO_MEMORY,
};

void sse_init(struct sse *sse, size_t max_event);
void sse_free(struct sse *sse);

/* The first whole event in bytes[0..len). `ended`: no more will come, so an event that lacks
 * only its blank line counts as whole (MATRICES.md U-46). Comment-only blocks are skipped into
 * the size of the event behind them. */
enum sse_result sse_next(struct sse *sse, const char *bytes, size_t len, bool ended,
                         struct sse_event *event);

#endif
