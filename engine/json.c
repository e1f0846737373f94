#include "json.h"

#include <string.h>

/* What may come next. */
enum { WANT_VALUE, WANT_VALUE_OR_CLOSE, WANT_NAME_OR_CLOSE, WANT_MORE, FAILED };

const struct json_limits json_client_limits = {
    .depth = JSON_MAX_DEPTH, .nodes = 200000, .keys = 65536};
const struct json_limits json_answer_limits = {
    .depth = JSON_MAX_DEPTH, .nodes = 16777216, .keys = 65536};

const char *json_code_name(enum json_code code)
{
    switch (code) {
    case JSON_OK: return "ok";
    case JSON_INVALID: return "invalid_json";
    case JSON_INVALID_UTF8: return "invalid_utf8";
    case JSON_NOT_OBJECT: return "body_not_object";
    case JSON_TOO_DEEP: return "too_deep";
    case JSON_TOO_MANY: return "too_many_nodes";
    case JSON_DUPLICATE: return "duplicate_parameter";
    case JSON_NO_MEMORY: return "no_memory";
    }
    return "invalid_json";
}

void json_begin(struct json_reader *reader, const char *text, size_t len,
                const struct json_limits *limits)
{
    reader->text = reader->at = reader->from = reader->to = text;
    reader->end = text + len;
    reader->limits = *limits;
    reader->escaped = false;
    reader->state = WANT_VALUE;
    reader->depth = 0;
    reader->objects = 0;
    reader->nodes = 0;
    reader->error = (struct json_error){.code = JSON_OK};
    if (len >= UINT32_MAX) { /* members hold 32-bit offsets */
        reader->state = FAILED;
        reader->error = (struct json_error){.code = JSON_INVALID, .message = "too long"};
    }
}

static bool fail(struct json_reader *reader, enum json_code code, const char *at,
                 const char *message)
{
    reader->state = FAILED;
    reader->at = at;
    reader->error = (struct json_error){
        .code = code, .at = (size_t)(at - reader->text), .message = message};
    return false;
}

static bool fail_early_end(struct json_reader *reader)
{
    return fail(reader, JSON_INVALID, reader->end, "ends too early");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* ---- strings ------------------------------------------------------------------------------
 */

int json_utf8(const char *bytes, size_t left)
{
    const unsigned char *p = (const unsigned char *)bytes;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    int len;
    if (left == 0) return -1;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    if (p[0] < 0xe0) {
        len = 2;
    } else if (p[0] < 0xf0) {
        len = 3;
        if (p[0] == 0xe0) low = 0xa0;
        if (p[0] == 0xed) high = 0x9f; /* no surrogates */
    } else {
        len = 4;
        if (p[0] == 0xf0) low = 0x90;
        if (p[0] == 0xf4) high = 0x8f;
    }
    if (left < 2) return -1;
    if (p[1] < low || p[1] > high) return 0;
    for (int i = 2; i < len; i++) {
        if (left < (size_t)i + 1) return -1;
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    return len;
}

/* The first byte at or behind `at` that is no plain ASCII of a string, eight at a time. May
 * stop early, never late; the last seven bytes are left to the caller. */
static const char *skip_plain(const char *at, const char *end)
{
    const uint64_t ones = UINT64_MAX / 255, highs = ones * 0x80;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        uint64_t stop =
            ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (word - ones * 0x20) | word;
        stop &= highs;
        if (stop) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            at += __builtin_ctzll(stop) / 8;
#endif
            return at;
        }
        at += 8;
    }
    return at;
}

