/* The ledger's file at start: made, or checked, opened and brought up to date; then the journal
 * is carried into it and the accounts are told what was spent. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounts.h"
#include "keyring.h"
#include "keyring_fill.h"
#include "ledger_check.h"
#include "ledger_ingest.h"
#include "ledger_parts.h"
#include "ledger_schema.h"
#include "log.h"
#include "moment.h"

enum {
    CHECK_MS = 25,         /* a look at as many pages as that allows */
    CACHE_KIB = 64 * 1024, /* while keys are read; given back after */
};

static bool explain(const char *what, const char *path, const char *why, char **error)
{
    if (asprintf(error, "%s %s: %s", what, path, why) < 0) *error = NULL;
    return false;
}

/* ---- a new one ----------------------------------------------------------------------------
 */

static bool sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return false;
    bool fine = fsync(fd) == 0;
    (void)close(fd);
    return fine;
}

/* Under another name until it is whole: a crash now must not look like a damaged file later. */
static bool fill_new(const char *path, char **error)
{
    enum sql_code code;
    char *why = NULL;

    (void)unlink(path);
    struct sql *sql = sql_open(path, SQL_CREATE, &code, &why);
    bool fine = sql && ledger_schema_migrate(sql, path, error);
    if (!sql) explain("cannot make", path, why ? why : sql_code_name(code), error);
    sql_close(sql);
    free(why);
    if (fine && !sync_path(path)) fine = explain("cannot make", path, strerror(errno), error);
    return fine;
}

static bool make(const struct ledger *ledger, char **error)
{
    char *path = NULL;

    if (asprintf(&path, "%s.new", ledger->path) < 0) return false;
    bool fine = fill_new(path, error);
    if (fine && (rename(path, ledger->path) != 0 || !sync_path(ledger->options.data_dir))) {
        fine = explain("cannot make", ledger->path, strerror(errno), error);
    }
    free(path);
    return fine;
}

/* ---- one that is there --------------------------------------------------------------------
 */

static bool refuse(const struct ledger *ledger, enum sql_code code, const char *why,
                   char **error)
{
    if (code == SQL_CORRUPT) return ledger_check_refuse(ledger->path, why, error);
    if (code != SQL_BUSY) return explain("cannot open", ledger->path, why, error);
    return explain("cannot use", ledger->path,
                   "another program has locked it; end that one (a sqlite3 shell?) and start "
                   "again",
                   error);
}

/* Nobody else may be writing, and what can be looked at in a moment must be whole. */
static bool probe(const struct ledger *ledger, char **error)
{
    struct sql *sql = ledger->sql;
    char *found = NULL;

    if (sql_run(sql, "BEGIN IMMEDIATE; ROLLBACK") != SQL_OK) {
        return refuse(ledger, sql_error(sql), sql_message(sql), error);
    }
    if (sql_check(sql, CHECK_MS, &found) == SQL_OK) return true;
    bool fine = refuse(ledger, SQL_CORRUPT, found ? found : "it is damaged", error);
    free(found);
    return fine;
}

/* A folder with a pepper had a ledger: whoever moved it away is told what went with it, and
 * nobody is let in for want of keys. */
static void note_loss(struct ledger *ledger)
{
    char *path = NULL;

    if (asprintf(&path, "%s/pepper", ledger->options.data_dir) < 0) return;
    ledger->lost = access(path, F_OK) == 0;
    free(path);
    if (!ledger->lost || !ledger->options.log) return;
    log_event(ledger->options.log, LOG_WARN, "ledger",
              "%s was missing and is made anew: its keys and teams are gone; what was spent is "
              "added up from the journal files that are left",
              ledger->path);
}

