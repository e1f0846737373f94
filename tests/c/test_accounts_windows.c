/* Which day a cent belongs to, clocks that leap, and a table that is full. */
#include <stdint.h>
#include <stdio.h>

#include "accounts_world.h"

static int64_t at(int64_t days, int64_t ms)
{
    return days * 86400000 + ms;
}

static void test_calendar(void)
{
    /* Days since 1970 by which years, months and Mondays begin, from a calendar. */
    CHECK(accounts_window_start(ACCOUNTS_YEAR, START_MS) == at(20454, 0)); /* 2026-01-01 */
    CHECK(accounts_window_end(ACCOUNTS_YEAR, START_MS) == at(20819, 0));
    CHECK(accounts_window_start(ACCOUNTS_MONTH, START_MS) == at(20758, 0)); /* 2026-11-01 */
    CHECK(accounts_window_end(ACCOUNTS_MONTH, START_MS) == at(20788, 0));
    CHECK(accounts_window_start(ACCOUNTS_WEEK, START_MS) == at(20773, 0)); /* 2026-11-16 */
    CHECK(accounts_window_end(ACCOUNTS_WEEK, START_MS) == at(20780, 0));
    CHECK(accounts_window_end(ACCOUNTS_MONTH, at(19754, 5)) ==
          at(19782, 0) + at(1, 0)); /* leap */
    CHECK(accounts_window_start(ACCOUNTS_MONTH, at(19782, 86399999)) == at(19754, 0));
    CHECK(accounts_window_start(ACCOUNTS_YEAR, at(24855, 0)) == at(24837, 0)); /* 2038 */
    CHECK(accounts_window_end(ACCOUNTS_MONTH, at(20453, 1)) == at(20454, 0));  /* December */
    CHECK(accounts_window_start(ACCOUNTS_DAY, START_MS) == START_MS - 43200000);
    CHECK(accounts_window_end(ACCOUNTS_HOUR, START_MS) == START_MS + 3600000);
    CHECK(accounts_window_end(ACCOUNTS_MINUTE, START_MS + 59999) == START_MS + 60000);
    for (int window = 0; window < ACCOUNTS_EVER; window++) {
        int64_t start = accounts_window_start(window, 0);
        for (int i = 0; i < 400; i++) { /* each ends where the next begins */
            int64_t end = accounts_window_end(window, start);
            CHECK(end > start && accounts_window_start(window, end - 1) == start);
            CHECK(accounts_window_start(window, end) == end);
            start = end;
        }
        CHECK((int)accounts_window_named(accounts_window_name(window)) == window);
    }
    CHECK(accounts_window_named("ever") == ACCOUNTS_EVER);
    CHECK(accounts_window_start(ACCOUNTS_EVER, START_MS) == 0);
    CHECK(accounts_window_end(ACCOUNTS_EVER, START_MS) == at(2932897, 0)); /* 10000-01-01 */
    CHECK(accounts_window_named("fortnight") == ACCOUNTS_WINDOWS);
}

/* B-25: what is running at midnight is charged to the day of its admission, and not to the new
 * one; C-30: a clock that is set back opens no budget, one that leaps ahead opens one. */
