/* HTTP/1.1 as a strict reader has it: what it cannot read for certain it does not read. */
#ifndef MOONGATE_FUZZ_HTTP_H
#define MOONGATE_FUZZ_HTTP_H

#include <strings.h>

#include "fuzz.h"

#include "buf.h"

/* What was not read yet. */
struct http {
    const char *at, *end;
};

/* ---- lines and words --------------------------------------------------------------------- */

static inline bool http_line(struct http *in, struct text *line)
{
    const char *lf = memchr(in->at, '\n', (size_t)(in->end - in->at));

    if (!lf || lf == in->at || lf[-1] != '\r') return false;
    *line = (struct text){in->at, (size_t)(lf - 1 - in->at)};
    in->at = lf + 1;
    return true;
}

static inline bool text_is(struct text text, const char *want)
{
    return text.len == strlen(want) && strncasecmp(text.at, want, text.len) == 0;
}

static inline bool text_is_token(struct text text)
{
    static const char bytes[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (size_t i = 0; i < text.len; i++) {
        if (!text.at[i] || !strchr(bytes, text.at[i])) return false;
    }
    return text.len > 0;
}

static inline bool text_is_printable(struct text text, bool blanks)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (blanks && (byte == ' ' || byte == '\t')) continue;
        if (byte <= 0x20 || byte == 0x7f) return false;
    }
    return true;
}

static inline struct text text_trim(struct text text)
{
    while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
        text.at++, text.len--;
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* ---- what headers say of the body -------------------------------------------------------- */

struct framing {
    long length;     /* -1: none */
    unsigned fields; /* how many there are */
    bool chunked, encoded, bad;
};

#define FRAMING ((struct framing){.length = -1})

static inline void framing_length(struct framing *framing, struct text value)
{
    long length = 0;

    if (framing->length >= 0 || value.len == 0 || value.len > 9) framing->bad = true;
    for (size_t i = 0; i < value.len && !framing->bad; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') framing->bad = true;
        length = length * 10 + (value.at[i] - '0');
    }
    framing->length = length;
}

static inline void framing_take(struct framing *framing, struct text line)
{
    const char *colon = memchr(line.at, ':', line.len);

    framing->fields++;
    if (!colon) {
        framing->bad = true;
        return;
    }
    struct text name = {line.at, (size_t)(colon - line.at)};
    struct text value = text_trim((struct text){colon + 1, line.len - name.len - 1});
    if (!text_is_token(name) || !text_is_printable(value, true)) framing->bad = true;
    if (text_is(name, "content-encoding")) framing->encoded = true;
    if (text_is(name, "content-length")) framing_length(framing, value);
    if (text_is(name, "transfer-encoding")) {
        if (framing->chunked || !text_is(value, "chunked")) framing->bad = true;
        framing->chunked = true;
    }
}

/* Up to the blank line. False: nobody can say for certain what the body is. */
static inline bool http_headers(struct http *in, struct framing *framing)
{
    struct text line;

    *framing = FRAMING;
    while (http_line(in, &line)) {
        if (line.len == 0) return !framing->bad && !(framing->chunked && framing->length >= 0);
        framing_take(framing, line);
    }
    return false;
}

/* ---- chunks ------------------------------------------------------------------------------ */

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "1f" or "1f;name=value"; -1: none that is certain. */
static inline long chunk_size(struct text line)
{
    long size = 0;
    size_t i = 0;

    for (; i < line.len && line.at[i] != ';'; i++) {
        int digit = hex_digit(line.at[i]);
        if (digit < 0 || i == 7) return -1;
        size = size * 16 + digit;
    }
    struct text rest = {line.at + i, line.len - i};
    return i > 0 && text_is_printable(rest, false) ? size : -1;
}

/* Takes a chunked body, its trailers too, and appends the content to `body`. False: it is not
 * whole, or not certain. */
static inline bool http_chunks(struct http *in, struct buf *body)
{
    struct framing trailers;
    struct text line;
    long size;

    while (http_line(in, &line) && (size = chunk_size(line)) >= 0) {
        if (size == 0) return http_headers(in, &trailers);
        if (in->end - in->at < size + 2 || memcmp(in->at + size, "\r\n", 2) != 0) return false;
        MUST(buf_append(body, in->at, (size_t)size));
        in->at += size + 2;
    }
    return false;
}

#endif
