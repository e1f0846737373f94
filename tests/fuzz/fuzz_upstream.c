/* F4. Any bytes as a provider's answer (libcurl and client*.c, over a socket). The first two
 * bytes of the input say how: the size of the pieces, and what is done (see below).
 *
 * Oracles: every call comes to an end, and nothing changes after it, nor is anybody told. Where
 * a strict reader of the same bytes (http.h) knows what the body is, an answer that came whole
 * is whole, and has that body; where that is larger than was allowed, it failed. What came
 * behind an answer is never part of the next one. Rows, and what clients are told:
 * fuzz_answer.c. */
#include <errno.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "http.h"

#include "../c/call.h"

enum { STREAM = 1, RESET = 2, AGAIN = 4, STAY = 8 };
enum {
    MAX_BODY = 4096,
    MAX_PIECES = 64,
    MAX_FIELDS = 200, /* MAX_HEADERS of client_parts.h */
    QUIET = 3,
    ADDRESSES = 200,
    END_MS = 20000
};

/* ---- the strict reader: knows a body for certain, or nothing ------------------------------
 */

/* "HTTP/1.1 200 OK", plain headers, and no two words on the body. Appends it. */
static bool known_body(const char *at, size_t len, struct buf *body)
{
    struct http in = {at, at + len};
    struct framing framing;
    struct text line;

    if (!http_line(&in, &line) || !text_same(line, (struct text){"HTTP/1.1 200 OK", 15}))
        return false;
    if (!http_headers(&in, &framing) || framing.encoded || framing.fields > MAX_FIELDS)
        return false;
    if (framing.chunked) return http_chunks(&in, body);
    size_t left = (size_t)(in.end - in.at);
    /* none: up to the connection's end */
    size_t length = framing.length < 0 ? left : (size_t)framing.length;
    if (length > left) return false;
    MUST(buf_append(body, in.at, length));
    return true;
}

/* ---- the provider: one thread with the client ---------------------------------------------
 */

static struct {
    struct rig rig;
    int listener, peer; /* -1: nobody is connected */
    unsigned port, turn;
} fuzz = {.peer = -1};

static void start(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof(any);

    rig_open(&fuzz.rig);
    fuzz.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    MUST(bind(fuzz.listener, (struct sockaddr *)&any, len) == 0);
    MUST(listen(fuzz.listener, 16) == 0);
    MUST(getsockname(fuzz.listener, (struct sockaddr *)&any, &len) == 0);
    fuzz.port = ntohs(any.sin_port);
}

static void hang_up(bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (fuzz.peer < 0) return;
    if (reset) setsockopt(fuzz.peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fuzz.peer);
    fuzz.peer = -1;
}

/* Takes a new connection, and what was said on it. True: a request has come. */
static bool listen_to_client(void)
{
    char head[4096];
    int fd = accept4(fuzz.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        hang_up(true);
        fuzz.peer = fd;
    }
    return fuzz.peer >= 0 && recv(fuzz.peer, head, sizeof(head), 0) > 0;
}

static void say(const char *bytes, size_t len, size_t piece, struct call *call)
{
    for (int i = 0; len && fuzz.peer >= 0; i++) {
        size_t n = piece && piece < len && i < MAX_PIECES ? piece : len;
        ssize_t sent = send(fuzz.peer, bytes, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) bytes += sent, len -= (size_t)sent;
        rig_turn(&fuzz.rig, 0);
        if (upstream_state(call->up) >= UPSTREAM_ENDED && sent < 0) return;
        if (i > MAX_PIECES * 10) return; /* the client has paused, and reads no more */
    }
}

static bool is_over(const struct call *call)
{
    return upstream_state(call->up) >= UPSTREAM_ENDED;
}

/* Until the request is here; false: the call is over before. */
static bool expect_request(struct call *call)
{
    int64_t end = loop_now_ms(fuzz.rig.loop) + END_MS;

    while (!listen_to_client()) {
        if (is_over(call)) return false;
        rig_turn(&fuzz.rig, 0);
        MUST(loop_now_ms(fuzz.rig.loop) < end);
    }
    return true;
}

