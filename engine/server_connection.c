/* A client's connection: whose turn it is, what it waits for, when it has waited long enough.
 */
#include "server_internal.h"

#include <assert.h>
#include <stdlib.h>

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int64_t now_of(const struct connection *connection)
{
    return loop_now_ms(connection->server->options.loop);
}

/* ---- deadlines --------------------------------------------------------------------------- */

/* The timer fires every few seconds at most, so that a deadline that moves with each request
 * costs a store, and no work on the loop's heap. */
static void arm(struct connection *connection, int64_t at_ms)
{
    int64_t latest = now_of(connection) + TICK_MS;

    if (at_ms > latest) at_ms = latest;
    if (connection->timer.slot && connection->timer.at_ms <= at_ms) return;
    if (!loop_timer_set(connection->server->options.loop, &connection->timer, at_ms)) {
        /* A connection without a deadline would stay for ever. */
        shutdown(connection->fd, SHUT_RDWR);
    }
}

void connection_set_deadline(struct connection *connection, int64_t at_ms)
{
    connection->deadline_ms = at_ms;
    if (at_ms) arm(connection, at_ms);
}

static int64_t grace_ms(const struct connection *connection)
{
    return connection->server->options.body_ms / 12; /* 10 s of 120 */
}

void connection_expect_body(struct connection *connection)
{
    connection->request->body_from_ms = now_of(connection);
    connection_set_deadline(connection, now_of(connection) + grace_ms(connection));
    if (connection->state == CONNECTION_PARKED) library_resume(connection, CONNECTION_READING);
}

/* The body must be whole in time, and after a grace come with 1 KiB/s. */
static void check_body(struct connection *connection)
{
    struct request *request = connection->request;
    int64_t limit = connection->server->options.body_ms;
    int64_t elapsed = now_of(connection) - request->body_from_ms;
    int64_t end = request->body_from_ms + limit;
    int64_t next = now_of(connection) + grace_ms(connection) / 10 + 1;

    if (elapsed >= limit || (int64_t)request->bytes.len * 1000 < elapsed * 1024) {
        connection_stop_body(connection, REQUEST_BODY_TIMEOUT);
        return;
    }
    connection_set_deadline(connection, next < end ? next : end);
}

/* microhttpd sends. Does the client's side take what it sent? */
static void check_sending(struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        info.tcpi_bytes_acked != connection->acked) {
        connection->acked = info.tcpi_bytes_acked;
        connection_set_deadline(connection, now_of(connection) +
                                                connection->server->options.reader_stall_ms);
        return;
    }
    shutdown(connection->fd, SHUT_RDWR);
}

/* Our half is shut: what was to be said is said. */
static void shut_half(struct connection *connection)
{
    connection->pauses = false;
    connection->shut = true;
    shutdown(connection->fd, SHUT_WR);
    connection_set_deadline(connection, now_of(connection) + DRAIN_MS);
}

/* The client's side has not taken it all, but takes more. */
static bool is_on_its_way(const struct connection *connection)
{
    int64_t stall_ms = connection->server->options.reader_stall_ms;
    int unacked = 0;

    return ioctl(connection->fd, SIOCOUTQ, &unacked) == 0 && unacked > 0 &&
           now_of(connection) - connection->progress_ms < stall_ms;
}

static void expire_drain(struct connection *connection)
{
    if (!connection->pauses) {
        library_resume(connection, CONNECTION_CLOSING);
    } else if (is_on_its_way(connection)) {
        connection_set_deadline(connection, now_of(connection) + CUT_MS);
    } else {
        shut_half(connection);
    }
}

