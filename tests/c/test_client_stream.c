/* Streams: back-pressure, clocks, hanging up; names, TLS. */
#include "call.h"
#include "check.h"
#include "peer.h"

#include <sys/wait.h>

static struct rig rig;
static struct peer peer;
static char url[128];

static void open_stream(struct call *call, bool (*talk)(struct peer *peer, int fd),
                        struct client_timeouts timeouts)
{
    peer_start(&peer, talk);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    request.stream = true;
    request.timeouts = timeouts;
    if (!call_open(&rig, call, &request)) abort();
}

static const struct client_timeouts unhurried = {.connect_ms = 3000, .total_ms = 20000};

/* ---- pieces -------------------------------------------------------------------------------
 */

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";

/* Each once the test has seen the last. */
static bool stream_pieces(struct peer *self, int fd)
{
    static const char *const pieces[] = {head, "b\r\ndata: one\n\n\r\n",
                                         "b\r\ndata: two\n\n\r\n", "0\r\n\r\n"};

    peer_read(self, fd);
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        peer_await_look(self, i);
        peer_send(fd, pieces[i]);
    }
    return true;
}

static void test_pieces(void)
{
    struct call call;

    open_stream(&call, stream_pieces, unhurried);
    CHECK(call_until(&rig, &call, UPSTREAM_OPEN));
    CHECK(upstream_bytes(call.up)->len == 0 && call.ready == 1); /* the head alone */
    peer.looked++;
    CHECK(call_until_bytes(&rig, &call, 11));
    CHECK_TEXT(upstream_bytes(call.up)->data, upstream_bytes(call.up)->len, "data: one\n\n");
    upstream_consume(call.up, 11);
    peer.looked++;
    CHECK(call_until_bytes(&rig, &call, 11));
    CHECK(upstream_state(call.up) == UPSTREAM_OPEN);
    peer.looked++;
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(upstream_failure(call.up) == NULL);
    CHECK_TEXT(upstream_bytes(call.up)->data, upstream_bytes(call.up)->len, "data: two\n\n");
    upstream_close(call.up);
    peer_stop(&peer);
}

/* ---- back-pressure ------------------------------------------------------------------------
 */

enum { MUCH = 24 << 20 };

/* Bytes that tell their place, so that a lost or doubled one shows. */
static char byte_at(size_t place)
{
    return (char)('a' + (place * 7 + place / 251) % 26);
}

static bool stream_much(struct peer *self, int fd)
{
    static char piece[4096];

    peer_read(self, fd);
    peer_send(fd, head);
    while (self->sent < MUCH) {
        char line[16];
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = byte_at(self->sent + i);
        }
        snprintf(line, sizeof(line), "%zx\r\n", sizeof(piece));
        peer_send(fd, line);
        if (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) <= 0) return true;
        peer_send(fd, "\r\n");
        self->sent += sizeof(piece);
    }
    peer_send(fd, "0\r\n\r\n");
    return true;
}

/* Consumes a little at a time; the number of bytes that were right. */
static size_t read_slowly(struct call *call)
{
    size_t right = 0;

    for (int idle = 0; idle < 4000;) {
        struct buf *bytes = upstream_bytes(call->up);
        size_t take = bytes->len < 50000 ? bytes->len : 50000;
        for (size_t i = 0; i < take; i++) {
            if (bytes->data[i] != byte_at(right + i)) return right;
        }
        right += take;
        idle = take ? 0 : idle + 1;
        if (take) upstream_consume(call->up, take);
        if (take == 0 && upstream_state(call->up) >= UPSTREAM_ENDED) break;
        rig_turn(&rig, take ? 0 : 5);
    }
    return right;
}

/* Until neither side has moved for a hundred turns: a peer that pauses has not stopped. */
static void come_to_a_stop(struct call *call)
{
    size_t held = 0, sent = 0;

    for (int still = 0, turns = 0; still < 100 && turns < 4000; turns++) {
        rig_turn(&rig, 5);
        bool same = upstream_bytes(call->up)->len == held && peer.sent == sent && sent;
        held = upstream_bytes(call->up)->len;
        sent = peer.sent;
        still = same ? still + 1 : 0;
    }
}

