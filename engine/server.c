#include "server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "server_internal.h"

enum {
    ACCEPTS_A_TURN = 16,
    WAITING = 4096, /* at most, in the kernel's queue */
    RETRY_MS = 100, /* after the descriptors ran out */
    CLOSED_A_TIME = 64,
    KERNEL_UNSENT = 64 * 1024,
    SHORT_IDLE_MS = 1000, /* a connection in use is not idle for so long */
    PROBE_TURNS = 4,      /* of microhttpd: enough for one request */
    CLOSE_TURNS = 4,
};

/* ---- taking connections ------------------------------------------------------------------ */

static void name_peer(char *peer, size_t size, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    const void *bytes = NULL;
    int family = address->ss_family;

    if (family == AF_INET) bytes = &v4->sin_addr;
    if (family == AF_INET6) bytes = &v6->sin6_addr;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        family = AF_INET;
        bytes = &v6->sin6_addr.s6_addr[12];
    }
    if (!bytes || !inet_ntop(family, bytes, peer, (socklen_t)size)) {
        (void)snprintf(peer, size, "unix");
    }
}

static void take(struct server *server, int fd, const struct sockaddr_storage *address,
                 socklen_t len)
{
    static const int on = 1, unsent = KERNEL_UNSENT;

    if (server->connection_count >= server->options.max_connections) {
        answer_busy(fd);
        return;
    }
    struct connection *connection = connection_new(server, fd);
    if (!connection) {
        close(fd);
        return;
    }
    name_peer(connection->peer, sizeof(connection->peer), address);
    if (address->ss_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        /* What a slow reader has not asked for yet waits with us, not in the kernel too. */
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    }
    if (!library_add(connection, (const struct sockaddr *)address, len)) return;
    connection_set_deadline(connection,
                            loop_now_ms(server->options.loop) + server->options.header_ms);
    if (!connection_watch(connection, 0)) shutdown(fd, SHUT_RDWR);
}

static bool listen_on(struct server *server)
{
    /* Exclusive: of the workers that wait for this socket one wakes, not all. */
    return loop_add(server->options.loop, &server->listener, server->options.listen_fd,
                    EPOLLIN | EPOLLEXCLUSIVE);
}

/* Keep-alive connections that have been idle for a while give way to those that wait. */
static void close_idle(struct server *server)
{
    int64_t now = loop_now_ms(server->options.loop);
    unsigned closed = 0;

    for (struct connection *c = server->connections; c && closed < CLOSED_A_TIME; c = c->next) {
        bool idle = c->state == CONNECTION_READING && !c->request && c->served;
        if (!idle || c->deadline_ms - now > server->options.idle_ms - SHORT_IDLE_MS) continue;
        shutdown(c->fd, SHUT_RDWR);
        closed++;
    }
}

static void retry_later(struct server *server)
{
    int64_t at_ms = loop_now_ms(server->options.loop) + RETRY_MS;

    if (loop_timer_set(server->options.loop, &server->retry, at_ms)) {
        loop_remove(server->options.loop, &server->listener);
    }
}

static void on_retry(struct loop_timer *timer)
{
    struct server *server = timer->owner;

    if (server->paused) {
        close_idle(server);
        if (loop_timer_set(server->options.loop, timer, timer->at_ms + RETRY_MS)) return;
        server->paused = false; /* no timer: better a spin than nobody who accepts */
    }
    if (!listen_on(server)) retry_later(server);
}

/* Half of the descriptors are for clients: the other half serves them. */
static bool pause_accepting(struct server *server)
{
    unsigned most = server->options.pause_connections;

    if (!most || server->connection_count < most) return false;
    retry_later(server);
    server->paused = server->listener.fd < 0;
    return server->paused;
}

void server_has_room(struct server *server)
{
    if (!server->paused || server->stopping || server->closing) return;
    server->paused = false;
    loop_timer_clear(server->options.loop, &server->retry);
    if (!listen_on(server)) retry_later(server);
}

