/* The control port: what tests tell the provider, and what it tells them. */
#include "faultd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- control ----------------------------------------------------------------------------- */

static void say(struct conn *c, const char *text)
{
    put(&c->out, text, strlen(text));
}

void reset(void)
{
    script_forget();
    while (mock.seen_count)
        bytes_free(&mock.seen[--mock.seen_count].raw);
    mock.gate_count = 0;
    for (size_t i = 0; i < mock.listener_count; i++)
        listener_mode(&mock.listeners[i], "normal");
}

static void tell_port(struct conn *c, const struct listener *listener)
{
    char line[32];

    (void)snprintf(line, sizeof(line), "%u\n", listener ? listener->port : 0);
    say(c, listener ? line : "no\n");
}

/* `text`: two lines, the paths of a certificate and its key. */
static void open_tls(struct conn *c, const char *how, const char *text, size_t len)
{
    char certificate[256] = "", key[256] = "", both[600];

    (void)snprintf(both, sizeof(both), "%.*s", (int)len, text);
    (void)sscanf(both, "%255[^\n]\n%255[^\n]", certificate, key);
    tell_port(c, listener_tls(certificate, key, how));
}

static void open_gate(const char *name)
{
    mock.gates = need(realloc(mock.gates, (mock.gate_count + 1) * sizeof(*mock.gates)));
    (void)snprintf(mock.gates[mock.gate_count++], LANE_NAME, "%s", name);
    for (struct conn *c = mock.conns; c; c = c->next) {
        if (c->gate[0]) {
            advance(c);
            serve(c);
        }
    }
}

static void tell_request(struct conn *c, size_t i)
{
    if (i >= mock.seen_count) {
        say(c, "none\n");
        return;
    }
    struct seen *s = &mock.seen[i];
    char line[128];
    (void)snprintf(line, sizeof(line), "%s %u %lld %zu\n", s->lane[0] ? s->lane : "-",
                   s->connection, (long long)s->at_ms, s->raw.len);
    say(c, line);
    put(&c->out, s->raw.data, s->raw.len);
}

static void tell_connection(struct conn *c, size_t i)
{
    if (i >= mock.fate_count) {
        say(c, "none\n");
        return;
    }
    char line[128];
    (void)snprintf(line, sizeof(line), "%s %lld %llu\n", mock.fates[i].state,
                   (long long)mock.fates[i].at_ms, (unsigned long long)mock.fates[i].sent);
    say(c, line);
}

static void tell_stats(struct conn *c)
{
    size_t open = 0;
    for (struct conn *other = mock.conns; other; other = other->next) {
        if (!other->control && other->fd >= 0) open++;
    }
    char line[128];
    (void)snprintf(line, sizeof(line), "%zu %zu %zu\n", mock.seen_count, mock.fate_count, open);
    say(c, line);
}

static void command(struct conn *c, const char *word, const char *argument)
{
    char line[32];
    if (strcmp(word, "request") == 0) {
        tell_request(c, strtoul(argument, NULL, 10));
    } else if (strcmp(word, "connection") == 0) {
        tell_connection(c, strtoul(argument, NULL, 10));
    } else if (strcmp(word, "stats") == 0) {
        tell_stats(c);
    } else if (strcmp(word, "port") == 0) {
        tell_port(c, listener_new(false));
    } else if (strcmp(word, "blackhole") == 0) {
        tell_port(c, listener_blackhole());
    } else if (strcmp(word, "now") == 0) {
        (void)snprintf(line, sizeof(line), "%lld\n", (long long)now_ms());
        say(c, line);
    } else {
        if (strcmp(word, "open") == 0) open_gate(argument);
        if (strcmp(word, "reset") == 0) reset();
        say(c, "ok\n");
    }
}

/* Every whole command in the buffer. */
void control(struct conn *c)
{
    const char *end;
    while (c->in.len && (end = memchr(c->in.data, '\n', c->in.len))) {
        char word[16] = "", a[LANE_NAME] = "", times[16] = "", len[16] = "";
        size_t head = (size_t)(end - c->in.data) + 1;
        (void)sscanf(c->in.data, "%15s %31[^ \n] %15[^ \n] %15[^ \n]", word, a, times, len);
        if (strcmp(word, "add") == 0) {
            size_t steps = strtoul(len, NULL, 10);
            if (c->in.len < head + steps) return;
            script_add(a, (int)strtol(times, NULL, 10), c->in.data + head, steps);
            head += steps;
            say(c, "ok\n");
        } else if (strcmp(word, "accept") == 0) {
            listener_mode(listener_at((unsigned)strtoul(times, NULL, 10)), a);
            say(c, "ok\n");
        } else if (strcmp(word, "tls") == 0) {
            size_t paths = strtoul(times, NULL, 10);
            if (c->in.len < head + paths) return;
            open_tls(c, a, c->in.data + head, paths);
            head += paths;
        } else {
            command(c, word, a);
        }
        drop_front(&c->in, head);
        (void)flush(c);
    }
}
