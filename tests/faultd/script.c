/* Scripts: which is next, what its steps do, and the requests that they answer. */
#include "faultd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { STANDING = 0 }; /* struct script.times, besides counts */

/* ---- scripts ----------------------------------------------------------------------------- */

static bool gate_is_open(const char *name)
{
    for (size_t i = 0; i < mock.gate_count; i++) {
        if (strcmp(mock.gates[i], name) == 0) return true;
    }
    return false;
}

/* The next script for a lane: queued ones first, then the standing one. NULL: none. */
static struct script *next_script(const char *lane)
{
    struct script *standing = NULL;
    for (struct script *s = mock.scripts; s; s = s->next) {
        if (strcmp(s->lane, lane) != 0) continue;
        if (s->times != STANDING) return s;
        standing = s;
    }
    return standing;
}

/* One byte of a drip; true while some are left. */
static bool drip(struct conn *c, const char *data, size_t len)
{
    if (c->piece_at == len) return false;
    char chunk[6] = {'1', '\r', '\n', data[c->piece_at++], '\r', '\n'};
    put(&c->out, chunk, sizeof(chunk));
    return true;
}

/* A piece's length: `every` N, `split` N and the rest, `random` by a seed. */
static size_t piece_len(struct conn *c, const char *word, size_t n)
{
    if (*word == 'e') return n;
    if (*word == 's') return c->piece_at == 0 ? n : SIZE_MAX;
    if (!c->seed) c->seed = n * 2 + 1;
    c->seed ^= c->seed << 13, c->seed ^= c->seed >> 7, c->seed ^= c->seed << 17;
    return 1 + c->seed % 64;
}

/* The next piece, once the one before has reached the other side's kernel; true: all have left.
 */
static bool act_pieces(struct conn *c, const char *word, size_t n, const char *data, size_t len)
{
    int queued = 0;

    if (c->piece_at > 0 && ioctl(c->fd, TIOCOUTQ, &queued) == 0 && queued > 0) {
        c->wake_ms = now_ms() + 1;
        return false;
    }
    size_t most = piece_len(c, word, n);
    size_t size = len - c->piece_at < most ? len - c->piece_at : most;
    put(&c->out, data + c->piece_at, size);
    c->piece_at += size;
    if (c->piece_at == len) return true;
    c->wake_ms = now_ms() + 1;
    return false;
}

/* Do what the step's bytes ask, once; true when the step is done. */
static bool act_bytes(struct conn *c, const char *word, size_t n, const char *data, size_t len)
{
    if (strcmp(word, "drip") == 0) return !drip(c, data, len);
    if (strcmp(word, "every") == 0 || strcmp(word, "split") == 0 ||
        strcmp(word, "random") == 0) {
        return act_pieces(c, word, n, data, len);
    }
    if (c->repeats < 0) c->repeats = (long)n;
    if (c->repeats == 0) return true;
    put(&c->out, data, len);
    return --c->repeats == 0;
}

/* Do one of the steps without bytes. */
static void act_word(struct conn *c, const char *word, const char *argument)
{
    if (strcmp(word, "rst") == 0) conn_reset(c);
    if (strcmp(word, "fin") == 0) conn_close(c, "us");
    if (strcmp(word, "halt") == 0) c->halted = true;
    if (strcmp(word, "half") == 0) (void)shutdown(c->fd, SHUT_WR);
    if (strcmp(word, "deaf") == 0) c->hold = true; /* known to epoll at the next flush */
    if (strcmp(word, "wait") == 0) c->wake_ms = now_ms() + strtol(argument, NULL, 10);
    if (strcmp(word, "gate") == 0) (void)snprintf(c->gate, sizeof(c->gate), "%s", argument);
}

/* "WORD N LEN": the other steps with bytes are "WORD LEN". */
static bool has_count(const char *word)
{
    static const char *const words[] = {"repeat", "every", "split", "random"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0) return true;
    }
    return false;
}

/* Do one step; everything written before has left. */
static void act(struct conn *c)
{
    char word[16] = "", a[LANE_NAME] = "", b[LANE_NAME] = "";
    const char *line = c->steps.data + c->step_at;
    const char *end = strchr(line, '\n');
    size_t head = (size_t)(end - line) + 1;

    (void)sscanf(line, "%15s %31[^ \n] %31[^ \n]", word, a, b);
    bool counted = has_count(word);
    if (counted || strcmp(word, "send") == 0 || strcmp(word, "drip") == 0) {
        size_t len = strtoul(counted ? b : a, NULL, 10);
        size_t n = counted ? strtoul(a, NULL, 10) : 1;
        if (!act_bytes(c, word, n, end + 1, len)) return;
        head += len;
    } else {
        act_word(c, word, a);
    }
    c->repeats = -1;
    c->piece_at = 0;
    c->seed = 0;
    c->step_at += head;
}