/* The value of four hex digits, or -1; *at is moved over those that are. */
static int read_hex4(const char **at, const char *end)
{
    int value = 0;
    for (int i = 0; i < 4; i++, (*at)++) {
        if (*at == end) return -1;
        char c = **at;
        int digit;
        if (is_digit(c)) {
            digit = c - '0';
        } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
            digit = (c | 32) - 'a' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* Behind `\u`. Surrogates must come as a pair. */
static bool read_unicode(struct json_reader *reader, const char **at)
{
    const char *start = *at - 2;
    int first = read_hex4(at, reader->end);
    if (first < 0) {
        if (*at == reader->end) return fail_early_end(reader);
        return fail(reader, JSON_INVALID, *at, "not a hex digit");
    }
    if (first < 0xd800 || first > 0xdfff) return true;
    if (first > 0xdbff) return fail(reader, JSON_INVALID, start, "lone surrogate escape");
    for (int i = 0; i < 2; i++, (*at)++) {
        if (*at == reader->end) return fail_early_end(reader);
        if (**at != "\\u"[i]) return fail(reader, JSON_INVALID, start, "lone surrogate escape");
    }
    int second = read_hex4(at, reader->end);
    if (second < 0 && *at == reader->end) return fail_early_end(reader);
    if (second < 0) return fail(reader, JSON_INVALID, *at, "not a hex digit");
    if (second >= 0xdc00 && second <= 0xdfff) return true;
    return fail(reader, JSON_INVALID, start, "lone surrogate escape");
}

/* `*at` stands on a backslash. */
static bool read_escape(struct json_reader *reader, const char **at)
{
    reader->escaped = true;
    if (reader->end - *at < 2) return fail_early_end(reader);
    char c = (*at)[1];
    *at += 2;
    if (c == 'u') return read_unicode(reader, at);
    if (c && strchr("\"\\/bfnrt", c)) return true;
    return fail(reader, JSON_INVALID, *at - 1, "unknown escape");
}

/* `*at` stands on a byte of a sequence; goes on while more of them follow. */
static bool read_utf8(struct json_reader *reader, const char **at)
{
    do {
        int len = json_utf8(*at, (size_t)(reader->end - *at));
        if (len < 0) return fail_early_end(reader);
        if (len == 0) return fail(reader, JSON_INVALID_UTF8, *at, "not UTF-8");
        *at += len;
    } while (*at < reader->end && **at & 0x80);
    return true;
}

/* reader->at stands behind the opening quote, and then behind the closing one. */
static bool read_string(struct json_reader *reader)
{
    const char *at = reader->at;
    reader->from = at;
    reader->escaped = false;
    for (;;) {
        at = skip_plain(at, reader->end);
        if (at == reader->end) return fail_early_end(reader);
        unsigned char c = (unsigned char)*at;
        if (c == '"') {
            reader->to = at;
            reader->at = at + 1;
            return true;
        }
        bool good = true;
        if (c == '\\') {
            good = read_escape(reader, &at);
        } else if (c >= 0x80) {
            good = read_utf8(reader, &at);
        } else if (c < 0x20) {
            good = fail(reader, JSON_INVALID, at, "control character in a string");
        } else {
            at++;
        }
        if (!good) return false;
    }
}

/* ---- values -------------------------------------------------------------------------------
 */

/* Digits at *at, at least one. */
static bool read_digits(struct json_reader *reader, const char **at)
{
    if (*at == reader->end) return fail_early_end(reader);
    if (!is_digit(**at)) return fail(reader, JSON_INVALID, *at, "not a digit");
    while (*at < reader->end && is_digit(**at)) {
        (*at)++;
    }
    return true;
}

static enum json_token read_number(struct json_reader *reader)
{
    const char *at = reader->at, *end = reader->end;
    reader->from = at;
    if (*at == '-') at++;
    if (at < end && *at == '0') {
        at++;
    } else if (!read_digits(reader, &at)) {
        return JSON_BAD;
    }
    if (at < end && *at == '.') {
        at++;
        if (!read_digits(reader, &at)) return JSON_BAD;
    }
    if (at < end && (*at | 32) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        if (!read_digits(reader, &at)) return JSON_BAD;
    }
    if (at - reader->from > JSON_MAX_NUMBER) {
        fail(reader, JSON_INVALID, reader->from, "a number of more than 64 characters");
        return JSON_BAD;
    }
    reader->to = reader->at = at;
    return JSON_NUMBER;
}

static enum json_token read_word(struct json_reader *reader, const char *word,
                                 enum json_token token)
{
    reader->from = reader->at;
    for (; *word; word++, reader->at++) {
        if (reader->at == reader->end) {
            fail_early_end(reader);
            return JSON_BAD;
        }
        if (*reader->at != *word) {
            fail(reader, JSON_INVALID, reader->at, "unexpected character");
            return JSON_BAD;
        }
    }
    reader->to = reader->at;
    return token;
}

static enum json_token open_container(struct json_reader *reader, enum json_token token)
{
    if (reader->depth == reader->limits.depth) {
        fail(reader, JSON_TOO_DEEP, reader->at, "nested too deeply");
        return JSON_BAD;
    }
    uint64_t bit = UINT64_C(1) << reader->depth;
    reader->keys[reader->depth] = 0;
    reader->depth++;
    reader->from = reader->at++;
    reader->to = reader->at;
    if (token == JSON_OBJECT) {
        reader->objects |= bit;
        reader->state = WANT_NAME_OR_CLOSE;
    } else {
        reader->objects &= ~bit;
        reader->state = WANT_VALUE_OR_CLOSE;
    }
    return token;
}

static enum json_token read_value(struct json_reader *reader)
{
    if (++reader->nodes > reader->limits.nodes) {
        fail(reader, JSON_TOO_MANY, reader->at, "too many values");
        return JSON_BAD;
    }
    reader->state = WANT_MORE;
    switch (*reader->at) {
    case '"': reader->at++; return read_string(reader) ? JSON_STRING : JSON_BAD;
    case '{': return open_container(reader, JSON_OBJECT);
    case '[': return open_container(reader, JSON_ARRAY);
    case 't': return read_word(reader, "true", JSON_TRUE);
    case 'f': return read_word(reader, "false", JSON_FALSE);
    case 'n': return read_word(reader, "null", JSON_NULL);
    default: break;
    }
    if (*reader->at == '-' || is_digit(*reader->at)) return read_number(reader);
    fail(reader, JSON_INVALID, reader->at, "unexpected character");
    return JSON_BAD;
}

static enum json_token read_name(struct json_reader *reader)
{
    if (*reader->at != '"') {
        fail(reader, JSON_INVALID, reader->at, "a name was expected");
        return JSON_BAD;
    }
    if (++reader->keys[reader->depth - 1] > reader->limits.keys) {
        fail(reader, JSON_TOO_MANY, reader->at, "too many names in one object");
        return JSON_BAD;
    }
    reader->at++;
    if (!read_string(reader)) return JSON_BAD;
    reader->at = skip_blanks(reader->at, reader->end);
    if (reader->at == reader->end) {
        fail_early_end(reader);
        return JSON_BAD;
    }
    if (*reader->at != ':') {
        fail(reader, JSON_INVALID, reader->at, "a colon was expected");
        return JSON_BAD;
    }
    reader->at++;
    reader->state = WANT_VALUE;
    return JSON_NAME;
}

static enum json_token close_container(struct json_reader *reader)
{
    reader->depth--;
    reader->from = reader->at++;
    reader->to = reader->at;
    reader->state = WANT_MORE;
    return JSON_CLOSE;
}

/* Behind a value, at a byte that is no blank: a comma or the container's end. */
static enum json_token read_more(struct json_reader *reader)
{
    if (reader->depth == 0) {
        fail(reader, JSON_INVALID, reader->at, "bytes behind the value");
        return JSON_BAD;
    }
    bool object = reader->objects >> (reader->depth - 1) & 1;
    if (*reader->at == (object ? '}' : ']')) return close_container(reader);
    if (*reader->at != ',') {
        fail(reader, JSON_INVALID, reader->at, "a comma or the end was expected");
        return JSON_BAD;
    }
    reader->at = skip_blanks(reader->at + 1, reader->end);
    if (reader->at == reader->end) {
        fail_early_end(reader);
        return JSON_BAD;
    }
    return object ? read_name(reader) : read_value(reader);
}

enum json_token json_next(struct json_reader *reader)
{
    if (reader->state == FAILED) return JSON_BAD;
    reader->at = skip_blanks(reader->at, reader->end);
    if (reader->at == reader->end) {
        if (reader->state == WANT_MORE && reader->depth == 0) return JSON_END;
        fail_early_end(reader);
        return JSON_BAD;
    }
    switch (reader->state) {
    case WANT_MORE: return read_more(reader);
    case WANT_NAME_OR_CLOSE:
        return *reader->at == '}' ? close_container(reader) : read_name(reader);
    case WANT_VALUE_OR_CLOSE:
        return *reader->at == ']' ? close_container(reader) : read_value(reader);
    default: return read_value(reader);
    }
}

enum json_token json_skip(struct json_reader *reader)
{
    unsigned base = reader->depth - 1;
    enum json_token token;
    do {
        token = json_next(reader);
    } while (token != JSON_BAD && reader->depth > base);
    return token;
}

bool json_check(const char *text, size_t len, const struct json_limits *limits,
                struct json_error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_begin(&reader, text, len, limits);
    do {
        token = json_next(&reader);
    } while (token != JSON_BAD && token != JSON_END);
    *error = reader.error;
    return token == JSON_END;
}
