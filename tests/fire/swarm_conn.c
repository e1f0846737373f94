/* A client's connection: asks, reads, and looks at every byte of what comes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "swarm.h"

static const char PATTERN[] = "canary-";
enum { PATTERN_LEN = sizeof(PATTERN) - 1, PIECE = 65536 };

static void watch(struct conn *c, int how, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(swarm.epoll, how, c->fd, &e) != 0) abort();
}

void conn_close(struct conn *c, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (c->state == CLOSED) return;
    if (reset) (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    if (c->state == BUSY) swarm.busy--;
    (void)close(c->fd);
    free(c->rest);
    c->rest = NULL;
    c->state = CLOSED;
    swarm.open--;
}

/* ---- what came --------------------------------------------------------------------------- */

static void check_mark(struct conn *c)
{
    char text[17] = "";

    memcpy(text, c->mark + ID_AT, 16);
    bool own = strtoull(text, NULL, 16) == c->id;
    long event = strtol(c->mark + EVENT_AT, NULL, 10);
    if (!own || event != c->event % 1000000) c->wrong = true;
    c->event++;
    c->marks++;
    memcpy(text, c->mark + TIME_AT, 16);
    long long wrote = strtoll(text, NULL, 10);
    if (wrote) report_add(RELAYED, swarm.now_us - wrote);
}

/* Canaries in content, whatever pieces it comes in. */
static void look(struct conn *c, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && c->last == '\n') swarm.counts.events++;
        c->last = bytes[i];
        if (c->mark_len < PATTERN_LEN && bytes[i] != PATTERN[c->mark_len]) {
            c->mark_len = 0;
            if (bytes[i] != PATTERN[0]) continue;
        }
        c->mark[c->mark_len++] = bytes[i];
        if (c->mark_len < MARK) continue;
        check_mark(c);
        c->mark_len = 0;
    }
    if (c->heard) return;
    c->heard = true;
    if (c->status == 200) report_add(FIRST, swarm.now_us - c->due_us);
    conn_heard(c);
}

static bool has_line(const char *head, const char *line)
{
    return strcasestr(head, line) != NULL;
}

/* The head is whole. */
static void read_head(struct conn *c)
{
    const char *length = strcasestr(c->head, "\r\ncontent-length:");

    c->status = (int)strtol(c->head + 9, NULL, 10);
    c->closes = has_line(c->head, "\r\nconnection: close");
    c->left = length ? strtoull(length + 17, NULL, 10) : 0;
    c->part = has_line(c->head, "\r\ntransfer-encoding: chunked") ? CHUNK_SIZE
              : c->left                                           ? SIZED
                                                                  : LAST;
    c->head_len = 0;
}

static void answered(struct conn *c)
{
    int64_t took = swarm.now_us - c->due_us;
    int status = c->status > 0 && c->status < 600 ? c->status : 0;
    bool fine = status == 200 && !c->wrong && (c->marks || !c->ask->id_at);

    swarm.counts.status[status]++;
    if (fine) swarm.counts.ok++;
    if (status == 200 && !fine) swarm.counts.wrong++;
    report_add(status == 200 ? ANSWERED : REFUSED, took);
    report_tick(fine);
    if (!c->heard) conn_heard(c);
    swarm.busy--;
    c->state = IDLE;
    if (c->closes || swarm.fresh) conn_close(c, false);
    conn_is_free(c);
}

/* One byte of what frames the content: the head, a chunk's size, what is behind it. */
static void take_frame(struct conn *c, char byte)
{
    if (c->head_len < sizeof(c->head) - 1) c->head[c->head_len++] = byte;
    c->head[c->head_len] = '\0';
    if (byte != '\n') return;
    if (c->part == HEAD) {
        if (c->head_len >= 4 && memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) == 0)
            read_head(c);
        return;
    }
    if (c->part == CHUNK_END) {
        c->part = CHUNK_SIZE;
    } else if (c->part == TRAILER) {
        c->part = LAST;
    } else {
        c->left = strtoull(c->head, NULL, 16);
        c->part = c->left ? CHUNK : TRAILER;
    }
    c->head_len = 0;
}

static size_t take_content(struct conn *c, const char *bytes, size_t len)
{
    size_t n = len < c->left ? len : (size_t)c->left;

    look(c, bytes, n);
    c->left -= n;
    if (c->left == 0) c->part = c->part == CHUNK ? CHUNK_END : LAST;
    return n;
}

