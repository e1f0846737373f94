/* Requests to a real server over a socket, microhttpd in process. The first byte of the input
 * is the size of the pieces, the rest is what the client sends.
 *
 * Oracle: a strict reader of the same bytes, written below. What the server serves is what that
 * one reads, request by request: the same targets, the same bodies, nothing in between and
 * nothing behind; one 200 for each. The server may refuse more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "buf.h"
#include "loop.h"
#include "server.h"

enum {
    MAX_REQUESTS = 64,
    MAX_BODY = 4096,
    MAX_PIECES = 100,
    QUIET_TURNS = 3,
    END_TURNS = 1000
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define MUST(expr)                                  \
    do {                                            \
        if (!(expr)) {                              \
            fprintf(stderr, "not so: %s\n", #expr); \
            abort();                                \
        }                                           \
    } while (0)

/* ---- the strict reader ------------------------------------------------------------------- */

struct text {
    const char *at;
    size_t len;
};

struct wanted {
    struct text method, target, body;
    bool chunked; /* its body is not compared, and nothing may be served behind it */
};

struct reader {
    const char *at, *end;
    struct wanted wanted[MAX_REQUESTS];
    size_t count;
    bool uncertain; /* behind the last one anything may be read */
};

static bool next_line(struct reader *reader, struct text *line)
{
    const char *lf = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

    if (!lf || lf == reader->at || lf[-1] != '\r') return false;
    *line = (struct text){reader->at, (size_t)(lf - 1 - reader->at)};
    reader->at = lf + 1;
    return true;
}

/* What the audit cannot tell from CR LF: a NUL before a bare LF, and a line that is a colon
 * only, ended by bare LF. Heads with either are the library's. */
static bool is_beyond_audit(const struct reader *reader)
{
    const char *at = reader->at;

    while (at < reader->end) {
        size_t left = (size_t)(reader->end - at);
        const char *lf = memchr(at, '\n', left);
        size_t len = lf ? (size_t)(lf - at) : left;
        if (memchr(at, '\0', len) || (len && at[0] == ':')) return true;
        if (len == 0 || (len == 1 && at[0] == '\r')) return false;
        at += len + 1;
    }
    return false;
}

/* The library overlooks lines before a request that are empty or begin with NUL. */
static void skip_blank_lines(struct reader *reader)
{
    for (;;) {
        size_t left = (size_t)(reader->end - reader->at);
        const char *lf = memchr(reader->at, '\n', left);
        if (!lf) return;
        bool crlf = lf == reader->at + 1 && reader->at[0] == '\r';
        if (lf != reader->at && !crlf && reader->at[0] != '\0') return;
        reader->at = lf + 1;
    }
}

static bool is_token(struct text text)
{
    static const char bytes[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (size_t i = 0; i < text.len; i++) {
        if (!text.at[i] || !strchr(bytes, text.at[i])) return false;
    }
    return text.len > 0;
}

static bool is_printable(struct text text, bool blanks)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (blanks && (byte == ' ' || byte == '\t')) continue;
        if (byte <= 0x20 || byte == 0x7f) return false;
    }
    return true;
}

static bool is(struct text text, const char *want)
{
    return text.len == strlen(want) && strncasecmp(text.at, want, text.len) == 0;
}

static struct text trim(struct text text)
{
    while (text.len && strchr(" \t", text.at[0]))
        text.at++, text.len--;
    while (text.len && strchr(" \t", text.at[text.len - 1]))
        text.len--;
    return text;
}

/* What the headers say of the body. */
struct framing {
    long length; /* -1: none */
    bool chunked, bad;
};

static void read_length(struct framing *framing, struct text value)
{
    long length = 0;

    if (framing->length >= 0 || value.len == 0 || value.len > 9) framing->bad = true;
    for (size_t i = 0; i < value.len && !framing->bad; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') framing->bad = true;
        length = length * 10 + (value.at[i] - '0');
    }
    framing->length = length;
}

