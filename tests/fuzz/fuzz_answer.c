/* F4 and F5, through a whole gateway: any bytes as a provider's answer, at any door. The first
 * byte of the input is the size of the pieces; the second one says what is asked: bit 0 a
 * stream; bit 1: the provider ends with a reset; bits 2 and 3 the client's dialect, bits 4 and
 * 5 the provider's. No deployment rests (tests/fuzz/answer).
 *
 * Oracles: the client's answer ends, and is HTTP as a strict reader has it; it is JSON, or
 * events that are, with one end, of success or of failure, and nothing behind it. When the
 * client has it, the call's row is on file: one, and an intent for each call that the provider
 * saw. With SHOW in the environment it prints what the client heard. */
#include "gateway.h"
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>

#include <sys/stat.h>

#include "json.h"
#include "sse.h"

enum { STREAM = 1, RESET = 2 };
enum { CHAT, MESSAGES, RESPONSES, GEMINI };
enum { MOST = 16384, MAX_PIECES = 16, PATIENCE_MS = 20000, MAX_ANSWER = 8 << 20 };

static const char routes[] =
    "local open = provider 'openai_compatible' { name = 'open', base_url = '%s/v1' }\n"
    "local claude = provider 'anthropic' { api_key = 'k', base_url = '%s/v1' }\n"
    "local gemini = provider 'gemini' { api_key = 'k', base_url = '%s/v1beta' }\n"
    "local cohere = provider 'cohere' { api_key = 'k', base_url = '%s/v2' }\n"
    "for i, maker in ipairs { open, claude, gemini, cohere } do\n"
    "  model('m' .. i - 1) {\n"
    "    maker { 'm', price = { input = 1, output = 2 } }, retries = 0 }\n"
    "end\n";

static struct {
    int listener;
    int journal; /* the file of today; -1: none yet */
    char journal_path[256];
} fuzz = {.journal = -1};

static void start(void)
{
    struct sockaddr_in provider;
    char path[96], base[64], text[2048];

    fuzz.listener = gateway_listen(&provider);
    gateway_dir();
    snprintf(base, sizeof(base), "http://127.0.0.1:%u", ntohs(provider.sin_port));
    snprintf(path, sizeof(path), "%s/routes.lua", gateway.dir);
    int len = snprintf(text, sizeof(text), routes, base, base, base, base);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, text, (size_t)len) == len);
    close(fd);
    gateway_start(path, "tests/fuzz/answer");
}

/* ---- what is on file ----------------------------------------------------------------------
 */

/* The journal's newest file; true where it is another than before. */
static bool find_journal(void)
{
    char pattern[96];
    glob_t found;
    bool other = false;

    snprintf(pattern, sizeof(pattern), "%s/journal/*.jsonl", gateway.dir);
    if (glob(pattern, 0, NULL, &found) == 0) {
        const char *last = found.gl_pathv[found.gl_pathc - 1];
        other = strcmp(last, fuzz.journal_path) != 0;
        if (other) {
            if (fuzz.journal >= 0) close(fuzz.journal);
            snprintf(fuzz.journal_path, sizeof(fuzz.journal_path), "%s", last);
            fuzz.journal = open(last, O_RDONLY | O_CLOEXEC);
        }
    }
    globfree(&found);
    return other;
}

struct rows {
    unsigned usage, intents;
};

static void read_rows(struct rows *rows)
{
    static char text[1 << 20];

    if (fuzz.journal < 0) return;
    ssize_t got = read(fuzz.journal, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        MUST(strchr(line, '\n'));
        rows->usage += strncmp(line, "{\"type\":\"usage\",", 16) == 0;
        rows->intents += strncmp(line, "{\"type\":\"intent\",", 17) == 0;
    }
}

/* Those that are new. */
static struct rows new_rows(void)
{
    struct rows rows = {0};

    read_rows(&rows);
    if (find_journal()) read_rows(&rows);
    return rows;
}

/* ---- client and provider, in one thread ----------------------------------------------------
 */

struct exchange {
    int client, peer; /* -1: closed */
    const char *bytes;
    size_t left, piece;
    unsigned pieces, calls;
    bool reset, asked;
    struct buf heard; /* by the client */
};