static void test_back_pressure(void)
{
    struct call call;

    open_stream(&call, stream_much, unhurried);
    CHECK(call_until(&rig, &call, UPSTREAM_OPEN));
    come_to_a_stop(&call);
    size_t held = upstream_bytes(call.up)->len;
    size_t sent = peer.sent;
    CHECK(held >= 48 * 1024 && held <= 64 * 1024);
    CHECK(sent < MUCH);
    rig_idle(&rig, 200);
    CHECK(upstream_bytes(call.up)->len == held && peer.sent == sent); /* it stands still */
    CHECK(read_slowly(&call) == MUCH);
    CHECK(upstream_state(call.up) == UPSTREAM_ENDED);
    upstream_close(call.up);
    peer_stop(&peer);
}

/* An event larger than the mark: the reader asks for more without taking anything. */
static void test_asking_for_more(void)
{
    struct call call;

    open_stream(&call, stream_much, unhurried);
    for (int i = 0; i < 2000 && upstream_bytes(call.up)->len < 1 << 20; i++) {
        upstream_consume(call.up, 0);
        rig_turn(&rig, 5);
    }
    CHECK(upstream_bytes(call.up)->len >= 1 << 20);
    CHECK(upstream_bytes(call.up)->len <= (1 << 20) + 600 * 1024);
    upstream_close(call.up);
    peer_stop(&peer);
}

/* ---- clocks -------------------------------------------------------------------------------
 */

static bool only_comments(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, head);
    for (int i = 0; i < 100; i++) {
        if (send(fd, "3\r\n:\n\n\r\n", 8, MSG_NOSIGNAL) < 0) break;
        usleep(20000);
    }
    return true;
}

static bool then_silence(struct peer *self, int fd)
{
    char byte;

    peer_read(self, fd);
    peer_send(fd, head);
    peer_send(fd, "b\r\ndata: one\n\n\r\n");
    self->saw_end = recv(fd, &byte, 1, 0) <= 0;
    return true;
}

static void check_clock(bool (*talk)(struct peer *peer, int fd), struct client_timeouts limits,
                        bool progress, const char *kind)
{
    struct call call;

    open_stream(&call, talk, limits);
    CHECK(call_until(&rig, &call, UPSTREAM_OPEN));
    rig_idle(&rig, 20);
    if (progress) upstream_progress(call.up);
    int64_t start = loop_now_ms(rig.loop);
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(call_failed(&call, kind, true));
    CHECK(loop_now_ms(rig.loop) - start < 1800);
    CHECK(upstream_status(call.up) == 200);
    upstream_close(call.up);
    peer_stop(&peer);
}

static void test_clocks(void)
{
    struct client_timeouts limits = {.connect_ms = 3000, .total_ms = 9000};

    limits.first_event_ms = 600;
    check_clock(only_comments, limits, false, "first_token_timeout"); /* U-34 */
    limits.first_event_ms = limits.total_ms;
    limits.idle_ms = 400;
    check_clock(then_silence, limits, true, "stalled"); /* U-35 */
    limits.idle_ms = limits.total_ms;
    limits.total_ms = 600;
    check_clock(only_comments, limits, true, "timeout");
}

/* A reader that takes nothing is no fault of the provider's. */
static void test_paused_is_not_idle(void)
{
    struct call call;
    struct client_timeouts limits = unhurried;

    limits.idle_ms = 1000; /* what a busy machine may make of a provider that does send */
    open_stream(&call, stream_much, limits);
    CHECK(call_until(&rig, &call, UPSTREAM_OPEN));
    rig_idle(&rig, 1500);
    CHECK(upstream_state(call.up) == UPSTREAM_OPEN);
    CHECK(read_slowly(&call) == MUCH);
    upstream_close(call.up);
    peer_stop(&peer);
}

/* ---- hanging up -----------------------------------------------------------------------------
 */

