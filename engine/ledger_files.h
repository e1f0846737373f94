/* The journal's files and how far each has been read; as the ledger's table journal_files says
 * and keeps saying.
 *
 * Depends on sql and the file system. One thread. */
#ifndef MOONGATE_LEDGER_FILES_H
#define MOONGATE_LEDGER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger_pending.h"

struct sql;

enum { LEDGER_FILE_NAME = 48 };

struct ledger_file {
    char name[LEDGER_FILE_NAME]; /* 2026-11-22-w0.jsonl */
    int64_t offset;              /* all before it is in the tables, or pending */
    int64_t before; /* bytes that were there when this process began; 0: not known */
    bool skipping;  /* inside of a line that is too long */
    bool dirty;     /* the table says something else */
};

/* How long a file was at some moment. */
struct ledger_size {
    char name[LEDGER_FILE_NAME];
    int64_t bytes;
};

struct ledger_files {
    char *dir;                 /* owned */
    struct ledger_file **list; /* owned, by name: oldest first */
    size_t count;
    struct ledger_pending pending;
    struct ledger_size *before; /* owned; outlives ledger_files_load() */
    size_t before_count;
};

/* dir: copied. False: no memory. */
bool ledger_files_init(struct ledger_files *files, const char *dir);
void ledger_files_free(struct ledger_files *files);

/* What the table says, instead of what was known. False: see sql_error(). */
bool ledger_files_load(struct ledger_files *files, struct sql *sql)
    __attribute__((warn_unused_result));
/* Remember how long the files are now: what lies before is of another process. False: no
 * memory. */
bool ledger_files_remember(struct ledger_files *files) __attribute__((warn_unused_result));
/* Look for new files. False: the folder cannot be read (errno tells). */
bool ledger_files_look(struct ledger_files *files) __attribute__((warn_unused_result));
/* Tell the table what has changed; in the transaction that holds the rows. */
bool ledger_files_save(struct ledger_files *files, struct sql *sql)
    __attribute__((warn_unused_result));
/* Delete files of days before `day` (since 1970) that are wholly read and have nothing pending.
 * False: see sql_error(). */
bool ledger_files_prune(struct ledger_files *files, struct sql *sql, int64_t day)
    __attribute__((warn_unused_result));

/* A descriptor for reading; -1: errno tells. */
int ledger_files_open(const struct ledger_files *files, const struct ledger_file *file);
/* The line that begins at `offset`, without its end; the caller frees. NULL: there is none. */
char *ledger_files_line(const struct ledger_files *files, const struct ledger_file *file,
                        int64_t offset, size_t *len);

#endif
