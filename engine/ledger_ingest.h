/* The journal's lines into the ledger's tables: once each, however often they are read.
 *
 * Depends on sql, the journal's files and what lines say; knows no scripts. One thread. What
 * has been read is told to the tables in the transaction that holds its rows, so a crash at any
 * point leads to reading again what was not committed, and nothing else. */
#ifndef MOONGATE_LEDGER_INGEST_H
#define MOONGATE_LEDGER_INGEST_H

#include <stdbool.h>
#include <stdint.h>

struct ledger_ingest;
struct log;
struct sql;

struct ledger_ingest *ledger_ingest_new(const char *data_dir, struct log *log)
    __attribute__((warn_unused_result));
void ledger_ingest_free(struct ledger_ingest *ingest);

/* On this connection from now on (borrowed): what was not committed is read again. */
bool ledger_ingest_use(struct ledger_ingest *ingest, struct sql *sql)
    __attribute__((warn_unused_result));

/* The connection is about to be closed. */
void ledger_ingest_leave(struct ledger_ingest *ingest);

/* Carry all lines that are on file. False: see sql_error(); nothing is lost, and the next call
 * begins where the last commit ended. */
bool ledger_ingest_carry(struct ledger_ingest *ingest) __attribute__((warn_unused_result));

/* After a carry: intent lines without an end whose process is gone; before
 * ledger_ingest_serve() that is all of them. Each such request gets its row, "unsettled",
 * charged with what it had reserved. */
bool ledger_ingest_settle(struct ledger_ingest *ingest) __attribute__((warn_unused_result));
/* Where the disk takes nothing: both of these in a transaction that stays open, so that sums
 * can be read; then ledger_ingest_unpeek() undoes it, and lines that are there now stay another
 * process's whenever they are carried. Takes memory for all that was not carried before. */
bool ledger_ingest_peek(struct ledger_ingest *ingest) __attribute__((warn_unused_result));
void ledger_ingest_unpeek(struct ledger_ingest *ingest);

/* Rows from now on are of the process that began then (wall ms). */
void ledger_ingest_serve(struct ledger_ingest *ingest, int64_t boot_ms);
int64_t ledger_ingest_boot(const struct ledger_ingest *ingest);

/* Delete journal files of days before `day` (since 1970) of which nothing is needed any more.
 */
bool ledger_ingest_prune(struct ledger_ingest *ingest, int64_t day)
    __attribute__((warn_unused_result));

struct ledger_ingest_counts {
    uint64_t rows;    /* requests */
    uint64_t skipped; /* lines that were torn or foreign */
};
struct ledger_ingest_counts ledger_ingest_counts(const struct ledger_ingest *ingest);

#endif
