#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

void json_explain(const struct json_error *error, char out[JSON_ERROR_SPACE])
{
    const char *message = error->message ? error->message : "";
    switch (error->code) {
    case JSON_INVALID:
        (void)snprintf(out, JSON_ERROR_SPACE, "invalid JSON at byte %zu: %s", error->at,
                       message);
        break;
    case JSON_NOT_OBJECT:
        (void)snprintf(out, JSON_ERROR_SPACE, "a JSON object was expected");
        break;
    case JSON_DUPLICATE:
        (void)snprintf(out, JSON_ERROR_SPACE, "\"%s\" stands in the object twice",
                       error->param);
        break;
    case JSON_NO_MEMORY: (void)snprintf(out, JSON_ERROR_SPACE, "not enough memory"); break;
    default: (void)snprintf(out, JSON_ERROR_SPACE, "%s at byte %zu", message, error->at); break;
    }
}

/* ---- strings ------------------------------------------------------------------------------
 */

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)at[i];
        value = value * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value;
}

static unsigned put_utf8(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    unsigned len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (unsigned i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((0xf00u >> len & 0xf0) | code);
    return len;
}

unsigned json_unescape_one(const char **from, char out[4])
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *at = *from + 1;
    if (*at != 'u') {
        for (const char *e = escapes; *e; e += 2) {
            if (*e == *at) out[0] = e[1];
        }
        *from = at + 1;
        return 1;
    }
    unsigned code = hex4(at + 1);
    at += 5;
    if (code >= 0xd800 && code < 0xdc00) { /* the check saw its other half */
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(at + 2) - 0xdc00);
        at += 6;
    }
    *from = at;
    return put_utf8(code, out);
}

size_t json_unescape(const char *from, size_t len, char *out)
{
    const char *end = from + len;
    char *start = out;
    while (from < end) {
        const char *slash = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((slash ? slash : end) - from);
        memcpy(out, from, plain);
        out += plain;
        from += plain;
        while (from < end && *from == '\\') {
            char bytes[4];
            unsigned n = json_unescape_one(&from, bytes);
            memcpy(out, bytes, n);
            out += n;
        }
    }
    return (size_t)(out - start);
}

/* Must this byte, or the sequence that starts with it, be looked at? */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Append the escape of one control character, quote or backslash. */
static bool put_escape(struct buf *out, unsigned code)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[8];
    for (const char *s = shorts; *s; s += 2) {
        if ((unsigned char)*s == code) return buf_append(out, (char[]){'\\', s[1]}, 2);
    }
    (void)snprintf(text, sizeof(text), "\\u%04x", code & 0xffff);
    return buf_append(out, text, 6);
}

/* Append what stands at `at`, which is not plain; returns the bytes used, 0: no room. */
static size_t put_special(struct buf *out, const char *at, size_t left, bool strict)
{
    const unsigned char *p = (const unsigned char *)at;
    int len = json_utf8(at, left);
    if (len <= 0) return buf_append(out, "\\ufffd", 6) ? 1 : 0;
    if (len == 1) {
        bool keep = p[0] == 0x7f && !strict;
        return (keep ? buf_append(out, at, 1) : put_escape(out, p[0])) ? 1 : 0;
    }
    bool put;
    if (strict && p[0] == 0xc2 && p[1] < 0xa0) {
        put = put_escape(out, p[1]);
    } else if (strict && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
        put = put_escape(out, 0x2000u + (p[2] & 0x3f));
    } else {
        put = buf_append(out, at, (size_t)len);
    }
    return put ? (size_t)len : 0;
}

bool json_quote(struct buf *out, const char *bytes, size_t len, bool strict)
{
    size_t before = out->len;
    size_t i = 0;
    if (len > out->limit || !buf_reserve(out, len + 2)) return false;
    bool good = buf_append(out, "\"", 1);
    while (good && i < len) {
        size_t run = i;
        while (run < len && is_plain((unsigned char)bytes[run])) {
            run++;
        }
        good = buf_append(out, bytes + i, run - i);
        i = run;
        if (good && i < len) {
            size_t used = put_special(out, bytes + i, len - i, strict);
            good = used > 0;
            i += used;
        }
    }
    good = good && buf_append(out, "\"", 1);
    if (!good) out->len = before;
    return good;
}

