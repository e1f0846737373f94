/* The checker against a slow, plain reader of the grammar; the index, strings and numbers
 * against what they must agree with. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(expr)            \
    do {                      \
        if (!(expr)) abort(); \
    } while (0)

/* ---- the reference: RFC 8259, one function a rule -----------------------------------------
 */

struct plain {
    const uint8_t *at, *end;
    int depth;
};

static int peek(const struct plain *p)
{
    return p->at < p->end ? *p->at : -1;
}

static bool take(struct plain *p, int c)
{
    if (peek(p) != c) return false;
    p->at++;
    return true;
}

static void blanks(struct plain *p)
{
    while (take(p, ' ') || take(p, '\t') || take(p, '\n') || take(p, '\r')) {
    }
}

static bool word(struct plain *p, const char *text)
{
    while (*text) {
        if (!take(p, *text++)) return false;
    }
    return true;
}

/* A code point by arithmetic: no overlong form, no surrogate, nothing above U+10FFFF. */
static bool utf8(struct plain *p)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t lead = *p->at++;
    int more = lead >= 0xf8 ? -1 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : -1;
    if (more < 0) return false;
    uint32_t code = lead & (0x3fu >> more);
    for (int i = 0; i < more; i++) {
        int c = peek(p);
        if (c < 0x80 || c > 0xbf) return false;
        code = code << 6 | ((uint32_t)c & 0x3f);
        p->at++;
    }
    return code >= least[more] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static int hex4(struct plain *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        int c = peek(p);
        const char *digit = c > 0 ? strchr(digits, c) : NULL;
        if (!digit) return -1;
        value = value * 16 + (int)((digit - digits) % 16);
        p->at++;
    }
    return value;
}

static bool unicode(struct plain *p)
{
    int first = hex4(p);
    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff)) return false;
    if (first < 0xd800 || first > 0xdbff) return true;
    if (!take(p, '\\') || !take(p, 'u')) return false;
    int second = hex4(p);
    return second >= 0xdc00 && second <= 0xdfff;
}

static bool string(struct plain *p)
{
    if (!take(p, '"')) return false;
    while (!take(p, '"')) {
        int c = peek(p);
        if (c < 0x20) return false;
        if (c >= 0x80) {
            if (!utf8(p)) return false;
        } else if (c != '\\') {
            p->at++;
        } else {
            p->at++;
            c = peek(p);
            if (c <= 0 || !strchr("\"\\/bfnrtu", c)) return false;
            p->at++;
            if (c == 'u' && !unicode(p)) return false;
        }
    }
    return true;
}

static bool digits(struct plain *p)
{
    const uint8_t *from = p->at;
    while (peek(p) >= '0' && peek(p) <= '9') {
        p->at++;
    }
    return p->at > from;
}

static bool number(struct plain *p)
{
    const uint8_t *from = p->at;
    take(p, '-');
    if (!take(p, '0') && !digits(p)) return false;
    if (take(p, '.') && !digits(p)) return false;
    if (take(p, 'e') || take(p, 'E')) {
        if (!take(p, '+')) take(p, '-');
        if (!digits(p)) return false;
    }
    return p->at - from <= 64;
}

static bool value(struct plain *p);

static bool items(struct plain *p, bool object)
{
    int close = object ? '}' : ']';
    p->at++;
    blanks(p);
    if (take(p, close)) return true;
    do {
        blanks(p);
        if (object) {
            if (!string(p)) return false;
            blanks(p);
            if (!take(p, ':')) return false;
        }
        if (!value(p)) return false;
        blanks(p);
    } while (take(p, ','));
    return take(p, close);
}

static bool value(struct plain *p)
{
    blanks(p);
    bool good;
    switch (peek(p)) {
    case '{':
    case '[':
        if (++p->depth > 64) return false;
        good = items(p, peek(p) == '{');
        p->depth--;
        return good;
    case '"': return string(p);
    case 't': return word(p, "true");
    case 'f': return word(p, "false");
    case 'n': return word(p, "null");
    default: return number(p);
    }
}