static void ask(struct exchange *exchange, int how)
{
    static const char *const paths[] = {"/v1/chat/completions", "/v1/messages", "/v1/responses",
                                        "/v1beta/models/m%d:%s"};
    static const char *const bodies[] = {
        "{\"model\":\"m%d\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
        "}",
        "{\"model\":\"m%d\",\"stream\":%s,\"max_tokens\":16,"
        "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        "{\"model\":\"m%d\",\"stream\":%s,\"input\":\"hi\"}",
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}"};
    int door = how >> 2 & 3, maker = how >> 4 & 3;
    bool stream = how & STREAM;
    char path[64], body[256], head[512];

    snprintf(path, sizeof(path), paths[door], maker,
             stream ? "streamGenerateContent?alt=sse" : "generateContent");
    int len = snprintf(body, sizeof(body), bodies[door], maker, stream ? "true" : "false");
    int n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                     path, len, body);
    exchange->client = gateway_connect();
    MUST(send(exchange->client, head, (size_t)n, 0) == n);
}

static void leave(struct exchange *exchange, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (exchange->peer < 0) return;
    if (reset) setsockopt(exchange->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(exchange->peer);
    exchange->peer = -1;
}

static void hear_client(struct exchange *exchange)
{
    char bytes[16384];
    ssize_t got = recv(exchange->client, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (got > 0) {
        MUST(buf_append(&exchange->heard, bytes, (size_t)got));
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    MUST(got == 0); /* no reset */
    close(exchange->client);
    exchange->client = -1;
}

static void hear_gateway(struct exchange *exchange)
{
    char bytes[16384];
    ssize_t got = recv(exchange->peer, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (got > 0 && !exchange->asked) exchange->calls++;
    if (got > 0) exchange->asked = true;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) leave(exchange, false);
}

static void answer(struct exchange *exchange)
{
    size_t n = exchange->left;

    if (exchange->piece && exchange->piece < n && exchange->pieces++ < MAX_PIECES)
        n = exchange->piece;
    ssize_t sent = send(exchange->peer, exchange->bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) exchange->bytes += sent, exchange->left -= (size_t)sent;
    bool gone = sent < 0 && errno != EAGAIN && errno != EINTR;
    if (gone || exchange->left == 0) leave(exchange, exchange->reset);
}

/* Until the client has heard the end. */
static void run(struct exchange *exchange)
{
    while (exchange->client >= 0) {
        struct pollfd fds[] = {
            {.fd = exchange->client, .events = POLLIN},
            {.fd = fuzz.listener, .events = POLLIN},
            {.fd = exchange->peer, .events = exchange->asked ? POLLIN | POLLOUT : POLLIN}};
        int ready = poll(fds, 3, PATIENCE_MS);
        if (ready < 0 && errno == EINTR) continue;
        MUST(ready > 0);
        if (fds[0].revents) hear_client(exchange);
        if (fds[2].revents & (POLLIN | POLLHUP | POLLERR)) hear_gateway(exchange);
        if (exchange->peer >= 0 && fds[2].revents & POLLOUT) answer(exchange);
        if (!fds[1].revents) continue;
        leave(exchange, true);
        exchange->peer = accept4(fuzz.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        exchange->asked = false;
    }
    leave(exchange, true);
}

/* ---- what the client heard ------------------------------------------------------------------
 */

static bool is_json(const char *text, size_t len)
{
    struct json_error error;

    return json_check(text, len, &json_answer_limits, &error);
}

enum sign { GOES_ON, SUCCESS, FAILURE };

/* Does the object have a member that is this string, or (NULL) an object? */
static bool has(struct text data, const char *name, const char *want)
{
    struct json_index index;
    struct json_error error;
    const struct json_member *member = NULL;
    bool found = false;

    if (json_index(&index, data.at, data.len, &json_answer_limits, &error))
        member = json_index_find(&index, data.at, name, strlen(name));
    if (member && want)
        found =
            text_is((struct text){data.at + member->value + 1, member->value_len - 2}, want);
    else if (member)
        found = member->type == JSON_OBJECT;
    json_index_free(&index);
    return found;
}

/* What the event says to who reads its dialect: by its name, or what its data says it is. An
 * "error" of Responses is followed by what failed. */
static enum sign sign_of(int door, struct text name, struct text data)
{
    static const char *const marks[][2][2] = {
        [MESSAGES] = {{"message_stop", "message_stop"}, {"error", "error"}},
        [RESPONSES] = {{"response.completed", "response.incomplete"},
                       {"response.failed", "response.failed"}}};

    if (door != MESSAGES && door != RESPONSES)
        return text_is(data, "[DONE]") ? SUCCESS : has(data, "error", NULL) ? FAILURE : GOES_ON;
    for (int i = 0; i < 4; i++) {
        const char *mark = marks[door][i / 2][i % 2];
        if (text_is(name, mark) || has(data, "type", mark)) return i < 2 ? SUCCESS : FAILURE;
    }
    return GOES_ON;
}

/* Streams of the client's own dialect are passed on as they come: what is in an event that
 * nobody has to look at is the provider's. */
static bool passes(int how)
{
    static const int doors[] = {CHAT, MESSAGES, GEMINI, -1};

    return doors[how >> 4 & 3] == (how >> 2 & 3);
}

/* A stream that is whole ends with its dialect's mark (Gemini has none), one that broke with an
 * error, and is cut off: nobody takes it for whole. Behind either comes nothing. */
static void check_events(int how, const struct buf *body, bool whole)
{
    int door = how >> 2 & 3;
    struct sse sse;
    struct sse_event event;
    size_t used = 0;
    enum sign sign = GOES_ON;

    sse_init(&sse, MAX_ANSWER);
    while (sse_next(&sse, body->data + used, body->len - used, true, &event) == SSE_EVENT) {
        struct text name = {event.name, event.name_len}, data = {event.data, event.data_len};
        used += event.size;
        if (!event.has_data && passes(how)) continue; /* a name without data is no event */
        MUST(sign == GOES_ON);
        MUST(passes(how) || text_is(data, "[DONE]") || is_json(data.at, data.len));
        sign = sign_of(door, name, data);
    }
    MUST(used == body->len);
    if (!whole) MUST(sign == FAILURE);
    if (whole && door == GEMINI) MUST(sign == GOES_ON);
    if (whole && door != GEMINI) MUST(sign == SUCCESS);
    sse_free(&sse);
}

static void check_answer(const struct exchange *exchange, int how)
{
    struct http in = {exchange->heard.data, exchange->heard.data + exchange->heard.len};
    struct framing framing;
    struct text line;
    struct buf body;

    MUST(exchange->heard.len > 0 && http_line(&in, &line) && line.len > 12);
    MUST(memcmp(line.at, "HTTP/1.1 ", 9) == 0 && http_headers(&in, &framing));
    if (framing.chunked) {
        MUST(how & STREAM);
        buf_init(&body, MAX_ANSWER);
        bool whole = http_chunks(&in, &body);
        MUST(in.at == in.end);
        check_events(how, &body, whole);
        buf_free(&body);
    } else {
        MUST(framing.length >= 0 && framing.length == in.end - in.at);
        MUST(is_json(in.at, (size_t)framing.length));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 2 || size > MOST) return 0;
    if (!gateway.running) start();

    int how = input[1];
    struct exchange exchange = {.peer = -1,
                                .bytes = (const char *)input + 2,
                                .left = size - 2,
                                .piece = input[0],
                                .reset = how & RESET};
    buf_init(&exchange.heard, MAX_ANSWER);
    ask(&exchange, how);
    run(&exchange);
    struct rows rows = new_rows();
    if (exchange.calls != 1 || rows.usage != 1 || rows.intents != 1)
        fprintf(stderr, "%u calls, %u rows, %u intents\n", exchange.calls, rows.usage,
                rows.intents);
    MUST(exchange.calls == 1 && rows.usage == 1 && rows.intents == 1);
    if (getenv("SHOW")) fprintf(stderr, "%.*s\n", (int)exchange.heard.len, exchange.heard.data);
    check_answer(&exchange, how);
    buf_free(&exchange.heard);
    return 0;
}
