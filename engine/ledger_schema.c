#include "ledger_schema.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "sql.h"

/* Rows are written once and never changed; seq only rises, so that an exporter may go by it. */
static const char requests[] =
    "CREATE TABLE requests ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " ts_ms INTEGER NOT NULL, admitted_ms INTEGER NOT NULL,"
    " key TEXT, key_id TEXT, team TEXT, tags TEXT, user TEXT, dialect TEXT, grp TEXT,"
    " model TEXT, deployment TEXT, provider TEXT, upstream_model TEXT, provider_id TEXT,"
    " input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL,"
    " reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL,"
    " audio_output INTEGER NOT NULL, image_input INTEGER NOT NULL,"
    " image_output INTEGER NOT NULL, cost_nano INTEGER, estimated INTEGER NOT NULL,"
    " counted_input INTEGER, counted_exact INTEGER, status INTEGER, outcome TEXT NOT NULL,"
    " stream INTEGER NOT NULL, ttft_ms REAL, duration_ms REAL, attempts INTEGER NOT NULL,"
    " generation INTEGER, finish TEXT, error TEXT, prices TEXT, accounts TEXT,"
    " boot INTEGER NOT NULL);"
    "CREATE INDEX requests_admitted ON requests (admitted_ms);"
    "CREATE INDEX requests_unsettled ON requests (admitted_ms) WHERE outcome = 'unsettled';";

static const char attempts[] =
    "CREATE TABLE attempts ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, n INTEGER NOT NULL,"
    " deployment TEXT, provider TEXT, upstream_model TEXT, status INTEGER, reason TEXT,"
    " ms REAL, billed INTEGER NOT NULL, cost_nano INTEGER, extra_input INTEGER,"
    " extra_nano INTEGER, UNIQUE (id, n));";

/* Roll-ups hold numbers; who and what they are of is said once, in usage_of. Absent names are
 * '' there, for a NULL differs from itself. */
static const char rollups[] =
    "CREATE TABLE usage_of ("
    " ref INTEGER PRIMARY KEY, key TEXT NOT NULL, key_id TEXT NOT NULL, team TEXT NOT NULL,"
    " tags TEXT NOT NULL, grp TEXT NOT NULL, model TEXT NOT NULL, deployment TEXT NOT NULL,"
    " provider TEXT NOT NULL, upstream_model TEXT NOT NULL,"
    " UNIQUE (key, key_id, team, tags, grp, model, deployment, provider, upstream_model));"
    "CREATE TABLE usage_sums ("
    " period INTEGER NOT NULL, start INTEGER NOT NULL, ref INTEGER NOT NULL,"
    " requests INTEGER NOT NULL, failed INTEGER NOT NULL, input INTEGER NOT NULL,"
    " output INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,"
    " cache_write_1h INTEGER NOT NULL, reasoning INTEGER NOT NULL,"
    " audio_input INTEGER NOT NULL, audio_output INTEGER NOT NULL,"
    " image_input INTEGER NOT NULL, image_output INTEGER NOT NULL,"
    " cost_nano INTEGER NOT NULL, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL,"
    " extra_input INTEGER NOT NULL, PRIMARY KEY (period, start, ref)) WITHOUT ROWID;"
#define SUMS                                                                               \
    " s.start, u.key, u.key_id, u.team, u.tags, u.grp, u.model, u.deployment, u.provider," \
    " u.upstream_model, s.requests, s.failed, s.input, s.output, s.cache_read,"            \
    " s.cache_write, s.cache_write_1h, s.reasoning, s.audio_input, s.audio_output,"        \
    " s.image_input, s.image_output, s.cost_nano, s.unpriced, s.estimated, s.extra_input"  \
    " FROM usage_sums s JOIN usage_of u ON u.ref = s.ref WHERE s.period = "
    "CREATE VIEW usage_hour AS SELECT" SUMS "3600;"
    "CREATE VIEW usage_day AS SELECT" SUMS "86400;";
#undef SUMS

static const char spend[] =
    "CREATE TABLE spend ("
    " account TEXT NOT NULL, period TEXT NOT NULL, start_s INTEGER NOT NULL,"
    " nano INTEGER NOT NULL, PRIMARY KEY (period, start_s, account)) WITHOUT ROWID;";

