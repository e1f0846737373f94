/* Too much, too slow, too late, and gone: what the server does about clients that misbehave. */
#include "server_world.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

/* A client with a request at "/hold". */
static int hold(struct world *world, const char *bytes)
{
    int64_t end = world_now() + 2000;
    int client = client_new(world);

    world->held = NULL;
    CHECK(client_say(world, client, bytes));
    while (!world->held && world_now() < end)
        world_turn(world);
    CHECK(world->held != NULL);
    return client;
}

static void let_go(struct world *world)
{
    request_release(world->held);
    world->held = NULL;
}

static bool await_gone(struct world *world, int64_t ms)
{
    int64_t end = world_now() + ms;

    while (!world->held_gone && world_now() < end)
        world_turn(world);
    return world->held_gone;
}

static void hang_up(int client, bool reset)
{
    struct linger linger = {.l_onoff = 1};

    if (reset) setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(client);
}

/* ---- too large ---- */

/* Ten runs of a client that sends all it announced: the answer arrives each time. */
static void test_too_large(struct world *world)
{
    size_t size = MAX_BODY + 1;
    char head[128];
    char *body = calloc(1, size);
    struct heard heard;

    heard_init(&heard);
    snprintf(head, sizeof(head), POST("/echo") "Content-Length: %zu\r\n\r\n", size);
    for (int i = 0; i < 10; i++) {
        int client = client_new(world);
        CHECK(client_say(world, client, head));
        client_send(world, client, body, size / 2); /* it may be cut off while it sends */
        CHECK(client_await(world, client, &heard, "\r\n\r\nlarge", 2000));
        CHECK(has(&heard, "HTTP/1.1 413 ") && has(&heard, "\r\nConnection: close\r\n"));
        close(client);
        heard_forget(&heard);
    }
    world_run(world, 20);
    CHECK(server_connections(world->server) == 0);
    buf_free(&heard.bytes);
    free(body);
}

static void test_too_large_expected(struct world *world)
{
    char head[128];
    struct heard heard;
    int client = client_new(world);

    heard_init(&heard);
    snprintf(head, sizeof(head),
             POST("/echo") "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", MAX_BODY + 1);
    CHECK(client_say(world, client, head));
    CHECK(client_await(world, client, &heard, NULL, 2000));
    CHECK(has(&heard, "HTTP/1.1 413 ") && !has(&heard, "100 Continue") && !heard.reset);
    close(client);
    buf_free(&heard.bytes);
}

/* A chunked body growing past the limit: found out within 64 KiB of it. */
static void test_too_large_chunked(struct world *world)
{
    static char chunk[16 * 1024];
    char frame[16];
    struct heard heard;
    struct buf *bytes;
    size_t sent = 0;
    int client = hold(world, POST("/hold") "Transfer-Encoding: chunked\r\n\r\n");

    heard_init(&heard);
    while (request_body(world->held, &bytes) == REQUEST_BODY_COMING && sent < 2 * MAX_BODY) {
        snprintf(frame, sizeof(frame), "%zx\r\n", sizeof(chunk));
        if (!client_say(world, client, frame)) break;
        if (!client_send(world, client, chunk, sizeof(chunk))) break;
        if (!client_say(world, client, "\r\n")) break;
        sent += sizeof(chunk);
    }
    CHECK(request_body(world->held, &bytes) == REQUEST_BODY_TOO_LARGE);
    CHECK(sent > MAX_BODY && sent <= MAX_BODY + 64 * 1024);
    CHECK(bytes->cap == 0 && world->told == 1);
    CHECK(world_say(world->held, 413, "large", 5));
    let_go(world);
    CHECK(client_await(world, client, &heard, NULL, 2000));
    CHECK(has(&heard, "\r\n\r\nlarge") && !heard.reset);
    close(client);
    buf_free(&heard.bytes);
}

