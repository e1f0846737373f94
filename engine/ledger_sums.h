/* What a batch of requests adds to the sums: tokens and money by hour, day and who and what
 * they are of; money by account and window.
 *
 * Depends on sql. Added up in memory, written once per distinct key. One thread. */
#ifndef MOONGATE_LEDGER_SUMS_H
#define MOONGATE_LEDGER_SUMS_H

#include <stdbool.h>

#include "ledger_line.h"

struct ledger_sums;
struct sql;

struct ledger_sums *ledger_sums_new(struct sql *sql) __attribute__((warn_unused_result));
void ledger_sums_free(struct ledger_sums *sums);

/* False: no memory, or see sql_error(). */
bool ledger_sums_add(struct ledger_sums *sums, const struct ledger_line *line)
    __attribute__((warn_unused_result));
/* Write what was added, in the running transaction. */
bool ledger_sums_flush(struct ledger_sums *sums) __attribute__((warn_unused_result));
/* The transaction was undone. */
void ledger_sums_forget(struct ledger_sums *sums);

#endif