static void expire(struct connection *connection)
{
    const struct request *request = connection->request;

    switch (connection->state) {
    case CONNECTION_READING:
        if (request && request->announced && request->body == REQUEST_BODY_COMING) {
            check_body(connection);
        } else {
            shutdown(connection->fd, SHUT_RDWR); /* idle, or a head that does not end */
        }
        break;
    case CONNECTION_HEAD:
    case CONNECTION_LAST: check_sending(connection); break;
    case CONNECTION_RAW: connection_lose(connection); break;
    case CONNECTION_DRAINING: expire_drain(connection); break;
    case CONNECTION_PARKED:
    case CONNECTION_HELD:
    case CONNECTION_CLOSING: break;
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct connection *connection = timer->owner;

    if (!connection->deadline_ms) return;
    if (now_of(connection) < connection->deadline_ms) {
        arm(connection, connection->deadline_ms);
        return;
    }
    connection->deadline_ms = 0;
    expire(connection);
}

/* ---- the socket -------------------------------------------------------------------------- */

static void on_hangup(struct connection *connection)
{
    connection->hangup = true;
    switch (connection->state) {
    case CONNECTION_READING:
        if (connection->request && connection->request->announced) connection_lose(connection);
        break;
    case CONNECTION_PARKED:
    case CONNECTION_HELD:
    case CONNECTION_HEAD:
    case CONNECTION_RAW: connection_lose(connection); break;
    case CONNECTION_DRAINING: connection_mark_dirty(connection); break;
    case CONNECTION_LAST: /* an answer is on its way, and may be there: microhttpd will see */
    case CONNECTION_CLOSING: break;
    }
}

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct connection *connection = watch->owner;

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) on_hangup(connection);
    if (events & EPOLLOUT) connection->blocked = false;
    if (events & (EPOLLIN | EPOLLOUT)) connection_mark_dirty(connection);
}

bool connection_watch(struct connection *connection, uint32_t more)
{
    uint32_t events = EPOLLRDHUP | EPOLLET | more;

    if (connection->events == events) return true;
    if (connection->watch.fd < 0
            ? !loop_add(connection->server->options.loop, &connection->watch, connection->fd,
                        events)
            : !loop_change(connection->server->options.loop, &connection->watch, events)) {
        return false;
    }
    connection->events = events;
    return true;
}

/* ---- life -------------------------------------------------------------------------------- */

struct connection *connection_new(struct server *server, int fd)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) return NULL;
    connection->server = server;
    connection->fd = fd;
    connection->watch =
        (struct loop_watch){.on_event = on_socket, .owner = connection, .fd = -1};
    connection->timer = (struct loop_timer){.on_fire = on_timer, .owner = connection};
    buf_init(&connection->out, OUT_LIMIT);
    connection->next = server->connections;
    if (connection->next) connection->next->prev = connection;
    server->connections = connection;
    server->connection_count++;
    return connection;
}

static void clear_dirty(struct connection *connection)
{
    struct server *server = connection->server;

    if (!connection->dirty) return;
    connection->dirty = false;
    if (connection->dirty_prev) connection->dirty_prev->dirty_next = connection->dirty_next;
    if (connection->dirty_next) connection->dirty_next->dirty_prev = connection->dirty_prev;
    if (server->dirty == connection) server->dirty = connection->dirty_next;
}

void connection_free(struct connection *connection)
{
    struct server *server = connection->server;

    assert(!connection->request);
    clear_dirty(connection);
    loop_remove(server->options.loop, &connection->watch);
    loop_timer_clear(server->options.loop, &connection->timer);
    if (connection->prev) connection->prev->next = connection->next;
    if (connection->next) connection->next->prev = connection->prev;
    if (server->connections == connection) server->connections = connection->next;
    server->connection_count--;
    buf_free(&connection->out);
    free(connection);
    server_has_room(server);
}

void connection_reset(struct connection *connection)
{
    struct server *server = connection->server;

    connection->request = NULL;
    connection->served = true;
    connection->end = STREAM_OPEN;
    connection->unframed = false;
    connection->crowded = false;
    connection->blocked = false;
    connection->chunk = 0;
    connection->chunk_sent = 0;
    if (connection->out.cap > LOW_WATER) buf_free(&connection->out);
    buf_clear(&connection->out);
    if (connection->state != CONNECTION_CLOSING) connection->state = CONNECTION_READING;
    int64_t idle_ms = server->stopping ? LINGER_MS : server->options.idle_ms;
    connection_set_deadline(connection, now_of(connection) + idle_ms);
    if (server->stopping) server->linger_until_ms = now_of(connection) + LINGER_MS;
}

