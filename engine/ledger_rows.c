#include "ledger_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ledger_sums.h"
#include "sql.h"

static const char INSERT_REQUEST[] =
    "INSERT OR IGNORE INTO requests (id, ts_ms, admitted_ms, key, key_id, team, tags, user,"
    " dialect, grp, model, deployment, provider, upstream_model, provider_id, input, output,"
    " cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output,"
    " image_input, image_output, cost_nano, estimated, counted_input, counted_exact, status,"
    " outcome, stream, ttft_ms, duration_ms, attempts, generation, finish, error, prices,"
    " accounts, boot) VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?,?,?,?,?)";

static const char INSERT_ATTEMPT[] =
    "INSERT OR IGNORE INTO attempts (id, n, deployment, provider, upstream_model, status,"
    " reason, ms, billed, cost_nano, extra_input, extra_nano)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)";

struct ledger_rows {
    struct sql *sql;          /* borrowed */
    struct ledger_sums *sums; /* owned */
    uint64_t count, fresh;    /* fresh: not yet committed */
};

struct ledger_rows *ledger_rows_new(struct sql *sql)
{
    struct ledger_rows *rows = calloc(1, sizeof(*rows));

    if (!rows) return NULL;
    rows->sql = sql;
    rows->sums = ledger_sums_new(sql);
    if (rows->sums) return rows;
    free(rows);
    return NULL;
}

void ledger_rows_free(struct ledger_rows *rows)
{
    if (!rows) return;
    ledger_sums_free(rows->sums);
    free(rows);
}

/* ---- binding: what is absent is NULL ------------------------------------------------------
 */

/* A statement being filled, parameter by parameter. */
struct filling {
    struct sql_query *query;
    unsigned at; /* the last one filled */
};

static void put_text(struct filling *row, struct ledger_text text)
{
    row->at++;
    if (text.bytes) (void)sql_bind_text(row->query, row->at, text.bytes, text.len);
}

static void put_integer(struct filling *row, int64_t value)
{
    row->at++;
    if (value != LEDGER_NONE) (void)sql_bind_integer(row->query, row->at, value);
}

static void put_real(struct filling *row, double value)
{
    row->at++;
    if (!isnan(value)) (void)sql_bind_real(row->query, row->at, value);
}

static struct ledger_text or_word(struct ledger_text text, const char *word)
{
    return text.bytes ? text : (struct ledger_text){word, strlen(word)};
}

static int64_t or_zero(int64_t value)
{
    return value == LEDGER_NONE ? 0 : value;
}

static void fill_request(struct filling *row, const struct ledger_line *line)
{
    put_text(row, line->id);
    put_integer(row, line->ts_ms);
    put_integer(row, line->admitted_ms);
    put_text(row, line->key);
    put_text(row, line->key_id);
    put_text(row, line->team);
    put_text(row, line->tags);
    put_text(row, line->user);
    put_text(row, line->dialect);
    put_text(row, line->group);
    put_text(row, line->model);
    put_text(row, line->deployment);
    put_text(row, line->provider);
    put_text(row, line->upstream_model);
    put_text(row, line->provider_id);
    for (int i = 0; i < LEDGER_TOKENS; i++) {
        put_integer(row, line->tokens[i]);
    }
    put_integer(row, line->cost_nano);
    put_integer(row, or_zero(line->estimated));
    put_integer(row, line->counted_input);
    put_integer(row, line->counted_exact);
    put_integer(row, line->status);
    put_text(row, or_word(line->outcome, "unknown"));
    put_integer(row, or_zero(line->stream));
    put_real(row, line->ttft_ms);
    put_real(row, line->duration_ms);
    put_integer(row, line->try_count);
    put_integer(row, line->generation);
    put_text(row, line->finish);
    put_text(row, line->error);
    put_text(row, line->prices);
    put_text(row, line->accounts);
}

/* True, and *fresh: whether the request was new. */
static bool insert_request(struct ledger_rows *rows, const struct ledger_line *line,
                           int64_t boot, bool *fresh)
{
    struct filling row = {.query =
                              sql_query(rows->sql, INSERT_REQUEST, sizeof(INSERT_REQUEST) - 1)};

    if (!row.query) return false;
    fill_request(&row, line);
    put_integer(&row, boot);
    bool fine = sql_step(row.query) == SQL_OK;
    sql_done(row.query);
    *fresh = fine && sql_changes(rows->sql) > 0;
    return fine;
}

/* The last one carries the bill. What it does not say of itself is what the request says. */
static void fill_attempt(struct filling *row, const struct ledger_line *line, unsigned n)
{
    const struct ledger_try *one = &line->tries[n];
    bool last = n + 1 == line->try_count;
    bool same = last || !one->deployment.bytes;

    put_text(row, line->id);
    put_integer(row, n + 1);
    put_text(row, one->deployment.bytes ? one->deployment : line->deployment);
    put_text(row, one->provider.bytes || !same ? one->provider : line->provider);
    put_text(row,
             one->upstream_model.bytes || !same ? one->upstream_model : line->upstream_model);
    put_integer(row, one->status);
    put_text(row, one->reason);
    put_real(row, one->ms);
    put_integer(row, last && line->cost_nano != LEDGER_NONE);
    put_integer(row, last ? line->cost_nano : LEDGER_NONE);
    put_integer(row, one->extra_input);
    put_integer(row, one->extra_nano);
}

static bool insert_attempts(struct ledger_rows *rows, const struct ledger_line *line)
{
    bool fine = true;

    for (unsigned n = 0; fine && n < line->try_count; n++) {
        struct filling row = {
            .query = sql_query(rows->sql, INSERT_ATTEMPT, sizeof(INSERT_ATTEMPT) - 1)};
        if (!row.query) return false;
        fill_attempt(&row, line, n);
        fine = sql_step(row.query) == SQL_OK;
        sql_done(row.query);
    }
    return fine;
}

bool ledger_rows_add(struct ledger_rows *rows, const struct ledger_line *line, int64_t boot)
{
    bool fresh;

    if (!insert_request(rows, line, boot, &fresh)) return false;
    if (!fresh) return true;
    rows->fresh++;
    return insert_attempts(rows, line) && ledger_sums_add(rows->sums, line);
}

bool ledger_rows_flush(struct ledger_rows *rows)
{
    if (!ledger_sums_flush(rows->sums)) return false;
    rows->count += rows->fresh;
    rows->fresh = 0;
    return true;
}

void ledger_rows_forget(struct ledger_rows *rows)
{
    rows->fresh = 0;
    ledger_sums_forget(rows->sums);
}

uint64_t ledger_rows_count(const struct ledger_rows *rows)
{
    return rows->count;
}
