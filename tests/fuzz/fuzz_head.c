/* F3. Requests to a real server over a socket, microhttpd in process. The first byte of the
 * input is the size of the pieces, the rest is what the client sends.
 *
 * Oracle: a strict reader of the same bytes (http.h). What the server serves is what that one
 * reads, request by request: the same targets, the same bodies, nothing in between and nothing
 * behind; one 200 for each. The server may refuse more. Chunks it reads leniently, and closes
 * behind them: where they are as they should be, their content is what that reader has, and
 * nothing behind them is ever served. */
#include <errno.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "http.h"

#include "loop.h"
#include "server.h"

enum {
    MAX_REQUESTS = 64,
    MAX_BODY = 4096,
    MAX_PIECES = 100,
    QUIET_TURNS = 3,
    END_TURNS = 1000,
    MOST_SERVED = 4096 /* within the longest input */
};

/* ---- the strict reader ------------------------------------------------------------------- */

struct wanted {
    struct text method, target, body;
    bool chunked; /* nothing may be served behind it */
    bool vague;   /* its chunks are not as they should be: the content is not compared */
};

struct reader {
    struct http in;
    struct wanted wanted[MAX_REQUESTS];
    size_t count;
    bool uncertain;    /* behind the last one anything may be read */
    struct buf chunks; /* the content of the last one, where it came in chunks */
};

/* What the audit cannot tell from CR LF: a NUL before a bare LF, and a line that is a colon
 * only, ended by bare LF. Heads with either are the library's. */
static bool is_beyond_audit(const struct http *in)
{
    const char *at = in->at;

    while (at < in->end) {
        size_t left = (size_t)(in->end - at);
        const char *lf = memchr(at, '\n', left);
        size_t len = lf ? (size_t)(lf - at) : left;
        if (memchr(at, '\0', len) || (len && at[0] == ':')) return true;
        if (len == 0 || (len == 1 && at[0] == '\r')) return false;
        at += len + 1;
    }
    return false;
}

/* The library overlooks lines before a request that are empty or begin with NUL. */
static void skip_blank_lines(struct http *in)
{
    for (;;) {
        size_t left = (size_t)(in->end - in->at);
        const char *lf = memchr(in->at, '\n', left);
        if (!lf) return;
        bool crlf = lf == in->at + 1 && in->at[0] == '\r';
        if (lf != in->at && !crlf && in->at[0] != '\0') return;
        in->at = lf + 1;
    }
}

static bool read_request_line(struct http *in, struct wanted *wanted)
{
    struct text line;

    if (!http_line(in, &line)) return false;
    const char *space = memchr(line.at, ' ', line.len);
    if (!space) return false;
    wanted->method = (struct text){line.at, (size_t)(space - line.at)};
    wanted->target.at = space + 1;
    const char *end = line.at + line.len;
    const char *second = memchr(wanted->target.at, ' ', (size_t)(end - wanted->target.at));
    if (!second) return false;
    wanted->target.len = (size_t)(second - wanted->target.at);
    struct text version = {second + 1, (size_t)(end - second - 1)};
    return text_is_token(wanted->method) && text_is_printable(wanted->target, false) &&
           wanted->target.len && wanted->target.at[0] == '/' && version.len == 8 &&
           (memcmp(version.at, "HTTP/1.1", 8) == 0 || memcmp(version.at, "HTTP/1.0", 8) == 0);
}

/* The next request; false where none can be told for certain. */
static bool read_request(struct reader *reader, struct wanted *wanted)
{
    struct framing framing;

    skip_blank_lines(&reader->in);
    reader->uncertain = is_beyond_audit(&reader->in);
    if (reader->uncertain) return false;
    if (!read_request_line(&reader->in, wanted)) return false;
    if (!http_headers(&reader->in, &framing)) return false;
    size_t len = framing.length > 0 ? (size_t)framing.length : 0;
    wanted->body = (struct text){reader->in.at, len};
    wanted->chunked = framing.chunked;
    return true;
}

