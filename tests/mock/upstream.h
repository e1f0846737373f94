/* What the parts of the test provider share: its state, connections, scripts. */
#ifndef TESTS_UPSTREAM_H
#define TESTS_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_NAME = 32 };

struct bytes {
    char *data; /* owned */
    size_t len, cap;
};

/* An answer, as told; in its lane's list. */
struct script {
    char lane[LANE_NAME];
    int times; /* 0: for ever, behind the queue */
    struct bytes steps;
    struct script *next;
};

struct seen {
    char lane[LANE_NAME];
    unsigned connection;
    int64_t at_ms;
    struct bytes raw;
};

/* What a connection became; kept when it is closed. */
struct fate {
    const char *state;
    int64_t at_ms;
    uint64_t sent;
};

struct conn {
    int fd;
    bool control, hold;
    bool early; /* answered before its request was whole: the rest is read and dropped */
    unsigned id;
    struct bytes in, out;
    size_t out_at;
    struct bytes steps; /* the script being acted; empty: none */
    size_t step_at;
    long repeats; /* of the step at step_at, still to do; -1: it was not begun */
    size_t drip_at;
    bool halted;
    int64_t wake_ms;      /* 0: not waiting */
    char gate[LANE_NAME]; /* "": not waiting */
    struct conn *next;
};

/* Everything; one thread. */
struct mock {
    int epoll, listener, control;
    struct script *scripts;
    struct seen *seen;
    size_t seen_count, seen_cap;
    struct fate *fates;
    size_t fate_count, fate_cap;
    struct conn *conns;
    char accept_mode[16];
    char (*gates)[LANE_NAME]; /* opened */
    size_t gate_count;
};

extern struct mock mock;

/* Memory that has to be there: the test ends without it. */
void *need(void *memory);
int64_t now_ms(void);
void put(struct bytes *to, const void *data, size_t len);
void drop_front(struct bytes *from, size_t len);
void bytes_free(struct bytes *b);

/* upstream.c: connections. Closed at once, freed at the end of the turn. */
void conn_close(struct conn *c, const char *by);
void conn_reset(struct conn *c);
/* Write what is queued; true once nothing is left. */
bool flush(struct conn *c);

/* script.c: add a script; act on until something has to be waited for; serve what came. */
void script_add(const char *lane, int times, const char *steps, size_t len);
void script_forget(void);
void advance(struct conn *c);
void serve(struct conn *c);

/* control.c: every whole command in the buffer. */
void control(struct conn *c);
void reset(void);

#endif
