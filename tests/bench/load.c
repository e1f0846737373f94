/* Clients for the bench: many connections to one port, one thread, epoll.
 *
 *     load ask    PORT CONNECTIONS SECONDS FILE     the request in FILE, over and over
 *     load listen PORT STREAMS SECONDS FILE         the same, once each; then only reads
 *
 * `ask` prints "begin" once all are connected, then how many whole answers came. `listen`
 * prints "begin" once every stream has had bytes, then how many events came in the seconds
 * after; an event is what ends in a blank line. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_ROOM = 16384 };

struct conn {
    int fd;
    bool heard; /* has had bytes */
    char last;  /* of what came before, for a blank line cut in two */
    size_t len; /* of in */
    char in[ANSWER_ROOM];
};

static struct {
    char request[65536];
    size_t request_len;
    bool listening;
    long count, bad, heard;
} load;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void ask(struct conn *c)
{
    if (send(c->fd, load.request, load.request_len, MSG_NOSIGNAL) !=
        (ssize_t)load.request_len) {
        load.bad++;
    }
}

static void dial(struct conn *c, int epoll, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("load: connect");
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) fail("load: epoll");
}

/* Events in what came: blank lines. */
static void count_events(struct conn *c, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && c->last == '\n') load.count++;
        c->last = bytes[i];
    }
    if (c->heard) return;
    c->heard = true;
    load.heard++;
}

/* A whole answer with a length: count it, and ask again. */
static void count_answer(struct conn *c)
{
    c->in[c->len] = '\0';
    const char *end = strstr(c->in, "\r\n\r\n");
    const char *length = strcasestr(c->in, "content-length:");
    if (!end || !length) return;
    if (c->len < (size_t)(end - c->in) + 4 + strtoul(length + 15, NULL, 10)) return;
    if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) load.bad++;
    load.count++;
    c->len = 0;
    ask(c);
}

static void on_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
    if (n <= 0) {
        load.bad++;
        (void)close(c->fd);
        return;
    }
    if (load.listening) {
        count_events(c, c->in, (size_t)n);
        return;
    }
    c->len += (size_t)n;
    count_answer(c);
}

static void turn(int epoll, int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, wait_ms);
    for (int i = 0; i < n; i++)
        on_readable(events[i].data.ptr);
}

static void read_request(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    load.request_len = fread(load.request, 1, sizeof(load.request), file);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: load ask|listen PORT CONNECTIONS SECONDS FILE\n");
        return 2;
    }
    int port = (int)strtol(argv[2], NULL, 10);
    long connections = strtol(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    load.listening = strcmp(argv[1], "listen") == 0;
    read_request(argv[5]);

    int epoll = epoll_create1(0);
    struct conn *conns = calloc((size_t)connections, sizeof(*conns));
    if (!conns) fail("load");
    for (long i = 0; i < connections; i++) {
        dial(&conns[i], epoll, port);
        ask(&conns[i]);
        turn(epoll, 0);
    }
    double patience = now() + 60;
    while (load.listening && load.heard < connections && now() < patience)
        turn(epoll, 10);

    (void)printf("begin\n");
    (void)fflush(stdout);
    load.count = 0;
    for (double end = now() + seconds; now() < end;)
        turn(epoll, 10);
    (void)printf("%ld %ld\n", load.count, load.bad);
    free(conns);
    return 0;
}
