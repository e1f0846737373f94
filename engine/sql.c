#include "sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "moment.h"
#include "utf8.h"

enum {
    BUSY_MS = 2000,
    CACHE_KIB = 2048,
    CACHE = 128, /* statements kept prepared */
};

struct sql_query {
    sqlite3_stmt *statement; /* owned */
    struct sql *sql;
    char *text; /* owned */
    size_t len;
    uint32_t hash;
    bool used, kept;
};

struct sql {
    sqlite3 *db; /* owned */
    struct sql_query *kept[CACHE];
    enum sql_code code; /* of the last failure */
    char *message;      /* owned; of the last failure */
};

const char *sql_code_name(enum sql_code code)
{
    static const char *const names[] = {"OK",         "ROW",     "BUSY",     "FULL",
                                        "IOERR",      "CORRUPT", "READONLY", "CANTOPEN",
                                        "CONSTRAINT", "NOMEM",   "MISUSE"};

    return names[code];
}

static enum sql_code code_of(int status)
{
    switch (status & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE: return SQL_OK;
    case SQLITE_ROW: return SQL_ROW;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return SQL_BUSY;
    case SQLITE_FULL: return SQL_FULL;
    case SQLITE_IOERR: return SQL_IOERR;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return SQL_CORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return SQL_READONLY;
    case SQLITE_CANTOPEN: return SQL_CANTOPEN;
    case SQLITE_CONSTRAINT: return SQL_CONSTRAINT;
    case SQLITE_NOMEM: return SQL_NOMEM;
    default: return SQL_MISUSE;
    }
}

static enum sql_code note(struct sql *sql, int status)
{
    enum sql_code code = code_of(status);

    if (code == SQL_OK || code == SQL_ROW) return code;
    sql->code = code;
    free(sql->message);
    sql->message = strdup(sqlite3_errmsg(sql->db));
    return code;
}

enum sql_code sql_error(const struct sql *sql)
{
    return sql->code;
}

const char *sql_message(const struct sql *sql)
{
    return sql->message ? sql->message : "out of memory";
}

const char *sql_library(void)
{
    return sqlite3_libversion();
}

/* ---- open and close -----------------------------------------------------------------------
 */

/* One writer, one checkpointer: SQLite 3.40 may damage a log that two reset at once. */
static enum sql_code set_up(struct sql *sql, enum sql_mode mode)
{
    static const char *const first[] = {
        [SQL_USUAL] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        [SQL_CREATE] = "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL",
        [SQL_ALONE] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=NORMAL",
    };
    enum sql_code code = sql_run(sql, first[mode]);

    if (code == SQL_OK)
        code = sql_run(sql, "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; "
                            "PRAGMA foreign_keys=ON;"
                            "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-2048;"
                            "PRAGMA temp_store=MEMORY");
    return code;
}

/* SQLite gives the files beside it the same mode. */
static bool make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0) (void)close(fd);
    return fd >= 0;
}

struct sql *sql_open(const char *path, enum sql_mode mode, enum sql_code *code, char **error)
{
    struct sql *sql = calloc(1, sizeof(*sql));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    *error = NULL;
    *code = SQL_NOMEM;
    if (!sql) return NULL;
    if (mode == SQL_CREATE && !make_file(path)) {
        *code = SQL_CANTOPEN;
        *error = strdup(strerror(errno));
        free(sql);
        return NULL;
    }
    int status = sqlite3_open_v2(path, &sql->db, flags, NULL);
    *code = sql->db ? note(sql, status) : SQL_NOMEM;
    if (*code == SQL_OK) {
        (void)sqlite3_busy_timeout(sql->db, BUSY_MS);
        *code = set_up(sql, mode);
    }
    if (*code == SQL_OK) return sql;
    *error = strdup(sql_message(sql));
    sql_close(sql);
    return NULL;
}

static void query_free(struct sql_query *query)
{
    if (!query) return;
    (void)sqlite3_finalize(query->statement); /* repeats what its last step said */
    free(query->text);
    free(query);
}

void sql_close(struct sql *sql)
{
    if (!sql) return;
    for (size_t i = 0; i < CACHE; i++) {
        query_free(sql->kept[i]);
    }
    (void)sqlite3_close_v2(sql->db);
    free(sql->message);
    free(sql);
}

/* ---- transactions -------------------------------------------------------------------------
 */

