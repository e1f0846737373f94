/* What the parts of the provider under load share. One thread; see source.c for what it does.
 */
#ifndef TESTS_SOURCE_H
#define TESTS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_ROOM = 16384, /* of a request, as much is looked at */
    MAX_FD = 65536,
    ID = 16,
};

/* What becomes of a request instead of an answer. */
enum fault {
    FINE,
    FAULT_500,
    FAULT_429,
    FAULT_503,
    FAULT_CLOSE,
    FAULT_RESET,
    FAULT_CUT,
    FAULT_JUNK,
    FAULTS
};

/* What the words in a request's text ask for. */
struct wish {
    char id[ID + 1]; /* of its canary; "": it has none */
    bool stream, anthropic, flood;
    long delay, gap, events, size; /* events -1: for ever */
    enum fault fault;
};

struct conn {
    int fd;
    struct wish wish;
    bool busy;     /* is being answered */
    int stream_at; /* place among the endless streams; -1: none */
    long event;    /* the next one's number */
    char *rest;    /* owned: what the socket did not take */
    size_t rest_len, rest_at;
    size_t len, skip;          /* bytes of in; bytes of a large body still to be thrown away */
    int64_t wake_ms;           /* 0: it does not wait */
    struct conn *next, **prev; /* in the wheel, while it waits */
    char in[REQUEST_ROOM];
};

struct source {
    int epoll;
    int64_t now_ms;
    long per_tick;
    long requests, answered, abandoned, open, faults[FAULTS];
    uint64_t bytes;
    struct conn *streams[MAX_FD];
    int stream_count;
};

extern struct source source;

int64_t clock_us(void);

/* source.c */
void source_wait(struct conn *c, int64_t ms);
/* Send, or keep what the socket does not take; false: it is gone. */
bool source_put(struct conn *c, const char *bytes, size_t len);

/* source_answer.c */
struct wish wish_of(const char *request);
/* The request has come; then what it waited for. False: close it. */
bool answer_begin(struct conn *c);
bool answer_go_on(struct conn *c);
/* One event of an endless stream. */
bool answer_event(struct conn *c);
bool answer_stats(struct conn *c, const char *path);
void answer_abandoned(void);

#endif
