/* What is old goes: single requests and their attempts after the retention (sums stay), what
 * was spent in minutes and hours that are long over, journal files whose every line is in the
 * tables. A little at a time, so that questions do not wait for it. */
#include <string.h>

#include "ledger_ingest.h"
#include "ledger_parts.h"
#include "lock.h"
#include "moment.h"

enum {
    ROWS = 1000,            /* a turn */
    EVERY_MS = 3600 * 1000, /* once all that is old has gone */
    RETENTION_DAYS = 90,    /* where none is said */
    FILE_DAYS = 7,          /* of the journal */
    MINUTES_S = 2 * 86400,  /* windows of minutes */
    HOURS_S = 14 * 86400,   /* windows of hours */
};

/* ---- what others have taken over ----------------------------------------------------------
 */

void ledger_exported(struct ledger *ledger, const char *sink, int64_t request_seq,
                     int64_t attempt_seq)
{
    struct ledger_exports *exports = &ledger->exports;
    size_t len = strlen(sink);

    if (len >= LEDGER_SINK) return;
    lock_take(&exports->lock);
    unsigned i = 0;
    while (i < exports->count && strcmp(exports->list[i].sink, sink) != 0)
        i++;
    if (i < LEDGER_SINKS) {
        memcpy(exports->list[i].sink, sink, len + 1);
        exports->list[i].request_seq = request_seq;
        exports->list[i].attempt_seq = attempt_seq;
        exports->list[i].dirty = true;
        if (i == exports->count) exports->count++;
    }
    lock_drop(&exports->lock);
}

static bool save_export(struct sql *sql, const struct ledger_export *export)
{
    static const char text[] = "INSERT INTO exports (sink, request_seq, attempt_seq)"
                               " VALUES (?,?,?) ON CONFLICT DO UPDATE SET"
                               " request_seq=max(request_seq, excluded.request_seq),"
                               " attempt_seq=max(attempt_seq, excluded.attempt_seq)";
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);

    if (!query) return false;
    (void)sql_bind_text(query, 1, export->sink, strlen(export->sink));
    (void)sql_bind_integer(query, 2, export->request_seq);
    (void)sql_bind_integer(query, 3, export->attempt_seq);
    bool fine = sql_step(query) == SQL_OK;
    sql_done(query);
    return fine;
}

bool ledger_save_exports(struct ledger *ledger)
{
    struct ledger_exports *exports = &ledger->exports;
    bool fine = true;

    for (unsigned i = 0; i < LEDGER_SINKS; i++) {
        lock_take(&exports->lock);
        struct ledger_export one = exports->list[i];
        exports->list[i].dirty = false;
        lock_drop(&exports->lock);
        if (!one.dirty || save_export(ledger->sql, &one)) continue;
        fine = false;
        lock_take(&exports->lock);
        exports->list[i].dirty = true;
        lock_drop(&exports->lock);
    }
    return fine;
}

/* ---- what is old --------------------------------------------------------------------------
 */

/* Run a statement with two integers. The rows it changed, or -1: see sql_error(). */
static int64_t change(struct sql *sql, const char *text, int64_t first, int64_t second)
{
    struct sql_query *query = sql_query(sql, text, strlen(text));

    if (!query) return -1;
    (void)sql_bind_integer(query, 1, first);
    if (sql_parameters(query) > 1) (void)sql_bind_integer(query, 2, second);
    bool fine = sql_step(query) == SQL_OK;
    sql_done(query);
    return fine ? sql_changes(sql) : -1;
}

/* The last request that may go: all, or those that every other store has. */
static int64_t last_seq(const struct ledger *ledger, const char *text)
{
    return ledger->options.exporting ? sql_number(ledger->sql, text, 0) : INT64_MAX;
}

/* Ids are ordered by time, but two gateways' clocks are not: by admission, through its index.
 */
static int64_t delete_rows(const struct ledger *ledger, int64_t before_ms)
{
    static const char attempts[] =
        "DELETE FROM attempts WHERE id IN (SELECT id FROM requests WHERE admitted_ms < ?1"
        " AND seq <= ?2 ORDER BY admitted_ms LIMIT 1000)";
    static const char requests[] =
        "DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE admitted_ms < ?1"
        " AND seq <= ?2 ORDER BY admitted_ms LIMIT 1000)";
    static const char remember[] = /* for `moongate audit`: what rows have not is in here */
        "INSERT INTO meta (k, v) SELECT 'pruned_nano', coalesce(sum(cost_nano), 0) FROM"
        " (SELECT cost_nano FROM requests WHERE admitted_ms < ?1 AND seq <= ?2 ORDER BY "
        "admitted_ms"
        " LIMIT 1000) WHERE true ON CONFLICT DO UPDATE SET v = v + excluded.v";
    static const char until[] = /* older lines that come back are not counted again */
        "INSERT INTO meta (k, v) SELECT 'pruned_ms', max(admitted_ms) + 1 FROM"
        " (SELECT admitted_ms FROM requests WHERE admitted_ms < ?1 AND seq <= ?2 ORDER BY "
        "admitted_ms LIMIT 1000) HAVING count(*) > 0"
        " ON CONFLICT DO UPDATE SET v = max(v, excluded.v)";
    int64_t seq = last_seq(ledger, "SELECT min(request_seq) FROM exports");

    if (change(ledger->sql, remember, before_ms, seq) < 0 ||
        change(ledger->sql, until, before_ms, seq) < 0 ||
        change(ledger->sql, attempts, before_ms, seq) < 0)
        return -1;
    return change(ledger->sql, requests, before_ms, seq);
}

static bool delete_windows(const struct ledger *ledger, int64_t now_s, int64_t before_s)
{
    static const char users[] = /* who may be anybody, and without number */
        "DELETE FROM spend WHERE period IN ('day', 'week') AND start_s < ?"
        " AND account >= 'user:' AND account < 'user;'";
    static const char minutes[] = "DELETE FROM spend WHERE period='minute' AND start_s < ?";
    static const char hours[] = "DELETE FROM spend WHERE period='hour' AND start_s < ?";

    return change(ledger->sql, minutes, now_s - MINUTES_S, 0) >= 0 &&
           change(ledger->sql, hours, now_s - HOURS_S, 0) >= 0 &&
           change(ledger->sql, users, before_s, 0) >= 0;
}

/* One turn's worth; *more: there may be more. */
static bool prune(const struct ledger *ledger, int64_t now_ms, bool *more)
{
    unsigned days = ledger->options.retention_days;
    int64_t before_ms = now_ms - (int64_t)(days ? days : RETENTION_DAYS) * 86400000;

    if (sql_run(ledger->sql, "BEGIN IMMEDIATE") != SQL_OK) return false;
    int64_t gone = delete_rows(ledger, before_ms);
    *more = gone >= ROWS;
    if (gone < 0) return false;
    if (!*more && (!delete_windows(ledger, now_ms / 1000, before_ms / 1000) ||
                   !ledger_ingest_prune(ledger->ingest, now_ms / 86400000 - FILE_DAYS)))
        return false;
    return sql_run(ledger->sql, "COMMIT") == SQL_OK;
}

bool ledger_prune(struct ledger *ledger)
{
    int64_t now = moment_monotonic_us() / 1000;
    bool more = false;

    if (now < ledger->prune_ms) return true;
    bool fine = prune(ledger, moment_wall_us() / 1000, &more);
    if (!fine) sql_rollback(ledger->sql);
    ledger->prune_ms = more ? now : now + EVERY_MS;
    return fine;
}
