/* A loop, a server, an owner that does as the path says, and raw clients: all in one thread. */
#ifndef MOONGATE_SERVER_WORLD_H
#define MOONGATE_SERVER_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "buf.h"
#include "check.h"
#include "loop.h"
#include "server.h"

enum { MAX_READY = 256, MAX_BODY = 1 << 20 };
enum { PATIENCE_MS = 20000 }; /* in the world */

struct world {
    struct loop *loop;
    struct server *server;
    int listen_fd;
    struct sockaddr_storage address;
    socklen_t address_len;
    struct request *ready[MAX_READY];
    int ready_count;
    struct request *held; /* the last one that the test wants to handle by itself */
    unsigned announced;   /* on_request calls */
    unsigned told;        /* on_ready calls for `held` */
    bool held_gone;       /* … after which it was gone */
};

static const struct http_header world_text[] = {{"content-type", "text/plain"}};

static inline int64_t world_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void world_mark(struct world *world, struct request *request)
{
    for (int i = 0; i < world->ready_count; i++) {
        if (world->ready[i] == request) return;
    }
    if (world->ready_count < MAX_READY) world->ready[world->ready_count++] = request;
}

static inline void world_on_request(void *ctx, struct request *request)
{
    struct world *world = ctx;

    world->announced++;
    if (strcmp(request_path(request), "/refuse") == 0) {
        request_release(request); /* an owner without room */
        return;
    }
    world_mark(world, request);
}

static inline void world_on_ready(void *ctx, struct request *request)
{
    struct world *world = ctx;

    if (request == world->held) {
        world->told++;
        if (request_is_gone(request)) world->held_gone = true;
        return;
    }
    world_mark(world, request);
}

static inline bool world_say(struct request *request, int status, const char *text, size_t len)
{
    char *body = malloc(len + 1);

    if (len) memcpy(body, text, len);
    return request_respond(request, status, world_text, 1, body, len);
}

/* /echo: the body back. /stream: "one" "two". /hold…: the test's. Anything else: its path. */
static inline void world_serve(struct world *world, struct request *request)
{
    const char *path = request_path(request);
    struct buf *body;

    if (strncmp(path, "/hold", 5) == 0) {
        world->held = request;
        world->told = 0;
        world->held_gone = request_is_gone(request);
        return;
    }
    if (strcmp(path, "/stream") == 0) {
        if (request_begin(request, 200, world_text, 1)) {
            CHECK(request_send(request, "one", 3));
            CHECK(request_send(request, "two", 3));
            request_finish(request, true);
        }
        request_release(request);
        return;
    }
    if (strcmp(path, "/echo") == 0) {
        switch (request_body(request, &body)) {
        case REQUEST_BODY_COMING: return;
        case REQUEST_BODY_WHOLE: world_say(request, 200, body->data, body->len); break;
        case REQUEST_BODY_TOO_LARGE: world_say(request, 413, "large", 5); break;
        case REQUEST_BODY_TIMEOUT: world_say(request, 408, "slow", 4); break;
        case REQUEST_BODY_NO_MEMORY:
        case REQUEST_BODY_BROKEN: break;
        }
        request_release(request);
        return;
    }
    if (strcmp(path, "/forget") != 0) world_say(request, 200, path, strlen(path));
    request_release(request);
}

static inline void world_step(struct world *world, int64_t wait)
{
    if (world->ready_count || server_timeout_ms(world->server) == 0) wait = 0;
    loop_poll(world->loop, wait);
    for (int i = 0; i < world->ready_count; i++)
        world_serve(world, world->ready[i]);
    world->ready_count = 0;
    server_turn(world->server);
}

static inline void world_turn(struct world *world)
{
    world_step(world, 2);
}

static inline void world_run(struct world *world, int64_t ms)
{
    int64_t end = world_now() + ms;

    while (world_now() < end)
        world_turn(world);
}

/* Turn until the server has so many connections and requests. */
static inline bool comes_to(struct world *world, size_t connections, size_t requests)
{
    int64_t end = world_now() + PATIENCE_MS;

    for (;;) {
        if (server_connections(world->server) == connections &&
            server_requests(world->server) == requests)
            return true;
        if (world_now() >= end) return false;
        world_turn(world);
    }
}

