#include "ledger_sums.h"

#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "json.h"
#include "ledger_tally.h"
#include "sql.h"

enum {
    MAX_KNOWN = 65536, /* names remembered */
    MAX_KEY = 4096,    /* bytes of who and what, together */
    MAX_NAME = 1024,   /* of an account */
    HOUR_S = 3600,
    DAY_S = 86400,
};

/* The columns of usage_sums, in order. */
enum {
    REQUESTS,
    FAILED,
    TOKENS,
    COST = TOKENS + LEDGER_TOKENS,
    UNPRICED,
    ESTIMATED,
    EXTRA,
    SUMS
};

static const char FIND_REF[] =
    "SELECT ref FROM usage_of WHERE key=? AND key_id=? AND team=? AND tags=? AND grp=?"
    " AND model=? AND deployment=? AND provider=? AND upstream_model=?";
static const char MAKE_REF[] =
    "INSERT INTO usage_of (key, key_id, team, tags, grp, model, deployment, provider,"
    " upstream_model) VALUES (?,?,?,?,?,?,?,?,?) RETURNING ref";
static const char ADD_USAGE[] =
    "INSERT INTO usage_sums VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET requests=requests+excluded.requests,"
    " failed=failed+excluded.failed, input=input+excluded.input,"
    " output=output+excluded.output, cache_read=cache_read+excluded.cache_read,"
    " cache_write=cache_write+excluded.cache_write,"
    " cache_write_1h=cache_write_1h+excluded.cache_write_1h,"
    " reasoning=reasoning+excluded.reasoning, audio_input=audio_input+excluded.audio_input,"
    " audio_output=audio_output+excluded.audio_output,"
    " image_input=image_input+excluded.image_input,"
    " image_output=image_output+excluded.image_output,"
    " cost_nano=cost_nano+excluded.cost_nano, unpriced=unpriced+excluded.unpriced,"
    " estimated=estimated+excluded.estimated, extra_input=extra_input+excluded.extra_input";
static const char ADD_SPEND[] =
    "INSERT INTO spend (account, period, start_s, nano) VALUES (?,?,?,?)"
    " ON CONFLICT DO UPDATE SET nano=nano+excluded.nano";

/* What usage is summed under. */
struct of_key {
    int64_t ref, hour_s;
};

struct ledger_sums {
    struct sql *sql;    /* borrowed */
    struct tally known; /* who and what → ref */
    struct tally usage; /* struct of_key → SUMS */
    struct tally spend; /* minute, then account's name → nano */
};

struct ledger_sums *ledger_sums_new(struct sql *sql)
{
    struct ledger_sums *sums = calloc(1, sizeof(*sums));

    if (!sums) return NULL;
    sums->sql = sql;
    tally_init(&sums->known, 1);
    tally_init(&sums->usage, SUMS);
    tally_init(&sums->spend, 1);
    return sums;
}

void ledger_sums_free(struct ledger_sums *sums)
{
    if (!sums) return;
    tally_free(&sums->known);
    tally_free(&sums->usage);
    tally_free(&sums->spend);
    free(sums);
}

void ledger_sums_forget(struct ledger_sums *sums)
{
    tally_clear(&sums->known); /* some refs may be of the transaction that was undone */
    tally_clear(&sums->usage);
    tally_clear(&sums->spend);
}

