/* The journal's lines in the ledger's tables: each once, every sum exact, whatever was read
 * before and whatever stands between them. */
#include "ledger_world.h"

/* ---- tables -------------------------------------------------------------------------------
 */

static void test_rows(void)
{
    struct world world;

    open_world(&world);
    append(&world, FILE_0, INTENT INTENT, "id-1", 1, 1, 50, "id-1", 2, 2, 60);
    append(&world, FILE_0, USAGE, "id-1", "42", "ok");
    append(&world, FILE_1, USAGE, "id-2", "null", "upstream_error");
    ledger_ingest_serve(world.ingest, 77);
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 2);
    CHECK(number(&world, "SELECT count(*) FROM attempts") == 4);
    CHECK(number(&world, "SELECT cost_nano FROM requests WHERE id='id-1'") == 42);
    CHECK(number(&world, "SELECT boot FROM requests WHERE id='id-1'") == 77);
    CHECK(number(&world, "SELECT sum(cost_nano) FROM attempts WHERE billed") == 42);
    CHECK(is_text(&world, "SELECT deployment FROM attempts WHERE n=1 AND id='id-1'", "d1"));
    CHECK(is_text(&world, "SELECT provider FROM attempts WHERE n=2 AND id='id-1'", "p"));
    CHECK(number(&world, "SELECT extra_input FROM attempts WHERE n=1 AND id='id-1'") == 7);
    CHECK(number(&world, "SELECT requests FROM usage_hour WHERE start=1795334400") == 2);
    CHECK(number(&world, "SELECT start FROM usage_day") == 1795305600);
    CHECK(number(&world, "SELECT failed FROM usage_day") == 1);
    CHECK(number(&world, "SELECT unpriced FROM usage_day") == 1);
    CHECK(number(&world, "SELECT output FROM usage_day") == 40);
    CHECK(number(&world, "SELECT extra_input FROM usage_day") == 14);
    CHECK(number(&world, "SELECT count(DISTINCT account) FROM spend") == 3);
    CHECK(number(&world, "SELECT nano FROM spend WHERE account='org' AND period='week'") == 42);
    CHECK(number(&world, "SELECT start_s FROM spend WHERE account='org' AND period='week'") ==
          1794787200);
    CHECK(number(&world, "SELECT pending IS NULL FROM journal_files LIMIT 1") == 1);
    close_world(&world);
}

/* The same lines again, from another file, from the same one, after a crash. */
static void test_twice(void)
{
    struct world world;

    open_world(&world);
    for (int i = 0; i < 3; i++) {
        append(&world, FILE_0, USAGE USAGE, "id-1", "42", "ok", "id-1", "42", "ok");
        append(&world, FILE_1, USAGE, "id-1", "99", "ok");
        CHECK(ledger_ingest_carry(world.ingest));
        reopen(&world);
    }
    CHECK(sql_run(world.sql, "DELETE FROM journal_files") == SQL_OK);
    reopen(&world);
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 1);
    CHECK(number(&world, "SELECT count(*) FROM attempts") == 2);
    CHECK(number(&world, "SELECT nano FROM spend WHERE account='org' AND period='day'") == 42);
    CHECK(number(&world, "SELECT requests FROM usage_day") == 1);
    CHECK(ledger_ingest_counts(world.ingest).rows == 0);
    close_world(&world);
}

static void test_torn(void)
{
    struct world world;

    open_world(&world);
    append(&world, FILE_0, "{\"type\":\"usa\n\n" USAGE "nonsense\n{\"type\":\"usage\",\"id",
           "id-1", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 1);
    CHECK(ledger_ingest_counts(world.ingest).skipped == 2);
    append(&world, FILE_0, "\":\"id-2\",\"ts\":\"2026-11-22T08:00:00.123Z\"}\n");
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 2);
    /* Longer than anything of ours. */
    char *large = malloc((3 << 20) + 1);
    if (large) {
        memset(large, 'x', 3 << 20);
        large[3 << 20] = '\0';
        append(&world, FILE_0, "%s\n" USAGE, large, "id-3", "1", "ok");
        free(large);
    }
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    CHECK(ledger_ingest_counts(world.ingest).skipped == 3);
    append(&world, "notes.txt", USAGE, "id-4", "1", "ok");
    append(&world, "2026-11-22-w0.jsonl.bak", USAGE, "id-4", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    close_world(&world);
}

