/* A provider that costs next to nothing, and carries what a load needs. One thread, epoll.
 *
 *     source EVENTS_PER_SECOND      prints its port, then serves until it is killed
 *
 * A request whose body has "stream":true gets server-sent events for ever: all open streams
 * together the number given, a few each millisecond, in turn. The path decides their shape:
 * …/messages is Anthropic's, anything else OpenAI's. Any other request gets a whole answer.
 * Words in its text ask for more, each with a blank before it:
 *
 *     canary-0123456789abcdef     comes back in every event, with its number and the time
 *     delay=MS      the answer waits · events=N gap=MS   a stream of so many events, then its
 * end size=BYTES    more text in each event · " flood "   events as fast as they are taken
 *     faults=N      of a thousand, so many end in 500, 429, 503, a close, a reset, half an
 * answer or what is no answer
 *
 * GET /stats tells as JSON what it saw; GET /leavers when callers gave up, µs, and forgets it.
 */
#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { WHEEL = 4096, FLOOD_ROUNDS = 16 };

struct source source;

static struct conn *conns[MAX_FD];
static struct conn *wheel[WHEEL]; /* those that wait, by the millisecond */

int64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- waiting ----------------------------------------------------------------------------- */

static void wait_no_more(struct conn *c)
{
    if (!c->wake_ms) return;
    *c->prev = c->next;
    if (c->next) c->next->prev = c->prev;
    c->wake_ms = 0;
}

void source_wait(struct conn *c, int64_t ms)
{
    c->wake_ms = source.now_ms + ms;
    struct conn **at = &wheel[c->wake_ms % WHEEL];
    c->next = *at;
    c->prev = at;
    if (c->next) c->next->prev = &c->next;
    *at = c;
}

/* ---- connections ------------------------------------------------------------------------- */

static void drop(struct conn *c)
{
    static const struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (c->stream_at >= 0) {
        source.streams[c->stream_at] = source.streams[--source.stream_count];
        source.streams[c->stream_at]->stream_at = c->stream_at;
    }
    wait_no_more(c);
    if (c->wish.fault == FAULT_RESET) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    conns[c->fd] = NULL;
    source.open--;
    (void)close(c->fd);
    free(c->rest);
    free(c);
}

static void watch(struct conn *c, int how, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = c->fd};
    (void)epoll_ctl(source.epoll, how, c->fd, &e);
}

static bool keep(struct conn *c, const char *bytes, size_t len)
{
    char *rest = realloc(c->rest, c->rest_len + len);

    if (!rest) return false;
    if (!c->rest) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    memcpy(rest + c->rest_len, bytes, len);
    c->rest = rest;
    c->rest_len += len;
    return true;
}

bool source_put(struct conn *c, const char *bytes, size_t len)
{
    ssize_t n = c->rest ? 0 : send(c->fd, bytes, len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) return false;
    if (n < 0) n = 0;
    source.bytes += (uint64_t)n;
    return (size_t)n == len || keep(c, bytes + n, len - (size_t)n);
}