/* Act on, until something has to be waited for. */
void advance(struct conn *c)
{
    while (c->fd >= 0 && c->steps.len && !c->halted && flush(c)) {
        if (c->wake_ms && now_ms() < c->wake_ms) return;
        c->wake_ms = 0;
        if (c->gate[0] && !gate_is_open(c->gate)) return;
        c->gate[0] = '\0';
        if (c->step_at < c->steps.len) {
            act(c);
            continue;
        }
        bytes_free(&c->steps);
        c->step_at = 0;
    }
}

/* ---- requests ---------------------------------------------------------------------------- */

static const char *find(const struct bytes *in, const char *text)
{
    return in->len ? memmem(in->data, in->len, text, strlen(text)) : NULL;
}

/* Bytes of the request at the front of `in`; 0: not whole yet. *head gets the head's length. */
static size_t request_len(const struct bytes *in, size_t *head)
{
    const char *end = find(in, "\r\n\r\n");
    if (!end) return 0;
    *head = (size_t)(end - in->data) + 4;

    size_t body = 0;
    for (const char *line = in->data; line && line < end; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncasecmp(line, "content-length:", 15) == 0) body = strtoul(line + 15, NULL, 10);
    }
    return in->len >= *head + body ? *head + body : 0;
}

static void lane_of(const struct bytes *in, char lane[LANE_NAME])
{
    lane[0] = '\0';
    const char *path = strchr(in->data, ' ');
    if (path) (void)sscanf(path, " /%31[^/? \r\n]", lane);
}

static void remember(struct conn *c, const char *lane, size_t len)
{
    if (mock.seen_count == mock.seen_cap) {
        mock.seen_cap = mock.seen_cap * 2 + 64;
        mock.seen = need(realloc(mock.seen, mock.seen_cap * sizeof(*mock.seen)));
    }
    struct seen *s = &mock.seen[mock.seen_count++];
    *s = (struct seen){.connection = c->id, .at_ms = now_ms()};
    memcpy(s->lane, lane, LANE_NAME);
    put(&s->raw, c->in.data, len);
}

/* Used up, and out of the list. */
static void script_free(struct script *script)
{
    struct script **at = &mock.scripts;

    while (*at != script)
        at = &(*at)->next;
    *at = script->next;
    bytes_free(&script->steps);
    free(script);
}

static const char unscripted[] =
    "send 52\nHTTP/1.1 501 Nothing scripted\r\ncontent-length: 0\r\n\r\n";

/* Answer with a script (NULL: nothing was scripted) the first `len` bytes of the buffer. */
static void answer(struct conn *c, struct script *script, const char *lane, size_t len)
{
    remember(c, lane, len);
    drop_front(&c->in, len);
    if (script) {
        put(&c->steps, script->steps.data, script->steps.len);
        if (script->times != STANDING && --script->times == 0) script_free(script);
    } else {
        put(&c->steps, unscripted, sizeof(unscripted) - 1);
    }
    c->repeats = -1;
    advance(c);
}

/* A script that begins with `early` acts on what is here, once that is enough. */
static bool is_early(const struct script *script, const struct bytes *in, size_t head)
{
    unsigned long n = 0;

    if (!script || strncmp(script->steps.data, "early", 5) != 0) return false;
    (void)sscanf(script->steps.data, "early %lu", &n);
    return in->len >= head + n;
}

/* Answer the request at the front of the buffer, if one is there and none is being answered. */
void serve(struct conn *c)
{
    if (c->early) c->in.len = 0;
    while (c->fd >= 0 && !c->steps.len) {
        size_t head = 0;
        size_t len = request_len(&c->in, &head);
        if (!head) return;

        char lane[LANE_NAME];
        lane_of(&c->in, lane);
        struct script *script = next_script(lane);
        if (!len) {
            if (!is_early(script, &c->in, head)) return;
            c->early = true;
            len = c->in.len;
        }
        answer(c, script, lane, len);
    }
}

void script_add(const char *lane, int times, const char *steps, size_t len)
{
    struct script *s = need(calloc(1, sizeof(*s)));
    (void)snprintf(s->lane, sizeof(s->lane), "%s", lane);
    s->times = times;
    put(&s->steps, steps, len);

    struct script **at = &mock.scripts;
    while (*at)
        at = &(*at)->next;
    *at = s;
}

void script_forget(void)
{
    while (mock.scripts) {
        struct script *s = mock.scripts;
        mock.scripts = s->next;
        bytes_free(&s->steps);
        free(s);
    }
}
