/* microhttpd: it reads requests, and sends whole answers and the heads of streams.
 *
 * Its callbacks change a connection's state and tell owners; they never answer. Suspended
 * connections are ours: it neither reads nor times them, nor sees them close. */
#include "server_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

/* Headers up to 16 KiB must fit beside what is made of them; beyond 32 KiB the library maps
 * memory for each connection. */
enum { POOL_BYTES = 32 * 1024 };

static int64_t now_of(const struct connection *connection)
{
    return loop_now_ms(connection->server->options.loop);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ---- suspended or not -------------------------------------------------------------------- */

bool library_is_suspended(const struct connection *connection)
{
    return connection->state == CONNECTION_PARKED || connection->state == CONNECTION_HELD ||
           connection->state == CONNECTION_RAW || connection->state == CONNECTION_DRAINING;
}

void library_suspend(struct connection *connection, enum connection_state state)
{
    MHD_suspend_connection(connection->mhd);
    connection->state = state;
}

void library_resume(struct connection *connection, enum connection_state state)
{
    assert(library_is_suspended(connection));
    connection->state = state;
    connection->server->due = true;
    if (state == CONNECTION_HEAD || state == CONNECTION_LAST) {
        connection->acked = 0;
        connection_set_deadline(connection, now_of(connection) +
                                                connection->server->options.reader_stall_ms);
    }
    if (state == CONNECTION_CLOSING) shutdown(connection->fd, SHUT_RDWR);
    if (state == CONNECTION_CLOSING || (state == CONNECTION_LAST && connection->unframed)) {
        /* Where a content reader ends in a close the library forgets the connection, unless it
         * has a timeout of its own: it looks at all of those in every run. */
        MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
    }
    MHD_resume_connection(connection->mhd);
}

bool library_answers(const struct connection *connection)
{
    return MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_HTTP_STATUS) != NULL;
}

/* ---- a head ------------------------------------------------------------------------------ */

/* The request line was read; the library is about to cut up and decode the target. */
static void *on_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct connection *connection = connection_of(mhd);

    (void)cls;
    assert(!connection->request);
    /* The first head is timed from accept on, a later one from its first line on. */
    if (connection->served) {
        connection_set_deadline(connection,
                                now_of(connection) + connection->server->options.header_ms);
    }
    return request_new(connection, target);
}

/* NOLINTNEXTLINE(readability-function-size): the library calls it */
static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    head_add(cls, name, name_len, value, value_len);
    return MHD_YES;
}

static const struct head_refusal *judge(struct request *request, const char *method,
                                        const char *version)
{
    struct MHD_Connection *mhd = request->connection->mhd;
    struct head_line line = {
        .method = method,
        .version = version,
        .target = request->raw,
        .copy = request->text,
        .target_len = request->target_len,
    };

    head_begin(&request->head, &line);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, &request->head);
    return head_end(
        &request->head,
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size);
}

/* Can the body be had, and shall it be read at once? */
static void prepare_body(struct request *request)
{
    struct connection *connection = request->connection;
    const struct head *head = &request->head;

    if (head->length > 0 &&
        (uint64_t)head->length > (uint64_t)connection->server->options.max_body) {
        request->body = REQUEST_BODY_TOO_LARGE;
        library_suspend(connection, CONNECTION_PARKED);
        connection_set_deadline(connection, 0);
    } else if (!head->chunked && head->length <= 0) {
        request->body = REQUEST_BODY_WHOLE;
    } else if (head->expects) { /* no 100 Continue before the owner wants the body */
        request_body_begins(request);
        library_suspend(connection, CONNECTION_PARKED);
        connection_set_deadline(connection, 0);
    } else {
        request_body_begins(request);
        connection_expect_body(connection);
    }
}

static enum MHD_Result take_head(struct request *request, const char *method,
                                 const char *version)
{
    struct connection *connection = request->connection;
    struct server *server = connection->server;
    const struct head_refusal *refusal = judge(request, method, version);

    if (server->probing) {
        server->judged = true;
        server->verdict = refusal;
        return MHD_NO;
    }
    if (refusal) {
        library_suspend(connection, CONNECTION_PARKED);
        answer_refusal(connection, refusal);
        return MHD_YES;
    }
    size_t size =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
            ->header_size;
    if (!request_keep_head(request, size)) return MHD_NO;

    request->started_ms = now_of(connection);
    request->announced = true;
    request->owned = true;
    server->request_count++;
    prepare_body(request);
    server->options.on_request(server->options.ctx, request);
    return MHD_YES;
}

/* ---- a body ------------------------------------------------------------------------------ */

static void take_body(struct request *request, const char *bytes, size_t len)
{
    struct connection *connection = request->connection;

    /* Several chunks may come in one go, even when the first of them parked the connection. */
    if (connection->state != CONNECTION_READING) return;
    if (!buf_append(&request->bytes, bytes, len)) {
        bool large = len > request->bytes.limit - request->bytes.len;
        connection_stop_body(connection,
                             large ? REQUEST_BODY_TOO_LARGE : REQUEST_BODY_NO_MEMORY);
    }
}

static void take_end(struct request *request)
{
    library_suspend(request->connection, CONNECTION_HELD);
    connection_set_deadline(request->connection, 0);
    if (request->body != REQUEST_BODY_COMING) return;
    request_body_ends(request, REQUEST_BODY_WHOLE);
    request_tell(request);
}

/* Called at the head's end, with each piece of the body, and at the request's end.
 * NOLINTNEXTLINE(readability-function-size): the library calls it */
static enum MHD_Result on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *len, void **context)
{
    struct request *request = *context;
    struct connection *connection = connection_of(mhd);

    (void)cls, (void)url;
    if (!request || connection->lost || connection->hangup ||
        connection->state == CONNECTION_CLOSING) {
        return MHD_NO;
    }
    if (!request->announced) return take_head(request, method, version);
    if (request->asked) { /* the head again, after a wait: now 100 Continue goes out */
        request->asked = false;
    } else if (*len) {
        take_body(request, bytes, *len);
        *len = 0; /* always all of it: what is left over may hang (STACK.md M12) */
    } else {
        take_end(request);
    }
    return MHD_YES;
}

/* ---- the rest of its callbacks ------------------------------------------------------------
 */

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct request *request = *context;
    struct connection *connection = connection_of(mhd);

    (void)cls;
    if (request) {
        request_detach(request,
                       code == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->answered);
    }
    connection_reset(connection);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        server->accepting->mhd = mhd;
        *context = server->accepting;
        server->accepting = NULL;
    } else {
        connection_free(*context);
    }
}

/* Targets are compared as they came (STACK.md M6). */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

static void on_panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    (void)fprintf(
        stderr,
        "{\"level\":\"error\",\"event\":\"panic\",\"message\":\"microhttpd %s:%u: %s\"}\n",
        file, line, reason ? reason : "");
    abort();
}

struct MHD_Daemon *library_start(struct server *server)
{
    MHD_set_panic_func(on_panic, NULL);
    /* No timeout of its own: those are walked every turn (STACK.md M10), and know only
     * activity. */
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
        on_access, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, server->options.max_connections + 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_line, server, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape,
        server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_END);
}

bool library_add(struct connection *connection, const struct sockaddr *address, socklen_t len)
{
    struct server *server = connection->server;

    server->accepting = connection;
    if (MHD_add_connection(server->daemon, connection->fd, address, len) == MHD_YES)
        return true;
    /* Where it had begun, on_connection() has freed it. */
    if (server->accepting) connection_free(connection);
    server->accepting = NULL;
    return false;
}

const char *server_library(void)
{
    return MHD_get_version();
}
