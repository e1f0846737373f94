/* What the parts of faultd share: its state, connections, scripts. */
#ifndef TESTS_FAULTD_H
#define TESTS_FAULTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;

enum { LANE_NAME = 32, LISTENERS = 256 };

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

/* A port. Its place is what epoll knows it by. */
struct listener {
    int fd; /* -1: refuses */
    unsigned port;
    bool control, blackhole;
    char mode[8];           /* what becomes of its connections */
    struct ssl_ctx_st *tls; /* NULL: plain */
};

struct conn {
    int fd;
    struct ssl_st *tls; /* owned; NULL: plain */
    bool control;
    bool hold;    /* nothing is read */
    bool parting; /* closed at its first byte */
    bool early;   /* answered before its request was whole: the rest is read and dropped */
    unsigned id;
    struct bytes in, out;
    size_t out_at;
    struct bytes steps; /* the script being acted; empty: none */
    size_t step_at;
    long repeats;    /* of the step at step_at, still to do; -1: it was not begun */
    size_t piece_at; /* of the step at step_at, bytes that have left */
    uint64_t seed;
    bool halted;
    int64_t wake_ms;      /* 0: not waiting */
    char gate[LANE_NAME]; /* "": not waiting */
    struct conn *next;
};

/* Everything; one thread. */
struct mock {
    int epoll;
    struct listener listeners[LISTENERS]; /* the first is the usual port, the second control */
    size_t listener_count;
    struct script *scripts;
    struct seen *seen;
    size_t seen_count, seen_cap;
    struct fate *fates;
    size_t fate_count, fate_cap;
    struct conn *conns;
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

/* listen.c: ports, and what reads and writes. NULL: no more, or no such certificate. */
struct listener *listener_new(bool control);
struct listener *listener_tls(const char *certificate, const char *key, const char *how);
struct listener *listener_blackhole(void);
struct listener *listener_at(unsigned port); /* 0: the first */
void listener_mode(struct listener *listener, const char *mode);
void listener_accept(struct listener *listener);
ssize_t conn_read(struct conn *c, void *to, size_t len);
ssize_t conn_write(struct conn *c, const void *from, size_t len);
bool conn_pending(const struct conn *c);
void conn_free(struct conn *c);

/* faultd.c: connections. Closed at once, freed at the end of the turn. */
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