enum sql_code sql_run(struct sql *sql, const char *text)
{
    return note(sql, sqlite3_exec(sql->db, text, NULL, NULL, NULL));
}

bool sql_in_transaction(const struct sql *sql)
{
    return !sqlite3_get_autocommit(sql->db);
}

/* Some failures have undone it already. */
void sql_rollback(struct sql *sql)
{
    if (sql_in_transaction(sql)) (void)sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
}

void sql_sync_commits(struct sql *sql, bool each)
{
    (void)sqlite3_exec(sql->db, each ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                       NULL, NULL, NULL);
}

void sql_keep_in_memory(struct sql *sql, bool all)
{
    (void)sqlite3_exec(sql->db, all ? "PRAGMA cache_spill=OFF" : "PRAGMA cache_spill=ON", NULL,
                       NULL, NULL);
}

enum sql_code sql_read_only(struct sql *sql)
{
    return sql_run(sql, "PRAGMA query_only=ON");
}

int64_t sql_changes(const struct sql *sql)
{
    return sqlite3_changes64(sql->db);
}

enum sql_code sql_checkpoint(struct sql *sql, bool reset)
{
    int mode = reset ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;

    return note(sql, sqlite3_wal_checkpoint_v2(sql->db, NULL, mode, NULL, NULL));
}

void sql_cache(struct sql *sql, unsigned kib)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "PRAGMA cache_size=-%u", kib);
    (void)sqlite3_exec(sql->db, text, NULL, NULL, NULL); /* it only saves time */
}

void sql_rest(struct sql *sql)
{
    for (size_t i = 0; i < CACHE; i++) {
        if (!sql->kept[i] || sql->kept[i]->used) continue;
        query_free(sql->kept[i]);
        sql->kept[i] = NULL;
    }
    sql_cache(sql, CACHE_KIB);
    (void)sqlite3_db_release_memory(sql->db);
}

/* ---- queries ------------------------------------------------------------------------------
 */