static bool plain_check(const uint8_t *data, size_t size)
{
    struct plain p = {data, data + size, 0};
    if (!value(&p)) return false;
    blanks(&p);
    return p.at == p.end;
}

/* ---- what else must hold ------------------------------------------------------------------
 */

/* Undone, quoted and undone again, a string is the same. */
static void try_string(const char *from, size_t len)
{
    char *text = malloc(len + 1), *again = malloc(len + 1);
    struct buf quoted;
    struct json_error error;
    size_t n = json_unescape(from, len, text);
    MUST(n <= len);
    buf_init(&quoted, 1 << 24);
    MUST(json_quote(&quoted, text, n, false));
    MUST(json_check(quoted.data, quoted.len, &json_client_limits, &error));
    char *back = malloc(quoted.len);
    MUST(json_unescape(quoted.data + 1, quoted.len - 2, back) == n && !memcmp(back, text, n));
    buf_clear(&quoted);
    MUST(json_quote(&quoted, from, len, true)); /* any bytes at all */
    MUST(json_check(quoted.data, quoted.len, &json_client_limits, &error));
    buf_free(&quoted);
    free(back);
    free(again);
    free(text);
}

/* Where a double is said to carry a number, printing it gives the same digits. */
static void try_number(const char *from, size_t len)
{
    char text[JSON_MAX_NUMBER + 1], out[JSON_NUMBER_SPACE + 1];
    double got = 0;
    memcpy(text, from, len);
    text[len] = '\0';
    bool exact = json_number(from, len, &got);
    double want = strtod(text, NULL);
    if (!exact) return;
    MUST(got == want && signbit(got) == signbit(want) && isfinite(got));
    size_t n = json_print_number(got, out);
    out[n] = '\0';
    MUST(n > 0 && strtod(out, NULL) == got);
    struct json_error error;
    MUST(json_check(out, n, &json_client_limits, &error));
}

static void try_tokens(const char *text, size_t len)
{
    struct json_reader reader;
    enum json_token token;
    json_begin(&reader, text, len, &json_client_limits);
    do {
        token = json_next(&reader);
        size_t size = (size_t)(reader.to - reader.from);
        MUST(reader.from >= text && reader.to <= text + len && reader.from <= reader.to);
        if (token == JSON_STRING || token == JSON_NAME) try_string(reader.from, size);
        if (token == JSON_NUMBER) try_number(reader.from, size);
    } while (token != JSON_END && token != JSON_BAD);
    MUST(token == JSON_END);
}

static void try_index(const char *text, size_t len, bool good)
{
    struct json_index index;
    struct json_error error;
    bool indexed = json_index(&index, text, len, &json_client_limits, &error);
    if (!good) MUST(!indexed && error.code != JSON_NOT_OBJECT && error.code != JSON_DUPLICATE);
    if (good && !indexed) MUST(error.code == JSON_NOT_OBJECT || error.code == JSON_DUPLICATE);
    for (size_t i = 0; i < index.count; i++) {
        const struct json_member *m = &index.members[i];
        char *name = malloc(m->name_len + 1);
        size_t n = json_unescape(text + m->name, m->name_len, name);
        MUST(json_index_find(&index, text, name, n) == m); /* the only one */
        MUST(plain_check((const uint8_t *)text + m->value, m->value_len));
        free(name);
    }
    json_index_free(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct json_error error;
    bool good = json_check(text, size, &json_client_limits, &error);
    MUST(good == plain_check(data, size));
    MUST(good == (error.code == JSON_OK) && error.at <= size);
    char sentence[JSON_ERROR_SPACE];
    json_explain(&error, sentence);
    if (good) try_tokens(text, size);
    try_index(text, size, good);
    try_string("", 0);
    return 0;
}
