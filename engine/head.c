#include "head.h"

#include <string.h>
#include <strings.h>

static const struct head_refusal not_exact = {400, "invalid_header",
                                              "the request head is not well-formed"};
static const struct head_refusal bad_method = {400, "invalid_header",
                                               "the method is not a token"};
static const struct head_refusal tunnel = {405, "method_not_allowed", "CONNECT is not served"};
static const struct head_refusal long_target = {414, "url_too_long",
                                                "the request target is longer than 8 KiB"};
static const struct head_refusal bad_target = {
    400, "invalid_header", "the request target must be a path of printable ASCII characters"};
static const struct head_refusal bad_version = {505, "http_version_not_supported",
                                                "only HTTP/1.1 and HTTP/1.0 are served"};
static const struct head_refusal too_large = {431, "headers_too_large",
                                              "the headers are larger than 16 KiB"};
static const struct head_refusal too_many = {431, "headers_too_large",
                                             "there are more than 100 headers"};
static const struct head_refusal bad_name = {400, "invalid_header",
                                             "a header's name is not a token"};
static const struct head_refusal bad_value = {400, "invalid_header",
                                              "a header's value holds control characters"};
static const struct head_refusal bad_length = {
    400, "invalid_header", "content-length must be one decimal number, given once"};
static const struct head_refusal bad_coding = {
    400, "invalid_header", "transfer-encoding must be chunked, given once, on HTTP/1.1"};
static const struct head_refusal two_lengths = {
    400, "invalid_header", "content-length and transfer-encoding exclude each other"};
static const struct head_refusal bad_host = {400, "invalid_header",
                                             "exactly one host header is required"};
static const struct head_refusal bad_expectation = {417, "expectation_failed",
                                                    "only 100-continue can be expected"};

static bool is_token_byte(unsigned char byte)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if (byte >= 'a' && byte <= 'z') return true;
    if (byte >= 'A' && byte <= 'Z') return true;
    if (byte >= '0' && byte <= '9') return true;
    return byte && memchr(others, byte, sizeof(others) - 1);
}

bool head_is_token(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_token_byte((unsigned char)bytes[i])) return false;
    }
    return len > 0;
}

bool head_is_value(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
}

/* ---- the request line ------------------------------------------------------------------- */

static bool is_target(const char *target, size_t len)
{
    if (len == 0 || target[0] != '/') return false;
    for (size_t i = 0; i < len; i++) {
        if (target[i] <= 0x20 || target[i] >= 0x7f)
            return false; /* 8-bit is negative or more */
        if (target[i] == '%' && len - i > 2 && target[i + 1] == '0' && target[i + 2] == '0') {
            return false;
        }
    }
    return true;
}

static const struct head_refusal *check_line(const struct head_line *line)
{
    size_t method_len = strnlen(line->method, HEAD_MAX_METHOD + 1);

    if (method_len > HEAD_MAX_METHOD || !head_is_token(line->method, method_len)) {
        return &bad_method;
    }
    if (strcmp(line->method, "CONNECT") == 0) return &tunnel;
    if (line->target_len > HEAD_MAX_TARGET) return &long_target;
    /* Nothing but one space on either side of the target, and no NUL in it. */
    if (line->target != line->method + method_len + 1) return &not_exact;
    if (line->version != line->target + line->target_len + 1) return &not_exact;
    if (!is_target(line->copy, line->target_len)) return &bad_target;
    return NULL;
}

void head_begin(struct head *head, const struct head_line *line)
{
    head->start = line->method;
    head->length = -1;
    head->http10 = strcmp(line->version, "HTTP/1.0") == 0;
    head->chunked = false;
    head->expects = false;
    head->host = false;
    head->count = 0;
    head->refusal = check_line(line);
    if (head->refusal) return;
    if (!head->http10 && strcmp(line->version, "HTTP/1.1") != 0) {
        head->refusal = &bad_version;
    }
    head->end = line->version + strlen(line->version);
}

