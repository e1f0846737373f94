/* The thread that keeps the ledger: DATA/ledger.db, the index of the usage journal and the home
 * of keys and teams. Nobody else writes there.
 *
 * Depends on sql and on the journal's files; answers what scripts ask in a Lua state of its
 * own. ledger_ask() and ledger_load() are any thread's. */
#ifndef MOONGATE_LEDGER_H
#define MOONGATE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct accounts;
struct bundle;
struct keyring;
struct ledger;
struct ledger_job;
struct ledger_question;
struct log;
struct loop;
struct metrics;
struct moongate;
struct shared;
struct sql;

/* All borrowed; outlive the ledger. */
struct ledger_options {
    const char *data_dir; /* locked by the caller */
    struct shared *shared;
    struct accounts *accounts; /* NULL: not told what was spent */
    struct keyring *keyring;
    struct metrics *metrics;
    unsigned slot; /* of the metrics */
    struct log *log;
    struct moongate *gateway;
    unsigned retention_days; /* of single requests; 0: 90 */
    bool exporting;          /* rows that another store has not yet are kept */
};

/* Opens the file, brings its tables up to date and the journal's lines into it. NULL with
 * *error (free() it): what is wrong and what to do. */
struct ledger *ledger_open(const struct ledger_options *options, char **error)
    __attribute__((warn_unused_result));
/* The connection, where no thread was begun. */
struct sql *ledger_sql(struct ledger *ledger);
/* Begin the thread. */
bool ledger_start(struct ledger *ledger) __attribute__((warn_unused_result));
/* Answer with these files from now on; takes over one hold of the bundle. */
void ledger_load(struct ledger *ledger, struct bundle *files);
/* NULL: too many are waiting, or no memory. */
struct ledger_job *ledger_ask(struct ledger *ledger, const struct ledger_question *question,
                              struct loop *loop);
/* Another store has all rows up to these (requests.seq, attempts.seq). Any thread; written down
 * within a second. */
void ledger_exported(struct ledger *ledger, const char *sink, int64_t request_seq,
                     int64_t attempt_seq);
/* When (monotonic) it last began to carry and came to the end: all that was written before is
 * in its tables. */
int64_t ledger_carried_ms(const struct ledger *ledger);
/* What rows of this process say in `boot`: ms; constant while it serves. Any thread. */
int64_t ledger_boot_ms(const struct ledger *ledger);
/* Ends the thread, with all lines carried that are there. */
void ledger_stop(struct ledger *ledger);
void ledger_free(struct ledger *ledger);

#endif
