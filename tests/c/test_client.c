/* Whole answers: what leaves, what comes back, what goes wrong at every stage. */
#include "call.h"
#include "check.h"
#include "moment.h"
#include "peer.h"

static struct rig rig;
static struct peer peer;
static char url[128];

/* ---- whole answers ---------------------------------------------------------------------- */

static bool serve(struct peer *self, int fd)
{
    while (peer_read(self, fd)) {
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A:  b \r\n"
                      "x-a: second\r\nX-Empty:\r\nContent-Length: 8\r\n\r\n{\"b\":22}");
    }
    return true;
}

static void test_whole(void)
{
    struct call call;
    struct http_header headers[] = {{"content-type", "application/json"}, {"x-key", ""}};

    peer_start(&peer, serve);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    request.headers = headers;
    request.header_count = 2;
    CHECK(call_open(&rig, &call, &request));
    CHECK(client_active(rig.client) == 1);
    CHECK(upstream_state(call.up) == UPSTREAM_WAITING &&
          upstream_header(call.up, "x-a") == NULL);
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(upstream_state(call.up) == UPSTREAM_ENDED && upstream_failure(call.up) == NULL);
    CHECK(upstream_status(call.up) == 200 && call.ready >= 1);
    CHECK(upstream_first_byte_ms(call.up) > 0);
    CHECK(strcmp(upstream_header(call.up, "CONTENT-TYPE"), "application/json") == 0);
    CHECK(strcmp(upstream_header(call.up, "x-a"), "b") == 0);
    CHECK(strcmp(upstream_header(call.up, "x-empty"), "") == 0);
    CHECK(upstream_header(call.up, "x-none") == NULL);
    CHECK_TEXT(upstream_bytes(call.up)->data, upstream_bytes(call.up)->len, "{\"b\":22}");
    upstream_close(call.up);
    CHECK(client_active(rig.client) == 0);

    CHECK(strncmp(peer.head, "POST /v1/x?y=z HTTP/1.1\r\n", 25) == 0);
    CHECK(strcasestr(peer.head, "\r\ncontent-type: application/json\r\n") != NULL);
    CHECK(strcasestr(peer.head, "\r\naccept-encoding: identity\r\n") != NULL);
    CHECK(strcasestr(peer.head, "\r\nx-key:\r\n") != NULL);
    CHECK(strcasestr(peer.head, "expect") == NULL && peer.body_len == 7);
    peer_stop(&peer);
}

static void test_methods(void)
{
    static const char *const methods[] = {"GET", "POST", "GET", "DELETE", "PUT", "POST"};
    struct call call;

    peer_start(&peer, serve);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        bool body = methods[i][0] == 'P';
        request.method = methods[i];
        request.body = body ? "{}" : NULL;
        request.body_len = body ? 2 : 0;
        CHECK(call_open(&rig, &call, &request));
        CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
        CHECK(strncmp(peer.head, methods[i], strlen(methods[i])) == 0);
        CHECK(peer.body_len == request.body_len);
        CHECK(strcasestr(peer.head, "content-type") == NULL);
        peer.looked++;
        upstream_close(call.up);
    }
    CHECK(peer.connections == 1);
    peer_stop(&peer);
}

static void test_one_connection(void)
{
    struct call call;
    unsigned whole = 0;

    peer_start(&peer, serve);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    for (int i = 0; i < 1000; i++) {
        if (!CHECK(call_open(&rig, &call, &request))) break;
        call_until(&rig, &call, UPSTREAM_ENDED);
        whole += upstream_state(call.up) == UPSTREAM_ENDED;
        upstream_close(call.up);
    }
    CHECK(whole == 1000 && peer.hits == 1000 && peer.connections == 1);
    peer_stop(&peer);
}

/* ---- requests that may not leave -------------------------------------------------------- */

static bool opens(const char *address, struct http_header header)
{
    struct client_request request = call_to(1, url, sizeof(url));
    struct call call;

    request.url = address;
    request.headers = &header;
    request.header_count = 1;
    bool opened = call_open(&rig, &call, &request);
    if (opened) upstream_close(call.up);
    return opened;
}

