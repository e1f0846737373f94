/* The ledger while it runs: what fails is tried again, and meanwhile the journal goes on alone;
 * the log is carried into the file; what is old is deleted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_ingest.h"
#include "ledger_parts.h"
#include "log.h"
#include "lua_ledger.h"
#include "metrics.h"
#include "moment.h"

enum {
    FIRST_WAIT_MS = 250,
    LAST_WAIT_MS = 10000,
    LOG_BYTES = 4 << 20,   /* then the log is carried into the file */
    LARGE_LOG = 256 << 20, /* a reader that does not end keeps it from beginning anew */
};

static int64_t now_ms(void)
{
    return moment_monotonic_us() / 1000;
}

void ledger_keep_init(struct ledger *ledger)
{
    struct metrics *metrics = ledger->options.metrics;
    struct ledger_health *health = &ledger->health;

    atomic_store(&ledger->carried_ms, now_ms());
    if (!metrics) return;
    health->degraded_gauge =
        metrics_series(metrics, "moongate_ledger_degraded", METRIC_GAUGE, NULL, 0);
    health->log_gauge =
        metrics_series(metrics, "moongate_ledger_wal_bytes", METRIC_GAUGE, NULL, 0);
    health->rows_counter =
        metrics_series(metrics, "moongate_ledger_rows_total", METRIC_COUNTER, NULL, 0);
    health->skipped_counter = metrics_series(metrics, "moongate_journal_lines_skipped_total",
                                             METRIC_COUNTER, NULL, 0);
    metrics_set(metrics, ledger->options.slot, health->degraded_gauge, 0);
}

/* ---- failures -----------------------------------------------------------------------------
 */

static void set_degraded(struct ledger *ledger, bool degraded)
{
    struct ledger_health *health = &ledger->health;

    health->degraded = degraded;
    if (!ledger->options.metrics) return;
    metrics_set(ledger->options.metrics, ledger->options.slot, health->degraded_gauge,
                degraded || health->gone ? 1 : 0);
}

/* A file that was taken away goes on being written, but the next start does not find it. */
static void look_for_file(struct ledger *ledger)
{
    struct ledger_health *health = &ledger->health;
    struct stat there;
    bool gone = stat(ledger->path, &there) != 0;

    if (!gone && !health->inode) health->inode = there.st_ino;
    gone = gone || there.st_ino != health->inode;
    if (gone == health->gone) return;
    health->gone = gone;
    set_degraded(ledger, health->degraded);
    if (!gone) return;
    log_event(
        ledger->options.log, LOG_ERROR, "ledger_gone",
        "%s was removed or replaced while it is in use: keys, teams and sums are lost at the "
        "next start. Before that, copy what this process holds: cp /proc/%d/fd/N, where N is "
        "the descriptor of ledger.db, and its -wal",
        ledger->path, (int)getpid());
}

/* What a new connection may cure. */
static bool wants_reopening(enum sql_code code)
{
    return code == SQL_IOERR || code == SQL_CORRUPT || code == SQL_READONLY ||
           code == SQL_CANTOPEN;
}

static void close_file(struct ledger *ledger)
{
    lua_ledger_collect(ledger->vm); /* its queries end before the connection */
    ledger_ingest_leave(ledger->ingest);
    sql_close(ledger->sql);
    ledger->sql = ledger->context.sql = NULL;
}

/* Said once, however often it fails again. */
static void fail(struct ledger *ledger, enum sql_code code, const char *why)
{
    struct ledger_health *health = &ledger->health;

    if (!health->degraded || health->code != code) {
        log_event(ledger->options.log, LOG_ERROR, "ledger_degraded",
                  "%s cannot be written (%s: %s): usage is kept in the journal alone until it "
                  "can",
                  ledger->path, sql_code_name(code), why);
    }
    if (!health->degraded) health->wait_ms = FIRST_WAIT_MS;
    health->code = code;
    health->retry_ms = now_ms() + health->wait_ms;
    health->wait_ms = health->wait_ms * 2 > LAST_WAIT_MS ? LAST_WAIT_MS : health->wait_ms * 2;
    set_degraded(ledger, true);
}