/* B-18: what was begun and never ended is written once, at the next start. */
static void test_unsettled(void)
{
    struct world world;

    open_world(&world);
    append(&world, FILE_0, INTENT INTENT, "id-1", 1, 1, 50, "id-1", 2, 2, 60);
    append(&world, FILE_0, INTENT INTENT, "id-2", 1, 1, 5, "id-3", 1, 1, 70);
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT length(pending) FROM journal_files") == 32);
    append(&world, FILE_1, USAGE, "id-2", "3", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 1);
    reopen(&world); /* the process is gone */
    append(&world, FILE_1, USAGE, "id-3", "4", "ok");
    CHECK(ledger_ingest_carry(world.ingest) && ledger_ingest_settle(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    CHECK(is_text(&world, "SELECT outcome FROM requests WHERE id='id-1'", "unsettled"));
    CHECK(number(&world, "SELECT estimated FROM requests WHERE id='id-1'") == 1);
    CHECK(number(&world, "SELECT cost_nano FROM requests WHERE id='id-1'") == 60);
    CHECK(number(&world, "SELECT attempts FROM requests WHERE id='id-1'") == 2);
    CHECK(is_text(&world, "SELECT deployment FROM attempts WHERE id='id-1' AND n=2", "d2"));
    CHECK(number(&world, "SELECT sum(cost_nano) FROM attempts WHERE id='id-1'") == 60);
    CHECK(number(&world, "SELECT nano FROM spend WHERE account='key:k' AND period='year'") ==
          67);
    reopen(&world);
    CHECK(ledger_ingest_carry(world.ingest) && ledger_ingest_settle(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    CHECK(number(&world, "SELECT sum(pending IS NOT NULL) FROM journal_files") == 0);
    close_world(&world);
}

/* A power cut takes the end of a journal's file that the tables had already read. */
static void test_shorter(void)
{
    struct world world;
    char path[PATH_SIZE + 64];

    open_world(&world);
    append(&world, FILE_0, USAGE USAGE, "id-1", "1", "ok", "id-2", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    snprintf(path, sizeof(path), "%s/journal/%s", world.dir, FILE_0);
    CHECK(truncate(path, 100) == 0);
    reopen(&world);
    CHECK(ledger_ingest_carry(world.ingest));
    append(&world, FILE_0, "\n" USAGE, "id-3", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    close_world(&world);
}

/* C-16, C-17: what could not be committed is carried later, once. */
static void test_refused(void)
{
    struct world world;
    enum sql_code code;
    char *error = NULL;

    open_world(&world);
    append(&world, FILE_0, INTENT USAGE, "id-1", 1, 1, 5, "id-1", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    struct sql *other = sql_open(world.db, SQL_USUAL, &code, &error);
    CHECK(other && sql_run(other, "BEGIN IMMEDIATE") == SQL_OK);
    append(&world, FILE_0, INTENT USAGE, "id-2", 1, 1, 5, "id-2", "1", "ok");
    CHECK(!ledger_ingest_carry(world.ingest) && sql_error(world.sql) == SQL_BUSY);
    CHECK(sql_run(other, "ROLLBACK") == SQL_OK);
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 2);

    int64_t pages = number(&world, "PRAGMA page_count");
    char limit[64];
    snprintf(limit, sizeof(limit), "PRAGMA max_page_count=%lld", (long long)pages);
    CHECK(sql_run(world.sql, limit) == SQL_OK);
    for (int i = 0; i < 400; i++) {
        char id[32];
        snprintf(id, sizeof(id), "more-%d", i);
        append(&world, FILE_1, INTENT USAGE, id, 1, 1, 5, id, "1", "ok");
    }
    CHECK(!ledger_ingest_carry(world.ingest) && sql_error(world.sql) == SQL_FULL);
    CHECK(number(&world, "SELECT count(*) FROM requests") == 2);
    CHECK(sql_run(world.sql, "PRAGMA max_page_count=1073741823") == SQL_OK);
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 402);
    CHECK(number(&world, "SELECT nano FROM spend WHERE account='org' AND period='day'") == 402);
    CHECK(number(&world, "SELECT count(*) FROM journal_files WHERE pending IS NOT NULL") == 0);
    sql_close(other);
    close_world(&world);
}

static void test_prune(void)
{
    struct world world;
    char path[PATH_SIZE + 64];

    open_world(&world);
    append(&world, "2026-11-01-w0.jsonl", USAGE, "id-1", "1", "ok");
    append(&world, "2026-11-02-w0.jsonl", INTENT, "id-2", 1, 1, 5);
    append(&world, "2026-11-03-w0.jsonl", USAGE, "id-3", "1", "ok");
    CHECK(ledger_ingest_carry(world.ingest));
    append(&world, "2026-11-01-w1.jsonl", USAGE, "id-4", "1", "ok"); /* not read yet */
    CHECK(ledger_ingest_prune(world.ingest, 1793664000 / 86400));    /* 3 November */
    CHECK(number(&world, "SELECT count(*) FROM journal_files") == 2);
    static const char *const names[] = {"01-w0", "01-w1", "02-w0", "03-w0"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/journal/2026-11-%s.jsonl", world.dir, names[i]);
        CHECK((access(path, F_OK) == 0) == (i > 0));
    }
    CHECK(ledger_ingest_carry(world.ingest));
    CHECK(number(&world, "SELECT count(*) FROM requests") == 3);
    close_world(&world);
}

/* ---- what it costs ------------------------------------------------------------------------
 */

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void test_cost(void)
{
    enum { LINES = 20000 };
    struct world world;
    char path[PATH_SIZE + 64];

    open_world(&world);
    snprintf(path, sizeof(path), "%s/journal/%s", world.dir, FILE_0);
    FILE *out = fopen(path, "ae");
    if (!CHECK(out != NULL)) return;
    for (int i = 0; i < LINES; i++) {
        char id[64];
        snprintf(id, sizeof(id), "019aa%07x-7000-8000-%012x", i, i);
        fprintf(out, INTENT, id, 1, 1, 50);
        fprintf(out, USAGE, id, "42", "ok");
    }
    fclose(out);
    double before = cpu_us();
    CHECK(ledger_ingest_carry(world.ingest));
    double each = (cpu_us() - before) / LINES;
    CHECK(number(&world, "SELECT count(*) FROM requests") == LINES);
    printf("%.1f us of processor time a request (two attempts)\n", each);
    CHECK(each < 100); /* a sanitizer's build is slow */
    close_world(&world);
}

int main(void)
{
    if (!mkdtemp(base)) return 1;
    test_rows();
    test_twice();
    test_torn();
    test_unsettled();
    test_shorter();
    test_refused();
    test_prune();
    test_cost();
    remove_worlds();
    return check_report();
}
