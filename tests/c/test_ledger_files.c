/* What stands in a journal's line, and whether the ledger's file is whole. */
#include "ledger_parts.h"
#include "ledger_world.h"

/* ---- a line -------------------------------------------------------------------------------
 */

static void test_times(void)
{
    char text[MOMENT_ISO_SIZE];
    int64_t back = 0;

    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 86400000LL * 13 + 7654321) {
        moment_iso(ms, text);
        if (!moment_of_iso(text, strlen(text), &back) || back != ms) {
            CHECK(!"a time comes back as it was");
            return;
        }
    }
    CHECK(moment_of_iso("2026-11-22T08:00:00.123Z", 24, &back) && back == 1795334400123);
    CHECK(!moment_of_iso("2026-11-22T08:00:00.123", 23, &back));
    CHECK(!moment_of_iso("2026-13-22T08:00:00.123Z", 24, &back));
    CHECK(!moment_of_iso("2026-11-22 08:00:00.123Z", 24, &back));
}

static enum ledger_kind read_text(struct ledger_line *line, const char *text)
{
    static char copy[8192];
    size_t len = strlen(text);

    memcpy(copy, text, len + 1);
    return ledger_line_read(line, copy, len);
}

static void test_lines(void)
{
    struct ledger_line *line = malloc(sizeof(*line));
    char text[4096];

    if (!line) return;
    snprintf(text, sizeof(text), USAGE, "id-1", "42", "ok");
    text[strlen(text) - 1] = '\0';
    CHECK(read_text(line, text) == LEDGER_USAGE);
    CHECK_TEXT(line->model.bytes, line->model.len, "m\"x");
    CHECK_TEXT(line->tags.bytes, line->tags.len, "{\"a\":\"b\"}");
    CHECK(line->key_id.bytes == NULL && line->error.bytes == NULL);
    CHECK(line->ts_ms == 1795334401123 && line->admitted_ms == 1795334400000);
    CHECK(line->tokens[LEDGER_CACHE_READ] == 3 && line->tokens[LEDGER_AUDIO_INPUT] == 0);
    CHECK(line->cost_nano == 42 && line->estimated == 0 && line->stream == 1);
    CHECK(line->try_count == 2 && line->tries[0].extra_input == 7 &&
          line->tries[0].extra_nano == LEDGER_NONE && line->tries[1].status == 200);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        char part[4096];
        memcpy(part, text, cut);
        if (ledger_line_read(line, part, cut) != LEDGER_FOREIGN) CHECK(!"a torn line is none");
    }
    static const char *const foreign[] = {
        "",
        "x",
        "[]",
        "{}",
        "null",
        "{\"type\":\"usage\"}",
        "{\"type\":\"usage\",\"id\":\"x\"}",
        "{\"type\":\"usage\",\"id\":\"x\",\"ts\":\"yesterday\"}",
        "{\"type\":\"usage\",\"id\":\"\",\"ts\":\"2026-11-22T08:00:00.123Z\"}",
        "{\"type\":\"other\",\"id\":\"x\",\"ts\":\"2026-11-22T08:00:00.123Z\"}",
        "{\"type\":\"usage\",\"id\":5,\"ts\":\"2026-11-22T08:00:00.123Z\"}"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        CHECK(read_text(line, foreign[i]) == LEDGER_FOREIGN);
    }
    /* What is of a wrong type, or negative, is as if it were not there. */
    CHECK(read_text(line,
                    "{\"type\":\"usage\",\"id\":\"x\",\"ts\":\"2026-11-22T08:00:00.123Z\","
                    "\"tokens\":{\"input\":-5,\"output\":\"7\"},\"cost_nano\":[1],"
                    "\"attempts\":{\"a\":1},\"status\":1e2}") == LEDGER_USAGE);
    CHECK(line->tokens[LEDGER_INPUT] == 0 && line->tokens[LEDGER_OUTPUT] == 0);
    CHECK(line->cost_nano == LEDGER_NONE && line->try_count == 0 && line->status == 100);
    CHECK(line->admitted_ms == line->ts_ms);
    free(line);
}

/* ---- files --------------------------------------------------------------------------------
 */

static bool refuses(const char *path, const char *why)
{
    char *error = NULL;
    bool missing;
    bool fine = !ledger_check(path, &missing, &error) && error && strstr(error, why) &&
                strstr(error, "Nothing was changed");

    if (!fine) fprintf(stderr, "%s: %s\n", why, error ? error : "(it is fine)");
    free(error);
    return fine;
}

static void write_at(const char *path, off_t at, const char *bytes, size_t len)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len);
    close(fd);
}