static int64_t saturated(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* ---- who and what -------------------------------------------------------------------------
 */

enum { OF = 9 };

static void names_of(const struct ledger_line *line, struct ledger_text names[OF])
{
    const struct ledger_text all[OF] = {line->key,        line->key_id,   line->team,
                                        line->tags,       line->group,    line->model,
                                        line->deployment, line->provider, line->upstream_model};

    memcpy(names, all, sizeof(all));
}

static bool run_ref(struct ledger_sums *sums, const char *text, size_t len,
                    const struct ledger_text names[OF], int64_t *ref)
{
    struct sql_query *query = sql_query(sums->sql, text, len);

    if (!query) return false;
    for (unsigned i = 0; i < OF; i++) {
        (void)sql_bind_text(query, i + 1, names[i].bytes ? names[i].bytes : "", names[i].len);
    }
    enum sql_code code = sql_step(query);
    if (code == SQL_ROW) *ref = sql_integer(query, 0);
    sql_done(query);
    return code == SQL_ROW || code == SQL_OK;
}

/* Its number in usage_of; made where it is new. Too long a name is cut off from being known. */
static bool ref_of(struct ledger_sums *sums, const struct ledger_line *line, int64_t *ref)
{
    struct ledger_text names[OF];
    char key[MAX_KEY];
    size_t len = 0;

    names_of(line, names);
    for (int i = 0; i < OF; i++) {
        if (names[i].len >= MAX_KEY - len) names[i].len = 0;
        if (names[i].len) memcpy(key + len, names[i].bytes, names[i].len);
        len += names[i].len;
        if (len < MAX_KEY) key[len++] = '\n';
    }
    if (sums->known.count >= MAX_KNOWN) tally_clear(&sums->known);
    int64_t *found = tally_at(&sums->known, key, len, NULL);
    if (!found) return false;
    if (!*found && !run_ref(sums, FIND_REF, sizeof(FIND_REF) - 1, names, found)) return false;
    if (!*found && !run_ref(sums, MAKE_REF, sizeof(MAKE_REF) - 1, names, found)) return false;
    *ref = *found;
    return true;
}

static bool is_ok(const struct ledger_line *line)
{
    return line->outcome.len == 2 && memcmp(line->outcome.bytes, "ok", 2) == 0;
}

static int64_t extra_of(const struct ledger_line *line)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < line->try_count; i++) {
        if (line->tries[i].extra_input > 0) sum = saturated(sum, line->tries[i].extra_input);
    }
    return sum;
}

static bool add_usage(struct ledger_sums *sums, const struct ledger_line *line)
{
    struct of_key key = {.hour_s = line->admitted_ms / 1000 / HOUR_S * HOUR_S};
    bool priced = line->cost_nano != LEDGER_NONE;

    if (!ref_of(sums, line, &key.ref)) return false;
    int64_t *sum = tally_at(&sums->usage, &key, sizeof(key), NULL);
    if (!sum) return false;
    sum[REQUESTS]++;
    sum[FAILED] += !is_ok(line);
    for (int i = 0; i < LEDGER_TOKENS; i++) {
        sum[TOKENS + i] = saturated(sum[TOKENS + i], line->tokens[i]);
    }
    sum[COST] = saturated(sum[COST], priced ? line->cost_nano : 0);
    sum[UNPRICED] += !priced && (is_ok(line) || line->tokens[LEDGER_INPUT] > 0 ||
                                 line->tokens[LEDGER_OUTPUT] > 0);
    sum[ESTIMATED] += line->estimated == 1;
    sum[EXTRA] = saturated(sum[EXTRA], extra_of(line));
    return true;
}

/* ---- accounts -----------------------------------------------------------------------------
 */

static bool add_spend(struct ledger_sums *sums, const struct ledger_line *line,
                      struct ledger_text prefix, struct ledger_text name)
{
    char key[sizeof(int64_t) + MAX_NAME];
    int64_t minute_s = line->admitted_ms / 60000 * 60;
    size_t before = prefix.len, len = sizeof(minute_s) + before + name.len;

    if (len > sizeof(key)) return true; /* no account has such a name */
    memcpy(key, &minute_s, sizeof(minute_s));
    memcpy(key + sizeof(minute_s), prefix.bytes, before);
    memcpy(key + sizeof(minute_s) + before, name.bytes, name.len);
    int64_t *nano = tally_at(&sums->spend, key, len, NULL);
    if (!nano) return false;
    *nano = saturated(*nano, line->cost_nano);
    return true;
}