static void read_header(struct framing *framing, struct text line)
{
    const char *colon = memchr(line.at, ':', line.len);

    if (!colon) {
        framing->bad = true;
        return;
    }
    struct text name = {line.at, (size_t)(colon - line.at)};
    struct text value = trim((struct text){colon + 1, line.len - name.len - 1});
    if (!is_token(name) || !is_printable(value, true)) framing->bad = true;
    if (is(name, "content-length")) read_length(framing, value);
    if (is(name, "transfer-encoding")) {
        if (framing->chunked || !is(value, "chunked")) framing->bad = true;
        framing->chunked = true;
    }
}

static bool read_request_line(struct reader *reader, struct wanted *wanted)
{
    struct text line;

    if (!next_line(reader, &line)) return false;
    const char *space = memchr(line.at, ' ', line.len);
    if (!space) return false;
    wanted->method = (struct text){line.at, (size_t)(space - line.at)};
    wanted->target.at = space + 1;
    const char *end = line.at + line.len;
    const char *second = memchr(wanted->target.at, ' ', (size_t)(end - wanted->target.at));
    if (!second) return false;
    wanted->target.len = (size_t)(second - wanted->target.at);
    struct text version = {second + 1, (size_t)(end - second - 1)};
    return is_token(wanted->method) && is_printable(wanted->target, false) &&
           wanted->target.len && wanted->target.at[0] == '/' && version.len == 8 &&
           (memcmp(version.at, "HTTP/1.1", 8) == 0 || memcmp(version.at, "HTTP/1.0", 8) == 0);
}

/* The next request; false where none can be told for certain. */
static bool read_request(struct reader *reader, struct wanted *wanted)
{
    struct framing framing = {.length = -1};
    struct text line;

    skip_blank_lines(reader);
    reader->uncertain = is_beyond_audit(reader);
    if (reader->uncertain) return false;
    if (!read_request_line(reader, wanted)) return false;
    for (;;) {
        if (!next_line(reader, &line)) return false;
        if (line.len == 0) break;
        read_header(&framing, line);
    }
    if (framing.bad || (framing.chunked && framing.length >= 0)) return false;
    wanted->chunked = framing.chunked;
    wanted->body = (struct text){reader->at, framing.length > 0 ? (size_t)framing.length : 0};
    return true;
}

static void read_all(struct reader *reader)
{
    while (reader->count < MAX_REQUESTS) {
        struct wanted *wanted = &reader->wanted[reader->count];
        if (!read_request(reader, wanted)) return;
        reader->count++;
        if (wanted->chunked || wanted->body.len > (size_t)(reader->end - reader->at)) return;
        reader->at += wanted->body.len;
    }
    reader->uncertain = true;
}

/* ---- the server -------------------------------------------------------------------------- */

static struct {
    struct loop *loop;
    struct server *server;
    struct sockaddr_un address;
    struct request *request; /* the one in hand: there is one client, so there is one request */
    bool ready;
    struct reader reader;
    size_t served; /* requests of this run that owners heard of */
    size_t answered;
} fuzz;

static void on_request(void *ctx, struct request *request)
{
    (void)ctx;
    MUST(!fuzz.request);
    fuzz.request = request;
    fuzz.ready = true;
    fuzz.served++;
}

static void on_ready(void *ctx, struct request *request)
{
    (void)ctx;
    MUST(request == fuzz.request);
    fuzz.ready = true;
}

static void compare(struct request *request, const struct buf *body)
{
    if (fuzz.served > fuzz.reader.count && fuzz.reader.uncertain) return;
    MUST(fuzz.served <= fuzz.reader.count);
    const struct wanted *wanted = &fuzz.reader.wanted[fuzz.served - 1];
    const char *path = request_path(request), *query = request_query(request);
    size_t path_len = strlen(path);

    MUST(strlen(request_method(request)) == wanted->method.len);
    MUST(memcmp(request_method(request), wanted->method.at, wanted->method.len) == 0);
    MUST(path_len <= wanted->target.len && memcmp(path, wanted->target.at, path_len) == 0);
    if (path_len < wanted->target.len) {
        MUST(wanted->target.at[path_len] == '?');
        MUST(strlen(query) == wanted->target.len - path_len - 1);
        MUST(memcmp(query, wanted->target.at + path_len + 1, strlen(query)) == 0);
    }
    for (size_t i = 0; i + 1 < fuzz.served; i++)
        MUST(!fuzz.reader.wanted[i].chunked);
    if (wanted->chunked || !body) return;
    MUST(wanted->body.len <= (size_t)(fuzz.reader.end - wanted->body.at));
    MUST(body->len == wanted->body.len);
    MUST(body->len == 0 || memcmp(body->data, wanted->body.at, body->len) == 0);
}