/* 401 while the body is still coming; at most a megabyte of it is read. */
static void test_early(struct world *world)
{
    static char part[64 * 1024];
    struct heard heard;
    size_t sent = 0;
    int client = hold(world, POST("/hold") "Content-Length: 1000000\r\n\r\nabc");

    heard_init(&heard);
    CHECK(!request_begin(world->held, 200, NULL, 0)); /* streams answer whole requests */
    CHECK(world_say(world->held, 401, "no key", 6));
    CHECK(!world_say(world->held, 401, "twice", 5));
    let_go(world);
    CHECK(client_await(world, client, &heard, "no key", 2000));
    while (sent < 32 << 20 && send(client, part, sizeof(part), MSG_NOSIGNAL) > 0) {
        sent += sizeof(part);
        world_step(world, 0);
    }
    CHECK(sent < 32 << 20 && !has(&heard, "HTTP/1.1 2"));
    close(client);
    world_run(world, 1100); /* what he could not send hides that he left */
    CHECK(server_connections(world->server) == 0);
    buf_free(&heard.bytes);
}

/* Who does not close by himself after an early answer is closed a second later. */
static void test_early_drain_ends(struct world *world)
{
    struct heard heard;
    int client = hold(world, POST("/hold") "Content-Length: 1000000\r\n\r\nabc");

    heard_init(&heard);
    CHECK(world_say(world->held, 401, "no key", 6));
    let_go(world);
    CHECK(client_await(world, client, &heard, NULL, 500));
    CHECK(server_connections(world->server) == 1);
    world_run(world, 1100);
    CHECK(server_connections(world->server) == 0);
    close(client);
    buf_free(&heard.bytes);
}

/* ---- gone ---- */

static void check_gone(struct world *world, int client, bool reset)
{
    hang_up(client, reset);
    CHECK(await_gone(world, 1000));
    CHECK(request_is_gone(world->held));
    CHECK(!request_send(world->held, "x", 1));
    let_go(world);
    world_run(world, 5);
    CHECK(server_connections(world->server) == 1);
    CHECK(server_requests(world->server) == 0);
}

static void hang_up_at_every_stage(struct world *world)
{
    struct buf *bytes;
    int client;

    for (int reset = 0; reset < 2; reset++) {
        client = hold(world, POST("/hold") "Content-Length: 10\r\n\r\nabc"); /* in the body */
        hang_up(client, reset);
        CHECK(await_gone(world, 1000));
        CHECK(request_body(world->held, &bytes) == REQUEST_BODY_BROKEN);
        CHECK(!world_say(world->held, 200, "x", 1));
        let_go(world);

        client = hold(world, GET("/hold")); /* before our head */
        check_gone(world, client, reset);

        client = hold(world, POST("/hold") "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n");
        check_gone(world, client, reset);

        client = hold(world, GET("/hold")); /* in mid-stream */
        CHECK(request_begin(world->held, 200, world_text, 1));
        CHECK(request_send(world->held, "abc", 3));
        world_run(world, 5);
        check_gone(world, client, reset);

        client = hold(world, GET("/hold")); /* begun, the head not yet sent */
        CHECK(request_begin(world->held, 200, world_text, 1));
        check_gone(world, client, reset);

        client = hold(world, GET("/hold")); /* the owner let go first */
        CHECK(request_begin(world->held, 200, world_text, 1));
        request_finish(world->held, true);
        hang_up(client, reset);
        let_go(world);
        world_run(world, 5);
        CHECK(server_connections(world->server) == 1);

        client = hold(world, "GET /hold HTTP/1.0\r\n\r\n"); /* ended by the close */
        CHECK(request_begin(world->held, 200, world_text, 1));
        CHECK(request_send(world->held, "abc", 3));
        request_finish(world->held, true);
        let_go(world);
        world_run(world, 5);
        CHECK(server_connections(world->server) == 1);
        close(client);

        client = hold(world, GET("/hold")); /* cut by us */
        CHECK(request_begin(world->held, 200, world_text, 1));
        let_go(world);
        world_run(world, 5);
        close(client);
        world_run(world, 5);
        CHECK(server_connections(world->server) == 1);
    }
}

static void test_hang_ups(struct world *world)
{
    int client;
    int elder = client_new(world); /* microhttpd looks at the oldest anyway: that is this one */

    hang_up_at_every_stage(world);

    /* A half-close cannot be told from a close: it is one. */
    client = hold(world, GET("/hold"));
    shutdown(client, SHUT_WR);
    CHECK(await_gone(world, 1000));
    let_go(world);
    close(client);

    /* Gone before anybody heard of the request. */
    unsigned announced = world->announced;
    client = client_new(world);
    CHECK(send(client, GET("/hold"), strlen(GET("/hold")), 0) > 0);
    close(client);
    world->held = NULL;
    world_run(world, 20);
    if (world->held) { /* microhttpd was quicker */
        CHECK(world->held_gone || request_is_gone(world->held));
        let_go(world);
    }
    CHECK(world->announced - announced <= 1);
    world_run(world, 5);
    CHECK(server_connections(world->server) == 1 && server_requests(world->server) == 0);
    close(elder);
}