static void test_midnight(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation old, new;

    limits.budgets[ACCOUNTS_DAY] = 100;
    limits.budgets[ACCOUNTS_MONTH] = 1000;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    CHECK(accounts_reserve(plan, 0, 90, &old, &refusal));
    CHECK(refuses(plan, 0, 20, &refusal));
    pass(&hands, INT64_C(12 * 3600) * SECOND_US);
    CHECK(accounts_reserve(plan, 0, 100, &new, &refusal));
    CHECK(new.admitted_ms == START_MS + 43200000 && old.admitted_ms == START_MS);
    CHECK(accounts_raise(&old, 0, 95, &refusal)); /* the day it belongs to is over */
    accounts_settle(&old, 0, 95, NULL);
    CHECK(money(accounts, "key:a", ACCOUNTS_DAY).spent == 0);
    CHECK(money(accounts, "key:a", ACCOUNTS_DAY).reserved == 100);
    CHECK(money(accounts, "key:a", ACCOUNTS_MONTH).spent == 95);
    CHECK(money(accounts, "key:a", ACCOUNTS_MONTH).reserved == 100);
    accounts_settle(&new, 0, 60, NULL);
    atomic_fetch_sub(&hands.wall_ms, 3600 * 1000); /* back before midnight */
    CHECK(refuses(plan, 0, 41, &refusal) && refusal.left == 40);
    CHECK(accounts_reserve(plan, 0, 40, &new, &refusal));
    CHECK(new.admitted_ms == START_MS + 43200000);
    accounts_settle(&new, 0, 40, NULL);
    pass(&hands, 3600 * SECOND_US); /* midnight once more: it has been */
    CHECK(refuses(plan, 0, 1, &refusal) && refusal.left == 0);
    atomic_fetch_add(&hands.wall_ms, INT64_C(86400) * 1000);
    CHECK(!refuses(plan, 0, 100, &refusal));
    CHECK(money(accounts, "key:a", ACCOUNTS_MONTH).spent == 195);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

static bool seed(struct accounts *accounts, enum accounts_window window, int64_t start_s,
                 int64_t nano)
{
    return accounts_seed(accounts, &(struct accounts_seed){"org", 3, window, start_s, nano});
}

/* What the ledger remembers is what was spent, in the windows that still run. */
static void test_seed(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    int64_t day = accounts_window_start(ACCOUNTS_DAY, START_MS) / 1000;

    CHECK(seed(accounts, ACCOUNTS_DAY, day, 70));
    CHECK(seed(accounts, ACCOUNTS_DAY, day, 7));
    CHECK(seed(accounts, ACCOUNTS_DAY, day - 86400, 700));
    CHECK(seed(accounts, ACCOUNTS_HOUR, day, 700));
    CHECK(money(accounts, "org", ACCOUNTS_DAY).spent == 77);
    CHECK(money(accounts, "org", ACCOUNTS_HOUR).spent == 0);
    /* The clock was set back between two runs: tomorrow has begun, and stays begun. */
    CHECK(seed(accounts, ACCOUNTS_DAY, day + 86400, 5));
    CHECK(money(accounts, "org", ACCOUNTS_DAY).spent == 5);
    CHECK(seed(accounts, ACCOUNTS_DAY, day + 86400 * 30, 9)); /* nonsense */
    CHECK(money(accounts, "org", ACCOUNTS_DAY).spent == 5);
    accounts_free(accounts);
}

static void test_full(void)
{
    struct accounts *accounts = accounts_new(&(struct accounts_options){.max_accounts = 1000});
    struct accounts_plan *plans[1001];
    const char *error = NULL;
    char name[32];
    unsigned users = 0;

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), i < 600 ? "user:%d" : "key:%d", i);
        struct accounts_limits limits = limits_of(name);
        plans[i] = accounts_plan_new(accounts, &limits, 1, &error);
        if (i < 600 && plans[i]) users++;
    }
    CHECK(users == 500 && plans[999] && accounts_count(accounts) == 900);
    struct accounts_limits shared = limits_of("user:*key:0"); /* by those without one */
    struct accounts_plan *everybody = accounts_plan_new(accounts, &shared, 1, &error);
    CHECK(everybody && accounts_count(accounts) == 901);
    accounts_plan_free(everybody);
    for (int i = 0; i < 101; i++) {
        (void)snprintf(name, sizeof(name), "more:%d", i);
        struct accounts_limits limits = limits_of(name);
        plans[1000] = accounts_plan_new(accounts, &limits, 1, &error);
        CHECK((i < 99) == (plans[1000] != NULL));
        accounts_plan_free(plans[1000]);
    }
    CHECK(strcmp(error, "the table of accounts is full") == 0);
    struct accounts_seed guest = {.name = "user:late", .len = 9, .window = ACCOUNTS_EVER};
    CHECK(accounts_seed(accounts, &guest)); /* must not keep a gateway from starting */
    struct accounts_seed key = {.name = "key:late", .len = 8, .window = ACCOUNTS_EVER};
    CHECK(!accounts_seed(accounts, &key));
    struct accounts_limits limits = limits_of("key:999");
    accounts_plan_free(plans[999]);
    plans[999] = accounts_plan_new(accounts, &limits, 1, &error);
    CHECK(plans[999] && !error); /* one that is there */
    size_t seen = 0;
    for (struct account *a = accounts_next(accounts, NULL); a; a = accounts_next(accounts, a))
        seen++;
    CHECK(seen == 1000);
    for (int i = 0; i < 1000; i++)
        accounts_plan_free(plans[i]);
    accounts_free(accounts);
    accounts_free(NULL);
}

int main(void)
{
    test_calendar();
    test_midnight();
    test_seed();
    test_full();
    return check_report();
}