static void expect_end(struct call *call)
{
    int64_t end = loop_now_ms(fuzz.rig.loop) + END_MS;

    while (!is_over(call)) {
        upstream_consume(call->up, 0);
        if (upstream_bytes(call->up)->len > 64 * 1024) { /* a stream that has paused */
            upstream_consume(call->up, upstream_bytes(call->up)->len);
        }
        rig_turn(&fuzz.rig, is_over(call) ? 0 : 1);
        MUST(loop_now_ms(fuzz.rig.loop) < end);
    }
}

static void nothing_after(struct call *call)
{
    enum upstream_state state = upstream_state(call->up);
    size_t len = upstream_bytes(call->up)->len;
    unsigned told = call->ready;

    for (int i = 0; i < QUIET; i++)
        rig_turn(&fuzz.rig, 0);
    MUST(upstream_state(call->up) == state && upstream_bytes(call->up)->len == len);
    MUST(call->ready == told);
    MUST((state == UPSTREAM_FAILED) == (upstream_failure(call->up) != NULL));
}

static void open_call(struct call *call, bool stream)
{
    static char url[128];
    struct client_request request = call_to(fuzz.port, url, sizeof(url));

    /* Other addresses, else there would be no port left within a minute. */
    snprintf(url, sizeof(url), "http://127.0.1.%u:%u/x", fuzz.turn % ADDRESSES + 1, fuzz.port);
    request.stream = stream;
    request.max_body = MAX_BODY;
    MUST(call_open(&fuzz.rig, call, &request));
    client_turn(fuzz.rig.client);
}

static void compare_known(const struct call *call, const struct buf *want, bool stream)
{
    const struct buf *got = upstream_bytes(call->up);

    if (!stream && want->len > MAX_BODY) {
        MUST(upstream_state(call->up) == UPSTREAM_FAILED);
        return;
    }
    MUST(upstream_state(call->up) == UPSTREAM_ENDED && upstream_status(call->up) == 200);
    MUST(text_same((struct text){got->data, got->len}, (struct text){want->data, want->len}));
}

static void compare(const struct call *call, const char *bytes, size_t len, bool stream)
{
    const struct buf *got = upstream_bytes(call->up);
    struct buf body;

    buf_init(&body, SIZE_MAX / 2);
    if (!stream) MUST(got->len <= MAX_BODY);
    MUST(got->len <= len);
    if (upstream_state(call->up) == UPSTREAM_ENDED)
        MUST(upstream_status(call->up) >= 200 && upstream_status(call->up) <= 999);
    if (known_body(bytes, len, &body)) compare_known(call, &body, stream);
    buf_free(&body);
}

/* The next call gets its own answer or none. */
static void ask_again(void)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond";
    struct call call;

    open_call(&call, false);
    if (expect_request(&call)) say(answer, sizeof(answer) - 1, 0, &call);
    hang_up(false);
    expect_end(&call);
    if (upstream_state(call.up) == UPSTREAM_ENDED) {
        const struct buf *got = upstream_bytes(call.up);
        MUST(got->len == 6 && memcmp(got->data, "second", 6) == 0);
    }
    upstream_close(call.up);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct call call;

    if (size < 2) return 0;
    if (!fuzz.rig.client) start();
    int how = input[1];
    const char *bytes = (const char *)input + 2;

    fuzz.turn++;
    open_call(&call, how & STREAM);
    if (expect_request(&call)) say(bytes, size - 2, input[0], &call);
    for (int i = 0; i < QUIET; i++)
        rig_turn(&fuzz.rig, 0);
    bool stays = (how & STAY) && is_over(&call); /* else nobody would end it */
    if (!stays) hang_up(how & RESET);
    expect_end(&call);
    if (!(how & RESET)) compare(&call, bytes, size - 2, how & STREAM);
    nothing_after(&call);
    upstream_close(call.up);
    for (int i = 0; i < QUIET; i++)
        rig_turn(&fuzz.rig, 0);
    if (how & AGAIN) ask_again();
    hang_up(true);
    rig_turn(&fuzz.rig, 0);
    MUST(client_active(fuzz.rig.client) == 0);
    fuzz_leaks();
    return 0;
}