static bool on_writable(struct conn *c)
{
    if (c->rest) {
        ssize_t n = send(c->fd, c->rest + c->rest_at, c->rest_len - c->rest_at, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        source.bytes += (uint64_t)n;
        c->rest_at += (size_t)n;
        if (c->rest_at < c->rest_len) return true;
        free(c->rest);
        c->rest = NULL;
        c->rest_len = c->rest_at = 0;
        watch(c, EPOLL_CTL_MOD, c->wish.flood ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    for (int i = 0; c->wish.flood && c->stream_at >= 0 && !c->rest && i < FLOOD_ROUNDS; i++) {
        if (!answer_event(c)) return false;
    }
    return true;
}

/* ---- requests ---------------------------------------------------------------------------- */

/* Bytes of the request in the buffer; 0: its head, or what of its body is looked at, is not
 * here yet. */
static size_t request_len(struct conn *c)
{
    c->in[c->len] = '\0';
    const char *end = strstr(c->in, "\r\n\r\n");
    const char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (!end) return 0;
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t total = (size_t)(end - c->in) + 4 + body;
    if (c->len >= total) return total;
    if (c->len < sizeof(c->in) - 1) return 0;
    c->skip = total - c->len;
    return c->len;
}

static bool take_request(struct conn *c, size_t len)
{
    char saved = c->in[len];

    c->in[len] = '\0';
    bool asks = strncmp(c->in, "GET ", 4) == 0;
    c->wish = asks ? (struct wish){.events = -1} : wish_of(c->in);
    if (c->wish.flood) { /* what our own kernel holds would hide what the caller took */
        (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int));
    }
    bool fine = asks ? answer_stats(c, c->in + 4) : c->skip || answer_begin(c);
    c->in[len] = saved;
    memmove(c->in, c->in + len, c->len - len);
    c->len -= len;
    if (c->wish.flood) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    return fine;
}

static bool on_readable(struct conn *c)
{
    static char waste[1 << 18];
    ssize_t n = c->skip
                    ? recv(c->fd, waste, c->skip < sizeof(waste) ? c->skip : sizeof(waste), 0)
                    : recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);

    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) {
        if (c->busy) answer_abandoned();
        return false;
    }
    if (c->skip) {
        c->skip -= (size_t)n;
        return c->skip || answer_begin(c);
    }
    c->len += (size_t)n;
    for (size_t len = request_len(c); len && !c->busy; len = c->skip ? 0 : request_len(c)) {
        if (!take_request(c, len)) return false;
    }
    return true;
}

static void on_accept(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        struct conn *c = fd < MAX_FD ? calloc(1, sizeof(*c)) : NULL;
        if (!c) {
            (void)close(fd);
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        c->fd = fd;
        c->stream_at = -1;
        conns[fd] = c;
        source.open++;
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* ---- the clock --------------------------------------------------------------------------- */

static void wake(int64_t ms)
{
    struct conn *next;

    for (struct conn *c = wheel[ms % WHEEL]; c; c = next) {
        next = c->next;
        if (c->wake_ms > ms) continue;
        wait_no_more(c);
        if (!answer_go_on(c)) drop(c);
    }
}

static void on_tick(int timer)
{
    static int turn;
    uint64_t ticks = 0;

    if (read(timer, &ticks, sizeof(ticks)) != sizeof(ticks)) return;
    int64_t now = clock_us() / 1000;
    while (source.now_ms < now) {
        source.now_ms++;
        wake(source.now_ms);
    }
    if (ticks > 10) ticks = 10; /* what was missed in a pause stays missed */
    for (long i = source.per_tick * (long)ticks; i > 0 && source.stream_count; i--) {
        turn = (turn + 1) % source.stream_count;
        struct conn *c = source.streams[turn];
        if (!c->rest && !answer_event(c)) (void)shutdown(c->fd, SHUT_RDWR);
    }
}

static int listen_any(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("source");
        exit(1);
    }
    (void)printf("%u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

static void on_event(struct conn *c, uint32_t events)
{
    bool fine = true;

    if (events & EPOLLOUT) {
        fine = on_writable(c);
        if (!fine && c->busy) answer_abandoned(); /* there is nobody to write to */
    }
    if (fine && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) fine = on_readable(c);
    if (!fine) drop(c);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    source.per_tick = argc > 1 ? strtol(argv[1], NULL, 10) / 1000 : 20;
    source.now_ms = clock_us() / 1000;

    source.epoll = epoll_create1(0);
    int listener = listen_any();
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec every = {.it_interval.tv_nsec = 1000000, .it_value.tv_nsec = 1000000};
    (void)timerfd_settime(timer, 0, &every, NULL);
    for (int i = 0; i < 2; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = i ? timer : listener};
        (void)epoll_ctl(source.epoll, EPOLL_CTL_ADD, e.data.fd, &e);
    }
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(source.epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                on_accept(listener);
            } else if (fd == timer) {
                on_tick(timer);
            } else if (conns[fd]) {
                on_event(conns[fd], events[i].events);
            }
        }
    }
}
