/* What is said to clients: by microhttpd where the request is whole, past it where it is not.
 */
#include "server_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>

#include <microhttpd.h>

/* ---- headers ----------------------------------------------------------------------------- */

/* These say how the message is framed: ours alone. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"connection", "content-length", "date", "keep-alive",
                                       "transfer-encoding"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcasecmp(name, ours[i]) == 0) return true;
    }
    return false;
}

static bool are_sendable(const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = headers[i].name, *value = headers[i].value;
        if (!head_is_token(name, strlen(name)) || is_ours(name)) return false;
        if (!head_is_value(value, strlen(value))) return false;
    }
    return true;
}

static bool must_close(const struct connection *connection)
{
    /* Chunk framing is read leniently by the library: nothing behind it can be trusted. */
    return connection->server->stopping || connection->request->head.chunked ||
           connection->request->leaves;
}

static bool add_headers(const struct connection *connection, struct MHD_Response *response,
                        const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (headers[i].value[0] == '\0') continue; /* the library takes no empty ones */
        if (MHD_add_response_header(response, headers[i].name, headers[i].value) != MHD_YES) {
            return false;
        }
    }
    return !must_close(connection) ||
           MHD_add_response_header(response, "connection", "close") == MHD_YES;
}

/* Takes the response. */
static bool queue(struct connection *connection, int status, struct MHD_Response *response,
                  enum connection_state state)
{
    bool queued = MHD_queue_response(connection->mhd, (unsigned)status, response) == MHD_YES;

    MHD_destroy_response(response);
    if (queued) library_resume(connection, state);
    return queued;
}

/* ---- past microhttpd --------------------------------------------------------------------- */

static bool put(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

static bool put_status(struct buf *out, int status)
{
    char line[128], date[64];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\n",
                   status, MHD_get_reason_phrase_for((unsigned)status), date);
    return put(out, line);
}

static bool put_headers(struct buf *out, const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!put(out, headers[i].name) || !put(out, ": ") || !put(out, headers[i].value) ||
            !put(out, "\r\n")) {
            return false;
        }
    }
    return true;
}

static bool put_answer(struct buf *out, int status, const struct http_header *headers, size_t n,
                       const struct answer_body *body)
{
    char length[64];

    (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", body->len);
    return put_status(out, status) && put_headers(out, headers, n) && put(out, length) &&
           (body->omitted || buf_append(out, body->bytes, body->len));
}

static bool answer_early(struct connection *connection, int status,
                         const struct http_header *headers, size_t n,
                         const struct answer_body *body)
{
    if (connection->state == CONNECTION_READING) {
        if (library_answers(connection)) return false;
        library_suspend(connection, CONNECTION_PARKED);
    }
    buf_clear(&connection->out);
    if (!put_answer(&connection->out, status, headers, n, body)) {
        buf_clear(&connection->out);
        return false;
    }
    connection_drain(connection);
    return true;
}

static const struct http_header json_error[] = {
    {"content-type", "application/json"}, {"x-should-retry", "false"}, {"allow", "GET, POST"}};

void answer_refusal(struct connection *connection, const struct head_refusal *refusal)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\","
                       "\"param\":null,\"code\":\"%s\"}}",
                       refusal->message, refusal->code);
    struct answer_body body = {text, (size_t)len, false};
    size_t headers = refusal->status == 405 ? 3 : 2;

    if (!answer_early(connection, refusal->status, json_error, headers, &body)) {
        connection_lose(connection);
    }
}

#define BUSY                                              \
    "{\"error\":{\"message\":\"The gateway has too many " \
    "connections.\",\"type\":\"server_error\","           \
    "\"param\":null,\"code\":\"overloaded\"}}"

void answer_busy(int fd)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Connection: close\r\n"
                               "content-type: application/json\r\n"
                               "retry-after: 1\r\n"
                               "x-should-retry: true\r\n"
                               "Content-Length: 116\r\n\r\n" BUSY;
    _Static_assert(sizeof(BUSY) - 1 == 116, "the length above");
    char waste[16 * 1024];

    /* It may have spoken before it was heard: unread bytes would turn the close into a reset.
     */
    (void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
    close(fd);
}

/* ---- by microhttpd ----------------------------------------------------------------------- */

