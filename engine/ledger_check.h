/* Is the ledger's file whole, before SQLite is let near it? SQLite itself would take an empty
 * file for a new database, and drop a log it cannot read. Start-up only. */
#ifndef MOONGATE_LEDGER_CHECK_H
#define MOONGATE_LEDGER_CHECK_H

#include <stdbool.h>

/* *missing: there is none, and nothing that belongs to one. False: it is damaged; *error
 * (free() it) says how and what to do. */
bool ledger_check(const char *path, bool *missing, char **error)
    __attribute__((warn_unused_result));

/* False, with *error set to what an operator can do about a damaged one; for more findings. */
bool ledger_check_refuse(const char *path, const char *why, char **error);

#endif
