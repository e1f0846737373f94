/* F2, reading. The input is the text.
 *
 * Oracles: a slow, plain reader of the grammar takes what the checker takes; it finds the same
 * members at the same places, and the same two of one name; strings mean what it makes of them,
 * and quoted and undone again are the same; where a double is said to carry a number, it does.
 */
#include <math.h>

#include "fuzz.h"

#include "buf.h"
#include "json.h"

enum { MANY = 200 /* members that are compared one with each other */ };

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

/* ---- the reference: what strings mean, and where members are ------------------------------
 */

static size_t put_code(uint32_t code, char *out)
{
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};

    for (int i = more; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(leads[more] | code);
    return (size_t)more + 1;
}

/* Behind "\\u". */
static size_t plain_code(struct plain *p, char *out)
{
    uint32_t code = (uint32_t)hex4(p);

    if (code >= 0xd800 && code <= 0xdbff) {
        p->at += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex4(p) - 0xdc00);
    }
    return put_code(code, out);
}

/* The inside of a string that was checked. */
static size_t plain_unescape(const char *from, size_t len, char *out)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    struct plain p = {(const uint8_t *)from, (const uint8_t *)from + len, 0};
    size_t n = 0;

    while (p.at < p.end) {
        int c = *p.at++;
        if (c == '\\' && take(&p, 'u')) {
            n += plain_code(&p, out + n);
        } else {
            out[n++] = (char)(c == '\\' ? bytes[strchr(names, *p.at++) - names] : c);
        }
    }
    return n;
}

struct plain_member {
    struct text name, value;
};

/* Of text that was checked: how many members the object has, -1 where it is none. The first
 * MANY are in `list`. */
static long plain_members(const char *text, size_t len, struct plain_member *list)
{
    struct plain p = {(const uint8_t *)text, (const uint8_t *)text + len, 0};
    long count = 0;

    blanks(&p);
    if (!take(&p, '{')) return -1;
    blanks(&p);
    if (take(&p, '}')) return 0;
    do {
        struct plain_member member;
        blanks(&p);
        member.name.at = (const char *)p.at + 1;
        MUST(string(&p));
        member.name.len = (size_t)((const char *)p.at - 1 - member.name.at);
        blanks(&p);
        MUST(take(&p, ':'));
        blanks(&p);
        member.value.at = (const char *)p.at;
        MUST(value(&p));
        member.value.len = (size_t)((const char *)p.at - member.value.at);
        if (count < MANY) list[count] = member;
        count++;
        blanks(&p);
    } while (take(&p, ','));
    return count;
}

static bool same_name(struct text a, struct text b)
{
    char *left = malloc(a.len + 1), *right = malloc(b.len + 1);
    MUST(left && right);
    struct text one = {left, plain_unescape(a.at, a.len, left)};
    struct text other = {right, plain_unescape(b.at, b.len, right)};
    bool same = text_same(one, other);

    free(left);
    free(right);
    return same;
}

static bool name_twice(const struct plain_member *list, long count)
{
    for (long i = 0; i < count; i++) {
        for (long j = 0; j < i; j++) {
            if (same_name(list[i].name, list[j].name)) return true;
        }
    }
    return false;
}

/* ---- what else must hold ------------------------------------------------------------------
 */

/* Undone, quoted and undone again, a string is the same. */
static void try_string(const char *from, size_t len)
{
    char *text = malloc(len ? len : 1), *plain = malloc(len + 4);
    struct buf quoted;
    struct json_error error;
    MUST(text && plain);
    size_t n = json_unescape(from, len, text);
    MUST(n <= len && n == plain_unescape(from, len, plain) && !memcmp(text, plain, n));
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
    free(plain);
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

static void compare_members(const char *text, size_t len, const struct json_index *index,
                            const struct json_error *error, bool indexed)
{
    static struct plain_member list[MANY];
    long count = plain_members(text, len, list);

    MUST((count < 0) == (!indexed && error->code == JSON_NOT_OBJECT));
    if (count < 0 || count > MANY) return;
    MUST(indexed == !name_twice(list, count));
    if (!indexed) return;
    MUST(index->count == (size_t)count);
    for (long i = 0; i < count; i++) {
        const struct json_member *m = &index->members[i];
        MUST(text + m->name == list[i].name.at && m->name_len == list[i].name.len);
        MUST(text + m->value == list[i].value.at && m->value_len == list[i].value.len);
    }
}

static void try_index(const char *text, size_t len, bool good)
{
    struct json_index index;
    struct json_error error;
    bool indexed = json_index(&index, text, len, &json_client_limits, &error);
    if (!good) MUST(!indexed && error.code != JSON_NOT_OBJECT && error.code != JSON_DUPLICATE);
    if (good && !indexed) MUST(error.code == JSON_NOT_OBJECT || error.code == JSON_DUPLICATE);
    if (good) compare_members(text, len, &index, &error, indexed);
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