void connection_mark_dirty(struct connection *connection)
{
    struct server *server = connection->server;

    if (connection->dirty) return;
    connection->dirty = true;
    connection->dirty_prev = NULL;
    connection->dirty_next = server->dirty;
    if (server->dirty) server->dirty->dirty_prev = connection;
    server->dirty = connection;
}

void connection_lose(struct connection *connection)
{
    struct request *request = connection->request;

    if (connection->lost) return;
    connection->lost = true;
    connection_mark_dirty(connection);
    if (!request) return;
    request->gone = true;
    if (request->body == REQUEST_BODY_COMING) request_body_ends(request, REQUEST_BODY_BROKEN);
    request_tell(request);
}

void connection_stop_body(struct connection *connection, enum request_body why)
{
    if (library_answers(connection)) { /* a framing fault, seen at the same time */
        shutdown(connection->fd, SHUT_RDWR);
        return;
    }
    library_suspend(connection, CONNECTION_PARKED);
    connection_set_deadline(connection, 0);
    request_body_ends(connection->request, why);
    buf_free(&connection->request->bytes);
    request_tell(connection->request);
}

void connection_drain(struct connection *connection)
{
    connection->state = CONNECTION_DRAINING;
    connection->unframed = true;
    connection_set_deadline(connection,
                            now_of(connection) + connection->server->options.reader_stall_ms);
    connection_mark_dirty(connection);
}

/* ---- work -------------------------------------------------------------------------------- */

static void wait_writable(struct connection *connection)
{
    connection->blocked = true;
    if (!connection_watch(connection, EPOLLOUT)) connection_lose(connection);
    connection_set_deadline(connection, connection->progress_ms +
                                            connection->server->options.reader_stall_ms);
}

static void work_raw(struct connection *connection)
{
    if (connection->blocked) return; /* woken by more to send */
    if (!raw_flush(connection)) {
        connection_lose(connection);
        return;
    }
    if (connection->crowded && raw_unsent(connection) < LOW_WATER) {
        connection->crowded = false;
        if (connection->request->streaming) request_tell(connection->request);
    }
    if (connection->out.len) {
        wait_writable(connection);
        return;
    }
    connection_set_deadline(connection, 0);
    if (!connection_watch(connection, 0)) connection_lose(connection);
    if (connection->end == STREAM_CLEAN) library_resume(connection, CONNECTION_LAST);
    if (connection->end == STREAM_CUT) connection_drain(connection);
}

/* All is said. A stream that broke off does not end at once: what a client's library has read
 * and not yet given to its user it throws away when the body ends too early, so the event that
 * says why would be lost. Who has understood hangs up, and then nothing is waited for. */
static void end_saying(struct connection *connection)
{
    if (connection->end != STREAM_CUT) {
        shut_half(connection);
        return;
    }
    connection->pauses = true;
    connection_set_deadline(connection, now_of(connection) + CUT_MS);
}

/* Say what is to be said, shut our half, read on for a while: a close with bytes unread would
 * make the kernel reset the connection, and the client lose the answer. */
static void work_drain(struct connection *connection)
{
    bool enough = !raw_flush(connection);
    bool said = connection->out.len == 0;

    if (!enough && said && !connection->shut && !connection->pauses) end_saying(connection);
    if (!enough && !connection_watch(connection, said ? EPOLLIN : EPOLLIN | EPOLLOUT)) {
        enough = true;
    }
    bool silent = raw_drain(connection) || connection->hangup;
    if (silent && said) enough = true;
    if (enough) library_resume(connection, CONNECTION_CLOSING);
}

void connection_work(struct connection *connection)
{
    clear_dirty(connection);
    if (connection->request && connection->request->forgotten) {
        request_abandon(connection->request);
    }
    if (connection->lost && library_is_suspended(connection)) {
        library_resume(connection, CONNECTION_CLOSING);
    } else if (connection->state == CONNECTION_RAW) {
        work_raw(connection);
    } else if (connection->state == CONNECTION_DRAINING) {
        work_drain(connection);
    }
}