/* Take what waits, `most` at once. */
static void accept_some(struct server *server, int most)
{
    for (int i = 0; i < most && !pause_accepting(server); i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNIX};
        socklen_t len = sizeof(address);
        int fd = accept4(server->options.listen_fd, (struct sockaddr *)&address, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(server, fd, &address, len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            retry_later(server); /* the socket stays readable: do not spin on it */
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void on_listener(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    accept_some(watch->owner, ACCEPTS_A_TURN);
}

/* ---- opening ----------------------------------------------------------------------------- */

static void on_library(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    server_run(watch->owner);
}

/* What does the audit say of this head, when microhttpd itself has parsed it? False: it could
 * not be asked. */
static bool probe(struct server *server, const char *head)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    server->probing = true;
    server->judged = false;
    struct connection *connection = connection_new(server, pair[0]);
    bool sent = send(pair[1], head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head);
    if (!connection) {
        close(pair[0]);
    } else if (library_add(connection, (struct sockaddr *)&address, sizeof(sa_family_t))) {
        for (int i = 0; sent && i < PROBE_TURNS && !server->judged; i++)
            server_run(server);
    }
    close(pair[1]);
    for (int i = 0; i < PROBE_TURNS && server->connection_count; i++)
        server_run(server);
    server->probing = false;
    return server->judged && server->connection_count == 0;
}

/* The audit rests on how microhttpd parses: where another version does it otherwise, a good
 * head is refused or a bad one passes, and nothing may be served. */
static bool is_safe(struct server *server)
{
    return probe(server, "GET /?a=b HTTP/1.1\r\nHost: a\r\nX-A:  b \r\n\r\n") &&
           !server->verdict && probe(server, "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n") &&
           server->verdict && probe(server, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n") &&
           server->verdict;
}

struct server *server_open(const struct server_options *options, const char **error)
{
    struct server *server = calloc(1, sizeof(*server));

    *error = "no memory";
    if (!server) return NULL;
    server->options = *options;
    server->library = (struct loop_watch){.on_event = on_library, .owner = server, .fd = -1};
    server->listener = (struct loop_watch){.on_event = on_listener, .owner = server, .fd = -1};
    server->retry = (struct loop_timer){.on_fire = on_retry, .owner = server};

    *error = "microhttpd does not start";
    server->daemon = library_start(server);
    if (!server->daemon) goto fail;
    *error = "the request head audit does not work with this libmicrohttpd";
    if (!is_safe(server)) goto fail;
    *error = "the listening socket cannot be watched";
    int fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (!loop_add(options->loop, &server->library, fd, EPOLLIN)) goto fail;
    if (!listen_on(server)) goto fail;
    *error = NULL;
    return server;

fail:
    server_close(server);
    return NULL;
}

/* ---- turns ------------------------------------------------------------------------------- */

void server_run(struct server *server)
{
    assert(!server->running);
    server->due = false;
    server->running = true;
    MHD_run(server->daemon);
    server->running = false;
}

static bool is_pending(const struct server *server)
{
    unsigned long long ms;

    return server->due || (MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms == 0);
}

static void work(struct server *server)
{
    while (server->dirty)
        connection_work(server->dirty);
}

void server_turn(struct server *server)
{
    work(server);
    if (is_pending(server)) server_run(server);
    work(server); /* streams whose head has just left */
    if (server->due) server_run(server);
}

/* The library has no deadlines but those of connections that are closing (library_resume). One
 * that it has forgotten goes when that is over, and until then keeps its descriptor. */
int64_t server_timeout_ms(const struct server *server)
{
    unsigned long long ms;

    if (server->dirty || server->due) return 0;
    return MHD_get_timeout(server->daemon, &ms) == MHD_YES ? (int64_t)ms : -1;
}

bool server_lingers(const struct server *server)
{
    return server->connection_count > 0 &&
           loop_now_ms(server->options.loop) < server->linger_until_ms;
}

size_t server_connections(const struct server *server)
{
    return server->connection_count;
}

size_t server_requests(const struct server *server)
{
    return server->request_count;
}

size_t server_coming(const struct server *server)
{
    return server->coming;
}

/* ---- ending ------------------------------------------------------------------------------ */

/* A connection between two requests, at the end: one that was in use just now may bring another
 * that was sent before its sender knew; the others go at once, but for what nobody has read. */
static void stop_idle(struct connection *c)
{
    struct server *server = c->server;
    int64_t now = loop_now_ms(server->options.loop);
    int64_t idle = server->options.idle_ms - (c->deadline_ms - now);
    char byte;

    if (idle < LINGER_MS) {
        server->linger_until_ms = now + LINGER_MS;
        connection_set_deadline(c, now + LINGER_MS);
    } else if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        shutdown(c->fd, SHUT_RDWR);
    }
}

void server_stop_accepting(struct server *server)
{
    if (server->stopping) return;
    if (server->options.listen_ends) {
        /* Who stands in the queue is served; who comes later is refused, and asks elsewhere,
         * instead of being cut when this process ends. */
        accept_some(server, WAITING);
        shutdown(server->options.listen_fd, SHUT_RD);
    }
    server->stopping = true;
    loop_remove(server->options.loop, &server->listener);
    loop_timer_clear(server->options.loop, &server->retry);
    for (struct connection *c = server->connections; c; c = c->next) {
        /* Who never asked does it now. */
        if (c->state == CONNECTION_READING && !c->request && c->served) stop_idle(c);
    }
}

static void close_connections(struct server *server)
{
    for (struct connection *c = server->connections; c; c = c->next) {
        c->lost = true;
        shutdown(c->fd, SHUT_RDWR);
        if (library_is_suspended(c)) library_resume(c, CONNECTION_CLOSING);
        c->state = CONNECTION_CLOSING;
    }
    /* Stopping with a suspended connection left would abort. */
    for (int i = 0; i < CLOSE_TURNS && server->connections; i++)
        server_run(server);
}

void server_close(struct server *server)
{
    if (!server) return;
    server->closing = true;
    loop_remove(server->options.loop, &server->listener);
    loop_remove(server->options.loop, &server->library);
    loop_timer_clear(server->options.loop, &server->retry);
    if (server->daemon) {
        close_connections(server);
        MHD_stop_daemon(server->daemon);
    }
    requests_free(server);
    free(server);
}
