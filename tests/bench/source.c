/* What the bench measures against: a provider that costs next to nothing. One thread, epoll.
 *
 *     source EVENTS_PER_SECOND      prints its port, then serves until it is killed
 *
 * A request whose body has "stream":true gets server-sent events for ever: all open streams
 * together the number given, a few each millisecond, in turn. The path decides their shape:
 * …/messages is Anthropic's, anything else OpenAI's. Any other request gets a whole answer. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { REQUEST_ROOM = 16384, MAX_FD = 65536 };

struct conn {
    int fd;
    size_t len;
    int stream_at;     /* place among the streams; -1: none */
    const char *event; /* what a stream repeats */
    char in[REQUEST_ROOM];
};

static struct conn *conns[MAX_FD];
static struct conn *streams[MAX_FD];
static int stream_count, turn;

static const char whole[] =
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\","
    "\"created\":1741569952,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How can I assist you today?\","
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},"
    "\"service_tier\":\"default\"}";

static const char openai_event[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},"
    "\"finish_reason\":null}]}\n\n";
static const char anthropic_event[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n";
static const char anthropic_begin[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
    "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
    "\"stop_reason\":null,\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

static void drop(struct conn *c)
{
    if (c->stream_at >= 0) {
        streams[c->stream_at] = streams[--stream_count];
        streams[c->stream_at]->stream_at = c->stream_at;
    }
    conns[c->fd] = NULL;
    (void)close(c->fd);
    free(c);
}

static bool put(struct conn *c, const char *text, size_t len)
{
    return send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool put_chunk(struct conn *c, const char *text)
{
    char chunk[1024];
    int n = snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(text), text);
    return put(c, chunk, (size_t)n);
}

static bool begin_stream(struct conn *c, bool anthropic)
{
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                               "transfer-encoding: chunked\r\n\r\n";
    c->event = anthropic ? anthropic_event : openai_event;
    c->stream_at = stream_count;
    streams[stream_count++] = c;
    return put(c, head, sizeof(head) - 1) && (!anthropic || put_chunk(c, anthropic_begin));
}

static bool answer_whole(struct conn *c)
{
    static char answer[2048];
    static int len;
    if (!len) {
        len = snprintf(answer, sizeof(answer),
                       "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                       "content-length: %zu\r\n\r\n%s",
                       sizeof(whole) - 1, whole);
    }
    return put(c, answer, (size_t)len);
}

/* Bytes of the request in the buffer; 0: not whole yet. */
static size_t request_len(struct conn *c)
{
    c->in[c->len] = '\0';
    const char *end = strstr(c->in, "\r\n\r\n");
    const char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (!end) return 0;
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t total = (size_t)(end - c->in) + 4 + body;
    return c->len >= total ? total : 0;
}

static bool on_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
    if (n <= 0) return false;
    c->len += (size_t)n;
    for (size_t len = request_len(c); len; len = request_len(c)) {
        bool stream = strstr(c->in, "\"stream\":true") != NULL;
        bool anthropic = strstr(c->in, "/messages ") != NULL;
        if (!(stream ? begin_stream(c, anthropic) : answer_whole(c))) return false;
        memmove(c->in, c->in + len, c->len - len);
        c->len -= len;
    }
    return true;
}

static void on_accept(int epoll, int listener)
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
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

/* One tick: the next few streams get an event each. */
static void on_tick(int timer, long per_tick)
{
    uint64_t ticks = 0;
    if (read(timer, &ticks, sizeof(ticks)) != sizeof(ticks) || stream_count == 0) return;
    for (long i = (long)(ticks > 20 ? 20 : ticks) * per_tick; i > 0 && stream_count > 0; i--) {
        turn = (turn + 1) % stream_count;
        struct conn *c = streams[turn];
        if (!put_chunk(c, c->event)) (void)shutdown(c->fd, SHUT_RDWR);
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

int main(int argc, char **argv)
{
    long per_tick = argc > 1 ? strtol(argv[1], NULL, 10) / 1000 : 20;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }

    int epoll = epoll_create1(0), listener = listen_any();
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec every = {.it_interval.tv_nsec = 1000000, .it_value.tv_nsec = 1000000};
    (void)timerfd_settime(timer, 0, &every, NULL);
    for (int i = 0; i < 2; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = i ? timer : listener};
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e);
    }
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                on_accept(epoll, listener);
            } else if (fd == timer) {
                on_tick(timer, per_tick);
            } else if (conns[fd] && !on_readable(conns[fd])) {
                drop(conns[fd]);
            }
        }
    }
}
