#include "outbox_rows.h"

#include <string.h>

#include "sql.h"
#include "utf8.h"

enum { MAX_JSON = 64 << 20 };

/* ---- columns ------------------------------------------------------------------------------
 */

/* T(its name in SQLite, in PostgreSQL, how it is read there), in order. Text first goes through
 * CAST: what holds a NUL is a blob, of which SQLite makes no JSON. */
#define REQUESTS(TEXT, OTHER)                                                \
    TEXT(key, key_name, "x.key")                                             \
    TEXT(key_id, key_id, "x.key_id")                                         \
    TEXT(team, team, "x.team")                                               \
    TEXT(tags, tags, JSONB("x.tags"))                                        \
    TEXT(user, end_user, "x.user")                                           \
    TEXT(dialect, dialect, "x.dialect")                                      \
    TEXT(grp, model_group, "x.grp")                                          \
    TEXT(model, model, "x.model")                                            \
    TEXT(deployment, deployment, "x.deployment")                             \
    TEXT(provider, provider, "x.provider")                                   \
    TEXT(upstream_model, upstream_model, "x.upstream_model")                 \
    TEXT(provider_id, provider_id, "x.provider_id")                          \
    OTHER(input, input_tokens, bigint, "x.input")                            \
    OTHER(output, output_tokens, bigint, "x.output")                         \
    OTHER(cache_read, cache_read_tokens, bigint, "x.cache_read")             \
    OTHER(cache_write, cache_write_tokens, bigint, "x.cache_write")          \
    OTHER(cache_write_1h, cache_write_1h_tokens, bigint, "x.cache_write_1h") \
    OTHER(reasoning, reasoning_tokens, bigint, "x.reasoning")                \
    OTHER(audio_input, audio_input_tokens, bigint, "x.audio_input")          \
    OTHER(audio_output, audio_output_tokens, bigint, "x.audio_output")       \
    OTHER(image_input, image_input_tokens, bigint, "x.image_input")          \
    OTHER(image_output, image_output_tokens, bigint, "x.image_output")       \
    OTHER(cost_nano, cost_nano, bigint, "x.cost_nano")                       \
    OTHER(estimated, estimated, bigint, "x.estimated <> 0")                  \
    OTHER(counted_input, counted_input, bigint, "x.counted_input")           \
    OTHER(counted_exact, counted_exact, bigint, "x.counted_exact <> 0")      \
    OTHER(status, status, bigint, "x.status")                                \
    TEXT(outcome, outcome, "x.outcome")                                      \
    OTHER(stream, stream, bigint, "x.stream <> 0")                           \
    OTHER(ttft_ms, ttft_ms, float8, "x.ttft_ms")                             \
    OTHER(duration_ms, duration_ms, float8, "x.duration_ms")                 \
    OTHER(attempts, attempts, bigint, "x.attempts")                          \
    OTHER(generation, generation, bigint, "x.generation")                    \
    TEXT(finish, finish, "x.finish")                                         \
    TEXT(error, error, "x.error")                                            \
    TEXT(prices, prices, "x.prices")                                         \
    TEXT(accounts, accounts, JSONB("x.accounts"))

#define ATTEMPTS(TEXT, OTHER)                                \
    OTHER(n, n, bigint, "x.n")                               \
    TEXT(deployment, deployment, "x.deployment")             \
    TEXT(provider, provider, "x.provider")                   \
    TEXT(upstream_model, upstream_model, "x.upstream_model") \
    OTHER(status, status, bigint, "x.status")                \
    TEXT(reason, reason, "x.reason")                         \
    OTHER(ms, ms, float8, "x.ms")                            \
    OTHER(billed, billed, bigint, "x.billed <> 0")           \
    OTHER(cost_nano, cost_nano, bigint, "x.cost_nano")       \
    OTHER(extra_input, extra_input, bigint, "x.extra_input") \
    OTHER(extra_nano, extra_nano, bigint, "x.extra_nano")

/* jsonb knows no NUL, not even an escaped one. */
#define JSONB(column) "replace(" column ", '\\u0000', '\\ufffd')::jsonb"

#define READ_TEXT(ours, theirs, how)        ",'" #ours "',CAST(" #ours " AS TEXT)"
#define READ_OTHER(ours, theirs, type, how) ",'" #ours "'," #ours
#define NAME_TEXT(ours, theirs, how)        ", " #theirs
#define NAME_OTHER(ours, theirs, type, how) ", " #theirs
#define MAKE_TEXT(ours, theirs, how)        ", " how
#define MAKE_OTHER(ours, theirs, type, how) ", " how
#define TYPE_TEXT(ours, theirs, how)        ", \"" #ours "\" text"
#define TYPE_OTHER(ours, theirs, type, how) ", \"" #ours "\" " #type

/* ---- SQLite -------------------------------------------------------------------------------
 */

#define READ(table, columns)                                                                \
    "SELECT max(seq), count(*), json_group_array(json(row)) FROM (SELECT seq, json_object(" \
    "'seq',seq,'id',CAST(id AS TEXT)" columns(READ_TEXT, READ_OTHER) MORE_##table           \
        ") AS row FROM " #table " WHERE seq > ?1 ORDER BY seq LIMIT ?2)"
#define MORE_requests ",'ts_ms',ts_ms,'admitted_ms',admitted_ms"
#define MORE_attempts ""