/* Statements are long: eight bytes at a time. */
static uint32_t hash_of(const char *text, size_t len)
{
    uint64_t hash = len, word;

    for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    for (; len; text++, len--)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

static struct sql_query *prepare(struct sql *sql, const char *text, size_t len)
{
    struct sql_query *query = calloc(1, sizeof(*query));
    const char *rest = NULL;

    if (!query) return NULL;
    query->sql = sql;
    query->len = len;
    query->hash = hash_of(text, len);
    query->text = strndup(text, len);
    int status = !query->text
                     ? SQLITE_NOMEM
                     : sqlite3_prepare_v3(sql->db, query->text, -1, SQLITE_PREPARE_PERSISTENT,
                                          &query->statement, &rest);
    if (note(sql, status) == SQL_OK && query->statement && !*rest) return query;
    if (status == SQLITE_OK) {
        sql->code = SQL_MISUSE;
        free(sql->message);
        sql->message = strdup("one statement, please");
    }
    query_free(query);
    return NULL;
}

struct sql_query *sql_query(struct sql *sql, const char *text, size_t len)
{
    uint32_t hash = hash_of(text, len);
    struct sql_query **place = &sql->kept[hash % CACHE];
    struct sql_query *query = *place;

    if (query && !query->used && query->hash == hash && query->len == len &&
        memcmp(query->text, text, len) == 0) {
        query->used = true;
        return query;
    }
    struct sql_query *made = prepare(sql, text, len);
    if (!made) return NULL;
    made->used = true;
    if (query && query->used) return made;
    made->kept = true;
    query_free(query);
    *place = made;
    return made;
}

void sql_done(struct sql_query *query)
{
    if (!query) return;
    if (!query->kept) {
        query_free(query);
        return;
    }
    (void)sqlite3_reset(query->statement);
    (void)sqlite3_clear_bindings(query->statement);
    query->used = false;
}

unsigned sql_parameters(const struct sql_query *query)
{
    return (unsigned)sqlite3_bind_parameter_count(query->statement);
}

static bool is_plain(const char *bytes, size_t len)
{
    const char *end = bytes + len;

    while (bytes < end) {
        uint32_t code = (unsigned char)*bytes;
        size_t size = code && code < 0x80 ? 1
                                          : utf8_decode((const unsigned char *)bytes,
                                                        (size_t)(end - bytes), &code);
        if (size == 0 || code == 0) return false;
        bytes += size;
    }
    return true;
}

bool sql_bind_text(struct sql_query *query, unsigned i, const char *bytes, size_t len)
{
    if (len && !is_plain(bytes, len)) return sql_bind_blob(query, i, bytes, len);
    return sqlite3_bind_text64(query->statement, (int)i, len ? bytes : "", len, SQLITE_STATIC,
                               SQLITE_UTF8) == SQLITE_OK;
}

bool sql_bind_blob(struct sql_query *query, unsigned i, const void *bytes, size_t len)
{
    return sqlite3_bind_blob64(query->statement, (int)i, bytes, len, SQLITE_STATIC) ==
           SQLITE_OK;
}

bool sql_bind_integer(struct sql_query *query, unsigned i, int64_t value)
{
    return sqlite3_bind_int64(query->statement, (int)i, value) == SQLITE_OK;
}

bool sql_bind_real(struct sql_query *query, unsigned i, double value)
{
    return sqlite3_bind_double(query->statement, (int)i, value) == SQLITE_OK;
}

bool sql_bind_null(struct sql_query *query, unsigned i)
{
    return sqlite3_bind_null(query->statement, (int)i) == SQLITE_OK;
}

enum sql_code sql_step(struct sql_query *query)
{
    return note(query->sql, sqlite3_step(query->statement));
}

void sql_again(struct sql_query *query)
{
    (void)sqlite3_reset(query->statement); /* repeats what its last step said */
}

/* ---- what a step found --------------------------------------------------------------------
 */

unsigned sql_columns(const struct sql_query *query)
{
    return (unsigned)sqlite3_column_count(query->statement);
}

const char *sql_column_name(const struct sql_query *query, unsigned i)
{
    return sqlite3_column_name(query->statement, (int)i);
}

enum sql_type sql_column_type(const struct sql_query *query, unsigned i)
{
    switch (sqlite3_column_type(query->statement, (int)i)) {
    case SQLITE_NULL: return SQL_NULL;
    case SQLITE_INTEGER: return SQL_INTEGER;
    case SQLITE_FLOAT: return SQL_REAL;
    default: return SQL_BYTES;
    }
}

int64_t sql_integer(const struct sql_query *query, unsigned i)
{
    return sqlite3_column_int64(query->statement, (int)i);
}

double sql_real(const struct sql_query *query, unsigned i)
{
    return sqlite3_column_double(query->statement, (int)i);
}

const char *sql_bytes(const struct sql_query *query, unsigned i, size_t *len)
{
    const void *bytes = sqlite3_column_blob(query->statement, (int)i);

    *len = (size_t)sqlite3_column_bytes(query->statement, (int)i);
    return bytes ? bytes : "";
}

int64_t sql_number(struct sql *sql, const char *text, int64_t otherwise)
{
    struct sql_query *query = sql_query(sql, text, strlen(text));
    int64_t number = otherwise;

    if (!query) return otherwise;
    if (sql_step(query) == SQL_ROW && sql_column_type(query, 0) != SQL_NULL) {
        number = sql_integer(query, 0);
    }
    sql_done(query);
    return number;
}

/* ---- is it whole? -------------------------------------------------------------------------
 */

static int is_late(void *until_ms)
{
    return moment_monotonic_us() / 1000 >= *(const int64_t *)until_ms;
}

enum sql_code sql_check(struct sql *sql, int64_t limit_ms, char **found)
{
    static const char text[] = "PRAGMA quick_check(1)";
    int64_t until_ms = moment_monotonic_us() / 1000 + limit_ms;
    struct sql_query *query = sql_query(sql, text, sizeof(text) - 1);
    size_t len;

    *found = NULL;
    if (!query) return sql->code;
    sqlite3_progress_handler(sql->db, 1000, is_late, &until_ms);
    int status = sqlite3_step(query->statement);
    sqlite3_progress_handler(sql->db, 0, NULL, NULL);
    enum sql_code code = status == SQLITE_INTERRUPT ? SQL_OK : note(sql, status);
    if (code == SQL_ROW) {
        const char *said = sql_bytes(query, 0, &len);
        code = len == 2 && memcmp(said, "ok", 2) == 0 ? SQL_OK : SQL_CORRUPT;
        if (code == SQL_CORRUPT) *found = strndup(said, len);
    } else if (code != SQL_OK) {
        *found = strdup(sql_message(sql));
    }
    sql_done(query);
    return code == SQL_OK ? SQL_OK : SQL_CORRUPT;
}
