#include "ledger_ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_files.h"
#include "ledger_line.h"
#include "ledger_rows.h"
#include "log.h"
#include "sql.h"

enum {
    CHUNK = 1 << 18, /* bytes read at once; a longer line is none of ours */
    BATCH = 1 << 20, /* bytes a transaction */
    SETTLED = 512,   /* requests a transaction */
};

struct ledger_ingest {
    struct ledger_files files;
    struct ledger_rows *rows; /* owned; NULL without a connection */
    struct sql *sql;          /* borrowed; NULL: none */
    struct log *log;          /* borrowed; may be NULL */
    struct ledger_line line;
    char *chunk; /* owned; CHUNK bytes */
    int64_t boot;
    int64_t pruned_ms;    /* requests admitted before were let go of */
    uint64_t rows_before; /* of connections before this one */
    uint64_t skipped;
    bool stale; /* what is known of the files was not committed */
    bool held;  /* nothing is committed: see ledger_ingest_peek() */
};

struct ledger_ingest *ledger_ingest_new(const char *data_dir, struct log *log)
{
    struct ledger_ingest *ingest = calloc(1, sizeof(*ingest));
    char *dir = NULL;

    if (!ingest) return NULL;
    ingest->log = log;
    ingest->chunk = malloc(CHUNK);
    if (asprintf(&dir, "%s/journal", data_dir) < 0) dir = NULL;
    if (dir && ingest->chunk && ledger_files_init(&ingest->files, dir)) {
        free(dir);
        return ingest;
    }
    free(dir);
    free(ingest->chunk);
    free(ingest);
    return NULL;
}

void ledger_ingest_free(struct ledger_ingest *ingest)
{
    if (!ingest) return;
    ledger_rows_free(ingest->rows);
    ledger_files_free(&ingest->files);
    free(ingest->chunk);
    free(ingest);
}

void ledger_ingest_leave(struct ledger_ingest *ingest)
{
    if (ingest->rows) ingest->rows_before += ledger_rows_count(ingest->rows);
    ledger_rows_free(ingest->rows);
    ingest->rows = NULL;
    ingest->sql = NULL;
    ingest->stale = true;
}

bool ledger_ingest_use(struct ledger_ingest *ingest, struct sql *sql)
{
    ledger_ingest_leave(ingest);
    ingest->sql = sql;
    ingest->rows = ledger_rows_new(sql);
    return ingest->rows != NULL;
}

void ledger_ingest_serve(struct ledger_ingest *ingest, int64_t boot_ms)
{
    ingest->boot = boot_ms;
}

int64_t ledger_ingest_boot(const struct ledger_ingest *ingest)
{
    return ingest->boot;
}

struct ledger_ingest_counts ledger_ingest_counts(const struct ledger_ingest *ingest)
{
    uint64_t rows = ingest->rows ? ledger_rows_count(ingest->rows) : 0;

    return (struct ledger_ingest_counts){.rows = ingest->rows_before + rows,
                                         .skipped = ingest->skipped};
}

/* ---- transactions -------------------------------------------------------------------------
 */

static bool undo(struct ledger_ingest *ingest)
{
    sql_rollback(ingest->sql);
    ledger_rows_forget(ingest->rows);
    ingest->stale = true;
    return false;
}

static bool begin(struct ledger_ingest *ingest)
{
    return sql_in_transaction(ingest->sql) || sql_run(ingest->sql, "BEGIN IMMEDIATE") == SQL_OK;
}

static bool commit(struct ledger_ingest *ingest)
{
    if (!sql_in_transaction(ingest->sql)) return true;
    if (ingest->held) return ledger_rows_flush(ingest->rows) || undo(ingest);
    bool fine = ledger_rows_flush(ingest->rows) &&
                ledger_files_save(&ingest->files, ingest->sql) &&
                sql_run(ingest->sql, "COMMIT") == SQL_OK;
    return fine || undo(ingest);
}

static bool refresh(struct ledger_ingest *ingest)
{
    if (!ingest->rows) return false;
    if (ingest->stale && !ledger_files_load(&ingest->files, ingest->sql)) return false;
    ingest->stale = false;
    return true;
}

/* ---- lines --------------------------------------------------------------------------------
 */

static void touch(struct ledger_file *file)
{
    file->dirty = true;
}

static void skip(struct ledger_ingest *ingest, const struct ledger_file *file, int64_t offset)
{
    if (ingest->skipped++ || !ingest->log) return;
    log_event(ingest->log, LOG_WARN, "ledger",
              "the line at byte %lld of %s is torn or none of ours: left out (later ones are "
              "only counted)",
              (long long)offset, file->name);
}