/* ---- late ---- */

static int64_t closed_after(struct world *world, int client, struct heard *heard, int64_t ms)
{
    int64_t from = world_now();

    CHECK(client_await(world, client, heard, NULL, ms));
    return world_now() - from;
}

static bool open_hasty_world(struct world *world)
{
    struct server_options options = world_options();

    options.header_ms = 150;
    options.idle_ms = 250;
    options.body_ms = 600; /* and 1 KiB/s after 50 */
    return world_open(world, options, NULL);
}

static void test_head_deadlines(void)
{
    struct world world;
    struct heard heard;
    int client;

    if (!open_hasty_world(&world)) return;

    heard_init(&heard); /* nothing at all */
    client = client_new(&world);
    int64_t ms = closed_after(&world, client, &heard, 1000);
    CHECK(ms >= 100 && ms < 250 && heard.bytes.len == 0);
    close(client);

    heard_forget(&heard); /* a byte now and then does not help */
    client = client_new(&world);
    int64_t from = world_now();
    const char *trickle = GET("/x");
    for (int i = 0; i < 30 && !heard.ended; i++) {
        (void)!send(client, trickle + i, 1, MSG_NOSIGNAL);
        world_run(&world, 10);
        client_hear(client, &heard);
    }
    ms = world_now() - from;
    CHECK(heard.ended && ms >= 140 && ms < 280);
    close(client);

    heard_forget(&heard); /* idle between two requests */
    client = client_new(&world);
    CHECK(client_say(&world, client, GET("/x")));
    CHECK(client_await(&world, client, &heard, "/x", 1000));
    ms = closed_after(&world, client, &heard, 1000);
    CHECK(ms >= 200 && ms < 350);
    close(client);
    buf_free(&heard.bytes);
    world_close(&world);
}

static void test_body_deadlines(void)
{
    struct world world;
    struct heard heard;
    struct buf *bytes;
    int64_t from, ms;
    int client;

    if (!open_hasty_world(&world)) return;
    heard_init(&heard);

    /* A body that comes too slowly, and one that stops. */
    for (int round = 0; round < 2; round++) {
        heard_forget(&heard);
        client = hold(&world, POST("/hold") "Content-Length: 5000\r\n\r\n");
        from = world_now();
        while (!world.told && world_now() - from < 1000) {
            if (round) (void)!send(client, "a", 1, MSG_NOSIGNAL);
            world_run(&world, 2);
        }
        ms = world_now() - from;
        CHECK(ms >= 45 && ms < 150);
        CHECK(request_body(world.held, &bytes) == REQUEST_BODY_TIMEOUT);
        CHECK(world_say(world.held, 408, "slow", 4));
        let_go(&world);
        CHECK(client_await(&world, client, &heard, NULL, 1000));
        CHECK(has(&heard, "HTTP/1.1 408 ") && !heard.reset);
        close(client);
    }

    client =
        hold(&world, POST("/hold") "Content-Length: 500000\r\n\r\n"); /* fast, but not enough */
    from = world_now();
    while (!world.told && world_now() - from < 2000) {
        (void)!send(client, "0123456789abcdef", 16, MSG_NOSIGNAL);
        world_run(&world, 2);
    }
    ms = world_now() - from;
    CHECK(ms >= 580 && ms < 800);
    CHECK(request_body(world.held, &bytes) == REQUEST_BODY_TIMEOUT);
    let_go(&world);
    close(client);

    client = hold(&world, GET("/hold")); /* an owner may take as long as he likes */
    world_run(&world, 400);
    CHECK(!world.held_gone && world_say(world.held, 200, "late", 4));
    let_go(&world);
    heard_forget(&heard);
    CHECK(client_await(&world, client, &heard, "late", 1000));
    close(client);
    buf_free(&heard.bytes);
    world_close(&world);
}

