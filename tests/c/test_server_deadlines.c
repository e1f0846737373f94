/* Too slow, and too late: when the server does not wait for a client any longer. */
#include "server_hold.h"

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
    client = accepted(&world);
    CHECK(passes_until_closed(&world, 1000) == 150);
    CHECK(client_await(&world, client, &heard, NULL, PATIENCE_MS) && heard.bytes.len == 0);
    close(client);

    heard_forget(&heard); /* a byte now and then does not help */
    client = accepted(&world);
    const char *trickle = GET("/x");
    int64_t from = server_ms;
    for (int i = 0; i < 30 && server_connections(world.server) > 0; i++) {
        (void)!send(client, trickle + i, 1, MSG_NOSIGNAL);
        (void)passes_until_closed(&world, 9);
    }
    CHECK(server_ms - from == 150);
    CHECK(client_await(&world, client, &heard, NULL, PATIENCE_MS) && heard.bytes.len == 0);
    close(client);

    heard_forget(&heard); /* idle between two requests */
    client = accepted(&world);
    CHECK(client_say(&world, client, GET("/x")));
    CHECK(client_await(&world, client, &heard, "/x", PATIENCE_MS));
    CHECK(comes_to(&world, 1, 0)); /* all of that request is over */
    CHECK(passes_until_closed(&world, 1000) == 250);
    CHECK(client_await(&world, client, &heard, NULL, PATIENCE_MS));
    close(client);
    buf_free(&heard.bytes);
    world_close(&world);
}

/* The client says this at every millisecond, and all of it comes: how many pass until the owner
 * hears of the body's end. */
static int64_t told_after(struct world *world, int client, const char *says)
{
    int64_t from = server_ms, end = world_now() + PATIENCE_MS;
    size_t sent = 0;
    struct buf *bytes;

    while (!world->told && server_ms - from < 2000) {
        sent += strlen(says);
        CHECK(client_say(world, client, says));
        while (request_body(world->held, &bytes) == REQUEST_BODY_COMING && bytes->len < sent &&
               world_now() < end)
            world_turn(world);
        pass(world, 1);
    }
    return server_ms - from;
}

static void test_body_deadlines(void)
{
    struct world world;
    struct heard heard;
    struct buf *bytes;
    int client;

    if (!open_hasty_world(&world)) return;
    heard_init(&heard);

    /* A body that comes too slowly, and one that stops. */
    for (int round = 0; round < 2; round++) {
        heard_forget(&heard);
        client = hold(&world, POST("/hold") "Content-Length: 5000\r\n\r\n");
        CHECK(told_after(&world, client, round ? "a" : "") == 50);
        CHECK(request_body(world.held, &bytes) == REQUEST_BODY_TIMEOUT);
        CHECK(world_say(world.held, 408, "slow", 4));
        let_go(&world);
        CHECK(client_await(&world, client, &heard, NULL, PATIENCE_MS));
        CHECK(has(&heard, "HTTP/1.1 408 ") && !heard.reset);
        close(client);
    }

    client =
        hold(&world, POST("/hold") "Content-Length: 500000\r\n\r\n"); /* fast, but not enough */
    CHECK(told_after(&world, client, "01234567") == 600);
    CHECK(request_body(world.held, &bytes) == REQUEST_BODY_TIMEOUT);
    let_go(&world);
    close(client);

    client = hold(&world, GET("/hold")); /* an owner may take as long as he likes */
    pass(&world, 1000);
    CHECK(!world.held_gone && world_say(world.held, 200, "late", 4));
    let_go(&world);
    heard_forget(&heard);
    CHECK(client_await(&world, client, &heard, "late", PATIENCE_MS));
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
    int64_t from = server_ms;
    while (!world.held_gone && server_ms - from < 2000)
        pass(&world, 1);
    CHECK(world.held_gone && server_ms - from >= 100);
    let_go(&world);
    close(client);

    client = hold(&world, GET("/hold"));
    CHECK(request_respond(world.held, 200, world_text, 1, bytes, size));
    let_go(&world);
    CHECK(passes_until_closed(&world, 600) >= 100);
    CHECK(server_connections(world.server) == 0 && server_requests(world.server) == 0);
    close(client);
    world_close(&world);
}

int main(void)
{
    clock_stands();
    test_head_deadlines();
    test_body_deadlines();
    test_stalled_readers();
    return check_report();
}
