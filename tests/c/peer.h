/* A provider for tests: a thread that accepts on loopback and talks as the test says. */
#ifndef MOONGATE_PEER_H
#define MOONGATE_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

enum { PEER_HEAD = 64 * 1024 };

struct peer {
    int fd;
    unsigned port;
    pthread_t thread;
    /* Talks on one connection; it is closed on return. False: stop accepting. */
    bool (*talk)(struct peer *peer, int fd);
    atomic_int talking;      /* the connection, while talk() runs; -1 */
    size_t amount;           /* for talk() */
    atomic_uint connections; /* accepted */
    atomic_uint caller;      /* the port at the other end of the last one */
    atomic_uint hits;        /* requests read whole */
    atomic_size_t sent;      /* bytes, where talk() counts */
    atomic_bool saw_end;     /* the other side closed, where talk() looks */
    atomic_uint looked;      /* the test adds to it when it has seen enough to go on */
    char head[PEER_HEAD];    /* of the last request */
    size_t body_len;
};

static inline void peer_send(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) return;
        text += n;
        len -= (size_t)n;
    }
}

/* One request, head and body. False: the connection ended before. */
static inline bool peer_read(struct peer *peer, int fd)
{
    static _Thread_local char head[PEER_HEAD];
    char *end = NULL;

    while (!end) { /* look, so that what lies behind the head stays for the next */
        ssize_t n = recv(fd, head, PEER_HEAD - 1, MSG_PEEK);
        if (n <= 0) return false;
        head[n] = '\0';
        end = strstr(head, "\r\n\r\n");
        if (!end && n == PEER_HEAD - 1) return false; /* else a body is there already */
        if (!end) usleep(100);
    }
    end[4] = '\0';
    if (recv(fd, head, (size_t)(end + 4 - head), 0) <= 0) return false;
    (void)atomic_load(&peer->looked); /* the test has done with the last one */
    memcpy(peer->head, head, (size_t)(end + 5 - head));
    const char *length = strcasestr(peer->head, "\r\ncontent-length:");
    size_t rest = length ? strtoul(length + 17, NULL, 10) : 0;
    static _Thread_local char body[64 * 1024];
    peer->body_len = rest;
    while (rest) {
        ssize_t n = recv(fd, body, rest < sizeof(body) ? rest : sizeof(body), 0);
        if (n <= 0) return false;
        rest -= (size_t)n;
    }
    peer->hits++;
    return true;
}

/* Until the test has said so often that it goes on. */
static inline void peer_await_look(struct peer *peer, unsigned times)
{
    for (int ms = 0; ms < 20000 && atomic_load(&peer->looked) < times; ms++)
        usleep(1000);
}

/* Until talk() has seen the other side's end. */
static inline bool peer_sees_end(struct peer *peer)
{
    for (int ms = 0; ms < 20000 && !peer->saw_end; ms++)
        usleep(1000);
    return peer->saw_end;
}

/* What is unread or unsent is lost, the other side sees a reset. */
static inline void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static inline void *peer_serve(void *arg)
{
    struct peer *peer = arg;

    for (bool more = true; more;) {
        struct sockaddr_in from = {0};
        socklen_t len = sizeof(from);
        int fd = accept(peer->fd, (struct sockaddr *)&from, &len);
        if (fd < 0) break;
        peer->caller = ntohs(from.sin_port);
        peer->connections++;
        peer->talking = fd;
        more = peer->talk(peer, fd);
        peer->talking = -1;
        close(fd);
    }
    return NULL;
}

static inline int peer_listen(unsigned *port, int backlog)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&any, len) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&any, &len) != 0) {
        perror("peer");
        exit(2);
    }
    *port = ntohs(any.sin_port);
    return fd;
}

static inline void peer_start(struct peer *peer, bool (*talk)(struct peer *peer, int fd))
{
    memset(peer, 0, sizeof(*peer));
    peer->talk = talk;
    peer->talking = -1;
    peer->fd = peer_listen(&peer->port, 512);
    if (pthread_create(&peer->thread, NULL, peer_serve, peer) != 0) exit(2);
}

static inline void peer_stop(struct peer *peer)
{
    int talking = peer->talking;

    shutdown(peer->fd, SHUT_RDWR);
    if (talking >= 0) shutdown(talking, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->fd);
}

#endif
