/* One SQLite connection and its prepared statements.
 *
 * The only files that know SQLite. Prepared text only, values by parameters only. A connection
 * belongs to one thread at a time, and writes alone: its file has no other writer. */
#ifndef MOONGATE_SQL_H
#define MOONGATE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;
struct sql_query;

enum sql_code {
    SQL_OK,
    SQL_ROW, /* a step found one */
    SQL_BUSY,
    SQL_FULL,
    SQL_IOERR,
    SQL_CORRUPT, /* or no database at all */
    SQL_READONLY,
    SQL_CANTOPEN,
    SQL_CONSTRAINT,
    SQL_NOMEM,
    SQL_MISUSE, /* ours: wrong text, wrong parameters */
};

/* "OK" "ROW" "BUSY" "FULL" "IOERR" "CORRUPT" "READONLY" "CANTOPEN" "CONSTRAINT" "NOMEM"
 * "MISUSE" */
const char *sql_code_name(enum sql_code code);

enum sql_mode {
    SQL_USUAL,
    SQL_CREATE, /* where there is none, an empty one is made (0600); nothing is synced by this
                   connection: whoever made it does that, once */
    SQL_ALONE,  /* nobody else may read; needs no room on the disk while nothing is committed */
};

/* A file in WAL mode with synchronous=NORMAL, never checkpointed but by sql_checkpoint(). NULL:
 * *code and *error (free() it) say why. */
struct sql *sql_open(const char *path, enum sql_mode mode, enum sql_code *code, char **error)
    __attribute__((warn_unused_result));
/* From now on nothing may be written: for another thread's connection, whose reads end within
 * seconds. */
enum sql_code sql_read_only(struct sql *sql) __attribute__((warn_unused_result));
/* Look at as many pages as fit into the time. SQL_CORRUPT: *found (free() it) is what is wrong.
 */
enum sql_code sql_check(struct sql *sql, int64_t limit_ms, char **found)
    __attribute__((warn_unused_result));
/* Every query must have been done. */
void sql_close(struct sql *sql);

/* What the last call that failed found. */
enum sql_code sql_error(const struct sql *sql);
const char *sql_message(const struct sql *sql);

/* Text without parameters, one statement or several: schemas, pragmas, transactions. */
enum sql_code sql_run(struct sql *sql, const char *text) __attribute__((warn_unused_result));
bool sql_in_transaction(const struct sql *sql);
/* Harmless where there is nothing to undo. */
void sql_rollback(struct sql *sql);
/* Commits are on disk when they return (`true`), or when the next checkpoint is. Not inside a
 * transaction. */
void sql_sync_commits(struct sql *sql, bool each);
/* Nothing of a transaction goes to the disk before it is committed. */
void sql_keep_in_memory(struct sql *sql, bool all);
/* Rows that the last statement changed. */
int64_t sql_changes(const struct sql *sql);

/* A prepared statement, the caller's until sql_done(); kept prepared for the next one who asks
 * with the same text. NULL: see sql_error(). */
struct sql_query *sql_query(struct sql *sql, const char *text, size_t len)
    __attribute__((warn_unused_result));
void sql_done(struct sql_query *query);

/* Parameters count from 1; bytes are borrowed until sql_done() or the next value. Text with a
 * NUL, or that is no UTF-8, is bound as a blob. False: there is no such parameter. */
unsigned sql_parameters(const struct sql_query *query);
bool sql_bind_text(struct sql_query *query, unsigned i, const char *bytes, size_t len);
bool sql_bind_blob(struct sql_query *query, unsigned i, const void *bytes, size_t len);
bool sql_bind_integer(struct sql_query *query, unsigned i, int64_t value);
bool sql_bind_real(struct sql_query *query, unsigned i, double value);
bool sql_bind_null(struct sql_query *query, unsigned i);

/* SQL_ROW, SQL_OK (no more), or what went wrong. */
enum sql_code sql_step(struct sql_query *query) __attribute__((warn_unused_result));
/* Run again with other values; parameters keep theirs. */
void sql_again(struct sql_query *query);

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_REAL, SQL_BYTES };
/* Columns count from 0; bytes live until the next step. */
unsigned sql_columns(const struct sql_query *query);
const char *sql_column_name(const struct sql_query *query, unsigned i);
enum sql_type sql_column_type(const struct sql_query *query, unsigned i);
int64_t sql_integer(const struct sql_query *query, unsigned i);
double sql_real(const struct sql_query *query, unsigned i);
const char *sql_bytes(const struct sql_query *query, unsigned i, size_t *len);

/* The first column of the first row as an integer; `otherwise` where there is none. */
int64_t sql_number(struct sql *sql, const char *text, int64_t otherwise);

/* Bring the log into the file. `reset`: and begin it anew, where no reader hinders. */
enum sql_code sql_checkpoint(struct sql *sql, bool reset) __attribute__((warn_unused_result));

/* How many KiB of the file are kept in memory at most; at first, and after sql_rest(), 2048. */
void sql_cache(struct sql *sql, unsigned kib);
/* Give back what memory can be had again. */
void sql_rest(struct sql *sql);

/* The library's version, for people. */
const char *sql_library(void);

#endif
