/* A request: what came, and what its owner may ask and say. */
#include "server_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sanitized.h"

enum {
    /* Requests kept for the next. A sanitizer sees who uses one that is over. */
    POOLED = SANITIZED ? 0 : 256,
    KEPT_BYTES = 64 * 1024, /* … with a body buffer no larger than this */
    FIRST_TEXT = 1024,
};

/* ---- making and ending ------------------------------------------------------------------- */

static bool keep_text(struct request *request, size_t need)
{
    if (need <= request->text_cap) return true;

    size_t cap = need < FIRST_TEXT ? FIRST_TEXT : need;
    char *text = realloc(request->text, cap);
    if (!text) return false;
    request->text = text;
    request->text_cap = cap;
    return true;
}

static void request_free(struct request *request)
{
    buf_free(&request->bytes);
    free(request->refusal);
    free(request->text);
    free(request);
}

static struct request *from_pool(struct server *server)
{
    struct request *request = server->request_pool;

    if (!request) return calloc(1, sizeof(*request));
    server->request_pool = request->next;
    server->pooled--;

    struct buf bytes = request->bytes;
    char *text = request->text;
    size_t text_cap = request->text_cap;
    /* Only what lies before the table of headers: it is large, and counted. */
    memset(request, 0, offsetof(struct request, head));
    request->bytes = bytes;
    request->text = text;
    request->text_cap = text_cap;
    return request;
}

static void to_pool(struct server *server, struct request *request)
{
    if (server->pooled == POOLED || request->bytes.cap > KEPT_BYTES ||
        request->text_cap > HEAD_MAX_BYTES) {
        request_free(request);
        return;
    }
    buf_clear(&request->bytes);
    request->next = server->request_pool;
    server->request_pool = request;
    server->pooled++;
}

struct request *request_new(struct connection *connection, const char *target)
{
    struct server *server = connection->server;
    struct request *request = from_pool(server);
    size_t len = strlen(target);
    size_t kept = len > HEAD_MAX_TARGET ? 0 : len; /* longer ones are refused unseen */

    if (!request) return NULL;
    if (!keep_text(request, kept + 1)) {
        to_pool(server, request);
        return NULL;
    }
    memcpy(request->text, target, kept);
    request->text[kept] = '\0';
    request->raw = target;
    request->target_len = len;
    request->server = server;
    request->connection = connection;
    connection->request = request;
    memcpy(request->peer, connection->peer, sizeof(request->peer));
    buf_clear(&request->bytes);
    request->bytes.limit = server->options.max_body;

    request->prev = NULL;
    request->next = server->requests;
    if (request->next) request->next->prev = request;
    server->requests = request;
    return request;
}

bool request_keep_head(struct request *request, size_t size)
{
    size_t start = request->target_len + 1;

    assert(size <= HEAD_MAX_BYTES && request->target_len <= HEAD_MAX_TARGET);
    if (!keep_text(request, start + size)) return false;
    memcpy(request->text + start, request->head.start, size);
    request->method = request->text + start;
    for (unsigned i = 0; i < request->head.count; i++) { /* blanks behind a value are not its */
        const struct head_field *field = &request->head.fields[i];
        request->text[start + field->value + field->value_len] = '\0';
    }
    char *query = memchr(request->text, '?', request->target_len);
    if (query) *query++ = '\0';
    request->query = query ? query : "";
    request->raw = NULL;
    return true;
}

static void unlink_request(struct request *request)
{
    struct server *server = request->server;

    if (request->prev) request->prev->next = request->next;
    if (request->next) request->next->prev = request->prev;
    if (server->requests == request) server->requests = request->next;
    if (request->announced) server->request_count--;
    server->coming -= request->coming;
    free(request->refusal);
    request->refusal = NULL;
    to_pool(server, request);
}

void requests_free(struct server *server)
{
    struct request *next;

    for (struct request *request = server->requests; request; request = next) {
        next = request->next;
        assert(request->owned && !request->connection);
        request->gone = true;
        request->server = NULL;
    }
    for (struct request *request = server->request_pool; request; request = next) {
        next = request->next;
        request_free(request);
    }
}

void request_tell(struct request *request)
{
    struct server *server = request->server;

    if (!request->owned || server->closing) return;
    server->options.on_ready(server->options.ctx, request);
}

void request_detach(struct request *request, bool delivered)
{
    request->connection = NULL;
    request->streaming = false;
    if (!request->owned) {
        unlink_request(request);
        return;
    }
    if (delivered) return;
    request->gone = true;
    if (request->body == REQUEST_BODY_COMING) request_body_ends(request, REQUEST_BODY_BROKEN);
    request_tell(request);
}

/* ---- a body on its way --------------------------------------------------------------------
 */

void request_body_begins(struct request *request)
{
    int64_t length = request->head.length;

    request->body = REQUEST_BODY_COMING;
    request->coming = length < 0 ? UNKNOWN_BODY : length < LARGE_BODY ? 0 : (size_t)length;
    request->server->coming += request->coming;
}

