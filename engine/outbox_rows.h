/* What the outbox carries: rows of the ledger in SQLite as one JSON text, and the statements
 * that put such a text into PostgreSQL. Knows both tables' columns, no connection to either's
 * server. */
#ifndef MOONGATE_OUTBOX_ROWS_H
#define MOONGATE_OUTBOX_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct sql;

enum outbox_table { OUTBOX_REQUESTS, OUTBOX_ATTEMPTS, OUTBOX_TABLES };

/* Rows that follow one another. */
struct outbox_rows {
    struct buf json;  /* owned; an array of objects, and a NUL */
    int64_t last_seq; /* of the last of them */
    int64_t count;
};

/* Up to `limit` rows after `seq`, in place of those in `rows`. False: the ledger cannot be read
 * now. */
bool outbox_rows_read(struct sql *sql, enum outbox_table table, int64_t seq, int64_t limit,
                      struct outbox_rows *rows) __attribute__((warn_unused_result));
/* The last seq there is; 0: no rows, -1: cannot be read. */
int64_t outbox_rows_last(struct sql *sql, enum outbox_table table);

/* Whether the tables are there (1 or 0); makes them; puts rows ($1) of a node ($2) in, all but
 * those that are there. */
extern const char outbox_rows_look[];
extern const char outbox_rows_create[];
const char *outbox_rows_insert(enum outbox_table table);

#endif