static void serve(void)
{
    struct request *request = fuzz.request;
    struct buf *bytes;

    fuzz.ready = false;
    if (!request_is_gone(request)) {
        switch (request_body(request, &bytes)) {
        case REQUEST_BODY_COMING: compare(request, NULL); return;
        case REQUEST_BODY_WHOLE:
            compare(request, bytes);
            if (request_respond(request, 200, NULL, 0, strdup("ok"), 2)) fuzz.answered++;
            break;
        case REQUEST_BODY_TOO_LARGE: request_respond(request, 413, NULL, 0, NULL, 0); break;
        case REQUEST_BODY_NO_MEMORY:
        case REQUEST_BODY_TIMEOUT:
        case REQUEST_BODY_BROKEN: break;
        }
    }
    request_release(request);
    fuzz.request = NULL;
}

static void turn(void)
{
    loop_poll(fuzz.loop, 0);
    if (fuzz.ready) serve();
    server_turn(fuzz.server);
}

static void start(void)
{
    const char *error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct server_options options = {
        .listen_fd = fd,
        .max_body = MAX_BODY,
        .max_connections = 4,
        .header_ms = 60000,
        .body_ms = 60000,
        .idle_ms = 60000,
        .reader_stall_ms = 60000,
        .on_request = on_request,
        .on_ready = on_ready,
    };

    fuzz.address.sun_family = AF_UNIX; /* abstract: no file is left behind */
    snprintf(fuzz.address.sun_path + 1, sizeof(fuzz.address.sun_path) - 1, "moongate-fuzz-%d",
             (int)getpid());
    MUST(bind(fd, (struct sockaddr *)&fuzz.address, sizeof(fuzz.address)) == 0);
    MUST(listen(fd, 4) == 0);
    fuzz.loop = options.loop = loop_new();
    fuzz.server = server_open(&options, &error);
    MUST(fuzz.server);
}

/* ---- the client -------------------------------------------------------------------------- */

static struct buf answers;

static void hear(int client)
{
    char bytes[4096];

    for (;;) {
        ssize_t got = recv(client, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got <= 0) return;
        MUST(buf_append(&answers, bytes, (size_t)got));
    }
}

static void say(int client, const char *bytes, size_t len, size_t piece)
{
    for (int i = 0; len; i++) {
        size_t n = piece && piece < len && i < MAX_PIECES ? piece : len;
        ssize_t sent = send(client, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
        turn();
        hear(client);
        if (i > MAX_PIECES * 10) return; /* nobody reads any more */
    }
}

static size_t count_answers(void)
{
    static const char line[] = "HTTP/1.1 200 OK\r\n";
    size_t count = 0;
    const char *at = answers.data;

    if (!at) return 0;
    const char *end = at + answers.len;
    while ((at = memmem(at, (size_t)(end - at), line, sizeof(line) - 1)))
        at++, count++;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 1) return 0;
    if (!fuzz.server) start();

    const char *bytes = (const char *)input + 1;
    fuzz.reader.at = bytes;
    fuzz.reader.end = bytes + size - 1;
    fuzz.reader.count = 0;
    fuzz.reader.uncertain = false;
    fuzz.served = fuzz.answered = 0;
    read_all(&fuzz.reader);

    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(connect(client, (struct sockaddr *)&fuzz.address, sizeof(fuzz.address)) == 0);
    buf_init(&answers, 16 << 20);
    say(client, bytes, size - 1, input[0]);
    for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
        if (fuzz.ready || server_timeout_ms(fuzz.server) == 0) quiet = 0;
        turn();
        hear(client);
    }
    MUST(count_answers() == fuzz.answered);
    close(client);
    for (int i = 0; server_connections(fuzz.server); i++) {
        MUST(i < END_TURNS);
        turn();
    }
    if (fuzz.ready) serve();
    MUST(!fuzz.request && server_requests(fuzz.server) == 0);
    buf_free(&answers);
    return 0;
}
