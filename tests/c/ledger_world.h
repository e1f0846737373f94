/* A data folder with a ledger of its own, for the tests of it. */
#ifndef MOONGATE_LEDGER_WORLD_H
#define MOONGATE_LEDGER_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "ledger_check.h"
#include "ledger_ingest.h"
#include "ledger_line.h"
#include "ledger_schema.h"
#include "moment.h"
#include "sql.h"

enum { PATH_SIZE = 256 };

static char base[] = "/tmp/test_ledger_XXXXXX";
static unsigned worlds;

/* A data folder with a ledger of its own. */
struct world {
    char dir[PATH_SIZE], db[PATH_SIZE + 16];
    struct sql *sql;
    struct ledger_ingest *ingest;
};

static inline void reopen(struct world *world)
{
    enum sql_code code;
    char *error = NULL;

    if (world->ingest) ledger_ingest_leave(world->ingest);
    ledger_ingest_free(world->ingest);
    sql_close(world->sql);
    world->sql = sql_open(world->db, SQL_CREATE, &code, &error);
    CHECK(world->sql && ledger_schema_migrate(world->sql, world->db, &error));
    world->ingest = ledger_ingest_new(world->dir, NULL);
    CHECK(world->ingest && ledger_ingest_use(world->ingest, world->sql));
}

static inline void open_world(struct world *world)
{
    char journal[PATH_SIZE + 16];

    *world = (struct world){.sql = NULL};
    snprintf(world->dir, sizeof(world->dir), "%s/%u", base, worlds++);
    snprintf(world->db, sizeof(world->db), "%s/ledger.db", world->dir);
    snprintf(journal, sizeof(journal), "%s/journal", world->dir);
    CHECK(mkdir(world->dir, 0700) == 0 && mkdir(journal, 0700) == 0);
    reopen(world);
}

static inline void close_world(struct world *world)
{
    ledger_ingest_free(world->ingest);
    sql_close(world->sql);
}

static inline void append(const struct world *world, const char *file, const char *format, ...)
{
    char path[PATH_SIZE + 64];
    va_list values;

    snprintf(path, sizeof(path), "%s/journal/%s", world->dir, file);
    FILE *out = fopen(path, "ae");
    if (!CHECK(out != NULL)) return;
    va_start(values, format);
    vfprintf(out, format, values);
    va_end(values);
    fclose(out);
}

static inline int64_t number(const struct world *world, const char *text)
{
    return sql_number(world->sql, text, -999);
}

static inline bool is_text(const struct world *world, const char *query, const char *want)
{
    struct sql_query *found = sql_query(world->sql, query, strlen(query));
    size_t len = 0;
    bool same = false;

    if (found && sql_step(found) == SQL_ROW) {
        const char *bytes = sql_bytes(found, 0, &len);
        same = len == strlen(want) && memcmp(bytes, want, len) == 0;
        if (!same) fprintf(stderr, "%s: %.*s\n", query, (int)len, bytes);
    }
    sql_done(found);
    return same;
}

static const char FILE_0[] = "2026-11-22-w0.jsonl", FILE_1[] = "2026-11-22-w1.jsonl";

#define INTENT                                                                         \
    "{\"type\":\"intent\",\"id\":\"%s\",\"attempt\":%d,\"key\":\"k\",\"key_id\":null," \
    "\"team\":\"t\",\"tags\":{},\"accounts\":[\"key:k\",\"team:t\",\"org\"],"          \
    "\"deployment\":\"d%d\",\"provider\":\"p\",\"upstream_model\":\"m\","              \
    "\"ts\":\"2026-11-22T08:00:00.123Z\",\"admitted\":1795334400000,"                  \
    "\"reserve\":{\"tokens\":9,\"nano\":%d}}\n"

#define USAGE                                                                              \
    "{\"type\":\"usage\",\"id\":\"%s\",\"ts\":\"2026-11-22T08:00:01.123Z\",\"key\":\"k\"," \
    "\"key_id\":null,\"team\":\"t\",\"tags\":{\"a\":\"b\"},"                               \
    "\"accounts\":[\"key:k\",\"team:t\",\"or\\u0067\"],\"dialect\":\"openai\","            \
    "\"group\":\"g\",\"model\":\"m\\\"x\",\"deployment\":\"d2\",\"provider\":\"p\","       \
    "\"upstream_model\":\"um\",\"attempts\":[{\"deployment\":\"d1\",\"status\":500,"       \
    "\"ms\":1.5,\"reason\":\"server_error\",\"suspected_extra\":{\"input\":7}},"           \
    "{\"deployment\":\"d2\",\"status\":200,\"ms\":2.0}],\"tokens\":{\"input\":10,"         \
    "\"output\":20,\"cache_read\":3,\"cache_write\":0,\"cache_write_1h\":0,"               \
    "\"reasoning\":4},\"cost_nano\":%s,\"estimated\":false,\"status\":200,"                \
    "\"outcome\":\"%s\",\"stream\":true,\"ttft_ms\":0.7,\"duration_ms\":0.8,"              \
    "\"generation\":1,\"finish\":\"stop\",\"error\":null,\"admitted\":1795334400000,"      \
    "\"user\":\"u\",\"provider_id\":null,\"prices\":\"2026-07-24\"}\n"

static inline int remove_one(const char *path, const struct stat *facts, int type,
                             struct FTW *at)
{
    (void)facts, (void)type, (void)at;
    return remove(path);
}

static inline void remove_worlds(void)
{
    nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