/* A reader that takes nothing is cut: in a stream, and in a whole answer. */
static void test_stalled_readers(void)
{
    struct world world;
    struct server_options options = world_options();
    size_t size = 16 << 20;
    char *bytes = calloc(1, size);

    options.reader_stall_ms = 100;
    if (!world_open(&world, options, NULL)) return;
    int client = hold(&world, GET("/hold"));
    CHECK(request_begin(world.held, 200, world_text, 1));
    CHECK(request_send(world.held, bytes, size));
    int64_t from = world_now();
    CHECK(await_gone(&world, 2000));
    CHECK(world_now() - from >= 90);
    let_go(&world);
    close(client);

    client = hold(&world, GET("/hold"));
    CHECK(request_respond(world.held, 200, world_text, 1, bytes, size));
    let_go(&world);
    world_run(&world, 600);
    CHECK(server_connections(world.server) == 0 && server_requests(world.server) == 0);
    close(client);
    world_close(&world);
}

/* ---- many, and the end ---- */

static void test_cap(void)
{
    struct world world;
    struct server_options options = world_options();
    struct heard heard;
    int clients[4];

    options.max_connections = 2;
    heard_init(&heard);
    if (!world_open(&world, options, NULL)) return;
    for (int i = 0; i < 3; i++) {
        clients[i] = client_new(&world);
        CHECK(send(clients[i], GET("/x"), strlen(GET("/x")), 0) > 0);
    }
    CHECK(client_await(&world, clients[2], &heard, NULL, 1000));
    CHECK(has(&heard, "HTTP/1.1 503 ") && has(&heard, "\"code\":\"overloaded\"}}") &&
          !heard.reset);
    CHECK(server_connections(world.server) == 2);
    close(clients[0]);
    close(clients[2]);
    world_run(&world, 5);
    clients[3] = client_new(&world);
    heard_forget(&heard);
    CHECK(client_say(&world, clients[3], GET("/y")));
    CHECK(client_await(&world, clients[3], &heard, "/y", 1000));
    close(clients[1]);
    close(clients[3]);
    buf_free(&heard.bytes);
    world_close(&world);
}

static void test_drain(void)
{
    struct world world;
    struct heard heard, other;

    heard_init(&heard);
    heard_init(&other);
    if (!world_open(&world, world_options(), NULL)) return;
    int idle = client_new(&world);
    CHECK(client_say(&world, idle, GET("/x")));
    CHECK(client_await(&world, idle, &heard, "/x", 1000));
    int streaming = hold(&world, GET("/hold"));
    struct request *stream = world.held;
    CHECK(request_begin(stream, 200, world_text, 1));
    world_run(&world, 5);
    int busy = hold(&world, GET("/hold"));
    server_stop_accepting(world.server);
    CHECK(client_await(&world, idle, &heard, NULL, 1000));
    CHECK(server_requests(world.server) == 2);
    CHECK(request_begin(world.held, 200, world_text, 1));
    request_finish(world.held, true);
    let_go(&world);
    CHECK(client_await(&world, busy, &other, NULL, 1000));
    CHECK(has(&other, "\r\nConnection: close\r\n") && has(&other, "0\r\n\r\n"));
    CHECK(request_send(stream, "abc", 3)); /* one that had begun before ends as it should */
    request_finish(stream, true);
    request_release(stream);
    heard_forget(&other);
    CHECK(client_await(&world, streaming, &other, NULL, 1000));
    CHECK(has(&other, "3\r\nabc\r\n0\r\n\r\n") && !other.reset);
    close(streaming);
    world_run(&world, 5);
    CHECK(server_connections(world.server) == 0 && server_requests(world.server) == 0);
    close(idle);
    close(busy);
    buf_free(&heard.bytes);
    buf_free(&other.bytes);
    world_close(&world);
}

int main(void)
{
    struct world world;

    if (!world_open(&world, world_options(), NULL)) return check_report();
    test_too_large(&world);
    test_too_large_expected(&world);
    test_too_large_chunked(&world);
    test_early(&world);
    test_early_drain_ends(&world);
    test_hang_ups(&world);
    world_close(&world);
    test_head_deadlines();
    test_body_deadlines();
    test_stalled_readers();
    test_cap();
    test_drain();
    return check_report();
}
