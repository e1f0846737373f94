#include "keyring_fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "keyring.h"
#include "moment.h"
#include "pepper.h"
#include "sql.h"

static bool complain(char **error, const char *what, const char *why)
{
    if (asprintf(error, "%s: %s", what, why) < 0) *error = NULL;
    return false;
}

/* A secret whose time is over says so in the record, as scripts/ledger/store.lua writes it. */
static const char SECRETS[] =
    "SELECT s.public_id, s.mac, CASE WHEN s.expires_ms IS NULL"
    " THEN coalesce(k.published, k.record)"
    " ELSE json_set(coalesce(k.published, k.record), '$.secret_expires_at',"
    " s.expires_ms / 1000.0) END"
    " FROM key_secrets s JOIN keys k ON k.id = s.key_id"
    " WHERE s.expires_ms IS NULL OR s.expires_ms > ?";
static const char TEAMS[] = "SELECT name, record FROM teams";

static struct keyring_text column(const struct sql_query *query, unsigned i)
{
    struct keyring_text text;

    text.bytes = sql_bytes(query, i, &text.len);
    return text;
}

static bool put_secret(struct keyring *keyring, const struct sql_query *query)
{
    struct keyring_text mac = column(query, 1);

    return mac.len == KEYRING_MAC &&
           keyring_put(keyring, column(query, 0), (const unsigned char *)mac.bytes,
                       column(query, 2));
}

static bool put_team(struct keyring *keyring, const struct sql_query *query)
{
    return keyring_put_team(keyring, column(query, 0), column(query, 1));
}

/* Call `put` for each row. */
static bool each(struct keyring *keyring, struct sql *sql, const char *text,
                 bool (*put)(struct keyring *, const struct sql_query *))
{
    struct sql_query *query = sql_query(sql, text, strlen(text));
    enum sql_code code = SQL_ROW;
    bool fine = true;

    if (!query) return false;
    if (sql_parameters(query) > 0) (void)sql_bind_integer(query, 1, moment_wall_us() / 1000);
    while (fine && (code = sql_step(query)) == SQL_ROW)
        fine = put(keyring, query);
    sql_done(query);
    return fine && code == SQL_OK;
}

bool keyring_fill(struct keyring *keyring, struct sql *sql, const char *dir, char **error)
{
    unsigned char pepper[PEPPER_SIZE];
    int64_t secrets = sql_number(sql, "SELECT count(*) FROM key_secrets", -1);

    if (secrets < 0) return complain(error, "cannot read the ledger's keys", sql_message(sql));
    if (!pepper_open(dir, secrets == 0, pepper, error)) return false;
    keyring_season(keyring, pepper);
    digest_wipe(pepper, sizeof(pepper));
    if (sql_number(sql, "SELECT count(*) FROM meta WHERE k='keyed'", 0) > 0)
        keyring_close(keyring);
    if (each(keyring, sql, TEAMS, put_team) && each(keyring, sql, SECRETS, put_secret))
        return true;
    return complain(error, "cannot read the ledger's keys",
                    sql_error(sql) == SQL_OK ? "out of memory, or a damaged row"
                                             : sql_message(sql));
}