static const char *const reads[] = {READ(requests, REQUESTS), READ(attempts, ATTEMPTS)};
static const char *const lasts[] = {"SELECT max(seq) FROM requests",
                                    "SELECT max(seq) FROM attempts"};

/* What PostgreSQL takes for text: no NUL, well-formed. */
static bool clean(struct buf *to, const char *json, size_t len)
{
    size_t at = 0, from = 0;
    bool fine = true;

    while (at < len && fine) {
        uint32_t code;
        size_t size = utf8_decode((const unsigned char *)json + at, len - at, &code);
        bool nul = len - at >= 6 && memcmp(json + at, "\\u0000", 6) == 0;
        if (size && !nul) {
            at += json[at] == '\\' && at + 1 < len ? 2 : size;
            continue;
        }
        fine = buf_append(to, json + from, at - from) && buf_append(to, "\\ufffd", 6);
        at += nul ? 6 : 1;
        from = at;
    }
    return fine && buf_append(to, json + from, len - from) && buf_append(to, "", 1);
}

bool outbox_rows_read(struct sql *sql, enum outbox_table table, int64_t seq, int64_t limit,
                      struct outbox_rows *rows)
{
    struct sql_query *query = sql_query(sql, reads[table], strlen(reads[table]));
    bool fine = false;
    size_t len;

    rows->count = 0;
    rows->json.limit = MAX_JSON;
    buf_clear(&rows->json);
    if (!query) return false;
    if (sql_bind_integer(query, 1, seq) && sql_bind_integer(query, 2, limit) &&
        sql_step(query) == SQL_ROW) {
        rows->last_seq = sql_integer(query, 0);
        rows->count = sql_integer(query, 1);
        const char *json = sql_bytes(query, 2, &len);
        fine = rows->count == 0 || (json && clean(&rows->json, json, len));
    }
    sql_done(query);
    return fine;
}

int64_t outbox_rows_last(struct sql *sql, enum outbox_table table)
{
    struct sql_query *query = sql_query(sql, lasts[table], strlen(lasts[table]));
    int64_t last = -1;

    if (!query) return -1;
    if (sql_step(query) == SQL_ROW) last = sql_integer(query, 0);
    sql_done(query);
    return last;
}

/* ---- PostgreSQL ---------------------------------------------------------------------------
 */

const char outbox_rows_look[] = "SELECT (to_regclass('moongate_requests') IS NOT NULL AND "
                                "to_regclass('moongate_attempts') IS NOT NULL)::int";

/* Two gateways may start at once: the lock is the transaction's. Documented in
 * docs/cluster.md. */
const char outbox_rows_create[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(7881679140221);"
    "CREATE TABLE IF NOT EXISTS moongate_requests ("
    " request_id text PRIMARY KEY, node text NOT NULL, seq bigint NOT NULL,"
    " ts timestamptz NOT NULL, admitted timestamptz NOT NULL,"
    " key_name text, key_id text, team text, tags jsonb, end_user text, dialect text,"
    " model_group text, model text, deployment text, provider text, upstream_model text,"
    " provider_id text, input_tokens bigint NOT NULL, output_tokens bigint NOT NULL,"
    " cache_read_tokens bigint NOT NULL, cache_write_tokens bigint NOT NULL,"
    " cache_write_1h_tokens bigint NOT NULL, reasoning_tokens bigint NOT NULL,"
    " audio_input_tokens bigint NOT NULL, audio_output_tokens bigint NOT NULL,"
    " image_input_tokens bigint NOT NULL, image_output_tokens bigint NOT NULL,"
    " cost_nano bigint, estimated boolean NOT NULL, counted_input bigint,"
    " counted_exact boolean, status bigint, outcome text NOT NULL, stream boolean NOT NULL,"
    " ttft_ms float8, duration_ms float8, attempts bigint NOT NULL, generation bigint,"
    " finish text, error text, prices text, accounts jsonb);"
    "CREATE INDEX IF NOT EXISTS moongate_requests_ts ON moongate_requests (ts);"
    "CREATE TABLE IF NOT EXISTS moongate_attempts ("
    " request_id text NOT NULL, n bigint NOT NULL, node text NOT NULL, seq bigint NOT NULL,"
    " deployment text, provider text, upstream_model text, status bigint, reason text,"
    " ms float8, billed boolean NOT NULL, cost_nano bigint, extra_input bigint,"
    " extra_nano bigint, PRIMARY KEY (request_id, n));"
    "COMMIT";

#define INSERT(table, columns, names, values, types, key)                                  \
    "INSERT INTO moongate_" #table " (request_id, node, seq" names columns(                \
        NAME_TEXT, NAME_OTHER) ") SELECT x.id, $2, x.seq" values                           \
    columns(MAKE_TEXT,                                                                     \
            MAKE_OTHER) " FROM json_to_recordset($1::json) AS x(id text, seq bigint" types \
    columns(TYPE_TEXT, TYPE_OTHER) ") ORDER BY x.id ON CONFLICT (" key ") DO NOTHING"

static const char *const inserts[] = {
    INSERT(requests, REQUESTS, ", ts, admitted",
           ", to_timestamp(x.ts_ms / 1000.0), to_timestamp(x.admitted_ms / 1000.0)",
           ", ts_ms bigint, admitted_ms bigint", "request_id"),
    INSERT(attempts, ATTEMPTS, "", "", "", "request_id, n"),
};

const char *outbox_rows_insert(enum outbox_table table)
{
    return inserts[table];
}