/* Every account that the request was reserved with; older lines name their key alone. */
static bool add_accounts(struct ledger_sums *sums, const struct ledger_line *line)
{
    struct json_reader reader;
    static const struct ledger_text of_key = {"key:", 4}, of_none = {"", 0};
    bool fine = true;

    if (line->cost_nano == LEDGER_NONE || line->cost_nano == 0) return true;
    if (!line->accounts.bytes) {
        struct ledger_text name = line->key_id.bytes ? line->key_id : line->key;
        return !name.bytes || add_spend(sums, line, of_key, name);
    }
    json_begin(&reader, line->accounts.bytes, line->accounts.len, &json_client_limits);
    if (json_next(&reader) != JSON_ARRAY) return true;
    while (fine && json_next(&reader) == JSON_STRING) {
        char plain[MAX_NAME];
        struct ledger_text name = {reader.from, (size_t)(reader.to - reader.from)};
        if (reader.escaped && name.len <= MAX_NAME) {
            name.len = json_unescape(name.bytes, name.len, plain);
            name.bytes = plain;
        }
        fine = add_spend(sums, line, of_none, name);
    }
    return fine;
}

bool ledger_sums_add(struct ledger_sums *sums, const struct ledger_line *line)
{
    return add_usage(sums, line) && add_accounts(sums, line);
}

/* ---- to the tables ------------------------------------------------------------------------
 */

static bool write_usage(struct ledger_sums *sums, const struct of_key *key, int64_t period,
                        const int64_t *values)
{
    struct sql_query *query = sql_query(sums->sql, ADD_USAGE, sizeof(ADD_USAGE) - 1);

    if (!query) return false;
    (void)sql_bind_integer(query, 1, period);
    (void)sql_bind_integer(query, 2, key->hour_s / period * period);
    (void)sql_bind_integer(query, 3, key->ref);
    for (unsigned i = 0; i < SUMS; i++) {
        (void)sql_bind_integer(query, 4 + i, values[i]);
    }
    bool fine = sql_step(query) == SQL_OK;
    sql_done(query);
    return fine;
}

static bool write_spend(struct ledger_sums *sums, enum accounts_window window, int64_t minute_s,
                        const struct ledger_text *name, int64_t nano)
{
    const char *period = accounts_window_name(window);
    struct sql_query *query = sql_query(sums->sql, ADD_SPEND, sizeof(ADD_SPEND) - 1);

    if (!query) return false;
    (void)sql_bind_text(query, 1, name->bytes, name->len);
    (void)sql_bind_text(query, 2, period, strlen(period));
    (void)sql_bind_integer(query, 3, accounts_window_start(window, minute_s * 1000) / 1000);
    (void)sql_bind_integer(query, 4, nano);
    bool fine = sql_step(query) == SQL_OK;
    sql_done(query);
    return fine;
}

static bool flush_usage(struct ledger_sums *sums)
{
    for (struct tally_entry *at = tally_next(&sums->usage, NULL); at;
         at = tally_next(&sums->usage, at)) {
        struct of_key key;
        memcpy(&key, tally_key(&sums->usage, at), sizeof(key));
        if (!write_usage(sums, &key, HOUR_S, at->values) ||
            !write_usage(sums, &key, DAY_S, at->values))
            return false;
    }
    return true;
}

static bool flush_spend(struct ledger_sums *sums)
{
    for (struct tally_entry *at = tally_next(&sums->spend, NULL); at;
         at = tally_next(&sums->spend, at)) {
        const char *key = tally_key(&sums->spend, at);
        int64_t minute_s;
        memcpy(&minute_s, key, sizeof(minute_s));
        struct ledger_text name = {key + sizeof(minute_s), at->len - sizeof(minute_s)};
        for (unsigned window = 0; window < ACCOUNTS_WINDOWS; window++) {
            if (!write_spend(sums, window, minute_s, &name, at->values[0])) return false;
        }
    }
    return true;
}

bool ledger_sums_flush(struct ledger_sums *sums)
{
    bool fine = flush_usage(sums) && flush_spend(sums);

    tally_clear(&sums->usage);
    tally_clear(&sums->spend);
    return fine;
}
