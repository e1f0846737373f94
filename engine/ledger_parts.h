/* The insides of the ledger, for the ledger*.c files alone. */
#ifndef MOONGATE_LEDGER_PARTS_H
#define MOONGATE_LEDGER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ledger.h"
#include "ledger_queue.h"
#include "lock.h"
#include "lua_context.h"
#include "sql.h"

struct ledger_ingest;
struct vm;

/* How it fares; see ledger_keep.c. */
struct ledger_health {
    bool degraded;
    bool gone;          /* the file is no more where it was opened */
    ino_t inode;        /* of the file; 0: not yet known */
    enum sql_code code; /* why */
    int64_t retry_ms;   /* monotonic; 0: now */
    int64_t wait_ms;    /* until the retry after that */
    bool log_is_large;  /* and it was said */
    unsigned degraded_gauge, log_gauge, rows_counter, skipped_counter; /* metric ids */
    uint64_t rows, skipped;                                            /* as counted so far */
};

enum { LEDGER_SINKS = 4, LEDGER_SINK = 32 };

struct ledger_export {
    char sink[LEDGER_SINK];
    int64_t request_seq, attempt_seq;
    bool dirty; /* the table does not know */
};

/* How far other stores have come; told by their threads. */
struct ledger_exports {
    struct lock lock;
    struct ledger_export list[LEDGER_SINKS];
    unsigned count;
};

struct ledger {
    struct ledger_options options;
    char *path;                   /* owned */
    struct sql *sql;              /* owned; the thread's once that runs; NULL: to be reopened */
    struct ledger_ingest *ingest; /* owned */
    struct ledger_health health;
    struct ledger_queue queue;
    struct lua_context context;
    struct bundle *files;           /* counted; NULL before the first */
    struct vm *vm;                  /* owned; NULL while nobody asks: it takes a megabyte */
    int64_t asked_ms;               /* monotonic: the last question */
    _Atomic(struct bundle *) inbox; /* owned; the files to answer with next */
    atomic_llong carried_ms;        /* monotonic: what was written before is in the tables */
    int64_t prune_ms;               /* monotonic: when what is old is looked for again */
    struct ledger_exports exports;
    int wake_fd;
    pthread_t thread;
    bool runs;
    bool lost;      /* the folder had a ledger that is not there any more */
    bool unsettled; /* what never ended before this process began is not yet written */
    atomic_bool closing;
};

/* ---- ledger_start.c: before the thread runs ---- */

/* Open what is there or make it, bring the journal into it, tell the accounts. False: *error
 * says why and what to do. */
bool ledger_begin(struct ledger *ledger, char **error) __attribute__((warn_unused_result));

/* ---- ledger_keep.c ---- */

void ledger_keep_init(struct ledger *ledger);
/* Carry the journal into the tables, unless it failed a moment ago. */
void ledger_carry(struct ledger *ledger);
/* Once a turn: the log into the file, metrics, old rows and files. */
void ledger_keep(struct ledger *ledger);

/* ---- ledger_prune.c ---- */

/* False: see sql_error(). */
bool ledger_save_exports(struct ledger *ledger) __attribute__((warn_unused_result));
bool ledger_prune(struct ledger *ledger) __attribute__((warn_unused_result));

#endif