static bool open_file(struct ledger *ledger, char **error)
{
    enum sql_code code;
    char *why = NULL;
    bool missing;

    if (!ledger_check(ledger->path, &missing, error)) return false;
    if (missing) note_loss(ledger);
    if (missing && !make(ledger, error)) return false;
    ledger->sql = sql_open(ledger->path, SQL_USUAL, &code, &why);
    if (!ledger->sql && (code == SQL_IOERR || code == SQL_FULL)) {
        free(why);
        ledger->sql = sql_open(ledger->path, SQL_ALONE, &code, &why);
        ledger->unsettled = true;
    }
    if (!ledger->sql) {
        bool fine = refuse(ledger, code, why ? why : sql_code_name(code), error);
        free(why);
        return fine;
    }
    return probe(ledger, error) && ledger_schema_migrate(ledger->sql, ledger->path, error);
}

/* ---- what it knows ------------------------------------------------------------------------
 */

static bool seed_window(const struct ledger *ledger, enum accounts_window window,
                        int64_t start_s)
{
    static const char text[] = "SELECT account, nano FROM spend WHERE period=? AND start_s=?";
    const char *period = accounts_window_name(window);
    struct sql_query *query = sql_query(ledger->sql, text, sizeof(text) - 1);
    enum sql_code code;

    if (!query) return false;
    (void)sql_bind_text(query, 1, period, strlen(period));
    (void)sql_bind_integer(query, 2, start_s);
    while ((code = sql_step(query)) == SQL_ROW) {
        struct accounts_seed one = {.window = window, .start_s = start_s};
        one.name = sql_bytes(query, 0, &one.len);
        one.nano = sql_integer(query, 1);
        if (!accounts_seed(ledger->options.accounts, &one)) break;
    }
    sql_done(query);
    return code == SQL_OK;
}

/* What the running minute, hour, day … have cost so far. */
static bool seed(const struct ledger *ledger, char **error)
{
    int64_t now_ms = moment_wall_us() / 1000;

    if (!ledger->options.accounts) return true;
    for (unsigned window = 0; window < ACCOUNTS_WINDOWS; window++) {
        if (!seed_window(ledger, window, accounts_window_start(window, now_ms) / 1000)) {
            return explain("cannot take over what was spent from", ledger->path,
                           sql_message(ledger->sql), error);
        }
    }
    return true;
}

/* C-16: what a full disk does not take is still known, and is carried when it does. */
static bool begin_degraded(struct ledger *ledger, char **error)
{
    if (ledger_ingest_peek(ledger->ingest)) {
        bool known = seed(ledger, error);
        ledger_ingest_unpeek(ledger->ingest);
        ledger->unsettled = true;
        return known;
    }
    return refuse(ledger, sql_error(ledger->sql), sql_message(ledger->sql), error);
}

static bool replay(struct ledger *ledger, char **error)
{
    struct ledger_ingest *ingest = ledger->ingest;
    bool fine = ledger_ingest_use(ingest, ledger->sql);

    if (fine && !ledger->unsettled) {
        fine = ledger_ingest_carry(ingest) && ledger_ingest_settle(ingest);
        enum sql_code code = sql_error(ledger->sql);
        ledger->unsettled = !fine && (code == SQL_FULL || code == SQL_IOERR);
    }
    if (ledger->unsettled) {
        fine = begin_degraded(ledger, error);
    } else if (fine) {
        fine = seed(ledger, error);
    } else {
        (void)refuse(ledger, sql_error(ledger->sql), sql_message(ledger->sql), error);
    }
    ledger_ingest_serve(ingest, moment_wall_us() / 1000);
    return fine;
}

/* The thread opens it again, as often as it takes. */
static void leave_file(struct ledger *ledger)
{
    ledger_ingest_leave(ledger->ingest);
    sql_close(ledger->sql);
    ledger->sql = NULL;
}

bool ledger_begin(struct ledger *ledger, char **error)
{
    const struct ledger_options *options = &ledger->options;

    if (!open_file(ledger, error) || !replay(ledger, error)) return false;
    sql_cache(ledger->sql, CACHE_KIB);
    if (options->keyring &&
        !keyring_fill(options->keyring, ledger->sql, options->data_dir, error)) {
        return false;
    }
    if (ledger->lost && options->keyring) keyring_close(options->keyring);
    if (ledger->unsettled) {
        leave_file(ledger);
    } else {
        sql_rest(ledger->sql);
    }
    return true;
}
