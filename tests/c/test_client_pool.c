/* Connections that are used again: dead ones, spoilt ones, and that nothing is sent twice. */
#include "call.h"
#include "check.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

static struct rig rig;
static struct peer peer;
static char url[128];

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* One call, to its end. */
static struct upstream *call_now(struct call *call)
{
    struct client_request request = call_to(peer.port, url, sizeof(url));

    if (!call_open(&rig, call, &request)) abort();
    CHECK(call_until(&rig, call, UPSTREAM_ENDED));
    return call->up;
}

static bool body_is(struct upstream *up, const char *want)
{
    const struct buf *bytes = upstream_bytes(up);

    return upstream_state(up) == UPSTREAM_ENDED && bytes->len == strlen(want) &&
           memcmp(bytes->data, want, bytes->len) == 0;
}

enum { DESCRIPTORS = 256 };

/* Our side of the peer's last connection; -1: closed. */
static int own_end(void)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        struct sockaddr_in own = {0};
        socklen_t len = sizeof(own);
        if (getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.sin_family == AF_INET &&
            ntohs(own.sin_port) == peer.caller) {
            return fd;
        }
    }
    return -1;
}

/* What the peer did last on its last connection is here, and the loop has seen it. It was sent
 * and is not yet here: a kernel with other work takes its time even on loopback. A connection
 * that is closed on our side has nothing to wait for. */
static void meet_last(void)
{
    struct pollfd look = {.fd = own_end(), .events = POLLIN};

    if (look.fd >= 0) CHECK(poll(&look, 1, 20000) == 1);
    rig_turn(&rig, 0);
}

/* ---- every attempt is seen once (U-13) -------------------------------------------------- */

/* The first request of a connection is answered, the second read whole and then cut off: by a
 * reset or by an end. */
static bool die_on_second(struct peer *self, int fd)
{
    if (!peer_read(self, fd)) return true;
    peer_send(fd, ok);
    if (peer_read(self, fd) && self->connections % 2) peer_reset(fd);
    return true;
}

static void test_no_silent_resend(void)
{
    enum { CALLS = 1000 };
    unsigned whole = 0, cut = 0;
    struct call call;

    peer_start(&peer, die_on_second);
    for (unsigned i = 0; i < CALLS; i++) {
        call_now(&call);
        if (body_is(call.up, "ok")) {
            whole++;
        } else if (CHECK(call_failed(&call, "closed", true))) {
            cut++;
        }
        upstream_close(call.up);
    }
    CHECK(whole == CALLS / 2 && cut == CALLS / 2);
    CHECK(peer.hits == CALLS);
    peer_stop(&peer);
}

/* ---- connections that ended while nobody used them --------------------------------------- */

static bool one_a_connection(struct peer *self, int fd)
{
    if (peer_read(self, fd)) peer_send(fd, ok); /* and no word of closing */
    if (self->connections % 2) peer_reset(fd);
    return true;
}

static void test_dead_connections(void)
{
    struct call call;
    unsigned whole = 0;

    peer_start(&peer, one_a_connection);
    for (unsigned i = 0; i < 200; i++) {
        call_now(&call);
        whole += body_is(call.up, "ok");
        upstream_close(call.up);
        meet_last(); /* the end arrives */
    }
    CHECK(whole == 200);
    CHECK(peer.hits == 200 && peer.connections == 200);
    peer_stop(&peer);
}

/* ---- a stray answer belongs to nobody (U-18) ----------------------------------------------
 */

enum { STRAYS = 500 };

static atomic_uint pushed;

static bool push_stray(struct peer *self, int fd)
{
    char own[160];

    while (peer_read(self, fd)) {
        const char *id = strstr(self->head, "x-id: ");
        int n = id ? (int)strcspn(id + 6, "\r") : 0;
        snprintf(own, sizeof(own), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s", n, n,
                 id ? id + 6 : "");
        peer_send(fd, own);
        usleep(500);
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray");
        atomic_fetch_add(&pushed, 1);
    }
    return true;
}