/* What is known of a body that does not go on coming. */
static inline enum request_body body_of(struct world *world, struct request *request,
                                        struct buf **bytes)
{
    int64_t end = world_now() + PATIENCE_MS;

    while (request_body(request, bytes) == REQUEST_BODY_COMING && world_now() < end)
        world_turn(world);
    return request_body(request, bytes);
}

static inline int world_listen(struct world *world, const char *unix_path)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (unix_path) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", unix_path);
        unlink(unix_path);
        memcpy(&world->address, &local, sizeof(local));
        world->address_len = sizeof(local);
    } else {
        memcpy(&world->address, &v4, sizeof(v4));
        world->address_len = sizeof(v4);
    }
    if (bind(fd, (struct sockaddr *)&world->address, world->address_len) != 0) return -1;
    if (listen(fd, 1024) != 0) return -1;
    getsockname(fd, (struct sockaddr *)&world->address, &world->address_len);
    return fd;
}

static inline struct server_options world_options(void)
{
    return (struct server_options){
        .max_body = MAX_BODY,
        .max_connections = 1000,
        .header_ms = 10000,
        .body_ms = 120000,
        .idle_ms = 75000,
        .reader_stall_ms = 60000,
    };
}

static inline bool world_open(struct world *world, struct server_options options,
                              const char *unix_path)
{
    const char *error = NULL;

    memset(world, 0, sizeof(*world));
    world->loop = loop_new();
    world->listen_fd = world_listen(world, unix_path);
    options.loop = world->loop;
    options.listen_fd = world->listen_fd;
    options.on_request = world_on_request;
    options.on_ready = world_on_ready;
    options.ctx = world;
    world->server = server_open(&options, &error);
    if (!world->server) fprintf(stderr, "server_open: %s\n", error);
    return CHECK(world->server != NULL);
}

static inline void world_close(struct world *world)
{
    server_close(world->server);
    loop_free(world->loop);
    close(world->listen_fd);
}

/* ---- clients ---- */

static inline int client_new(struct world *world)
{
    int fd = socket(world->address.ss_family, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&world->address, world->address_len) != 0) {
        perror("connect");
        abort();
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Everything, turning the world while the kernel has no room. */
static inline bool client_send(struct world *world, int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    int64_t end = world_now() + PATIENCE_MS;

    while (len && world_now() < end) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else if (errno != EAGAIN) {
            return false;
        }
        world_turn(world);
    }
    return len == 0;
}

static inline bool client_say(struct world *world, int fd, const char *text)
{
    return client_send(world, fd, text, strlen(text));
}

/* What the client has heard. */
struct heard {
    struct buf bytes; /* always terminated */
    bool ended, reset;
};

static inline void heard_init(struct heard *heard)
{
    *heard = (struct heard){0};
    buf_init(&heard->bytes, 64 << 20);
}

static inline void client_hear(int fd, struct heard *heard)
{
    char bytes[65536];

    while (!heard->ended) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
            heard->ended = true;
            heard->reset = got < 0;
            break;
        }
        if (!buf_append(&heard->bytes, bytes, (size_t)got)) abort();
    }
    if (!buf_append(&heard->bytes, "", 1)) abort();
    heard->bytes.len--;
}

/* Turn until `text` was heard (NULL: until the end), at most `ms`. */
static inline bool client_await(struct world *world, int fd, struct heard *heard,
                                const char *text, int64_t ms)
{
    int64_t end = world_now() + ms;

    for (;;) {
        client_hear(fd, heard);
        if (text && strstr(heard->bytes.data, text)) return true;
        if (heard->ended) return !text;
        if (world_now() >= end) return false;
        world_turn(world);
    }
}

static inline bool has(const struct heard *heard, const char *text)
{
    return heard->bytes.data && strstr(heard->bytes.data, text) != NULL;
}

static inline unsigned count_of(const struct heard *heard, const char *text)
{
    unsigned n = 0;

    for (const char *at = heard->bytes.data; at && (at = strstr(at, text)); at++)
        n++;
    return n;
}

static inline void heard_forget(struct heard *heard)
{
    buf_clear(&heard->bytes);
    heard->ended = false;
    heard->reset = false;
}

#endif