/* What came; false: the connection is not this request's any more. */
static bool take(struct conn *c, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (c->part == SIZED || c->part == CHUNK) {
            i += take_content(c, bytes + i, len - i);
        } else {
            take_frame(c, bytes[i++]);
        }
        if (c->leave >= 0 && c->heard && c->marks >= c->leave) {
            swarm.counts.left++;
            conn_close(c, true);
            conn_is_free(c);
            return false;
        }
        if (c->part != LAST) continue;
        answered(c);
        return false;
    }
    return true;
}

static void broken(struct conn *c)
{
    if (c->state == BUSY) swarm.counts.broken++;
    if (c->state == CONNECTING) swarm.counts.unconnected++;
    if (c->state == BUSY && !c->heard) conn_heard(c);
    conn_close(c, false);
    conn_is_free(c);
}

static void on_readable(struct conn *c)
{
    static char piece[PIECE];
    size_t room = sizeof(piece);

    if (swarm.slow) room = c->credit < (double)room ? (size_t)c->credit : room;
    if (!room) return;
    ssize_t n = recv(c->fd, piece, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0 && c->state == IDLE) { /* nobody waits for it */
        conn_close(c, false);
        return;
    }
    if (n <= 0) {
        broken(c);
        return;
    }
    c->credit -= (double)n;
    if (c->state == BUSY) (void)take(c, piece, (size_t)n);
}

/* ---- asking ------------------------------------------------------------------------------ */

static void send_rest(struct conn *c)
{
    while (c->rest_at < c->rest_len) {
        ssize_t n = send(c->fd, c->rest + c->rest_at, c->rest_len - c->rest_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) {
            broken(c);
            return;
        }
        c->rest_at += (size_t)n;
    }
    free(c->rest);
    c->rest = NULL;
    watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
}

/* The connection stands: the request goes out. */
static void send_request(struct conn *c)
{
    const struct template *ask = c->ask;
    char *bytes = malloc(ask->len);
    char id[17];

    if (!bytes) abort();
    memcpy(bytes, ask->bytes, ask->len);
    (void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)c->id);
    if (ask->id_at) memcpy(bytes + ask->id_at, id, 16);
    c->rest = bytes;
    c->rest_len = ask->len;
    c->rest_at = 0;
    swarm.counts.sent++;
    report_add(BEHIND, clock_us() - c->due_us);
    ssize_t n = send(c->fd, bytes, ask->len, MSG_NOSIGNAL);
    if (n == (ssize_t)ask->len) {
        free(bytes);
        c->rest = NULL;
        return;
    }
    if (n > 0) c->rest_at = (size_t)n;
    watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
}

static void begin(struct conn *c)
{
    c->state = BUSY;
    c->part = HEAD;
    c->head_len = c->mark_len = 0;
    c->status = 0;
    c->wrong = c->heard = false;
    c->marks = 0;
    c->event = 0;
    c->left = 0;
    c->id = swarm.next_id++;
    c->ask = &swarm.templates[roll() % (uint64_t)swarm.template_count];
    c->leave = -1;
    if (swarm.leave >= 0 && (long)(roll() % 100) < swarm.share) {
        c->leave =
            swarm.share == 100 ? swarm.leave : (long)(roll() % (uint64_t)(swarm.leave + 1));
    }
    swarm.busy++;
    send_request(c);
}

static bool dial(struct conn *c)
{
    static uint32_t turn;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)swarm.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET};

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return false;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (swarm.slow) (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (swarm.addresses > 1) {
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % (uint32_t)swarm.addresses);
        (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        (void)bind(c->fd, (struct sockaddr *)&from, sizeof(from));
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        (void)close(c->fd);
        return false;
    }
    return true;
}

void conn_ask(struct conn *c, int64_t due_us)
{
    c->due_us = due_us;
    c->credit = 0;
    if (c->state == IDLE) {
        begin(c);
        return;
    }
    if (!dial(c)) {
        swarm.counts.unconnected++;
        conn_is_free(c);
        return;
    }
    c->state = CONNECTING;
    swarm.open++;
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

void conn_give_up(struct conn *c)
{
    if (c->state == BUSY) swarm.counts.unanswered++;
    if (c->state == CONNECTING) swarm.counts.unconnected++;
    conn_close(c, true);
}

static void connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof(error);

    (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        broken(c);
        return;
    }
    /* A slow reader reads by the clock. */
    watch(c, EPOLL_CTL_MOD, swarm.slow ? EPOLLERR : EPOLLIN | EPOLLRDHUP);
    begin(c);
}

void conn_event(struct conn *c, uint32_t events)
{
    if (c->state == CLOSED) return;
    if (c->state == CONNECTING) {
        connected(c);
        return;
    }
    if (c->rest && (events & EPOLLOUT)) send_rest(c);
    if (c->state != CLOSED && (events & ~(uint32_t)EPOLLOUT)) on_readable(c);
}