static void test_stray_answers(void)
{
    unsigned own = 0, strange = 0;

    peer_start(&peer, push_stray);
    for (unsigned i = 0; i < STRAYS; i++) {
        char id[16];
        struct call call;
        struct http_header header = {"x-id", id};
        struct client_request request = call_to(peer.port, url, sizeof(url));
        snprintf(id, sizeof(id), "%u", i);
        request.headers = &header;
        request.header_count = 1;
        if (!CHECK(call_open(&rig, &call, &request))) break;
        call_until(&rig, &call, UPSTREAM_ENDED);
        own += body_is(call.up, id);
        strange += upstream_state(call.up) == UPSTREAM_ENDED && !body_is(call.up, id);
        upstream_close(call.up);
        /* One that comes later than the next request left is HTTP's own weakness: nothing tells
         * it from the answer. */
        while (atomic_load(&pushed) <= i)
            rig_idle(&rig, 1);
        meet_last();
    }
    /* None takes it for its own, and none suffers from it. */
    CHECK(strange == 0);
    CHECK(own == STRAYS);
    peer_stop(&peer);
}

/* ---- more than was announced (U-17) -------------------------------------------------------
 */

static bool say_too_much(struct peer *self, int fd)
{
    while (peer_read(self, fd)) {
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
    }
    return true;
}

static void test_longer_than_announced(void)
{
    struct call call;

    peer_start(&peer, say_too_much);
    for (int i = 0; i < 3; i++) {
        call_now(&call);
        CHECK(body_is(call.up, "ok"));
        upstream_close(call.up);
    }
    CHECK(peer.connections == 3 && peer.hits == 3);
    peer_stop(&peer);
}

/* ---- large requests -----------------------------------------------------------------------
 */

static void send_large(struct call *call, size_t len, char *body)
{
    struct client_request request = call_to(peer.port, url, sizeof(url));

    memset(body, 'x', len);
    request.body = body;
    request.body_len = len;
    CHECK(call_open(&rig, call, &request));
    CHECK(call_until(&rig, call, UPSTREAM_ENDED));
}

static bool serve(struct peer *self, int fd)
{
    while (peer_read(self, fd))
        peer_send(fd, ok);
    return true;
}