void request_body_ends(struct request *request, enum request_body how)
{
    request->body = how;
    request->server->coming -= request->coming;
    request->coming = 0;
}

/* ---- not serving --------------------------------------------------------------------------
 */

void request_refuse(struct request *request, const struct request_refusal *refusal)
{
    size_t len = refusal->body ? refusal->len : 0;
    struct refusal *copy = malloc(sizeof(*copy) + len);

    if (copy) { /* else a plain 500 */
        copy->status = refusal->status;
        copy->len = len;
        (void)snprintf(copy->id, sizeof(copy->id), "%s", refusal->id);
        if (len) memcpy(copy->body, refusal->body, len);
    }
    request->refusal = copy;
    request->leaves = refusal->leave;
    if (request->body == REQUEST_BODY_COMING) request_body_ends(request, REQUEST_BODY_BROKEN);
    request_release(request);
}

static bool say_refusal(struct request *request)
{
    struct refusal *refusal = request->refusal;
    const struct http_header headers[] = {
        {"content-type", "application/json"},
        {"retry-after", "1"},
        {"x-should-retry", "true"},
        {"x-request-id", refusal->id},
        {"x-moongate-request-id", refusal->id},
    };
    char *body = malloc(refusal->len + 1);

    if (!body) return false;
    memcpy(body, refusal->body, refusal->len);
    return request_respond(request, refusal->status, headers, refusal->id[0] ? 5 : 3, body,
                           refusal->len);
}

/* The owner forgot it: end what he left open. */
void request_abandon(struct request *request)
{
    static const char unanswered[] =
        "{\"error\":{\"message\":\"The request could not be served.\","
        "\"type\":\"server_error\",\"param\":null,\"code\":\"internal_error\"}}";
    static const struct http_header headers[] = {{"content-type", "application/json"},
                                                 {"x-should-retry", "true"}};

    request->forgotten = false;
    if (!request->connection || request->gone) return;
    if (request->streaming) request_finish(request, false);
    if (request->answered || (request->refusal && say_refusal(request))) return;
    if (!request_respond(request, 500, headers, 2, strdup(unanswered),
                         sizeof(unanswered) - 1)) {
        connection_lose(request->connection); /* not even that: no memory */
    }
}

void request_release(struct request *request)
{
    assert(request->owned);
    if (!request->server) { /* it outlived the server */
        request_free(request);
        return;
    }
    request->owned = false;
    if (!request->connection) {
        unlink_request(request);
    } else if (request->server
                   ->running) { /* from on_request(): nothing may be said from there */
        request->forgotten = true;
        connection_mark_dirty(request->connection);
    } else {
        request_abandon(request);
    }
}

/* ---- what came --------------------------------------------------------------------------- */

const char *request_method(const struct request *request)
{
    return request->method;
}

const char *request_path(const struct request *request)
{
    return request->text;
}

const char *request_query(const struct request *request)
{
    return request->query;
}

const char *request_header(const struct request *request, const char *name)
{
    const struct head_field *field = head_find(&request->head, request->method, name, NULL);

    return field ? request->method + field->value : NULL;
}

unsigned request_header_count(const struct request *request, const char *name)
{
    unsigned count;

    (void)head_find(&request->head, request->method, name, &count);
    return count;
}

bool request_field(const struct request *request, unsigned index, struct request_field *field)
{
    const struct head *head = &request->head;

    if (index >= head->count) return false;
    const struct head_field *found = &head->fields[index];
    field->name = request->method + found->name;
    field->name_len = found->name_len;
    field->value = request->method + found->value;
    field->value_len = found->value_len;
    return true;
}

const char *request_peer(const struct request *request)
{
    return request->peer;
}

bool request_is_admin(const struct request *request)
{
    return request->server && request->server->options.admin;
}

bool request_is_gone(const struct request *request)
{
    return request->gone;
}

int64_t request_age_us(const struct request *request)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (!request->connection) return 0;
    if (getsockopt(request->connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return 0;
    return (int64_t)info.tcpi_last_data_recv * 1000;
}

bool request_is_large(const struct request *request)
{
    return request->coming > 0;
}

int64_t request_started_ms(const struct request *request)
{
    return request->started_ms;
}

enum request_body request_body(struct request *request, struct buf **bytes)
{
    struct connection *connection = request->connection;

    *bytes = &request->bytes;
    if (request->body == REQUEST_BODY_COMING && connection &&
        connection->state == CONNECTION_PARKED && !connection->lost) {
        /* The client waits to be told to go on. */
        assert(!request->server->running);
        request->asked = true;
        connection_expect_body(connection);
    }
    return request->body;
}

void request_set_owner(struct request *request, void *owner)
{
    request->owner = owner;
}

void *request_owner(const struct request *request)
{
    return request->owner;
}
