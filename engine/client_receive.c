#include "client_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RESERVE_AT_MOST = 1 << 20 };

/* ---- the head --------------------------------------------------------------------------- */

/* Makes the callback that returns it end the transfer. */
static size_t refuse(struct upstream *upstream, const char *kind, const char *message)
{
    upstream->failure.kind = kind;
    upstream->failure.message = message;
    return CURL_WRITEFUNC_ERROR;
}

const char *upstream_header(const struct upstream *upstream, const char *name)
{
    const char *at = upstream->head.data;
    const char *end = at ? at + upstream->head.len : NULL;

    if (!upstream->head_done) return NULL;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0) return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* "HTTP/1.1 200 OK": a head begins, the final one or one of 1xx. */
static size_t take_status(struct upstream *upstream, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);
    const char *end = line + len;
    int status = 0;

    for (const char *at = blank ? blank + 1 : end; at < end && *at >= '0' && *at <= '9'; at++) {
        if (status > 99) return refuse(upstream, "invalid", "the status is no number of three");
        status = status * 10 + (*at - '0');
    }
    if (status < 100) return refuse(upstream, "invalid", "the status is no number of three");
    buf_clear(&upstream->head);
    upstream->header_count = 0;
    upstream->status = status;
    (void)curl_easy_setopt(upstream->easy, CURLOPT_FORBID_REUSE, 0L); /* it works */
    return len;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t take_field(struct upstream *upstream, const char *line, size_t size)
{
    size_t len = size;

    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    const char *colon = memchr(line, ':', len);
    if (!colon || colon == line || is_blank(line[0]) || has_control(line, len)) {
        return refuse(upstream, "invalid", "the answer holds a header that is none");
    }
    const char *value = colon + 1, *end = line + len;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (++upstream->header_count > MAX_HEADERS ||
        !buf_append(&upstream->head, line, (size_t)(colon - line)) ||
        !buf_append(&upstream->head, "", 1) ||
        !buf_append(&upstream->head, value, (size_t)(end - value)) ||
        !buf_append(&upstream->head, "", 1)) {
        return refuse(upstream, "invalid", "the answer's headers are too many or too long");
    }
    return size;
}

/* A length that is known is a ceiling to check, and memory to take once. */
static size_t check_length(struct upstream *upstream, size_t size)
{
    const char *text = upstream_header(upstream, "content-length");
    size_t max = upstream->request.max_body;

    if (!text || upstream->request.stream) return size;
    unsigned long long length = strtoull(text, NULL, 10);
    if (length > max) return refuse(upstream, "too_large", "the answer is too long");
    size_t room = length < RESERVE_AT_MOST ? (size_t)length : RESERVE_AT_MOST;
    if (!buf_reserve(&upstream->body, room)) return refuse(upstream, "closed", "no memory");
    return size;
}

/* The blank line behind a head. */
static size_t end_head(struct upstream *upstream, size_t size)
{
    if (upstream->status == 101) {
        return refuse(upstream, "invalid", "the provider switched protocols unasked");
    }
    if (upstream->status < 200) return size; /* the real one is still to come */
    upstream->head_done = true;

    const char *content = upstream_header(upstream, "content-encoding");
    const char *transfer = upstream_header(upstream, "transfer-encoding");
    if ((content && *content && strcasecmp(content, "identity") != 0) ||
        (transfer && strcasecmp(transfer, "chunked") != 0)) {
        return refuse(upstream, "invalid", "the answer is encoded although that was refused");
    }
    if (check_length(upstream, size) != size) return CURL_WRITEFUNC_ERROR;
    upstream->state = UPSTREAM_OPEN;
    upstream->request.on_ready(upstream->request.owner);
    return size;
}

size_t client_take_header(char *line, size_t one, size_t len, void *owner)
{
    struct upstream *upstream = owner;

    (void)one;
    upstream->last_byte_ms = loop_now_ms(upstream->client->loop);
    if (!upstream->first_byte_ms) upstream->first_byte_ms = upstream->last_byte_ms;
    if (upstream->head_done) return len; /* trailers: nobody asked for them */
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) return take_status(upstream, line, len);
    if (line[0] == '\n' || (len == 2 && line[0] == '\r')) return end_head(upstream, len);
    return take_field(upstream, line, len);
}

/* ---- the body --------------------------------------------------------------------------- */

size_t client_take_body(char *bytes, size_t one, size_t len, void *owner)
{
    struct upstream *upstream = owner;
    bool stream = upstream->request.stream;

    (void)one;
    upstream->last_byte_ms = loop_now_ms(upstream->client->loop);
    if (stream && upstream->body.len >= upstream->mark) {
        upstream->paused = true; /* curl keeps these bytes and reads no more */
        client_hold_socket(upstream);
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!buf_append(&upstream->body, bytes, len)) {
        return refuse(upstream, "too_large", "the answer is too long");
    }
    if (stream) upstream->request.on_ready(upstream->request.owner);
    return len;
}

struct buf *upstream_bytes(struct upstream *upstream)
{
    return &upstream->body;
}

void upstream_consume(struct upstream *upstream, size_t len)
{
    buf_consume(&upstream->body, len);
    upstream->mark = PAUSE_AT + (len ? 0 : upstream->body.len);
    if (!upstream->paused || upstream->queue) return;
    if (upstream->body.len <= upstream->mark - PAUSE_AT / 2) {
        client_queue_add(&upstream->client->resuming, upstream);
    }
}

/* ---- the end ---------------------------------------------------------------------------- */

/* One of curl's codes that name a single thing. */
static const char *plain_verdict(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return "dns";
    case CURLE_COULDNT_CONNECT: return "connect";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return "tls";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY: return "invalid"; /* a header past curl's own ceiling */
    default: return NULL;
    }
}

static const char *say(struct upstream *upstream, const char *kind, const char *message)
{
    upstream->failure.message = message;
    return kind;
}

static const char *say_plain(struct upstream *upstream, const char *kind)
{
    if (strcmp(kind, "invalid") == 0) {
        return say(upstream, kind, "the answer is not HTTP");
    }
    /* What curl says of these holds names, addresses and certificates, no more. */
    return say(upstream, kind, upstream->error[0] ? upstream->error : "no connection");
}

const char *client_verdict(struct upstream *upstream, CURLcode code)
{
    if (upstream->failure.kind) return upstream->failure.kind; /* a callback refused */
    if (code == CURLE_OK) {
        return upstream->head_done ? NULL : say(upstream, "closed", "there was no answer");
    }
    if (upstream->head_done) {
        return say(upstream, "truncated", "the connection ended before the answer did");
    }
    if (upstream->blocked && !upstream->sends) {
        return say(upstream, "blocked", "a public name leads to a private address");
    }
    const char *plain = plain_verdict(code);
    if (plain && (upstream->sends == 0 || strcmp(plain, "invalid") == 0)) {
        return say_plain(upstream, plain);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return upstream->sends ? say(upstream, "timeout", "no answer in time")
                               : say(upstream, "connect_timeout", "no connection in time");
    }
    return say(upstream, "closed", "the provider closed the connection without an answer");
}