static bool refuse_early(struct peer *self, int fd)
{
    char bytes[4096];

    if (recv(fd, bytes, sizeof(bytes), 0) <= 0) return true;
    self->hits++;
    peer_send(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    for (int i = 0; i < 100 && recv(fd, bytes, sizeof(bytes), 0) > 0; i++) {
    }
    self->saw_end = true;
    return true;
}

static void test_large_requests(void)
{
    enum { LARGE = 20 << 20 };
    char *body = malloc(LARGE);
    struct call call;

    if (!body) abort();
    peer_start(&peer, serve); /* no second's wait for a 100 that was not asked for (U-59) */
    send_large(&call, 5 << 20, body);
    CHECK(body_is(call.up, "ok") && peer.body_len == 5 << 20);
    CHECK(strcasestr(peer.head, "\r\nexpect:") == NULL);
    upstream_close(call.up);
    peer_stop(&peer);

    peer_start(&peer, refuse_early); /* U-65 */
    send_large(&call, LARGE, body);
    CHECK(upstream_status(call.up) == 413 || call_failed(&call, "closed", true));
    upstream_close(call.up);
    peer_stop(&peer);
    free(body);
}

/* ---- answers that come at once ------------------------------------------------------------
 */

enum { LARGE_CHUNK = 0x90000 }; /* more than is read before a pause */

static bool stream_at_once(struct peer *self, int fd)
{
    static char answer[LARGE_CHUNK + 256];
    int head =
        snprintf(answer, 128, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                 LARGE_CHUNK);

    memset(answer + head, 'x', LARGE_CHUNK);
    memcpy(answer + head + LARGE_CHUNK, "\r\n0\r\n\r\n", 8);
    while (peer_read(self, fd))
        peer_send(fd, answer);
    return true;
}

/* A transfer on a pooled connection whose answer is here before curl first waits for it: it
 * pauses, and what still comes must not be taken for a stray answer. */
static void test_paused_at_once(void)
{
    struct call call;

    peer_start(&peer, stream_at_once);
    for (unsigned i = 0; i < 200; i++) {
        struct client_request request = call_to(peer.port, url, sizeof(url));
        size_t len = 0;
        request.stream = true;
        if (!call_open(&rig, &call, &request)) abort();
        for (int turn = 0; turn < 20000 && upstream_state(call.up) < UPSTREAM_ENDED; turn++) {
            rig_turn(&rig, 1);
            len += upstream_bytes(call.up)->len;
            upstream_consume(call.up, upstream_bytes(call.up)->len);
        }
        CHECK(upstream_failure(call.up) == NULL && len == LARGE_CHUNK);
        upstream_close(call.up);
    }
    CHECK(peer.connections == 1);
    peer_stop(&peer);
}

/* ---- a send that fails (U-10) --------------------------------------------------------------
 */

static _Thread_local bool unsendable;

/* libcurl's too: a program's own functions come before the libraries'. */
__attribute__((visibility("default"))) ssize_t send(int fd, const void *bytes, size_t len,
                                                    int flags)
{
    if (unsendable) {
        errno = ECONNRESET;
        return -1;
    }
    return sendto(fd, bytes, len, flags, NULL, 0);
}

/* One that was reset between its first moment and the first byte. curl would keep it, dead as
 * it is, until somebody else asks for a connection. */
static void test_unsendable(void)
{
    struct call call;

    peer_start(&peer, one_a_connection);
    unsendable = true;
    call_now(&call);
    unsendable = false;
    CHECK(upstream_failure(call.up) != NULL);
    upstream_close(call.up);
    for (int ms = 0; ms < 20000 && peer.connections == 0; ms++)
        usleep(1000);
    CHECK(peer.connections == 1 && own_end() == -1);
    peer_stop(&peer);
}

/* ---- a connection that was given up before there was one ----------------------------------
 */

struct interloper {
    struct loop_watch watch;
    struct call *call;
    int fd;
};

/* The call ends, and its descriptor's number is somebody else's at once. */
static void take_number(struct loop_watch *watch, uint32_t events)
{
    struct interloper *self = watch->owner;

    (void)events;
    loop_remove(rig.loop, watch);
    upstream_close(self->call->up);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* curl closes such a socket without a word. What had already happened on it is delivered in the
 * same turn, and must not meet whoever has its number now: a client, say. */
static void test_given_up(void)
{
    struct call call;
    struct interloper self = {.watch.on_event = take_number, .call = &call, .fd = -1};
    int pipe_ends[2];

    peer_start(&peer, one_a_connection);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    self.watch.owner = &self;
    if (!CHECK(pipe(pipe_ends) == 0 && write(pipe_ends[1], "x", 1) == 1)) return;
    CHECK(loop_add(rig.loop, &self.watch, pipe_ends[0], EPOLLIN));
    if (!call_open(&rig, &call, &request)) abort();
    client_turn(rig.client); /* it connects: what comes of that is behind the pipe's event */
    int expected = dup(0);
    close(expected);
    rig_turn(&rig, 0);
    int number = self.fd, domain = 0;
    socklen_t len = sizeof(domain);
    CHECK(number >= 0 && number < expected);
    CHECK(getsockopt(number, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET);
    close(number);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    peer_stop(&peer);
}

/* ---- many at once ---------------------------------------------------------------------------
 */

static void *serve_one(void *arg)
{
    int *fd = arg;
    struct peer *self = malloc(sizeof(*self));

    if (self && peer_read(self, *fd)) peer_send(*fd, ok);
    close(*fd);
    free(self);
    free(fd);
    return NULL;
}

static bool serve_apart(struct peer *self, int fd)
{
    pthread_t thread;
    int *copy = malloc(sizeof(*copy));

    (void)self;
    if (!copy) return false;
    *copy = dup(fd);
    if (pthread_create(&thread, NULL, serve_one, copy) != 0) return false;
    pthread_detach(thread);
    return true;
}

static void test_many_at_once(void)
{
    enum { CALLS = 300 }; /* streams: past one multi's share */
    static struct call calls[CALLS];
    unsigned whole = 0;

    peer_start(&peer, serve_apart);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    request.stream = true;
    for (size_t i = 0; i < CALLS; i++) {
        if (!call_open(&rig, &calls[i], &request)) abort();
    }
    CHECK(client_active(rig.client) == CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        call_until(&rig, &calls[i], UPSTREAM_ENDED);
        whole += body_is(calls[i].up, "ok");
    }
    CHECK(whole == CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        upstream_close(calls[i].up);
    }
    CHECK(client_active(rig.client) == 0);
    peer_stop(&peer);
}

int main(void)
{
    rig_open(&rig);
    test_no_silent_resend();
    test_dead_connections();
    test_stray_answers();
    test_longer_than_announced();
    test_large_requests();
    test_paused_at_once();
    test_unsendable();
    test_given_up();
    test_many_at_once();
    rig_close(&rig);
    return check_report();
}