/* Of the process that wrote the line. */
static int64_t boot_of(const struct ledger_ingest *ingest, const struct ledger_file *file,
                       const char *bytes)
{
    return file->offset + (bytes - ingest->chunk) < file->before ? 0 : ingest->boot;
}

static bool take_line(struct ledger_ingest *ingest, struct ledger_file *file, char *bytes,
                      size_t len)
{
    struct ledger_line *line = &ingest->line;

    if (len == 0) return true; /* what ends a torn line */
    switch (ledger_line_read(line, bytes, len)) {
    case LEDGER_INTENT:
        return pending_add(&ingest->files.pending, line->id, file,
                           file->offset + (bytes - ingest->chunk));
    case LEDGER_USAGE:
        pending_remove(&ingest->files.pending, line->id, touch);
        if (line->admitted_ms < ingest->pruned_ms) return true;
        return ledger_rows_add(ingest->rows, line, boot_of(ingest, file, bytes));
    default: skip(ingest, file, file->offset + (bytes - ingest->chunk)); return true;
    }
}

/* A whole chunk without an end of a line. */
static void skip_chunk(struct ledger_ingest *ingest, struct ledger_file *file)
{
    if (!file->skipping) skip(ingest, file, file->offset);
    file->skipping = true;
    file->offset += CHUNK;
}

/* The whole lines among `got` bytes that stand at the file's offset. */
static bool take_lines(struct ledger_ingest *ingest, struct ledger_file *file, size_t got)
{
    char *from = ingest->chunk, *end = ingest->chunk + got, *stop;

    while ((stop = memchr(from, '\n', (size_t)(end - from)))) {
        bool skipped = file->skipping;
        file->skipping = false;
        if (!skipped && !take_line(ingest, file, from, (size_t)(stop - from))) return false;
        from = stop + 1;
    }
    if (from == ingest->chunk && got == CHUNK) {
        skip_chunk(ingest, file);
    } else {
        file->offset += from - ingest->chunk;
    }
    return true;
}

/* ---- files --------------------------------------------------------------------------------
 */

/* A power cut may have taken from a file what the tables already have; later lines begin
 * there. */
static int64_t size_of(struct ledger_file *file, int fd)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0) return file->offset;
    if (facts.st_size < file->offset) {
        file->offset = facts.st_size;
        file->dirty = true;
    }
    return facts.st_size;
}

static bool read_chunks(struct ledger_ingest *ingest, struct ledger_file *file, int fd,
                        int64_t *left)
{
    int64_t size = size_of(file, fd);

    while (*left > 0 && file->offset < size) {
        int64_t before = file->offset;
        ssize_t got = pread(fd, ingest->chunk, CHUNK, before);
        if (got <= 0) break; /* it will be there next time, or be gone */
        if (!begin(ingest) || !take_lines(ingest, file, (size_t)got)) return false;
        if (file->offset == before) break; /* its last line is not whole yet */
        *left -= file->offset - before;
        file->dirty = true;
    }
    return true;
}

static bool read_file(struct ledger_ingest *ingest, struct ledger_file *file, int64_t *left)
{
    int fd = ledger_files_open(&ingest->files, file);

    if (fd < 0) return true; /* deleted: there is nothing more to be had of it */
    bool fine = read_chunks(ingest, file, fd, left);
    (void)close(fd);
    return fine;
}

/* One transaction. *more: there was more than that. */
static bool carry_batch(struct ledger_ingest *ingest, bool *more)
{
    int64_t left = BATCH;

    for (size_t i = 0; i < ingest->files.count && left > 0; i++) {
        if (!read_file(ingest, ingest->files.list[i], &left)) return undo(ingest);
    }
    *more = left <= 0;
    return commit(ingest);
}

bool ledger_ingest_carry(struct ledger_ingest *ingest)
{
    bool more = true;

    static const char pruned[] = "SELECT v FROM meta WHERE k = 'pruned_ms'";

    if (!refresh(ingest) || !ledger_files_look(&ingest->files)) return false;
    ingest->pruned_ms = sql_number(ingest->sql, pruned, 0);
    while (more) {
        if (!carry_batch(ingest, &more)) return false;
    }
    return true;
}

bool ledger_ingest_prune(struct ledger_ingest *ingest, int64_t day)
{
    if (!refresh(ingest)) return false;
    return ledger_files_prune(&ingest->files, ingest->sql, day);
}

/* ---- requests that never ended ------------------------------------------------------------
 */

/* The intent lines of one request. */
struct unsettled {
    char *texts[LEDGER_TRIES]; /* owned */
    struct ledger_try tries[LEDGER_TRIES];
    int64_t numbers[LEDGER_TRIES];
    unsigned count;
    int64_t nano; /* the most that was reserved */
};

