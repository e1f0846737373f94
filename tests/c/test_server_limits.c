/* Too much, too many, and gone: what the server does about clients that misbehave. */
#include "server_hold.h"

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
        CHECK(client_await(world, client, &heard, "\r\n\r\nlarge", PATIENCE_MS));
        CHECK(has(&heard, "HTTP/1.1 413 ") && has(&heard, "\r\nConnection: close\r\n"));
        close(client);
        heard_forget(&heard);
    }
    CHECK(comes_to(world, 0, 0));
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
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
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
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
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
    CHECK(client_await(world, client, &heard, "no key", PATIENCE_MS));
    while (sent < 32 << 20 && send(client, part, sizeof(part), MSG_NOSIGNAL) > 0) {
        sent += sizeof(part);
        world_step(world, 0);
    }
    CHECK(sent < 32 << 20 && !has(&heard, "HTTP/1.1 2"));
    close(client);
    CHECK(passes_until_closed(world, 1000) <= 1000); /* what he could not send hides his end */
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
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(passes_until_closed(world, 2000) == 1000);
    close(client);
    buf_free(&heard.bytes);
}

/* ---- gone ---- */

static void check_gone(struct world *world, int client, bool reset)
{
    hang_up(client, reset);
    CHECK(await_gone(world));
    CHECK(request_is_gone(world->held));
    CHECK(!request_send(world->held, "x", 1));
    let_go(world);
    CHECK(comes_to(world, 1, 0));
}

static void hang_up_at_every_stage(struct world *world)
{
    struct buf *bytes;
    int client;

    for (int reset = 0; reset < 2; reset++) {
        client = hold(world, POST("/hold") "Content-Length: 10\r\n\r\nabc"); /* in the body */
        hang_up(client, reset);
        CHECK(await_gone(world));
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
        CHECK(comes_to(world, 1, 0));

        client = hold(world, "GET /hold HTTP/1.0\r\n\r\n"); /* ended by the close */
        CHECK(request_begin(world->held, 200, world_text, 1));
        CHECK(request_send(world->held, "abc", 3));
        request_finish(world->held, true);
        let_go(world);
        CHECK(comes_to(world, 1, 0));
        close(client);

        client = hold(world, GET("/hold")); /* cut by us */
        CHECK(request_begin(world->held, 200, world_text, 1));
        let_go(world);
        world_run(world, 5);
        close(client);
        CHECK(comes_to(world, 1, 0));
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
    CHECK(await_gone(world));
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
        CHECK(await_gone(world) && request_is_gone(world->held));
        let_go(world);
    }
    CHECK(world->announced - announced <= 1);
    CHECK(comes_to(world, 1, 0));
    close(elder);
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
    CHECK(client_await(&world, clients[2], &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 503 ") && has(&heard, "\"code\":\"overloaded\"}}") &&
          !heard.reset);
    CHECK(server_connections(world.server) == 2);
    close(clients[0]);
    close(clients[2]);
    CHECK(comes_to(&world, 1, 0));
    clients[3] = client_new(&world);
    heard_forget(&heard);
    CHECK(client_say(&world, clients[3], GET("/y")));
    CHECK(client_await(&world, clients[3], &heard, "/y", PATIENCE_MS));
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
    CHECK(client_await(&world, idle, &heard, "/x", PATIENCE_MS));
    int streaming = hold(&world, GET("/hold"));
    struct request *stream = world.held;
    CHECK(request_begin(stream, 200, world_text, 1));
    world_run(&world, 5);
    int busy = hold(&world, GET("/hold"));
    server_stop_accepting(world.server);
    pass(&world, 999); /* it may have asked again before it knew */
    client_hear(idle, &heard);
    CHECK(!heard.ended && server_connections(world.server) == 3);
    pass(&world, 1);
    CHECK(client_await(&world, idle, &heard, NULL, PATIENCE_MS));
    CHECK(server_requests(world.server) == 2);
    CHECK(request_begin(world.held, 200, world_text, 1));
    request_finish(world.held, true);
    let_go(&world);
    CHECK(client_await(&world, busy, &other, NULL, PATIENCE_MS));
    CHECK(has(&other, "\r\nConnection: close\r\n") && has(&other, "0\r\n\r\n"));
    CHECK(request_send(stream, "abc", 3)); /* one that had begun before ends as it should */
    request_finish(stream, true);
    request_release(stream);
    heard_forget(&other);
    CHECK(client_await(&world, streaming, &other, "0\r\n\r\n", PATIENCE_MS));
    pass(&world, 999); /* it was promised that it may ask again */
    CHECK(server_connections(world.server) == 1);
    pass(&world, 1);
    CHECK(client_await(&world, streaming, &other, NULL, PATIENCE_MS));
    CHECK(has(&other, "3\r\nabc\r\n0\r\n\r\n") && !other.reset);
    close(streaming);
    CHECK(comes_to(&world, 0, 0));
    close(idle);
    close(busy);
    buf_free(&heard.bytes);
    buf_free(&other.bytes);
    world_close(&world);
}

int main(void)
{
    struct world world;

    clock_stands();
    if (!world_open(&world, world_options(), NULL)) return check_report();
    test_too_large(&world);
    test_too_large_expected(&world);
    test_too_large_chunked(&world);
    test_early(&world);
    test_early_drain_ends(&world);
    test_hang_ups(&world);
    world_close(&world);
    test_cap();
    test_drain();
    return check_report();
}
