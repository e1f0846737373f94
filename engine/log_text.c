#include "log_text.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

enum {
    UNIT = 12,          /* bytes of one character, escaped, at most */
    ENDING = 4,         /* bytes of …" */
    STRING_LIMIT = 4096 /* bytes of a member's string */
};

bool log_text_put(struct log_text *text, const char *bytes, size_t len)
{
    if (len > text->cap - text->len) return false;
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    return true;
}

/* ---- one character ------------------------------------------------------------------------
 */

static bool dangerous(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

/* One character, escaped where it must be, into out[UNIT]; *used says how much was written. The
 * number of source bytes that it took. */
static size_t put_character(const unsigned char *p, size_t len, char out[UNIT], size_t *used)
{
    uint32_t code = 0xfffd;
    size_t size = utf8_decode(p, len, &code);

    if (size == 0 || dangerous(code)) {
        const char *brief = code == '\n' ? "\\n" : code == '\t' ? "\\t" : NULL;
        if (brief)
            memcpy(out, brief, 2);
        else
            (void)snprintf(out, UNIT, "\\u%04x", size ? code : 0xfffd);
        *used = brief ? 2 : 6;
        return size ? size : 1;
    }
    *used = 0;
    if (code == '"' || code == '\\') out[(*used)++] = '\\';
    memcpy(out + *used, p, size);
    *used += size;
    return size;
}

/* ---- strings ------------------------------------------------------------------------------
 */

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool in_key(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("-._~+/=", c));
}

/* Whoever cuts inside a key leaves a part of it that no filter knows: where the last whole word
 * before `to` ends. An escape's letters look like a key's, so that its backslash goes too. */
static size_t before_key(const char *bytes, size_t from, size_t to)
{
    size_t slashes = 0;

    while (to > from && in_key(bytes[to - 1]))
        to--;
    while (to - slashes > from && bytes[to - slashes - 1] == '\\')
        slashes++;
    return to - slashes % 2;
}

bool log_text_string(struct log_text *text, const char *bytes, size_t len, size_t max)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t room = text->cap - text->len < max ? text->cap - text->len : max;
    size_t start = text->len, at = 0, used;
    char unit[UNIT];

    if (room < ENDING + 1) return false;
    size_t end = start + room - ENDING; /* where a character must begin for the ending to fit */
    text->bytes[text->len++] = '"';
    while (at < len) {
        if (plain(p[at]) && text->len < end) {
            text->bytes[text->len++] = (char)p[at++];
            continue;
        }
        size_t took = put_character(p + at, len - at, unit, &used);
        if (text->len + used > end) break;
        memcpy(text->bytes + text->len, unit, used);
        text->len += used;
        at += took;
    }
    if (at < len) {
        text->len = before_key(text->bytes, start + 1, text->len);
        memcpy(text->bytes + text->len, "\xe2\x80\xa6", 3);
        text->len += 3;
    }
    text->bytes[text->len++] = '"';
    return true;
}

/* ---- members ------------------------------------------------------------------------------
 */

/* Where a walk over one member stands. */
struct walk {
    struct log_text *text;
    unsigned depth;
    bool in_string;
    bool cut;     /* the string at hand is too long: its rest is passed over */
    bool whole;   /* no string was cut */
    bool fits;    /* there was room for all of it */
    size_t begun; /* where the string at hand begins in the text */
};

/* An escape as it came, if it is one. The bytes that it has, or 0. */
static size_t escape_at(const char *p, size_t len)
{
    if (len < 2 || !p[1] || !strchr("\"\\/bfnrtu", p[1])) return 0;
    if (p[1] != 'u') return 2;
    if (len < 6) return 0;
    for (int i = 2; i < 6; i++)
        if (!isxdigit((unsigned char)p[i])) return 0;
    return 6;
}

/* One unit inside a string: what to write, and the source bytes that it stands for. */
static size_t put_inside(const char *p, size_t len, char out[UNIT], size_t *used)
{
    size_t escape = *p == '\\' ? escape_at(p, len) : 0;

    if (!escape && *p != '"') return put_character((const unsigned char *)p, len, out, used);
    *used = escape ? escape : 1;
    memcpy(out, p, *used);
    return *used;
}

/* One unit between strings: blanks go, and what JSON does not know becomes a question mark. */
static size_t put_between(struct walk *walk, char c, char out[UNIT], size_t *used)
{
    *used = (unsigned char)c > 0x20;
    out[0] = c;
    if ((unsigned char)c >= 0x7f || c == '\\') out[0] = '?';
    if (c == '{' || c == '[') walk->depth++;
    if ((c == '}' || c == ']') && walk->depth > 0) walk->depth--;
    return 1;
}

/* A unit of a walk that began with the byte c. */
static void write_unit(struct walk *walk, char c, const char *unit, size_t used)
{
    struct log_text *text = walk->text;

    if (c == '"') walk->in_string = !walk->in_string;
    if (!walk->in_string) walk->cut = false;
    if (walk->cut || !walk->fits) return;
    walk->fits = log_text_put(text, unit, used);
    if (c == '"') walk->begun = text->len;
    if (!walk->in_string || text->len - walk->begun <= STRING_LIMIT) return;
    text->len = before_key(text->bytes, walk->begun, text->len);
    walk->fits = log_text_put(text, "\xe2\x80\xa6", 3);
    walk->cut = true;
    walk->whole = false;
}

/* One member, from p to the comma behind it or the end. The source bytes it has; *whole false:
 * it was cut, or it does not fit or is broken and was left out. */
static size_t put_member(struct log_text *text, const char *p, size_t len, bool *whole)
{
    struct walk walk = {.text = text, .whole = true, .fits = true};
    size_t mark = text->len, at = 0, used;
    char unit[UNIT];

    while (at < len && (walk.in_string || walk.depth > 0 || p[at] != ',')) {
        char c = p[at];
        at += walk.in_string ? put_inside(p + at, len - at, unit, &used)
                             : put_between(&walk, c, unit, &used);
        write_unit(&walk, c, unit, used);
    }
    bool kept = walk.fits && !walk.in_string && walk.depth == 0;
    if (!kept) text->len = mark;
    *whole = kept && walk.whole;
    return at;
}

bool log_text_members(struct log_text *text, const char *members, size_t len)
{
    bool all = true;
    size_t begin = text->len;

    for (size_t at = 0; at < len; at++) { /* the step: over the comma */
        size_t mark = text->len;
        bool room = mark == begin || log_text_put(text, ",", 1);
        size_t behind = text->len;
        bool whole;
        at += put_member(text, members + at, len - at, &whole);
        if (!room || text->len == behind) text->len = mark; /* no comma alone */
        all = all && room && whole;
    }
    return all;
}