/* ---- numbers ------------------------------------------------------------------------------
 */

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { MAX_POWER = 22, SAFE_DIGITS = 15, MAX_DIGITS = 17 };
static const uint64_t MAX_EXACT = UINT64_C(1) << 53;

/* A number taken apart: its significant digits, without zeros at either end. */
struct decimal {
    char digits[JSON_MAX_NUMBER];
    int count;
    int exponent; /* of ten, for the digits read as an integer */
    bool negative, integer;
};

static void take_apart(const char *at, size_t len, struct decimal *out)
{
    const char *end = at + len;
    bool fraction = false;
    *out = (struct decimal){.integer = true};
    if (at < end && *at == '-') {
        out->negative = true;
        at++;
    }
    for (; at < end && (*at | 32) != 'e'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (fraction) out->exponent--;
        if ((out->count || *at != '0') && out->count < JSON_MAX_NUMBER)
            out->digits[out->count++] = *at;
    }
    out->integer = !fraction && at == end;
    if (at < end) { /* at most 62 digits: clamped, so that nothing overflows */
        bool minus = at[1] == '-';
        int value = 0;
        for (at += 1 + (minus || at[1] == '+'); at < end; at++) {
            if (value < 100000) value = value * 10 + (*at - '0');
        }
        out->exponent += minus ? -value : value;
    }
    while (out->count && out->digits[out->count - 1] == '0') {
        out->count--;
        out->exponent++;
    }
}

/* What Lua's and everybody's strtod gives; the locale is "C" all through the process. */
static double slow_number(const char *from, size_t len)
{
    char text[JSON_MAX_NUMBER + 1];
    if (len > JSON_MAX_NUMBER) len = JSON_MAX_NUMBER;
    memcpy(text, from, len);
    text[len] = '\0';
    return strtod(text, NULL);
}

static uint64_t mantissa(const struct decimal *decimal)
{
    uint64_t value = 0;
    for (int i = 0; i < decimal->count; i++) {
        value = value * 10 + (uint64_t)(decimal->digits[i] - '0');
    }
    return value;
}

/* Would printing the double give these digits again? */
static bool prints_as(double value, const struct decimal *decimal)
{
    char text[JSON_NUMBER_SPACE] = "";
    struct decimal again;
    take_apart(text, json_print_number(value, text), &again);
    return again.count == decimal->count && again.exponent == decimal->exponent &&
           memcmp(again.digits, decimal->digits, (size_t)again.count) == 0;
}

bool json_number(const char *from, size_t len, double *value)
{
    struct decimal decimal;
    take_apart(from, len, &decimal);
    double sign = decimal.negative ? -1.0 : 1.0;
    if (decimal.count == 0) {
        *value = 0.0 * sign;
        return true;
    }
    if (decimal.count <= SAFE_DIGITS && abs(decimal.exponent) <= MAX_POWER) {
        double digits = (double)mantissa(&decimal), power = POWERS[abs(decimal.exponent)];
        *value = sign * (decimal.exponent < 0 ? digits / power : digits * power);
        return !decimal.integer || fabs(*value) <= (double)MAX_EXACT;
    }
    *value = slow_number(from, len);
    if (decimal.integer && fabs(*value) > (double)MAX_EXACT) return false;
    if (!isfinite(*value) || *value == 0.0 || decimal.count > MAX_DIGITS) return false;
    if (decimal.count <= SAFE_DIGITS && fabs(*value) >= DBL_MIN) return true;
    return prints_as(*value, &decimal);
}

static size_t print_integer(double value, char *out)
{
    uint64_t n = (uint64_t)fabs(value);
    char digits[20];
    size_t count = 0, len = 0;
    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    if (signbit(value)) out[len++] = '-';
    while (count) {
        out[len++] = digits[--count];
    }
    return len;
}

size_t json_print_number(double value, char out[JSON_NUMBER_SPACE])
{
    if (!isfinite(value)) return 0;
    if (fabs(value) <= (double)MAX_EXACT && value == trunc(value))
        return print_integer(value, out);
    int precision = fabs(value) < DBL_MIN ? 1 : SAFE_DIGITS; /* subnormals have fewer digits */
    for (;; precision++) {
        int len = snprintf(out, JSON_NUMBER_SPACE, "%.*g", precision, value);
        if (precision == MAX_DIGITS || strtod(out, NULL) == value) return (size_t)len;
    }
}