/* C-18 */
static void test_damage(void)
{
    struct world world;
    char log[PATH_SIZE + 32], *error = NULL;
    bool missing = false;

    open_world(&world);
    snprintf(log, sizeof(log), "%s-wal", world.db);
    CHECK(ledger_check(world.db, &missing, &error) && !missing); /* with a log that is in use */
    write_at(log, 3, "garbage", 7);
    CHECK(refuses(world.db, "-wal file is damaged"));
    unlink(log);
    close_world(&world);
    unlink(log);
    world = (struct world){.sql = NULL};
    open_world(&world);
    snprintf(log, sizeof(log), "%s-wal", world.db);
    close_world(&world);
    CHECK(ledger_check(world.db, &missing, &error) && !missing);
    CHECK(truncate(world.db, 8192) == 0);
    CHECK(refuses(world.db, "cut off"));
    write_at(world.db, 0, "SQLite format 4", 15);
    CHECK(refuses(world.db, "header is damaged"));
    CHECK(truncate(world.db, 0) == 0);
    CHECK(refuses(world.db, "it is empty"));
    CHECK(unlink(world.db) == 0 && ledger_check(world.db, &missing, &error) && missing);
    write_at(log, 0, "x", 1);
    CHECK(refuses(world.db, "the file is gone"));
}

/* C-19 */
static void test_newer(void)
{
    struct world world;
    char *error = NULL;

    open_world(&world);
    CHECK(ledger_schema_migrate(world.sql, world.db, &error) && !error);
    CHECK(sql_run(world.sql, "PRAGMA user_version=999") == SQL_OK);
    CHECK(!ledger_schema_migrate(world.sql, world.db, &error));
    CHECK(error && strstr(error, "newer moongate"));
    free(error);
    close_world(&world);
}

/* ---- what is old --------------------------------------------------------------------------
 */

static struct ledger *open_ledger(const struct world *world, bool exporting)
{
    struct ledger_options options = {
        .data_dir = world->dir, .retention_days = 30, .exporting = exporting};
    char *error = NULL;
    struct ledger *ledger = ledger_open(&options, &error);

    if (!CHECK(ledger != NULL)) fprintf(stderr, "%s\n", error ? error : "?");
    free(error);
    return ledger;
}

static int64_t ask(struct ledger *ledger, const char *text)
{
    return sql_number(ledger_sql(ledger), text, -999);
}

/* The line of USAGE at that time, under this id. */
static void append_at(const struct world *world, const char *id, int64_t ms)
{
    char text[MOMENT_ISO_SIZE];

    moment_iso(ms, text);
    append(world, FILE_0,
           "{\"type\":\"usage\",\"id\":\"%s\",\"ts\":\"%s\",\"key\":\"k\",\"attempts\":"
           "[{\"deployment\":\"d\"}],\"cost_nano\":5,\"outcome\":\"ok\"}\n",
           id, text);
}

static void test_retention(void)
{
    struct world world;
    int64_t now_ms = moment_wall_us() / 1000;

    open_world(&world);
    close_world(&world);
    append_at(&world, "old-1", now_ms - 31LL * 86400000);
    append_at(&world, "old-2", now_ms - 40LL * 86400000);
    append_at(&world, "new-1", now_ms - 29LL * 86400000);
    append_at(&world, "new-2", now_ms);
    struct ledger *ledger = open_ledger(&world, true);
    if (!ledger) return;
    CHECK(ask(ledger, "SELECT count(*) FROM requests") == 4);
    CHECK(ledger_prune(ledger)); /* another store has none of them yet */
    CHECK(ask(ledger, "SELECT count(*) FROM requests") == 4);
    ledger_exported(ledger, "postgres", 1, 1);
    CHECK(ledger_save_exports(ledger));
    ledger->prune_ms = 0;
    CHECK(ledger_prune(ledger));
    CHECK(ask(ledger, "SELECT count(*) FROM requests") == 3);
    ledger_exported(ledger, "postgres", 4, 4);
    ledger_exported(ledger, "postgres", 3, 3);
    CHECK(ledger_save_exports(ledger));
    ledger->prune_ms = 0;
    CHECK(ledger_prune(ledger));
    CHECK(ask(ledger, "SELECT count(*) FROM requests") == 2);
    CHECK(ask(ledger, "SELECT count(*) FROM attempts") == 2);
    CHECK(ask(ledger, "SELECT sum(requests) FROM usage_day") == 4);
    CHECK(ask(ledger, "SELECT sum(nano) FROM spend WHERE period='day'") == 20);
    CHECK(ask(ledger, "SELECT count(*) FROM spend WHERE period='minute'") == 1);
    CHECK(ask(ledger, "SELECT v FROM meta WHERE k='pruned_nano'") == 10);
    ledger_free(ledger);
    ledger = open_ledger(&world, true);
    CHECK(ask(ledger, "SELECT request_seq FROM exports") == 3);
    append_at(&world, "old-1", now_ms - 31LL * 86400000); /* laid back by somebody */
    ledger_carry(ledger);
    CHECK(ask(ledger, "SELECT count(*) FROM requests") == 2);
    ledger_free(ledger);
}

int main(void)
{
    if (!mkdtemp(base)) return 1;
    test_times();
    test_lines();
    test_damage();
    test_newer();
    test_retention();
    remove_worlds();
    return check_report();
}