static void test_close_in_mid_stream(void)
{
    struct call call;

    open_stream(&call, then_silence, unhurried);
    CHECK(call_until(&rig, &call, UPSTREAM_OPEN));
    upstream_close(call.up);
    CHECK(peer_sees_end(&peer)); /* without a turn of the loop */
    CHECK(client_active(rig.client) == 0);
    peer_stop(&peer);
}

static void test_close_before_it_left(void)
{
    struct call call;

    open_stream(&call, then_silence, unhurried);
    upstream_close(call.up);
    rig_idle(&rig, 20);
    CHECK(peer.connections == 0);
    peer_stop(&peer);
}

static bool break_off(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, head);
    peer_send(fd, "b\r\ndata: one\n\n\r\n");
    usleep(20000);
    peer_reset(fd);
    return true;
}

static void test_broken_stream(void)
{
    struct call call;

    open_stream(&call, break_off, unhurried);
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(call_failed(&call, "truncated", true));
    CHECK_TEXT(upstream_bytes(call.up)->data, upstream_bytes(call.up)->len, "data: one\n\n");
    upstream_close(call.up);
    peer_stop(&peer);
}

/* ---- names ----------------------------------------------------------------------------------
 */

static void test_unknown_name(void)
{
    enum { CALLS = 200 };
    static struct call calls[CALLS];
    struct client_request request = call_to(1, url, sizeof(url));
    int64_t longest = 0;

    request.url = "http://no-such-host.invalid/x";
    request.timeouts.connect_ms = 1500;
    for (size_t i = 0; i < CALLS; i++) {
        if (!call_open(&rig, &calls[i], &request)) abort();
    }
    for (size_t i = 0; i < CALLS; i++) {
        while (upstream_state(calls[i].up) < UPSTREAM_ENDED) {
            int64_t took = rig_waits(&rig);
            if (took > longest) longest = took;
            loop_poll(rig.loop, 20);
        }
        /* A name server that is silent is a connection that takes too long. */
        const char *kind = upstream_failure(calls[i].up)->kind;
        CHECK(strcmp(kind, "dns") == 0 || strcmp(kind, "connect_timeout") == 0);
        CHECK(!upstream_failure(calls[i].up)->sent);
        upstream_close(calls[i].up);
    }
    CHECK(longest < 100); /* U-05: the loop never waits for a name */
}

static bool serve(struct peer *self, int fd)
{
    while (peer_read(self, fd))
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    return true;
}

/* This machine's own name has to be looked up; "localhost" has not. */
static void test_known_name(void)
{
    char own[128] = "localhost";
    const char *const names[] = {"localhost", own};
    struct call call;

    CHECK(gethostname(own, sizeof(own) - 1) == 0);
    for (size_t i = 0; i < 2; i++) {
        peer_start(&peer, serve);
        struct client_request request = call_to(peer.port, url, sizeof(url));
        snprintf(url, sizeof(url), "http://%s:%u/", names[i], peer.port);
        CHECK(call_open(&rig, &call, &request));
        CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
        const struct upstream_failure *failure = upstream_failure(call.up);
        /* Where that name means another address than 127.0.0.1 nobody listens there. */
        CHECK(!failure || (i == 1 && strcmp(failure->kind, "tls") != 0));
        CHECK(failure || peer.hits == 1);
        upstream_close(call.up);
        peer_stop(&peer);
    }
}

static bool all_done(const struct resolve_question *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!atomic_load(&questions[i].done)) return false;
    }
    return true;
}

/* The resolver itself: one look-up for many askers, answers kept. */
static void test_resolver(void)
{
    struct resolve_question questions[3];

    memset(questions, 0, sizeof(questions));
    for (size_t i = 0; i < 3; i++) {
        snprintf(questions[i].name, sizeof(questions[i].name), "localhost");
        questions[i].loop = rig.loop;
        resolver_ask(rig.resolver, &questions[i]);
    }
    for (int i = 0; i < 2000 && !all_done(questions, 3); i++) {
        loop_poll(rig.loop, 10);
    }
    for (size_t i = 0; i < 3; i++) {
        if (!CHECK(atomic_load(&questions[i].done))) continue;
        CHECK(questions[i].answer.failure == NULL);
        CHECK(strstr(questions[i].answer.addresses, "127.0.0.1") ||
              strstr(questions[i].answer.addresses, "[::1]"));
    }
    resolver_ask(rig.resolver, &questions[0]);
    CHECK(atomic_load(&questions[0].done)); /* known: at once */
    snprintf(questions[1].name, sizeof(questions[1].name), "forgotten.invalid");
    resolver_ask(rig.resolver, &questions[1]);
    resolver_forget(rig.resolver, &questions[1]);
    resolver_forget(rig.resolver, &questions[1]);
}

