/* A call through the client, driven by a loop of the test's own. */
#ifndef MOONGATE_CALL_H
#define MOONGATE_CALL_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "buf.h"
#include "client.h"
#include "loop.h"
#include "resolve.h"

struct rig {
    struct loop *loop;
    struct resolver *resolver;
    struct client *client;
};

struct call {
    struct upstream *up;
    unsigned ready; /* times on_ready was called */
};

static inline void rig_open(struct rig *rig)
{
    signal(SIGPIPE, SIG_IGN);
    rig->loop = loop_new();
    rig->resolver = resolver_new();
    rig->client = rig->loop && rig->resolver ? client_new(rig->loop, rig->resolver) : NULL;
    if (!rig->client) abort();
}

static inline void rig_close(struct rig *rig)
{
    client_free(rig->client);
    resolver_free(rig->resolver);
    loop_free(rig->loop);
}

static inline void rig_turn(struct rig *rig, int64_t ms)
{
    loop_poll(rig->loop, ms);
    client_turn(rig->client);
}

static inline void call_ready(void *owner)
{
    ((struct call *)owner)->ready++;
}

/* The milliseconds of a turn of the client in which the thread let go of the processor by
 * itself, as who waits for a name does; one that the kernel interrupts has not waited. */
static inline int64_t rig_waits(struct rig *rig)
{
    struct timespec before, after;
    struct rusage was, is;

    clock_gettime(CLOCK_MONOTONIC, &before);
    getrusage(RUSAGE_THREAD, &was);
    client_turn(rig->client);
    getrusage(RUSAGE_THREAD, &is);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (is.ru_nvcsw == was.ru_nvcsw) return 0;
    return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

/* A POST of a few bytes; what differs is set by the caller afterwards. */
static inline struct client_request call_to(unsigned port, char *url, size_t room)
{
    snprintf(url, room, "http://127.0.0.1:%u/v1/x?y=z", port);
    return (struct client_request){.method = "POST",
                                   .url = url,
                                   .body = "{\"a\":1}",
                                   .body_len = 7,
                                   .max_body = 1 << 20,
                                   .timeouts = {.connect_ms = 3000, .total_ms = 10000},
                                   .on_ready = call_ready};
}

static inline bool call_open(struct rig *rig, struct call *call,
                             const struct client_request *request)
{
    struct client_request own = *request;

    call->ready = 0;
    own.owner = call;
    call->up = client_open(rig->client, &own);
    return call->up != NULL;
}

/* Longer than any machine takes to do what it does at once. */
enum { CALL_PATIENCE_MS = 20000 };

/* Until the state is reached or passed. */
static inline bool call_until(struct rig *rig, struct call *call, enum upstream_state state)
{
    int64_t end = loop_now_ms(rig->loop) + CALL_PATIENCE_MS;

    client_turn(rig->client);
    while (upstream_state(call->up) < state && loop_now_ms(rig->loop) < end) {
        rig_turn(rig, 20);
    }
    return upstream_state(call->up) >= state;
}

/* Until so many bytes of the body are here. */
static inline bool call_until_bytes(struct rig *rig, struct call *call, size_t len)
{
    int64_t end = loop_now_ms(rig->loop) + CALL_PATIENCE_MS;

    while (upstream_bytes(call->up)->len < len && loop_now_ms(rig->loop) < end) {
        rig_turn(rig, 20);
    }
    return upstream_bytes(call->up)->len >= len;
}

/* Turns of the loop for so long. */
static inline void rig_idle(struct rig *rig, int64_t ms)
{
    int64_t end = loop_now_ms(rig->loop) + ms;

    while (loop_now_ms(rig->loop) < end) {
        rig_turn(rig, 5);
    }
}

static inline bool call_failed(const struct call *call, const char *kind, bool sent)
{
    const struct upstream_failure *failure = upstream_failure(call->up);

    if (failure && strcmp(failure->kind, kind) == 0 && failure->sent == sent) return true;
    fprintf(stderr, "want: %s sent=%d\n got: %s sent=%d (%s)\n", kind, sent,
            failure ? failure->kind : "no failure", failure ? failure->sent : 0,
            failure ? failure->message : "");
    return false;
}

#endif
