/* What the parts of the load generator share. One thread; see swarm.c for what it does. */
#ifndef TESTS_SWARM_H
#define TESTS_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEMPLATES = 64,
    HEAD_ROOM = 4096,
    ID_AT = 7,     /* in MARK: the 16 hex digits of who asked */
    EVENT_AT = 25, /* … which event of the answer it is, 6 digits */
    TIME_AT = 33,  /* … when the provider wrote it, 16 digits of µs */
    MARK = 49,     /* "canary-0123456789abcdef #000000 @0000000000000000" */
};

/* A request as it is sent, but for its canary. */
struct template
{
    char *bytes; /* owned */
    size_t len;
    size_t id_at; /* where the 16 digits go; 0: it has none */
};

enum state { CLOSED, CONNECTING, IDLE, BUSY };
enum part { HEAD, SIZED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, LAST };

struct conn {
    int fd;
    enum state state;
    enum part part;
    int status;
    bool closes; /* behind this answer */
    bool wrong;  /* something of somebody else's was in it */
    bool heard;  /* content came */
    char last;   /* the byte of it before: a blank line ends an event */
    uint64_t id;
    unsigned event; /* the next one that has to come */
    long marks;     /* canaries of its own that came */
    long leave;     /* goes after so many; -1: stays */
    uint64_t left;  /* bytes of the body or of the chunk */
    int64_t due_us; /* when it was to be sent */
    double credit;  /* bytes that a slow reader may read */
    const struct template *ask;
    char *rest; /* owned: of a request that did not go out in one go */
    size_t rest_len, rest_at;
    size_t mark_len, head_len;
    char mark[MARK];
    char head[HEAD_ROOM];
    struct conn *next; /* idle ones */
};

struct counts {
    long sent, ok, wrong, broken, unconnected, unanswered, left, events;
    long status[600];
};

struct swarm {
    int port, epoll;
    long rate, most, loop, streams, leave, share, slow, addresses, ramp, series, fresh, unheard,
        seconds_ms, linger_ms;
    uint64_t seed;
    struct template templates[TEMPLATES];
    int template_count;
    struct conn *conns; /* owned */
    long conn_count, open, busy;
    long heard;                /* streams that had content, or ended */
    struct conn *idle, *again; /* free ones; those that try again in a while */
    int64_t now_us, begin_us, end_us;
    uint64_t next_id;
    struct counts counts;
};

extern struct swarm swarm;

int64_t clock_us(void);
uint64_t roll(void);

/* swarm_conn.c */
/* Ask on it, opening it first where it is closed. */
void conn_ask(struct conn *c, int64_t due_us);
void conn_close(struct conn *c, bool reset);
void conn_event(struct conn *c, uint32_t events);
/* It waits for its answer no more. */
void conn_give_up(struct conn *c);

/* swarm.c: it is free to ask again. */
void conn_is_free(struct conn *c);
/* … content came on it for the first time, or it ended before. */
void conn_heard(struct conn *c);

/* swarm_report.c */
enum figure { ANSWERED, REFUSED, FIRST, RELAYED, BEHIND, FIGURES };
void report_add(enum figure figure, int64_t us);
void report_tick(bool ok); /* an answer came, now: for the series */
void report_print(void);

#endif
