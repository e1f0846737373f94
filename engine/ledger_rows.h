/* Lines become rows: a request, its attempts, what they add to the sums of the hour and the
 * day and to what accounts have spent.
 *
 * Depends on sql; knows no files. Sums are kept in memory and written once a batch, by
 * ledger_rows_flush(), in the transaction that holds the rows. */
#ifndef MOONGATE_LEDGER_ROWS_H
#define MOONGATE_LEDGER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger_line.h"

struct ledger_rows;
struct sql;

/* sql: borrowed. */
struct ledger_rows *ledger_rows_new(struct sql *sql) __attribute__((warn_unused_result));
void ledger_rows_free(struct ledger_rows *rows);

/* Write a usage line, or the intent lines of a request that never ended as one (`tries` and the
 * rest filled in by the caller). A request that is there already changes nothing. boot: ms, the
 * start of the process that served it; 0: another one than this. False: see sql_error(). */
bool ledger_rows_add(struct ledger_rows *rows, const struct ledger_line *line, int64_t boot)
    __attribute__((warn_unused_result));
/* Write the sums. */
bool ledger_rows_flush(struct ledger_rows *rows) __attribute__((warn_unused_result));
/* The transaction was undone: forget what it knew. */
void ledger_rows_forget(struct ledger_rows *rows);

/* Rows of requests written so far, without those that were forgotten. */
uint64_t ledger_rows_count(const struct ledger_rows *rows);

#endif