static void test_refused_requests(void)
{
    static const struct http_header fine = {"x-a", "b"};
    static const char *const urls[] = {
        "ftp://h/",          "file:///etc/passwd", "http://",
        "http:///x",         "http://u:p@h/",      "http://h h/",
        "http://h/\r\nx: y", "http://h:0/",        "http://h:99999/",
        "http://h:/",        "http://h\\x/",       "http://h/#f",
        "http://[::1/",      "http://[h]/",        "h/x",
        "http://h%41/",      "http://h:1x/"};
    static const struct http_header headers[] = {{"x\r\ny", "1"},
                                                 {"x y", "1"},
                                                 {"", "1"},
                                                 {"x:", "1"},
                                                 {"x", "a\r\nb"},
                                                 {"x", "a\nb"},
                                                 {"x", "a\x01"},
                                                 {"Content-Length", "3"},
                                                 {"transfer-encoding", "chunked"},
                                                 {"Connection", "close"},
                                                 {"Expect", "100-continue"}};

    CHECK(opens("http://127.0.0.1:1/", fine) && opens("HTTPS://h.example:8443?x", fine));
    CHECK(opens("http://[::1]:80/x", fine) && opens("http://localhost", fine));
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        if (!CHECK(!opens(urls[i], fine))) fprintf(stderr, "%s\n", urls[i]);
    }
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (!CHECK(!opens("http://127.0.0.1:1/", headers[i]))) fprintf(stderr, "%zu\n", i);
    }
}

/* ---- failures at every stage ------------------------------------------------------------ */

/* One call to a peer that talks so. The call is left open. */
static void call_once(struct call *call, bool (*talk)(struct peer *peer, int fd), bool stream)
{
    peer_start(&peer, talk);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    request.stream = stream;
    if (!call_open(&rig, call, &request)) abort();
    CHECK(call_until(&rig, call, UPSTREAM_ENDED));
}

static void check_failure(bool (*talk)(struct peer *peer, int fd), const char *kind, bool sent)
{
    struct call call;

    for (int stream = 0; stream < 2; stream++) {
        call_once(&call, talk, stream);
        CHECK(call_failed(&call, kind, sent));
        upstream_close(call.up);
        peer_stop(&peer);
    }
}

static void test_connection_refused(void)
{
    struct call call;
    unsigned port;

    close(peer_listen(&port, 1));
    struct client_request request = call_to(port, url, sizeof(url));
    int64_t start = loop_now_ms(rig.loop);
    CHECK(call_open(&rig, &call, &request));
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(call_failed(&call, "connect", false));
    CHECK(loop_now_ms(rig.loop) - start < 2000); /* of 3000 */
    upstream_close(call.up);
}

static bool reset_after_request(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_reset(fd);
    return true;
}

static bool end_after_request(struct peer *self, int fd)
{
    peer_read(self, fd);
    return true;
}

static bool reset_in_head(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nX-A: b\r\n");
    usleep(50000);
    peer_reset(fd);
    return true;
}

static bool reset_in_body(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
    usleep(50000);
    peer_reset(fd);
    return true;
}

static bool end_in_body(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
    return true;
}

static bool end_in_chunks(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
    return true;
}

static bool bad_chunk(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n");
    return true;
}

static void test_broken_off(void)
{
    check_failure(reset_after_request, "closed", true);
    check_failure(end_after_request, "closed", true);
    check_failure(reset_in_head, "closed", true);
    check_failure(reset_in_body, "truncated", true);
    check_failure(end_in_body, "truncated", true);
    check_failure(end_in_chunks, "truncated", true);
    check_failure(bad_chunk, "truncated", true);
}

/* ---- heads that are none ---------------------------------------------------------------- */

static const char *answer; /* of the next talk; '%' stands for NUL */

static bool say_answer(struct peer *self, int fd)
{
    while (peer_read(self, fd)) {
        size_t len = strlen(answer);
        char *copy = strdup(answer);
        if (!copy) return false;
        for (size_t i = 0; i < len; i++) {
            if (copy[i] == '%') copy[i] = '\0';
        }
        if (send(fd, copy, len, MSG_NOSIGNAL) < 0) len = 0;
        free(copy);
        if (strstr(answer, "close")) break;
    }
    return true;
}

