/* What the ledger's tables are, and how older ones become them. The ledger's thread, or before
 * it runs. */
#ifndef MOONGATE_LEDGER_SCHEMA_H
#define MOONGATE_LEDGER_SCHEMA_H

#include <stdbool.h>

struct sql;

/* The version that this gateway writes. */
int ledger_schema_version(void);

/* Bring an open database to that version, in one transaction, after a copy was laid beside it
 * as PATH.vN (not of an empty one). False: it is of a newer gateway, or cannot be changed;
 * *error (free() it) says why and what to do. */
bool ledger_schema_migrate(struct sql *sql, const char *path, char **error)
    __attribute__((warn_unused_result));

#endif
