/* Whole answers, bodies, streams: what leaves, byte by byte, and what happens in between. */
#include "server_world.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

/* The request at the path "/hold", once it is here. */
static struct request *hold(struct world *world, int client, const char *bytes)
{
    int64_t end = world_now() + PATIENCE_MS;

    world->held = NULL;
    CHECK(client_say(world, client, bytes));
    while (!world->held && world_now() < end)
        world_turn(world);
    CHECK(world->held != NULL);
    return world->held;
}

static void let_go(struct world *world)
{
    request_release(world->held);
    world->held = NULL;
}

static void test_whole(struct world *world)
{
    int client = client_new(world);
    struct heard heard;

    heard_init(&heard);
    CHECK(client_say(world, client, GET("/a?b=c")));
    CHECK(client_await(world, client, &heard, "\r\n\r\n/a", PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 200 OK\r\n") && has(&heard, "\r\nContent-Length: 2\r\n"));
    CHECK(has(&heard, "\r\ncontent-type: text/plain\r\n") && !has(&heard, "onnection:"));
    heard_forget(&heard);
    CHECK(client_say(world, client, POST("/echo") "Content-Length: 5\r\n\r\nhello"));
    CHECK(client_await(world, client, &heard, "\r\n\r\nhello", PATIENCE_MS));
    heard_forget(&heard);
    CHECK(client_say(world, client, GET("/forget")));
    CHECK(client_await(world, client, &heard, "\"code\":\"internal_error\"}}", PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 500 "));
    heard_forget(&heard);
    CHECK(client_say(world, client, GET("/refuse")));
    CHECK(client_await(world, client, &heard, "\"code\":\"internal_error\"}}", PATIENCE_MS));
    heard_forget(&heard);
    CHECK(client_say(world, client, "HEAD /ab HTTP/1.1\r\nHost: a\r\n\r\n" GET("/c")));
    CHECK(client_await(world, client, &heard, "\r\n\r\n/c", PATIENCE_MS));
    CHECK(has(&heard, "\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK"));
    close(client);
    buf_free(&heard.bytes);
}

static void test_request_fields(struct world *world)
{
    int client = client_new(world);
    struct request *request =
        hold(world, client,
             "PATCH /hold/%2f?a=%20&b HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two:  2 \t\r\n"
             "X-ONE: 3\r\nX-None:\r\n\r\n");

    CHECK_TEXT(request_method(request), strlen(request_method(request)), "PATCH");
    CHECK_TEXT(request_path(request), strlen(request_path(request)), "/hold/%2f");
    CHECK_TEXT(request_query(request), strlen(request_query(request)), "a=%20&b");
    CHECK(strcmp(request_header(request, "x-one"), "1") == 0);
    CHECK(strcmp(request_header(request, "X-Two"), "2") == 0);
    CHECK(strcmp(request_header(request, "X-None"), "") == 0);
    CHECK(request_header(request, "X-Tw") == NULL && request_header(request, "X-Twoo") == NULL);
    CHECK(request_header_count(request, "X-One") == 2);
    CHECK(request_header_count(request, "Nope") == 0);
    unsigned seen = 0;
    struct request_field field;
    for (unsigned i = 0; request_field(request, i, &field); i++) {
        if (field.name_len == 5 && strncasecmp(field.name, "x-one", 5) == 0) seen++;
        CHECK(field.value[field.value_len] == '\0' || field.value_len > 0);
    }
    CHECK(seen == 2);
    CHECK(!request_field(request, 1000, &field));
    CHECK(strcmp(request_peer(request), "127.0.0.1") == 0);
    CHECK(!request_is_admin(request) && !request_is_gone(request));
    CHECK(request_started_ms(request) <= world_now());
    request_set_owner(request, world);
    CHECK(request_owner(request) == world);
    CHECK(server_requests(world->server) == 1);
    let_go(world);
    close(client);
}

static void test_answer_rules(struct world *world)
{
    static const struct http_header split[] = {{"x-a", "b\r\nc: d"}};
    static const struct http_header name[] = {{"x a", "b"}};
    static const struct http_header ours[] = {{"Content-Length", "7"}};
    static const struct http_header fine[] = {{"x-a", "b"}, {"x-empty", ""}};
    int client = client_new(world);
    struct request *request = hold(world, client, GET("/hold"));
    struct heard heard;

    heard_init(&heard);
    CHECK(!request_respond(request, 200, split, 1, NULL, 0));
    CHECK(!request_respond(request, 200, name, 1, strdup("x"), 1));
    CHECK(!request_respond(request, 200, ours, 1, strdup("x"), 1));
    CHECK(!request_begin(request, 200, split, 1));
    CHECK(!request_send(request, "x", 1));
    CHECK(request_respond(request, 204, fine, 2, strdup("dropped"), 7));
    CHECK(!request_respond(request, 200, fine, 2, strdup("twice"), 5));
    CHECK(!request_begin(request, 200, fine, 1));
    let_go(world);
    CHECK(client_await(world, client, &heard, "\r\n\r\n", PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 204 ") && has(&heard, "\r\nx-a: b\r\n"));
    CHECK(!has(&heard, "dropped") && !has(&heard, "x-empty"));
    close(client);
    buf_free(&heard.bytes);
}

/* A body in many pieces; whole only at its end. */
static void test_body(struct world *world)
{
    size_t size = 300000;
    char *body = malloc(size);
    int client = client_new(world);
    struct buf *bytes;

    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 23);
    struct request *request =
        hold(world, client, POST("/hold") "Content-Length: 300000\r\n\r\n");
    CHECK(request_body(request, &bytes) == REQUEST_BODY_COMING);
    CHECK(client_send(world, client, body, size - 1));
    world_run(world, 20);
    CHECK(request_body(request, &bytes) == REQUEST_BODY_COMING && world->told == 0);
    CHECK(client_send(world, client, body + size - 1, 1));
    CHECK(body_of(world, request, &bytes) == REQUEST_BODY_WHOLE && world->told == 1);
    CHECK(bytes->len == size && memcmp(bytes->data, body, size) == 0);

    size_t len;
    char *taken = buf_take(bytes, &len);
    CHECK(len == size);
    free(taken);
    CHECK(world_say(request, 200, "ok", 2));
    let_go(world);
    world_run(world, 5);
    close(client);
    free(body);
}

static void test_chunked_body(struct world *world)
{
    int client = client_new(world);
    struct heard heard;

    heard_init(&heard);
    CHECK(client_say(
        world, client,
        POST("/echo") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
                      "X-Trailer: z\r\n\r\n" GET("/after")));
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "\r\n\r\nabcde") && has(&heard, "\r\nConnection: close\r\n"));
    CHECK(!has(&heard, "/after")); /* its framing is not trusted */
    close(client);
    buf_free(&heard.bytes);
}

static void test_continue(struct world *world)
{
    struct heard heard;
    struct buf *bytes;
    int client = client_new(world);

    heard_init(&heard);
    struct request *request =
        hold(world, client, POST("/hold") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    world_run(world, 10);
    client_hear(client, &heard);
    CHECK(heard.bytes.len == 0); /* nobody wants the body yet */
    CHECK(request_body(request, &bytes) == REQUEST_BODY_COMING);
    CHECK(client_await(world, client, &heard, "HTTP/1.1 100 Continue\r\n\r\n", PATIENCE_MS));
    CHECK(client_say(world, client, "hello"));
    CHECK(body_of(world, request, &bytes) == REQUEST_BODY_WHOLE && bytes->len == 5);
    CHECK(world_say(request, 200, "ok", 2));
    let_go(world);
    CHECK(client_await(world, client, &heard, "\r\n\r\nok", PATIENCE_MS));
    CHECK(count_of(&heard, "100 Continue") == 1);

    int other = client_new(world); /* let go by the owner at once, the body still to come */
    heard_forget(&heard);
    CHECK(client_say(world, other, POST("/refuse") "Content-Length: 5\r\n\r\nhe"));
    CHECK(client_await(world, other, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 500 ") && !heard.reset);
    close(other);

    heard_forget(&heard); /* the first connection again: answered without the body */
    hold(world, client, POST("/hold") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    CHECK(world_say(world->held, 401, "no", 2));
    let_go(world);
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "HTTP/1.1 401 ") && !has(&heard, "100 Continue") && !heard.reset);
    close(client);
    buf_free(&heard.bytes);
}

/* ---- streams ---- */

static void test_stream(struct world *world)
{
    static const char want[] = "Transfer-Encoding: chunked\r\n\r\n6\r\nonetwo\r\n0\r\n\r\n";
    int client = client_new(world);
    struct heard heard;

    heard_init(&heard);
    for (int i = 0; i < 3; i++) {
        CHECK(client_say(world, client, GET("/stream")));
        CHECK(client_await(world, client, &heard, "0\r\n\r\n", PATIENCE_MS));
        CHECK(has(&heard, want));
        heard_forget(&heard);
    }
    /* Pipelined: in order, each complete. */
    CHECK(client_say(world, client, GET("/stream") GET("/stream") GET("/b")));
    CHECK(client_await(world, client, &heard, "\r\n\r\n/b", PATIENCE_MS));
    CHECK(count_of(&heard, want) == 2);
    close(client);

    heard_forget(&heard);
    client = client_new(world); /* HEAD gets a head, and nothing stray behind it */
    CHECK(client_say(world, client, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" GET("/b")));
    CHECK(client_await(world, client, &heard, "\r\n\r\n/b", PATIENCE_MS));
    CHECK(has(&heard, "\r\n\r\nHTTP/1.1 200 OK") && !has(&heard, "one"));
    close(client);

    heard_forget(&heard);
    client = client_new(world); /* HTTP/1.0: no framing, ended by the close */
    CHECK(client_say(world, client, "GET /stream HTTP/1.0\r\n\r\n"));
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "\r\n\r\nonetwo") && !has(&heard, "6\r\n") && !heard.reset);
    CHECK(strcmp(heard.bytes.data + heard.bytes.len - 6, "onetwo") == 0);
    close(client);
    buf_free(&heard.bytes);
}

static void test_stream_steps(struct world *world)
{
    int client = client_new(world);
    struct request *request = hold(world, client, GET("/hold"));
    struct heard heard;

    heard_init(&heard);
    CHECK(request_begin(request, 200, world_text, 1));
    CHECK(client_await(world, client, &heard, "\r\n\r\n",
                       PATIENCE_MS)); /* the head leaves alone */
    heard_forget(&heard);
    CHECK(request_send(request, "", 0));
    CHECK(request_send(request, "abc", 3) && request_unsent(request) == 3);
    CHECK(client_await(world, client, &heard, "3\r\nabc\r\n", PATIENCE_MS));
    CHECK(request_unsent(request) == 0);
    heard_forget(&heard);
    request_finish(request, true);
    CHECK(!request_send(request, "x", 1));
    let_go(world);
    CHECK(client_await(world, client, &heard, "0\r\n\r\n", PATIENCE_MS));
    CHECK(heard.bytes.len == 5 && !heard.ended);
    heard_forget(&heard);

    request = hold(world, client, GET("/hold"));
    CHECK(request_begin(request, 200, world_text, 1));
    CHECK(request_send(request, "abc", 3));
    request_finish(request, false); /* what came arrives, the end does not */
    let_go(world);
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "3\r\nabc\r\n") && !has(&heard, "0\r\n\r\n") && !heard.reset);
    close(client);

    heard_forget(&heard); /* released in mid-stream: the same */
    heard.ended = false;
    client = client_new(world);
    request = hold(world, client, GET("/hold"));
    CHECK(request_begin(request, 200, world_text, 1));
    CHECK(request_send(request, "abc", 3));
    let_go(world);
    CHECK(client_await(world, client, &heard, NULL, PATIENCE_MS));
    CHECK(has(&heard, "3\r\nabc\r\n") && !has(&heard, "0\r\n\r\n"));
    close(client);
    buf_free(&heard.bytes);
}

/* The content of a chunked answer, its framing checked. */
static size_t unchunk(char *bytes, size_t len, bool *ended)
{
    size_t out = 0, at = 0;

    *ended = false;
    while (at < len) {
        char *end;
        size_t size = strtoul(bytes + at, &end, 16);
        if (end[0] != '\r' || end[1] != '\n') return 0;
        at = (size_t)(end - bytes) + 2;
        if (size == 0) {
            *ended = at + 2 == len;
            return out;
        }
        if (at + size + 2 > len || bytes[at + size] != '\r') return 0;
        memmove(bytes + out, bytes + at, size);
        out += size;
        at += size + 2;
    }
    return out;
}

/* 4 MB to a reader who takes his time. Over a Unix socket: its buffers are small, and no TCP
 * timer waits where they are full. */
static void test_slow_reader(struct world *world)
{
    size_t size = 4 << 20, sent = 0;
    char *bytes = malloc(size);
    int client = client_new(world);
    struct heard heard;
    bool ended;

    heard_init(&heard);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    struct request *request = hold(world, client, GET("/hold"));
    CHECK(request_begin(request, 200, world_text, 1));
    CHECK(client_await(world, client, &heard, "\r\n\r\n", PATIENCE_MS));
    heard_forget(&heard);

    bool crowded = false;
    unsigned told = 0;
    while (sent < size) {
        size_t n = size - sent < 65521 ? size - sent : 65521;
        if (request_unsent(request) < 256 * 1024) {
            CHECK(request_send(request, bytes + sent, n));
            sent += n;
        } else {
            crowded = true;
            client_hear(client, &heard);
        }
        world_step(world, 0);
        if (world->told) CHECK(request_unsent(request) < 64 * 1024);
        told += world->told;
        world->told = 0;
    }
    CHECK(told > 3);
    CHECK(crowded);
    request_finish(request, true);
    let_go(world);
    int64_t end = world_now() + PATIENCE_MS;
    while (world_now() < end &&
           !(heard.bytes.len > size &&
             strcmp(heard.bytes.data + heard.bytes.len - 5, "0\r\n\r\n") == 0)) {
        world_turn(world);
        client_hear(client, &heard);
    }
    CHECK(unchunk(heard.bytes.data, heard.bytes.len, &ended) == size && ended);
    CHECK(memcmp(heard.bytes.data, bytes, size) == 0);
    heard_forget(&heard);
    CHECK(client_say(world, client, GET("/again"))); /* the connection lives on */
    CHECK(client_await(world, client, &heard, "/again", PATIENCE_MS));
    close(client);
    free(bytes);
    buf_free(&heard.bytes);
}

/* ---- more clients, other listeners ---- */

static void test_many(struct world *world)
{
    enum { CLIENTS = 100, ROUNDS = 5 };
    int clients[CLIENTS];
    struct heard heard;

    heard_init(&heard);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_new(world);
    for (int round = 0; round < ROUNDS; round++) {
        const char *bytes = round % 2 ? GET("/stream") : GET("/whole");
        for (int i = 0; i < CLIENTS; i++)
            send(clients[i], bytes, strlen(bytes), 0);
        for (int i = 0; i < CLIENTS; i++) {
            CHECK(client_await(world, clients[i], &heard, round % 2 ? "0\r\n\r\n" : "/whole",
                               PATIENCE_MS));
            heard_forget(&heard);
        }
    }
    CHECK(comes_to(world, CLIENTS, 0));
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    CHECK(comes_to(world, 0, 0));
    buf_free(&heard.bytes);
}

static void test_unix(void)
{
    struct world world;
    struct heard heard;
    struct server_options options = world_options();
    char path[64];

    heard_init(&heard);
    snprintf(path, sizeof(path), "/tmp/moongate-test-%d.sock", (int)getpid());
    options.admin = true;
    if (!world_open(&world, options, path)) return;
    int client = client_new(&world);
    struct request *request = hold(&world, client, GET("/hold"));
    CHECK(strcmp(request_peer(request), "unix") == 0 && request_is_admin(request));
    let_go(&world);
    CHECK(client_say(&world, client, GET("/stream")));
    CHECK(client_await(&world, client, &heard, "0\r\n\r\n", PATIENCE_MS));
    close(client);
    test_slow_reader(&world);
    unlink(path);
    world_close(&world);
    buf_free(&heard.bytes);
}

/* Closing with requests at every stage; what the owner still holds can be let go afterwards. */
static void test_close(void)
{
    struct world world;
    struct request *held[3];

    if (!world_open(&world, world_options(), NULL)) return;
    int a = client_new(&world), b = client_new(&world), c = client_new(&world);
    int idle = client_new(&world);
    held[0] = hold(&world, a, GET("/hold"));
    held[1] = hold(&world, b, GET("/hold"));
    CHECK(request_begin(held[1], 200, world_text, 1));
    world_run(&world, 5);
    held[2] = hold(&world, c, POST("/hold") "Content-Length: 10\r\n\r\nabc");
    world_close(&world);
    for (int i = 0; i < 3; i++) {
        CHECK(request_is_gone(held[i]));
        CHECK(strcmp(request_path(held[i]), "/hold") == 0);
        CHECK(!request_send(held[i], "x", 1));
        CHECK(!request_respond(held[i], 200, NULL, 0, strdup("x"), 1));
        request_release(held[i]);
    }
    close(a), close(b), close(c), close(idle);
}

int main(void)
{
    struct world world;

    if (!world_open(&world, world_options(), NULL)) return check_report();
    test_whole(&world);
    test_request_fields(&world);
    test_answer_rules(&world);
    test_body(&world);
    test_chunked_body(&world);
    test_continue(&world);
    test_stream(&world);
    test_stream_steps(&world);
    CHECK(comes_to(&world, 0, 0));
    test_many(&world);
    world_close(&world);
    test_unix();
    test_close();
    return check_report();
}