static void read_chunks(struct reader *reader, struct wanted *wanted)
{
    struct http in = reader->in;

    wanted->vague = !http_chunks(&in, &reader->chunks);
    wanted->body = (struct text){reader->chunks.data, reader->chunks.len};
}

static void read_all(struct reader *reader)
{
    while (reader->count < MAX_REQUESTS) {
        struct wanted *wanted = &reader->wanted[reader->count];
        if (!read_request(reader, wanted)) return;
        reader->count++;
        if (wanted->chunked) read_chunks(reader, wanted);
        if (wanted->chunked || wanted->body.len > (size_t)(reader->in.end - reader->in.at)) {
            return;
        }
        reader->in.at += wanted->body.len;
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
    size_t size;   /* of the input */
    size_t served; /* requests of this run that owners heard of */
    size_t answered;
    bool only_head[MOST_SERVED]; /* the answer to the n-th has no content */
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
    if (!body) return;
    MUST(body->len <= fuzz.size);
    if (wanted->chunked && wanted->vague) return;
    MUST(wanted->chunked || wanted->body.len <= (size_t)(fuzz.reader.in.end - wanted->body.at));
    MUST(text_same((struct text){body->data, body->len}, wanted->body));
}

static void answer(struct request *request)
{
    bool head = strcmp(request_method(request), "HEAD") == 0;

    if (!request_respond(request, 200, NULL, 0, strdup("ok"), 2)) return;
    if (fuzz.answered < MOST_SERVED) fuzz.only_head[fuzz.answered] = head;
    fuzz.answered++;
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
            answer(request);
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

/* The content behind a head of `head_len` bytes. False: it is no answer of ours. */
static bool skip_content(struct http *in, size_t head_len, long length, bool refused)
{
    const char *head = in->at - head_len;
    size_t left = (size_t)(in->end - in->at);

    /* microhttpd 0.9.75 says its head twice where it refuses a content-length by itself, and
     * closes: we are not asked, so that it cannot be helped here. */
    if (refused && left >= head_len && memcmp(head, in->at, head_len) == 0) {
        in->at += head_len;
        left -= head_len;
    }
    if (refused && left == 0) return true; /* to HEAD */
    if (length < 0 || (size_t)length > left) return false;
    in->at += length;
    return true;
}

/* One answer a request, in their order: 200s, and behind a refusal nothing. */
static void check_answers(void)
{
    struct http in = {answers.data, answers.data ? answers.data + answers.len : NULL};
    size_t served = 0;
    bool refused = false;

    while (in.at < in.end) {
        const char *head = in.at;
        struct framing framing;
        struct text line;
        MUST(!refused && http_line(&in, &line) && line.len >= 12);
        MUST(memcmp(line.at, "HTTP/1.1 ", 9) == 0 && http_headers(&in, &framing));
        if (memcmp(line.at + 9, "100", 3) == 0) continue;
        refused = memcmp(line.at + 9, "200", 3) != 0;
        MUST(!framing.chunked && framing.length >= 0);
        bool omitted = !refused && served < MOST_SERVED && fuzz.only_head[served];
        MUST(omitted || skip_content(&in, (size_t)(in.at - head), framing.length, refused));
        if (!refused) served++;
    }
    MUST(served == fuzz.answered);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 1) return 0;
    if (!fuzz.server) start();

    const char *bytes = (const char *)input + 1;
    fuzz.reader.in = (struct http){bytes, bytes + size - 1};
    fuzz.reader.count = 0;
    fuzz.reader.uncertain = false;
    buf_init(&fuzz.reader.chunks, size);
    fuzz.size = size;
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
    check_answers();
    close(client);
    for (int i = 0; server_connections(fuzz.server); i++) {
        MUST(i < END_TURNS);
        turn();
    }
    if (fuzz.ready) serve();
    MUST(!fuzz.request && server_requests(fuzz.server) == 0);
    buf_free(&answers);
    buf_free(&fuzz.reader.chunks);
    return 0;
}