static void fail_here(struct ledger *ledger)
{
    enum sql_code code = sql_error(ledger->sql);

    fail(ledger, code, sql_message(ledger->sql));
    if (wants_reopening(code)) close_file(ledger);
}

/* Never makes a new one where the file has gone. */
static bool reopen(struct ledger *ledger)
{
    enum sql_code code;
    char *why = NULL;

    if (ledger->sql) return true;
    ledger->sql = sql_open(ledger->path, SQL_USUAL, &code, &why);
    if (!ledger->sql) fail(ledger, code, why ? why : "?");
    free(why);
    ledger->context.sql = ledger->sql;
    ledger->health.inode = 0; /* whatever it is now, it is ours */
    return ledger->sql && ledger_ingest_use(ledger->ingest, ledger->sql);
}

static void recover(struct ledger *ledger)
{
    if (!ledger->health.degraded) return;
    log_event(ledger->options.log, LOG_WARN, "ledger_recovered",
              "%s is written again and holds all that the journal has", ledger->path);
    set_degraded(ledger, false);
}

/* ---- once a turn --------------------------------------------------------------------------
 */

void ledger_carry(struct ledger *ledger)
{
    int64_t began_ms = now_ms();

    if (ledger->health.degraded && began_ms < ledger->health.retry_ms) return;
    if (!reopen(ledger)) return;
    if (ledger_ingest_carry(ledger->ingest) &&
        (!ledger->unsettled || ledger_ingest_settle(ledger->ingest))) {
        ledger->unsettled = false;
        recover(ledger);
        atomic_store(&ledger->carried_ms, began_ms);
    } else {
        fail_here(ledger);
    }
}

static int64_t log_bytes(const struct ledger *ledger)
{
    char path[4096];
    struct stat facts;

    int len = snprintf(path, sizeof(path), "%s-wal", ledger->path);
    if (len < 0 || (size_t)len >= sizeof(path)) return 0;
    return stat(path, &facts) == 0 ? facts.st_size : 0;
}

static void keep_log(struct ledger *ledger)
{
    struct ledger_health *health = &ledger->health;
    int64_t bytes = log_bytes(ledger);

    if (bytes > LOG_BYTES && sql_checkpoint(ledger->sql, false) != SQL_OK) fail_here(ledger);
    bool large = bytes > LARGE_LOG;
    if (large && !health->log_is_large) {
        log_event(ledger->options.log, LOG_ERROR, "ledger_wal",
                  "%s-wal has grown to %lld MiB: some program reads the ledger without an end",
                  ledger->path, (long long)(bytes >> 20));
    }
    health->log_is_large = large;
    if (!ledger->options.metrics) return;
    metrics_set(ledger->options.metrics, ledger->options.slot, health->log_gauge,
                (double)bytes);
}

static void count(struct ledger *ledger)
{
    struct ledger_health *health = &ledger->health;
    struct ledger_ingest_counts now = ledger_ingest_counts(ledger->ingest);
    struct metrics *metrics = ledger->options.metrics;
    unsigned slot = ledger->options.slot;

    if (!metrics) return;
    metrics_add(metrics, slot, health->rows_counter, (double)(now.rows - health->rows));
    metrics_add(metrics, slot, health->skipped_counter,
                (double)(now.skipped - health->skipped));
    health->rows = now.rows;
    health->skipped = now.skipped;
}

void ledger_keep(struct ledger *ledger)
{
    if (ledger->sql && !ledger->health.degraded &&
        (!ledger_save_exports(ledger) || !ledger_prune(ledger))) {
        fail_here(ledger);
    }
    if (ledger->sql) look_for_file(ledger);
    if (ledger->sql && !ledger->health.degraded) keep_log(ledger);
    count(ledger);
}