static void insert_try(struct unsettled *of, const struct ledger_line *line)
{
    unsigned at = of->count++;

    for (; at > 0 && of->numbers[at - 1] > line->attempt; at--) {
        of->tries[at] = of->tries[at - 1];
        of->numbers[at] = of->numbers[at - 1];
    }
    of->numbers[at] = line->attempt;
    of->tries[at] = (struct ledger_try){.deployment = line->deployment,
                                        .provider = line->provider,
                                        .upstream_model = line->upstream_model,
                                        .status = LEDGER_NONE,
                                        .extra_input = LEDGER_NONE,
                                        .extra_nano = LEDGER_NONE,
                                        .ms = NAN};
}

/* The last of them stays in ingest->line. */
static void gather(struct ledger_ingest *ingest, const struct pending *first,
                   struct unsettled *of)
{
    size_t len;
    int64_t last = LEDGER_NONE;
    struct ledger_line *line = &ingest->line, newest;

    for (const struct pending *at = first; at && of->count < LEDGER_TRIES;
         at = pending_same(at)) {
        char *text = ledger_files_line(&ingest->files, at->file, at->offset, &len);
        if (!text) continue;
        of->texts[of->count] = text;
        if (ledger_line_read(line, text, len) != LEDGER_INTENT) {
            free(text);
            continue;
        }
        if (line->reserve_nano > of->nano) of->nano = line->reserve_nano;
        if (line->attempt >= last) {
            last = line->attempt;
            newest = *line;
        }
        insert_try(of, line);
    }
    if (of->count) *line = newest;
}

static bool write_unsettled(struct ledger_ingest *ingest, const struct pending *first)
{
    static const char outcome[] = "unsettled";
    struct unsettled *of = calloc(1, sizeof(*of));
    struct ledger_line *line = &ingest->line;

    if (!of) return false;
    of->nano = LEDGER_NONE;
    gather(ingest, first, of);
    bool fine = of->count == 0;
    if (!fine) {
        line->kind = LEDGER_USAGE;
        line->outcome = (struct ledger_text){outcome, sizeof(outcome) - 1};
        line->estimated = 1;
        line->cost_nano = of->nano;
        line->try_count = of->count;
        memcpy(line->tries, of->tries, of->count * sizeof(of->tries[0]));
        fine = ledger_rows_add(ingest->rows, line, 0);
    }
    for (unsigned i = 0; i < of->count; i++) {
        free(of->texts[i]);
    }
    free(of);
    return fine;
}

/* The next one of a process that is gone. */
static struct pending *next_gone(const struct ledger_ingest *ingest)
{
    struct pending *at = pending_next(&ingest->files.pending, NULL);

    while (at && ingest->boot && at->offset >= at->file->before)
        at = pending_next(&ingest->files.pending, at);
    return at;
}

/* *count: how many there were. */
static bool settle_batch(struct ledger_ingest *ingest, size_t *count)
{
    struct pending *at;
    char id[LEDGER_ID];

    *count = 0;
    if (!begin(ingest)) return false;
    while (*count < SETTLED && (at = next_gone(ingest))) {
        if (!write_unsettled(ingest, at)) return undo(ingest);
        struct ledger_text name = {id, at->id_len};
        memcpy(id, at->id, at->id_len);
        pending_remove(&ingest->files.pending, name, touch);
        ++*count;
    }
    return commit(ingest);
}

bool ledger_ingest_settle(struct ledger_ingest *ingest)
{
    size_t all = 0, count;

    if (!refresh(ingest)) return false;
    do {
        if (!settle_batch(ingest, &count)) return false;
        all += count;
    } while (count == SETTLED);
    if (all && ingest->log && !ingest->held) {
        log_event(ingest->log, LOG_WARN, "ledger",
                  "%zu requests were at providers when the gateway ended and are written as "
                  "unsettled",
                  all);
    }
    return true;
}

/* ---- a disk that takes nothing ------------------------------------------------------------
 */

bool ledger_ingest_peek(struct ledger_ingest *ingest)
{
    ingest->held = true;
    sql_keep_in_memory(ingest->sql, true);
    if (begin(ingest) && ledger_ingest_carry(ingest) && ledger_ingest_settle(ingest) &&
        ledger_files_remember(&ingest->files))
        return true;
    ledger_ingest_unpeek(ingest);
    return false;
}

void ledger_ingest_unpeek(struct ledger_ingest *ingest)
{
    ingest->held = false;
    (void)undo(ingest);
    sql_keep_in_memory(ingest->sql, false);
}