/* ---- TLS ------------------------------------------------------------------------------------
 */

static pid_t run(const char *const *words)
{
    pid_t child = fork();

    if (child != 0) return child;
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(126);
    execvp(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
}

static bool make_certificate(void)
{
    const char *const words[] = {
        "openssl",  "req",           "-x509",   "-newkey",
        "rsa:2048", "-nodes",        "-keyout", "tls.key",
        "-out",     "tls.crt",       "-days",   "2",
        "-subj",    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        NULL};
    int status;
    pid_t child = run(words);

    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* One call to the TLS server by that host; its failure's kind, or "" when it was served. */
static const char *tls_call(struct client *client, const char *host, unsigned port)
{
    static char kind[32];
    struct rig other = {rig.loop, rig.resolver, client};
    struct client_request request = call_to(port, url, sizeof(url));
    struct call call;

    snprintf(url, sizeof(url), "https://%s:%u/", host, port);
    request.method = "GET";
    request.body = NULL;
    if (!call_open(&other, &call, &request)) return "refused";
    call_until(&other, &call, UPSTREAM_ENDED);
    const struct upstream_failure *failure = upstream_failure(call.up);
    snprintf(kind, sizeof(kind), "%s", failure ? failure->kind : "");
    if (failure) CHECK(!failure->sent);
    upstream_close(call.up);
    return kind;
}

static void check_tls(unsigned port)
{
    struct client *trusting = client_new(rig.loop, rig.resolver);

    if (!trusting || !client_trust(trusting, "tls.crt")) abort();
    const char *kind = "connect";
    for (int i = 0; i < 1000 && strcmp(kind, "connect") == 0; i++) { /* until it listens */
        kind = tls_call(trusting, "127.0.0.1", port);
        usleep(20000);
    }
    CHECK(strcmp(kind, "") == 0);
    CHECK(strcmp(tls_call(rig.client, "127.0.0.1", port), "tls") == 0); /* unknown CA */
    CHECK(strcmp(tls_call(trusting, "localhost", port), "tls") == 0);   /* wrong host */
    client_free(trusting);

    clock_t start = clock(); /* the system's certificates are read once, not each time */
    for (int i = 0; i < 20; i++)
        tls_call(rig.client, "127.0.0.1", port);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 0.2);
}

static void test_tls(void)
{
    char directory[] = "/tmp/moongate-tls-XXXXXX", port_text[16];
    unsigned port;

    if (!mkdtemp(directory) || chdir(directory) != 0 || !make_certificate()) {
        printf("skipped: no openssl program to make a certificate with\n");
        return;
    }
    close(peer_listen(&port, 1));
    snprintf(port_text, sizeof(port_text), "%u", port);
    const char *const words[] = {"openssl", "s_server", "-accept", port_text,
                                 "-cert",   "tls.crt",  "-key",    "tls.key",
                                 "-www",    "-quiet",   NULL};
    pid_t server = run(words);
    check_tls(port);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink("tls.key");
    unlink("tls.crt");
    if (chdir("/") == 0) rmdir(directory);
}

int main(void)
{
    rig_open(&rig);
    test_pieces();
    test_back_pressure();
    test_asking_for_more();
    test_clocks();
    test_paused_is_not_idle();
    test_close_in_mid_stream();
    test_close_before_it_left();
    test_broken_stream();
    test_unknown_name();
    test_known_name();
    test_resolver();
    test_tls();
    CHECK(client_active(rig.client) == 0);
    rig_close(&rig);
    return check_report();
}