static bool is_bodiless(int status)
{
    return status == 204 || status == 304;
}

/* May anything be said, and is it fit to be said? */
static bool may_answer(struct request *request, int status, const struct http_header *headers,
                       size_t n)
{
    assert(!(request->server && request->server->running));
    assert(status >= 200 && status <= 599);
    return !request->answered && !request->gone && request->connection &&
           are_sendable(headers, n);
}

/* Takes the body. */
static bool answer_whole(struct connection *connection, int status,
                         const struct http_header *headers, size_t n, struct answer_body *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body->len, body->len ? (void *)body->bytes : "",
        body->len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (!response || body->len == 0) free(body->bytes);
    if (!response) return false;
    if (!add_headers(connection, response, headers, n)) {
        MHD_destroy_response(response);
        return false;
    }
    return queue(connection, status, response, CONNECTION_LAST);
}

/* NOLINTNEXTLINE(readability-function-size): server.h */
bool request_respond(struct request *request, int status, const struct http_header *headers,
                     size_t n, char *body, size_t len)
{
    struct answer_body whole = {body, body && !is_bodiless(status) ? len : 0, false};

    if (!may_answer(request, status, headers, n)) {
        free(body);
        return false;
    }
    struct connection *connection = request->connection;
    if (connection->state == CONNECTION_HELD) {
        request->answered = answer_whole(connection, status, headers, n, &whole);
        return request->answered;
    }
    whole.omitted = strcmp(request->method, "HEAD") == 0;
    request->answered = answer_early(connection, status, headers, n, &whole);
    free(body);
    return request->answered;
}

/* ---- streams ----------------------------------------------------------------------------- */

/* microhttpd wants content: the head is out. From here on the bytes are written by us, until
 * the last of them is gone. */
static ssize_t on_read(void *cls, uint64_t position, char *bytes, size_t max)
{
    struct connection *connection = cls;

    (void)position, (void)bytes, (void)max;
    if (connection->state == CONNECTION_CLOSING) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (connection->state == CONNECTION_LAST) return MHD_CONTENT_READER_END_OF_STREAM;
    assert(connection->state == CONNECTION_HEAD);
    library_suspend(connection, CONNECTION_RAW);
    connection_mark_dirty(connection);
    return 0;
}

bool request_begin(struct request *request, int status, const struct http_header *headers,
                   size_t n)
{
    if (!may_answer(request, status, headers, n)) return false;

    struct connection *connection = request->connection;
    /* A stream answers a whole request: behind an early one the rest could not be read. */
    if (connection->state != CONNECTION_HELD) return false;
    /* The library would end a stream's answer to HEAD with a stray chunk. */
    request->mute = is_bodiless(status) || strcmp(request->method, "HEAD") == 0;
    struct MHD_Response *response =
        request->mute
            ? MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT)
            : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, on_read, connection, NULL);
    if (!response) return false;
    if (!add_headers(connection, response, headers, n)) {
        MHD_destroy_response(response);
        return false;
    }
    connection->unframed = request->head.http10 && !request->mute;
    request->answered =
        queue(connection, status, response, request->mute ? CONNECTION_LAST : CONNECTION_HEAD);
    request->streaming = request->answered;
    return request->answered;
}

bool request_send(struct request *request, const void *bytes, size_t len)
{
    struct connection *connection = request->connection;

    if (!request->streaming || request->gone || !connection) return false;
    if (request->mute || len == 0) return true;
    if (connection->out.len == 0) {
        connection->progress_ms = loop_now_ms(connection->server->options.loop);
    }
    if (!buf_append(&connection->out, bytes, len)) return false;
    if (connection->out.len > LOW_WATER) connection->crowded = true;
    connection_mark_dirty(connection);
    return true;
}

size_t request_unsent(const struct request *request)
{
    const struct connection *connection = request->connection;

    return connection && request->streaming && !request->mute ? raw_unsent(connection) : 0;
}

void request_finish(struct request *request, bool clean)
{
    struct connection *connection = request->connection;

    if (!request->streaming) return;
    request->streaming = false;
    if (request->mute || !connection) return;
    connection->end = clean ? STREAM_CLEAN : STREAM_CUT;
    connection_mark_dirty(connection);
}