static void test_bad_heads(void)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded onto nothing\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a%b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nclose",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "SSH-2.0-nothing of the kind\r\n\r\nclose",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer = bad[i];
        check_failure(say_answer, "invalid", true);
    }
}

static bool flood_of_headers(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++) {
        peer_send(fd, "X: y\r\n");
    }
    peer_send(fd, "\r\n");
    return true;
}

static bool long_header(struct peer *self, int fd)
{
    peer_read(self, fd);
    peer_send(fd, "HTTP/1.1 200 OK\r\nX: ");
    for (int i = 0; i < 300; i++) {
        static const char kib[] =
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for (int j = 0; j < 16; j++)
            peer_send(fd, kib);
    }
    peer_send(fd, "\r\n\r\n");
    return true;
}

static void test_header_ceilings(void)
{
    check_failure(flood_of_headers, "invalid", true);
    check_failure(long_header, "invalid", true);
}

static void check_answer(const char *text, int status, const char *body)
{
    struct call call;

    answer = text;
    call_once(&call, say_answer, false);
    CHECK(upstream_state(call.up) == UPSTREAM_ENDED && upstream_status(call.up) == status);
    CHECK_TEXT(upstream_bytes(call.up)->data ? upstream_bytes(call.up)->data : "",
               upstream_bytes(call.up)->len, body);
    CHECK(peer.hits == 1);
    upstream_close(call.up);
    peer_stop(&peer);
}

static void test_good_heads(void)
{
    check_answer("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                 200, "ok");
    check_answer(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302,
        "");
    check_answer("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    check_answer("HTTP/1.0 200 OK\r\n\r\nuntil close", 200, "until close");
    check_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n"
                 "X-Trailer: t\r\n\r\n",
                 200, "abc");
    check_answer("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", 500, "no");
}

/* ---- ceilings and time ------------------------------------------------------------------ */

static void check_too_large(const char *text)
{
    struct call call;

    answer = text;
    peer_start(&peer, say_answer);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    request.max_body = 9;
    CHECK(call_open(&rig, &call, &request));
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    CHECK(call_failed(&call, "too_large", true));
    upstream_close(call.up);
    peer_stop(&peer);
}

static void test_too_large(void)
{
    check_too_large("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
    check_too_large(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n");
}

static bool say_nothing(struct peer *self, int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0) {
    }
    self->saw_end = true;
    return true;
}

static void check_timeout(const char *scheme, struct client_timeouts timeouts, const char *kind,
                          bool sent)
{
    struct call call;

    peer_start(&peer, say_nothing);
    struct client_request request = call_to(peer.port, url, sizeof(url));
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u/", scheme, peer.port);
    request.timeouts = timeouts;
    usleep(50 * 1000); /* a turn that began a while ago: no limit ends the sooner for it */
    int64_t start = moment_monotonic_us();
    CHECK(call_open(&rig, &call, &request));
    CHECK(call_until(&rig, &call, UPSTREAM_ENDED));
    int64_t took = moment_monotonic_us() - start;
    CHECK(call_failed(&call, kind, sent));
    CHECK(took >= 600 * 1000 && took < 3000 * 1000);
    CHECK(peer_sees_end(&peer));
    upstream_close(call.up);
    peer_stop(&peer);
}

static void test_timeouts(void)
{
    check_timeout("http", (struct client_timeouts){.total_ms = 600}, "timeout", true);
    /* A handshake that is never answered belongs to the connection. */
    check_timeout("https", (struct client_timeouts){.connect_ms = 600}, "connect_timeout",
                  false);
    check_timeout("https", (struct client_timeouts){.connect_ms = 5000, .total_ms = 600},
                  "timeout", false);
}

int main(void)
{
    rig_open(&rig);
    test_whole();
    test_methods();
    test_one_connection();
    test_refused_requests();
    test_connection_refused();
    test_broken_off();
    test_bad_heads();
    test_header_ceilings();
    test_good_heads();
    test_too_large();
    test_timeouts();
    CHECK(client_active(rig.client) == 0);
    rig_close(&rig);
    return check_report();
}