/* ---- headers ---------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *want, size_t len)
{
    return strncasecmp(name, want, len) == 0;
}

static size_t without_blanks(const char *value, size_t len)
{
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    return len;
}

static const struct head_refusal *take_length(struct head *head, const char *value, size_t len)
{
    int64_t length = 0;

    if (head->length >= 0 || len == 0 || len > 18) return &bad_length;
    if (value[0] == '0' && len > 1) return &bad_length;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') return &bad_length;
        length = length * 10 + (value[i] - '0');
    }
    head->length = length;
    return NULL;
}

static const struct head_refusal *take_coding(struct head *head, const char *value, size_t len)
{
    if (head->chunked || head->http10) return &bad_coding;
    if (len != 7 || memcmp(value, "chunked", 7) != 0) return &bad_coding;
    head->chunked = true;
    return NULL;
}

static const struct head_refusal *take_host(struct head *head, const char *value, size_t len)
{
    if (head->host) return &bad_host;
    len = without_blanks(value, len);
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= 0x20 || strchr("/?#@,\\", value[i])) return &bad_host;
    }
    head->host = true;
    return NULL;
}

static const struct head_refusal *take_expectation(struct head *head, const char *value,
                                                   size_t len)
{
    if (head->http10) return NULL; /* not in that version's words: ignored */
    if (len != 12 || strncasecmp(value, "100-continue", 12) != 0) return &bad_expectation;
    head->expects = true;
    return NULL;
}

/* The headers that decide where the body ends, and whose request it is. Their values count with
 * the blanks behind them: the library does not overlook those. */
static const struct head_refusal *take_known(struct head *head, const char *name,
                                             size_t name_len, const char *value, size_t len)
{
    if (name_len == 4 && is_named(name, "host", 4)) return take_host(head, value, len);
    if (name_len == 6 && is_named(name, "expect", 6)) {
        return take_expectation(head, value, len);
    }
    if (name_len == 14 && is_named(name, "content-length", 14)) {
        return take_length(head, value, len);
    }
    if (name_len == 17 && is_named(name, "transfer-encoding", 17)) {
        return take_coding(head, value, len);
    }
    return NULL;
}

/* Does the name follow the line before, and the value the name, with nothing hidden between? */
static bool is_adjacent(const struct head *head, const char *name, size_t name_len,
                        const char *value)
{
    const char *colon = name + name_len;
    uintptr_t gap = (uintptr_t)value - (uintptr_t)(colon + 1); /* huge when value lies before */

    if (name != head->end + 2 || gap > HEAD_MAX_BYTES) return false;
    for (uintptr_t i = 0; i < gap; i++) {
        if (colon[1 + i] != ' ' && colon[1 + i] != '\t') return false;
    }
    return true;
}

static const struct head_refusal *check_field(struct head *head, const char *name,
                                              size_t name_len, const char *value,
                                              size_t value_len)
{
    if (!is_adjacent(head, name, name_len, value)) return &not_exact;
    if (value + value_len - head->start > HEAD_MAX_BYTES) return &too_large;
    if (head->count == HEAD_MAX_FIELDS) return &too_many;
    if (!head_is_token(name, name_len)) return &bad_name;
    if (!head_is_value(value, value_len)) return &bad_value;
    return take_known(head, name, name_len, value, value_len);
}

void head_add(struct head *head, const char *name, size_t name_len, const char *value,
              size_t value_len)
{
    if (head->refusal) return;
    head->refusal = check_field(head, name, name_len, value, value_len);
    if (head->refusal) return;
    head->end = value + value_len;
    head->fields[head->count++] = (struct head_field){
        .name = (uint16_t)(name - head->start),
        .name_len = (uint16_t)name_len,
        .value = (uint16_t)(value - head->start),
        .value_len = (uint16_t)without_blanks(value, value_len),
    };
}

const struct head_refusal *head_end(struct head *head, size_t size)
{
    static const char ends[4]; /* two CRLFs, as the library leaves them */

    if (head->refusal) return head->refusal;
    if (size > HEAD_MAX_BYTES) {
        head->refusal = &too_large;
    } else if (size != (size_t)(head->end - head->start) + 4 ||
               memcmp(head->end, ends, 4) != 0) {
        head->refusal = &not_exact;
    } else if (!head->host && !head->http10) {
        head->refusal = &bad_host;
    } else if (head->chunked && head->length >= 0) {
        head->refusal = &two_lengths;
    }
    return head->refusal;
}

const struct head_field *head_find(const struct head *head, const char *start, const char *name,
                                   unsigned *count)
{
    const struct head_field *first = NULL;
    size_t len = strlen(name);

    if (count) *count = 0;
    for (unsigned i = 0; i < head->count; i++) {
        const struct head_field *field = &head->fields[i];
        if (field->name_len != len || !is_named(start + field->name, name, len)) continue;
        if (!first) first = field;
        if (!count) return first;
        ++*count;
    }
    return first;
}
