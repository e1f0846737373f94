#include "sse.h"

#include <string.h>

enum {
    /* How far one search looks for each kind of line end. Bounded, so that a stream of bare CRs
     * is not searched to its end for an LF at every line. */
    WINDOW = 256,
};

void sse_init(struct sse *sse, size_t max_event)
{
    *sse = (struct sse){.max_event = max_event};
    buf_init(&sse->joined, max_event);
}

void sse_free(struct sse *sse)
{
    buf_free(&sse->joined);
}

/* ---- lines ------------------------------------------------------------------------------ */

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

/* The distance to the first CR or LF; len when there is none. */
static size_t line_length(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += WINDOW) {
        size_t room = len - at < WINDOW ? len - at : WINDOW;
        const char *lf = memchr(bytes + at, '\n', room);
        const char *cr = memchr(bytes + at, '\r', lf ? (size_t)(lf - bytes) - at : room);
        if (cr) return (size_t)(cr - bytes);
        if (lf) return (size_t)(lf - bytes);
    }
    return len;
}

/* Where the line behind the line end at `at` begins. */
static size_t next_line(const char *bytes, size_t len, size_t at)
{
    bool pair = bytes[at] == '\r' && at + 1 < len && bytes[at + 1] == '\n';
    return at + (pair ? 2 : 1);
}

/* ---- blocks: lines up to a blank one ---------------------------------------------------- */

/* False: three bytes are needed to tell, and they are not here yet. */
static bool skip_bom(struct sse *sse, const char *bytes, size_t len, bool ended)
{
    static const char bom[] = {'\xEF', '\xBB', '\xBF'};
    size_t n = len < sizeof(bom) ? len : sizeof(bom);

    if (len == 0) return true; /* nothing to see yet; bytes may be NULL */

    bool alike = memcmp(bytes, bom, n) == 0;
    if (alike && n < sizeof(bom) && !ended) return false;
    sse->begun = true;
    if (alike && n == sizeof(bom)) sse->scanned = sse->block = n;
    return true;
}

/* The end of the block that begins at sse->block, its blank line included; 0: not here yet.
 * `whole`: there is a blank line.
 *
 * A blank line's CR may be half of a CRLF whose LF is still on its way. Behind a line that
 * ended with a bare CR it is taken for whole at once, else a stream of bare CRs would always
 * lag one event behind; either way the cut depends on the bytes alone, never on how they came.
 */
static size_t block_end(struct sse *sse, const char *bytes, size_t len, bool ended, bool *whole)
{
    *whole = true;
    while (sse->scanned < len) {
        size_t at = sse->scanned;
        bool fresh = at == sse->block || is_line_end(bytes[at - 1]);
        size_t end = at + line_length(bytes + at, len - at);
        bool blank = fresh && end == at;

        sse->scanned = end;
        if (end == len) break;
        if (blank && at > sse->block && bytes[at - 1] == '\r') return at + 1;
        if (bytes[end] == '\r' && end + 1 == len && !ended) return 0;
        sse->scanned = next_line(bytes, len, end);
        if (blank) return sse->scanned;
    }
    *whole = false;
    return ended && len > sse->block ? len : 0;
}

static bool add_data(struct sse *sse, struct sse_event *event, const char *value, size_t len)
{
    if (!event->has_data) {
        event->has_data = true;
        event->data = value;
        event->data_len = len;
        return true;
    }
    if (event->data != sse->joined.data) {
        buf_clear(&sse->joined);
        if (!buf_append(&sse->joined, event->data, event->data_len)) return false;
    }
    if (!buf_append(&sse->joined, "\n", 1) || !buf_append(&sse->joined, value, len)) {
        return false;
    }
    event->data = sse->joined.data;
    event->data_len = sse->joined.len;
    return true;
}

/* A line that is neither blank nor a comment. False: no memory. */
static bool read_field(struct sse *sse, struct sse_event *event, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name = colon ? (size_t)(colon - line) : len;
    size_t value = colon ? name + 1 : len;

    if (value < len && line[value] == ' ') value++;
    if (name == 4 && memcmp(line, "data", 4) == 0) {
        return add_data(sse, event, line + value, len - value);
    }
    if (name == 5 && memcmp(line, "event", 5) == 0) {
        event->name = line + value;
        event->name_len = len - value;
    }
    return true;
}

enum block_kind {
    BLOCK_EVENT,
    BLOCK_SKIPPED, /* comments and blank lines only */
    BLOCK_NO_MEMORY,
};

static enum block_kind read_block(struct sse *sse, const char *bytes, size_t len,
                                  struct sse_event *event)
{
    enum block_kind kind = BLOCK_SKIPPED;

    *event = (struct sse_event){.name = "", .data = "", .lacks = ""};
    for (size_t at = 0; at < len;) {
        size_t line = line_length(bytes + at, len - at);
        if (line > 0 && bytes[at] != ':') {
            if (!read_field(sse, event, bytes + at, line)) return BLOCK_NO_MEMORY;
            kind = BLOCK_EVENT;
        }
        at += line;
        if (at < len) at = next_line(bytes, len, at);
    }
    return kind;
}

/* The line ends without which what follows would be read as a part of this event. */
static const char *lacking(const char *bytes, size_t end)
{
    return bytes[end - 1] == '\n' ? "\n" : "\n\n"; /* behind CR the first LF is its half */
}

enum sse_result sse_next(struct sse *sse, const char *bytes, size_t len, bool ended,
                         struct sse_event *event)
{
    if (!sse->begun && !skip_bom(sse, bytes, len, ended)) return SSE_MORE;

    for (;;) {
        bool whole;
        size_t end = block_end(sse, bytes, len, ended, &whole);
        if (end == 0) return len > sse->max_event ? SSE_TOO_LONG : SSE_MORE;
        if (end > sse->max_event) return SSE_TOO_LONG;

        enum block_kind kind = read_block(sse, bytes + sse->block, end - sse->block, event);
        if (kind == BLOCK_NO_MEMORY) return SSE_NO_MEMORY;
        if (kind == BLOCK_EVENT) {
            event->size = end;
            event->lacks = whole ? "" : lacking(bytes, end);
            sse->scanned = sse->block = 0;
            return SSE_EVENT;
        }
        sse->scanned = sse->block = end;
    }
}
