/* Request heads that one server reads so and another otherwise (MATRICES.md S-01 to S-06,
 * STACK.md 3.3), each whole, in pieces of seven bytes, and as a connection's second request. */
#include "server_world.h"

enum fate {
    OURS,   /* refused by us: no owner hears of it; our JSON; closed */
    LIB,    /* refused by microhttpd; closed */
    BODY,   /* the head is fine, its body's framing is not: closed */
    SERVED, /* 200 */
};

struct head_case {
    const char *what;
    const char *bytes;
    size_t len; /* 0: bytes are text */
    enum fate fate;
    int status; /* LIB and BODY: 0 is any, or none at all */
};

#define TEXT(what, bytes, fate, status) \
    {                                   \
        what, bytes, 0, fate, status    \
    }
#define RAW(what, bytes, fate, status)               \
    {                                                \
        what, bytes, sizeof(bytes) - 1, fate, status \
    }
#define POST    "POST /echo HTTP/1.1\r\nHost: a\r\n"
#define GET     "GET /x HTTP/1.1\r\nHost: a\r\n"
#define INNER   "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct head_case cases[] = {
    /* S-01: both lengths */
    TEXT("CL.TE",
         POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX" INNER, OURS,
         400),
    TEXT("TE.CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" INNER,
         OURS, 400),
    /* S-02: lengths */
    TEXT("two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", OURS,
         400),
    TEXT("two lengths", POST "Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello", OURS, 400),
    TEXT("length 05", POST "Content-Length: 05\r\n\r\nhello", OURS, 400),
    TEXT("length 5, 5", POST "Content-Length: 5, 5\r\n\r\nhello", LIB, 400),
    TEXT("length +5", POST "Content-Length: +5\r\n\r\nhello", LIB, 400),
    TEXT("length -5", POST "Content-Length: -5\r\n\r\nhello", LIB, 400),
    TEXT("length 5 blank", POST "Content-Length: 5 \r\n\r\nhello", LIB, 400),
    TEXT("length 5 5", POST "Content-Length: 5 5\r\n\r\nhello", LIB, 400),
    TEXT("length 0x5", POST "Content-Length: 0x5\r\n\r\nhello", LIB, 400),
    TEXT("length empty", POST "Content-Length:\r\n\r\nhello", LIB, 400),
    TEXT("length 2^64+5", POST "Content-Length: 18446744073709551621\r\n\r\nhello", LIB, 413),
    TEXT("length 2^64-1", POST "Content-Length: 18446744073709551615\r\n\r\nhello", OURS, 400),
    TEXT("one blank more", POST "Content-Length:   5\r\n\r\nhello", SERVED, 200),
    /* S-03: codings */
    TEXT("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n" INNER, OURS, 400),
    TEXT("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n" INNER, OURS, 400),
    TEXT("chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n" INNER, OURS,
         400),
    TEXT("chunked blank", POST "Transfer-Encoding: chunked \r\n\r\n" INNER, OURS, 400),
    TEXT("chunked twice",
         POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", OURS,
         400),
    TEXT("Chunked", POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", OURS, 400),
    RAW("chunked VT", POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n", OURS, 400),
    RAW("chunked NUL", POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", OURS, 400),
    TEXT("chunked on 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         OURS, 400),
    TEXT("chunked", CHUNKED "3\r\nabc\r\n0\r\n\r\n", SERVED, 200),
    /* S-04: names */
    TEXT("CL blank colon", POST "Content-Length : 5\r\n\r\n" INNER, OURS, 400),
    TEXT("CL tab colon", POST "Content-Length\t: 5\r\n\r\n" INNER, OURS, 400),
    TEXT("TE blank colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", OURS, 400),
    TEXT("empty name", GET ": x\r\nX-B: c\r\n\r\n", OURS, 400),
    TEXT("empty name, smuggling", GET ": x\r\n" INNER, OURS, 400),
    RAW("8-bit name", GET "X-\xc3\xa9: b\r\n\r\n", OURS, 400),
    TEXT("( in name", GET "X(: b\r\n\r\n", OURS, 400),
    TEXT("folded first header", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n", OURS, 400),
    RAW("NUL in name", GET "X-\0A: b\r\n\r\n", LIB, 400),
    TEXT("no colon", GET "X-A\r\n\r\n", LIB, 400),
    /* S-05: line ends, folds, NUL */
    TEXT("bare LF everywhere", "GET /x HTTP/1.1\nHost: a\n\n", OURS, 400),
    TEXT("bare LF in one line", GET "X-A: b\nX-B: c\r\n\r\n", OURS, 400),
    TEXT("bare LF behind the request line", "GET /x HTTP/1.1\nHost: a\r\n\r\n", OURS, 400),
    TEXT("bare LF last", GET "X-A: b\r\n\n", OURS, 400),
    TEXT("bare CR in value", GET "X-A: b\rc\r\n\r\n", OURS, 400),
    TEXT("CR CR LF", GET "X-A: b\r\r\n\r\n", OURS, 400),
    TEXT("fold", GET "X-A: b\r\n cd\r\n\r\n", OURS, 400),
    TEXT("folded length", POST "Content-Length:\r\n 5\r\n\r\nhello", OURS, 400),
    TEXT("length in a fold",
         "POST /echo HTTP/1.1\r\nHost: a\r\n Content-Length: 36\r\n\r\n" INNER, OURS, 400),
    TEXT("folded authorization", GET "Authorization: Bearer\r\n\tx\r\n\r\n", OURS, 400),
    RAW("NUL in value", GET "X-A: b\0c\r\n\r\n", OURS, 400),
    RAW("NUL behind a length", POST "Content-Length: 5\0\x31\r\n\r\nhello", OURS, 400),
    TEXT("control byte in value", GET "X-A: \x01\r\n\r\n", OURS, 400),
    TEXT("8-bit value", GET "X-A: caf\xc3\xa9\r\n\r\n", SERVED, 200),
    TEXT("odd blanks", GET "X-A: \t b \t\r\nX-B:\r\nX-C:   \r\n\r\n", SERVED, 200),
    TEXT("cookies and a query",
         "GET /x?a=b&c HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=\"d\"\r\n\r\n", SERVED, 200),
    /* the request line */
    RAW("NUL in target", "GET /x\0y HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("two spaces", "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("two spaces behind", "GET /x  HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("space in target", "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("space at the end", "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", LIB, 400),
    TEXT("absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 405),
    TEXT("%00", "GET /x%00 HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    RAW("8-bit target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    RAW("DEL in target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("tab in target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("method with (", "G(T /x HTTP/1.1\r\nHost: a\r\n\r\n", OURS, 400),
    TEXT("method too long", "GETGETGETGETGETGETGETGETGETGETGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
         OURS, 400),
    TEXT("HTTP/1.2", "GET /x HTTP/1.2\r\nHost: a\r\n\r\n", OURS, 505),
    TEXT("HTTP/3.7", "GET /x HTTP/3.7\r\nHost: a\r\n\r\n", LIB, 505),
    TEXT("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", LIB, 505),
    TEXT("HTTP/0.9", "GET /x\r\n\r\n", LIB, 400),
    TEXT("no Host", "GET /x HTTP/1.1\r\n\r\n", OURS, 400),
    TEXT("two Hosts", GET "Host: a\r\n\r\n", OURS, 400),
    TEXT("Host with a path", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", OURS, 400),
    TEXT("no Host on 1.0", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", SERVED, 200),
    /* what is expected */
    TEXT("Expect: foo", POST "Expect: foo\r\nContent-Length: 5\r\n\r\n", OURS, 417),
    TEXT("upgrade is ignored", GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", SERVED,
         200),
    TEXT("h2c is ignored", GET "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", SERVED, 200),
    /* S-06: chunk framing */
    TEXT("chunk 0x5", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", BODY, 400),
    TEXT("chunk -1", CHUNKED "-1\r\nhello\r\n0\r\n\r\n", BODY, 400),
    TEXT("chunk blank 5", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", BODY, 400),
    TEXT("chunk 5 blank", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", BODY, 400),
    TEXT("chunk +3", CHUNKED "+3\r\nabc\r\n0\r\n\r\n", BODY, 400),
    TEXT("chunk of 17 digits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", BODY, 413),
    TEXT("no CRLF behind a chunk", CHUNKED "5\r\nhelloX0\r\n\r\n", BODY, 400),
};

static const char *const fates[] = {"refused by us", "refused by the library", "body refused",
                                    "served"};

static int status_of(const char *bytes)
{
    return strncmp(bytes, "HTTP/1.1 ", 9) == 0 ? atoi(bytes + 9) : 0; /* NOLINT(cert-err34-c) */
}

static void check_case(struct world *world, const struct head_case *c,
                       const struct heard *heard, unsigned announced)
{
    unsigned failed = check_failed;
    int status = status_of(heard->bytes.data);

    CHECK(c->status == 0 || status == c->status);
    CHECK(!has(heard, "/smuggled"));
    if (c->fate == SERVED) {
        CHECK(announced == 1);
    } else if (c->fate == BODY) {
        CHECK(heard->ended && announced <= 1);
    } else {
        CHECK(heard->ended && announced == 0);
    }
    if (c->fate == OURS) {
        CHECK(!heard->reset);
        CHECK(has(heard, "\r\nConnection: close\r\n") && has(heard, "\"error\":{\"message\":"));
    }
    if (c->fate != LIB)
        CHECK(count_of(heard, "\r\nDate: ") <= 1); /* it sends some heads twice */
    if (check_failed != failed) {
        fprintf(stderr, "  in: %s (%s)\n%s\n", c->what, fates[c->fate], heard->bytes.data);
    }
    (void)world;
}

/* Send in pieces of `size`, with a turn after each. */
static void say_in_pieces(struct world *world, int client, const char *bytes, size_t len,
                          size_t size)
{
    for (size_t at = 0; at < len; at += size) {
        size_t n = len - at < size ? len - at : size;
        if (send(client, bytes + at, n, MSG_NOSIGNAL) < 0) return; /* refused already */
        world_step(world, 0);
        world_step(world, 0);
    }
}

static void run_case(struct world *world, const struct head_case *c, size_t piece, bool second)
{
    size_t len = c->len ? c->len : strlen(c->bytes);
    int client = client_new(world);
    struct heard heard;

    heard_init(&heard);
    if (second) {
        client_say(world, client, GET "\r\n");
        CHECK(client_await(world, client, &heard, "/x", PATIENCE_MS));
        heard_forget(&heard);
    }
    unsigned before = world->announced;
    say_in_pieces(world, client, c->bytes, len, piece);
    client_await(world, client, &heard, c->fate == SERVED ? "\r\n\r\n" : NULL, PATIENCE_MS);
    check_case(world, c, &heard, world->announced - before);
    close(client);
    buf_free(&heard.bytes);
    world_run(world, 2);
}

static void test_heads(struct world *world)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_case(world, &cases[i], 1 << 20, false);
        run_case(world, &cases[i], 7, false);
        run_case(world, &cases[i], 1 << 20, true);
        run_case(world, &cases[i], 7, true);
    }
}

/* A head of `count` headers with values of `size` bytes. */
static void check_size(struct world *world, unsigned count, size_t size, size_t target,
                       int status)
{
    size_t room = target + count * (size + 32) + 256, len = 0;
    char *bytes = malloc(room);
    char *filler = malloc(size + target + 1);
    struct heard heard;
    int client = client_new(world);
    unsigned before = world->announced;

    memset(filler, 'a', size + target);
    filler[size + target] = '\0';
    len +=
        (size_t)snprintf(bytes, room, "GET /%.*s HTTP/1.1\r\nHost: a\r\n", (int)target, filler);
    for (unsigned i = 0; i < count; i++) {
        len +=
            (size_t)snprintf(bytes + len, room - len, "X-%u: %.*s\r\n", i, (int)size, filler);
    }
    len += (size_t)snprintf(bytes + len, room - len, "\r\n");
    heard_init(&heard);
    client_send(world, client, bytes, len);
    CHECK(client_await(world, client, &heard, status == 200 ? "\r\n\r\n" : NULL, PATIENCE_MS));
    if (!CHECK(status_of(heard.bytes.data) == status)) {
        fprintf(stderr, "  %u headers of %zu, target of %zu: want %d, got %.200s\n", count,
                size, target, status, heard.bytes.data);
    }
    CHECK(world->announced - before == (status == 200 ? 1 : 0));
    close(client);
    free(bytes);
    free(filler);
    buf_free(&heard.bytes);
    world_run(world, 2);
}

static void test_sizes(struct world *world)
{
    check_size(world, 1, 15 * 1024, 10, 200);
    check_size(world, 1, 16 * 1024, 10, 431);
    check_size(world, 17, 1024, 10, 431);
    check_size(world, 1, 40 * 1024, 10, 431);
    check_size(world, 99, 10, 10, 200); /* and Host */
    check_size(world, 100, 10, 10, 431);
    check_size(world, 500, 10, 10, 431);
    check_size(world, 100000, 1, 10, 431);
    check_size(world, 1, 10, 8191, 200);
    check_size(world, 1, 10, 8192, 414);
    check_size(world, 1, 10, 40 * 1024, 414);
}

/* Random bytes to the port: closed, nothing kept. */
static void test_noise(struct world *world)
{
    unsigned seed = 1;
    char noise[4096];

    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1103515245 + 12345;
            noise[i] = (char)(seed >> 16);
        }
        int client = client_new(world);
        client_send(world, client, noise, sizeof(noise));
        client_send(world, client, "\r\n\r\n", 4);
        close(client);
        world_run(world, 2);
    }
}

int main(void)
{
    struct world world;

    if (!world_open(&world, world_options(), NULL)) return check_report();
    test_heads(&world);
    test_sizes(&world);
    test_noise(&world);
    CHECK(comes_to(&world, 0, 0));
    world_close(&world);
    return check_report();
}
