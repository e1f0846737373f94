/* What the provider under load says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "source.h"

enum { PIECE = 4096, LEAVERS = 65536 };

static const char whole[] =
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion\","
    "\"created\":1741569952,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},"
    "\"service_tier\":\"default\"}";

static const char openai_event[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},"
    "\"finish_reason\":null}]}\n\n";
static const char openai_end[] =
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
    "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
    "\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,"
    "\"total_tokens\":29}}\n\ndata: [DONE]\n\n";
static const char anthropic_event[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n";
static const char anthropic_begin[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
    "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
    "\"stop_reason\":null,\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

static int64_t leavers[LEAVERS]; /* when clients gave up, µs */
static long leaver_count;

/* ---- what is asked for ------------------------------------------------------------------- */

static long number(const char *text, const char *name, long usual)
{
    const char *at = strstr(text, name);

    return at ? strtol(at + strlen(name), NULL, 10) : usual;
}

static unsigned long random_number(void)
{
    static uint64_t state = 88172645463325252U;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned long)(state >> 11);
}

struct wish wish_of(const char *request)
{
    const char *canary = strstr(request, "canary-");
    struct wish wish = {
        .stream = strstr(request, "\"stream\":true") != NULL,
        .anthropic = strstr(request, "/messages ") != NULL,
        .flood = strstr(request, " flood ") != NULL,
        .delay = number(request, " delay=", 0),
        .gap = number(request, " gap=", 0),
        .events = number(request, " events=", -1),
        .size = number(request, " size=", 0),
    };
    long share = number(request, " faults=", 0);

    if (canary) (void)snprintf(wish.id, sizeof(wish.id), "%.16s", canary + 7);
    if (share > (long)(random_number() % 1000)) {
        wish.fault = (enum fault)(1 + random_number() % (FAULTS - 1));
    }
    return wish;
}

/* The text of an event: who it is for, which it is, when it was written. */
static void text_of(struct conn *c, char text[PIECE])
{
    int len = 0;

    if (c->wish.id[0]) {
        len = snprintf(text, PIECE, "canary-%s #%06ld @%016lld", c->wish.id, c->event % 1000000,
                       (long long)clock_us());
    } else {
        len = snprintf(text, PIECE, " word");
    }
    c->event++;
    long more = c->wish.size < PIECE - 1 - len ? c->wish.size : PIECE - 1 - len;
    if (more <= 0) return;
    memset(text + len, 'x', (size_t)more);
    text[len + more] = '\0';
}

/* ---- answers ----------------------------------------------------------------------------- */

static bool put_chunk(struct conn *c, const char *text)
{
    char chunk[PIECE * 2];
    int n = snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(text), text);

    return source_put(c, chunk, (size_t)n);
}

bool answer_event(struct conn *c)
{
    char text[PIECE], event[PIECE * 2];

    text_of(c, text);
    (void)snprintf(event, sizeof(event), c->wish.anthropic ? anthropic_event : openai_event,
                   text);
    return put_chunk(c, event);
}

static bool put_text(struct conn *c, const char *text)
{
    return source_put(c, text, strlen(text));
}

static bool answer_whole(struct conn *c)
{
    char text[PIECE], body[PIECE * 2], head[256];

    text_of(c, text);
    int len = snprintf(body, sizeof(body), whole, text);
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                   "content-length: %d\r\n\r\n",
                   len);
    c->busy = false;
    source.answered++;
    /* In one go: as a provider does, and as the gateway's cost was always measured. */
    char both[PIECE * 3];
    int n = snprintf(both, sizeof(both), "%s%s", head, body);
    return source_put(c, both, (size_t)n);
}

/* Some faults let something out first. */
static bool go_wrong(struct conn *c)
{
    static const char *const errors[FAULTS] = {
        [FAULT_500] = "500 Internal Server Error",
        [FAULT_429] = "429 Too Many Requests",
        [FAULT_503] = "503 Service Unavailable",
    };
    enum fault fault = c->wish.fault;
    char answer[256];

    source.faults[fault]++;
    if (errors[fault]) {
        (void)snprintf(answer, sizeof(answer),
                       "HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                       "content-length: 31\r\n\r\n{\"error\":{\"message\":\"not now\"}}",
                       errors[fault]);
        c->busy = false;
        return put_text(c, answer);
    }
    if (fault == FAULT_CUT)
        (void)put_text(c, "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"id");
    if (fault == FAULT_JUNK) (void)put_text(c, "220 smtp.example ESMTP\r\n\r\n");
    return false;
}

static bool begin_stream(struct conn *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                               "transfer-encoding: chunked\r\n\r\n";

    if (c->wish.events < 0) {
        c->stream_at = source.stream_count;
        source.streams[source.stream_count++] = c;
    }
    if (!put_text(c, head) || (c->wish.anthropic && !put_chunk(c, anthropic_begin)))
        return false;
    return answer_go_on(c);
}

bool answer_begin(struct conn *c)
{
    c->busy = true;
    c->event = 0;
    source.requests++;
    if (c->wish.fault) return go_wrong(c);
    if (c->wish.delay) {
        source_wait(c, c->wish.delay);
        return true;
    }
    return c->wish.stream ? begin_stream(c) : answer_whole(c);
}

bool answer_go_on(struct conn *c)
{
    if (c->wish.delay) {
        c->wish.delay = 0;
        return c->wish.stream ? begin_stream(c) : answer_whole(c);
    }
    if (c->wish.events < 0) return !c->wish.flood || c->rest || answer_event(c);
    while (c->event < c->wish.events) {
        if (!answer_event(c)) return false;
        if (c->wish.gap && c->event < c->wish.events) {
            source_wait(c, c->wish.gap);
            return true;
        }
    }
    c->busy = false;
    source.answered++;
    return put_chunk(c, openai_end) && put_text(c, "0\r\n\r\n");
}

/* ---- what tests ask ---------------------------------------------------------------------- */

void answer_abandoned(void)
{
    source.abandoned++;
    if (leaver_count < LEAVERS) leavers[leaver_count++] = clock_us();
}

static bool say(struct conn *c, const char *body, size_t len)
{
    char head[128];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n", len);
    return put_text(c, head) && source_put(c, body, len);
}

static bool say_leavers(struct conn *c)
{
    size_t room = (size_t)leaver_count * 24 + 8, len = 1;
    char *body = malloc(room);

    if (!body) return false;
    body[0] = '[';
    for (long i = 0; i < leaver_count; i++)
        len += (size_t)snprintf(body + len, room - len, "%s%lld", i ? "," : "",
                                (long long)leavers[i]);
    body[len++] = ']';
    leaver_count = 0;
    bool sent = say(c, body, len);
    free(body);
    return sent;
}

bool answer_stats(struct conn *c, const char *path)
{
    char body[512];

    if (strncmp(path, "/leavers", 8) == 0) return say_leavers(c);
    long faults = 0;
    for (int i = 1; i < FAULTS; i++)
        faults += source.faults[i];
    int len = snprintf(body, sizeof(body),
                       "{\"requests\":%ld,\"answered\":%ld,\"abandoned\":%ld,\"faults\":%ld,"
                       "\"streams\":%d,\"open\":%ld,\"bytes\":%llu}",
                       source.requests, source.answered, source.abandoned, faults,
                       source.stream_count, source.open, (unsigned long long)source.bytes);
    return say(c, body, (size_t)len);
}