/* `record` is what was said of a key or a team, as JSON; `published` what holds of a key where
 * that is less (scripts/ledger/store.lua). A key of no team has team ''.
 * Keys and secrets lie in the order of their ids, mostly the same: the start reads them side by
 * side. */
static const char keys[] =
    "CREATE TABLE teams ("
    " name TEXT PRIMARY KEY, record TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL);"
    "CREATE TABLE keys ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, team TEXT NOT NULL, record TEXT NOT NULL,"
    " published TEXT, created_by TEXT, disabled INTEGER NOT NULL, disabled_by TEXT,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (team, name))"
    " WITHOUT ROWID;"
    "CREATE INDEX keys_created_by ON keys (created_by) WHERE created_by IS NOT NULL;"
    "CREATE TABLE key_secrets ("
    " public_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, mac BLOB NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER) WITHOUT ROWID;"
    "CREATE INDEX key_secrets_key ON key_secrets (key_id);"
    "CREATE TABLE admin_log ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, ts_ms INTEGER NOT NULL, actor TEXT NOT NULL,"
    " verb TEXT NOT NULL, object TEXT, fields TEXT);";

/* pending: the offsets of intent lines whose usage line was not there yet. */
static const char rest[] =
    "CREATE TABLE meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
    "CREATE TABLE journal_files ("
    " name TEXT PRIMARY KEY, offset INTEGER NOT NULL, pending BLOB) WITHOUT ROWID;"
    "CREATE TABLE exports ("
    " sink TEXT PRIMARY KEY, request_seq INTEGER NOT NULL, attempt_seq INTEGER NOT NULL);";

/* One step a version. */
static const char *const steps[][7] = {
    {requests, attempts, rollups, spend, keys, rest, NULL},
};
enum { VERSION = sizeof(steps) / sizeof(steps[0]) };

int ledger_schema_version(void)
{
    return VERSION;
}

static bool complain(char **error, const char *what, const char *path, const struct sql *sql)
{
    if (asprintf(error, "%s %s: %s (%s)", what, path, sql_message(sql),
                 sql_code_name(sql_error(sql))) < 0)
        *error = NULL;
    return false;
}

/* A whole copy, before anything is changed. */
static bool copy(struct sql *sql, const char *path, int version, char **error)
{
    char *name = NULL;
    bool fine = false;

    if (asprintf(&name, "%s.v%d", path, version) < 0) return false;
    (void)unlink(name); /* of a try that failed */
    static const char text[] = "VACUUM INTO ?";
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);
    if (query) {
        fine = sql_bind_text(query, 1, name, strlen(name)) && sql_step(query) == SQL_OK;
        sql_done(query);
    }
    if (!fine) complain(error, "cannot copy the ledger to", name, sql);
    free(name);
    return fine;
}

static bool take_steps(struct sql *sql, int from)
{
    char pragma[48];

    if (sql_run(sql, "BEGIN IMMEDIATE") != SQL_OK) return false;
    for (int version = from; version < VERSION; version++) {
        for (const char *const *text = steps[version]; *text; text++) {
            if (sql_run(sql, *text) != SQL_OK) return false;
        }
    }
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", VERSION);
    return sql_run(sql, pragma) == SQL_OK && sql_run(sql, "COMMIT") == SQL_OK;
}

bool ledger_schema_migrate(struct sql *sql, const char *path, char **error)
{
    int64_t version = sql_number(sql, "PRAGMA user_version", -1);

    *error = NULL;
    if (version < 0) return complain(error, "cannot read", path, sql);
    if (version == VERSION) return true;
    if (version > VERSION) {
        if (asprintf(
                error,
                "%s was written by a newer moongate (its tables are version %lld, this one "
                "knows %d): start the newer one, or give another --data",
                path, (long long)version, VERSION) < 0)
            *error = NULL;
        return false;
    }
    if (version > 0 && !copy(sql, path, (int)version, error)) return false;
    if (version > 0) sql_sync_commits(sql, true);
    bool fine = take_steps(sql, (int)version);
    if (!fine) complain(error, "cannot bring the tables up to date in", path, sql);
    sql_rollback(sql);
    if (version > 0) sql_sync_commits(sql, false);
    return fine;
}
