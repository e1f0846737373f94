/* A provider that does as it is told: replays scripted answers and faults, and remembers what
 * it saw. For tests; one thread, epoll, loopback only.
 *
 *     faultd            prints "PORT CONTROL_PORT" and serves until it is killed
 *
 * The first segment of a request's path names a lane; each lane has a queue of scripts, and a
 * request takes the next. A script is a list of steps, one a line, bytes behind it where it
 * says how many:
 *
 *     early [N]            act on the head and N bytes of the body (first step only)
 *     send LEN             these bytes, as they are
 *     drip LEN             each byte as a chunk of its own, in a write of its own
 *     every N LEN          in writes of N bytes, each on its way alone
 *     split N LEN          in two writes: N bytes, and the others
 *     random SEED LEN      in writes of 1 to 64 bytes, the same for the same seed
 *     repeat N LEN         these bytes, N times
 *     wait MS · gate NAME  go on after a while · once the control says `open NAME`
 *     deaf                 read nothing more
 *     rst · fin · halt     reset · close · keep the connection and do nothing more
 *     half                 send no more, and keep reading
 *
 * A script that ends leaves the connection open for the next request.
 *
 * The control port takes one command a line, and answers each with one line (and bytes):
 *
 *     add LANE TIMES LEN   + script; TIMES 0: whenever the lane's queue is empty
 *     accept MODE [PORT]   what becomes of new connections: normal; rst; fin: closed at their
 *                          first byte; cut: at the handshake's first; hold: never read;
 *                          refuse: nobody listens
 *     port                 → PORT, one more
 *     tls HOW LEN          + the paths of certificate and key, a line each → PORT, or `no`
 *     blackhole            → PORT that answers no knock
 *     open NAME · reset · now · stats
 *     request I            → LANE CONNECTION AT_MS LEN + the request as it came
 *     connection I         → open|peer|us AT_MS SENT */
#include "faultd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 64 };

struct mock mock;

void *need(void *memory)
{
    if (memory) return memory;
    perror("faultd");
    exit(1);
}

int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void put(struct bytes *to, const void *data, size_t len)
{
    if (to->len + len + 1 > to->cap) {
        to->cap = (to->len + len + 1) * 2;
        to->data = need(realloc(to->data, to->cap));
    }
    if (len) memcpy(to->data + to->len, data, len);
    to->len += len;
    to->data[to->len] = '\0';
}

void drop_front(struct bytes *from, size_t len)
{
    if (len) memmove(from->data, from->data + len, from->len - len);
    from->len -= len;
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

/* ---- connections ------------------------------------------------------------------------- */

static void watch(struct conn *c)
{
    bool waits_to_write = c->out_at < c->out.len;
    struct epoll_event e = {
        .events =
            (c->hold ? 0U : (unsigned)EPOLLIN) | (waits_to_write ? (unsigned)EPOLLOUT : 0U),
        .data.ptr = c,
    };
    (void)epoll_ctl(mock.epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void set_fate(struct conn *c, const char *state)
{
    if (c->control) return;
    mock.fates[c->id].state = state;
    mock.fates[c->id].at_ms = now_ms();
}

/* Closed at once; freed at the end of the turn (sweep), since events may still name it. */
void conn_close(struct conn *c, const char *by)
{
    if (c->fd < 0) return;
    set_fate(c, by);
    (void)close(c->fd);
    c->fd = -1;
}

void conn_reset(struct conn *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    conn_close(c, "us");
}

static void sweep(void)
{
    struct conn **at = &mock.conns;
    while (*at) {
        struct conn *c = *at;
        if (c->fd >= 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        conn_free(c);
    }
}

/* Write what is queued; true once nothing is left. */
bool flush(struct conn *c)
{
    while (c->fd >= 0 && c->out_at < c->out.len) {
        ssize_t n = conn_write(c, c->out.data + c->out_at, c->out.len - c->out_at);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n < 0) {
            conn_close(c, "peer");
            return false;
        }
        c->out_at += (size_t)n;
        if (!c->control) mock.fates[c->id].sent += (uint64_t)n;
    }
    if (c->fd < 0) return false;
    bool done = c->out_at == c->out.len;
    if (done) c->out.len = c->out_at = 0;
    watch(c);
    return done;
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_readable(struct conn *c)
{
    char piece[65536];

    do {
        ssize_t n = conn_read(c, piece, sizeof(piece));
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            conn_close(c, "peer");
            return;
        }
        if (c->parting) {
            conn_close(c, "us");
            return;
        }
        put(&c->in, piece, (size_t)n);
    } while (conn_pending(c));
    if (c->control) {
        control(c);
    } else {
        serve(c);
    }
}

static void on_event(struct conn *c, uint32_t events)
{
    if (c->fd < 0) return;
    if (events & (EPOLLHUP | EPOLLERR)) {
        conn_close(c, "peer");
        return;
    }
    if (events & EPOLLIN) on_readable(c);
    if (c->fd < 0 || !(events & EPOLLOUT)) return;
    (void)flush(c);
    if (!c->control) {
        advance(c);
        serve(c);
    }
}

/* Acts for whoever has waited long enough; milliseconds until the next one has, -1: none. */
static int timers(void)
{
    int64_t next = -1, now = now_ms();
    for (struct conn *c = mock.conns; c; c = c->next) {
        if (c->fd >= 0 && c->wake_ms && c->wake_ms <= now) {
            advance(c);
            serve(c);
        }
        if (c->fd >= 0 && c->wake_ms && (next < 0 || c->wake_ms < next)) next = c->wake_ms;
    }
    if (next < 0) return -1;
    return next > now ? (int)(next - now) : 0;
}

static bool is_listener(const void *tag)
{
    const struct listener *listener = tag;

    return listener >= mock.listeners && listener < mock.listeners + LISTENERS;
}

int main(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* TLS writes without MSG_NOSIGNAL */
    mock.epoll = epoll_create1(EPOLL_CLOEXEC);
    unsigned port = listener_new(false)->port;
    unsigned control_port = listener_new(true)->port;
    reset();
    (void)printf("%u %u\n", port, control_port);
    (void)fflush(stdout);

    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int n = epoll_wait(mock.epoll, events, MAX_EVENTS, timers());
        for (int i = 0; i < n; i++) {
            void *tag = events[i].data.ptr;
            if (is_listener(tag)) {
                listener_accept(tag);
            } else {
                on_event(tag, events[i].events);
            }
        }
        sweep();
    }
}
