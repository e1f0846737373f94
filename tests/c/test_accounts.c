/* Reservations, rate limits and budgets: the arithmetic. */
#include <stdint.h>

#include "accounts_world.h"

/* ---- rates --------------------------------------------------------------------------------
 */

/* B-28: exactly the n-th is refused, and when room is promised there is room, not before. */
static void test_requests(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation reservation;

    limits.rpm = 7;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    for (int i = 0; i < 7; i++) {
        CHECK(accounts_reserve(plan, 100, 5, &reservation, &refusal));
        accounts_settle(&reservation, 100, 5, NULL);
    }
    CHECK(refuses(plan, 100, 5, &refusal) && named(&refusal, "key:a", "rpm"));
    CHECK(refusal.left == 0 && refusal.retry_us == 8571429); /* a seventh of a minute */
    pass(&hands, refusal.retry_us - 1);
    CHECK(refuses(plan, 100, 5, &refusal) && refusal.retry_us == 1);
    pass(&hands, 1);
    CHECK(accounts_reserve(plan, 100, 5, &reservation, &refusal));
    accounts_refund(&reservation);
    CHECK(accounts_reserve(plan, 100, 5, &reservation, &refusal));
    CHECK(refuses(plan, 100, 5, &refusal));
    pass(&hands, 3600 * SECOND_US);
    for (int i = 0; i < 7; i++)
        CHECK(accounts_reserve(plan, 1, 1, &reservation, &refusal));
    CHECK(refuses(plan, 1, 1, &refusal)); /* an idle hour saves up no more than the limit */
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* B-28: tokens are taken as reserved, and what was not used is given back. */
static void test_tokens(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation first, second;
    struct accounts_rate rpm, tpm;

    limits.tpm = 6000;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    CHECK(accounts_reserve(plan, 5000, 0, &first, &refusal));
    CHECK(refuses(plan, 1001, 0, &refusal) && named(&refusal, "key:a", "tpm"));
    CHECK(refusal.left == 1000 && refusal.retry_us == 10000);
    CHECK(accounts_reserve(plan, 1000, 0, &second, &refusal));
    accounts_settle(&first, 500, 0, NULL);
    accounts_plan_room(plan, &rpm, &tpm);
    CHECK(rpm.limit == ACCOUNTS_NONE && tpm.limit == 6000 && tpm.left == 4500);
    CHECK(tpm.reset_us == 15 * SECOND_US);
    CHECK(!accounts_raise(&second, 5501, 0, &refusal) && refusal.left == 4500);
    CHECK(second.tokens == 1000 && accounts_raise(&second, 5500, 0, &refusal));
    CHECK(accounts_raise(&second, 10, 0, &refusal) && second.tokens == 5500); /* never lower */
    CHECK(refuses(plan, 1, 0, &refusal));
    accounts_refund(&second);
    accounts_refund(&second); /* once */
    accounts_settle(&second, 6000, 7, NULL);
    CHECK(!refuses(plan, 5500, 0, &refusal) && refuses(plan, 5501, 0, &refusal));
    pass(&hands, 60 * SECOND_US);
    CHECK(accounts_reserve(plan, 100000, 0, &first, &refusal)); /* larger than the limit: all */
    CHECK(refuses(plan, 1, 0, &refusal) && refusal.retry_us == 10000);
    accounts_settle(&first, 90000, 0, NULL);
    CHECK(refuses(plan, 100000, 0, &refusal) && refusal.retry_us == 60 * SECOND_US);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* Over a long time no more passes than the limit a minute and what the bucket holds. */
static void test_rate(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation reservation;
    int64_t passed = 0;

    limits.rpm = 97;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    for (int i = 0; i < 100000; i++) {
        if (accounts_reserve(plan, 1, 1, &reservation, &refusal)) {
            accounts_settle(&reservation, 1, 1, NULL);
            passed++;
        }
        pass(&hands, 7001);
    }
    int64_t most = 97 + 97 * (INT64_C(100000) * 7001) / (60 * SECOND_US);
    CHECK(passed <= most && passed >= most - 1);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

static void test_parallel(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits[] = {limits_of("key:a"), limits_of("team:t")};
    struct accounts_refusal refusal;
    struct reservation held[3];

    limits[0].parallel = 5;
    limits[1].parallel = 3;
    struct accounts_plan *plan = plan_of(accounts, limits, 2);
    for (int i = 0; i < 3; i++)
        CHECK(accounts_reserve(plan, 0, 0, &held[i], &refusal));
    CHECK(refuses(plan, 0, 0, &refusal) && named(&refusal, "team:t", "parallel"));
    pass(&hands, 3600 * SECOND_US); /* a place is not forgotten while the call runs */
    CHECK(refuses(plan, 0, 0, &refusal) && refusal.retry_us == SECOND_US);
    CHECK(accounts_raise(&held[0], 10, 10, &refusal)); /* takes no second place */
    accounts_settle(&held[0], 1, 1, NULL);
    accounts_refund(&held[1]);
    CHECK(accounts_reserve(plan, 0, 0, &held[0], &refusal));
    CHECK(accounts_reserve(plan, 0, 0, &held[1], &refusal));
    CHECK(refuses(plan, 0, 0, &refusal));
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* ---- budgets ------------------------------------------------------------------------------
 */

/* B-20: a budget of 1.00, 1,000 reservations of 0.01: exactly 100, and no nano more. */
static void test_budget(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    static struct reservation held[1000];
    int admitted = 0;

    limits.budgets[ACCOUNTS_MONTH] = DOLLAR;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    for (int i = 0; i < 1000; i++)
        if (accounts_reserve(plan, 10, DOLLAR / 100, &held[i], &refusal)) admitted++;
    CHECK(admitted == 100 && named(&refusal, "key:a", "budget:month") && refusal.left == 0);
    CHECK(refusal.retry_us == (INT64_C(1796083200000) - START_MS) * 1000); /* 1 December */
    CHECK(!refuses(plan, 10, 0, &refusal)); /* what costs nothing passes */
    for (int i = 0; i < 100; i++)
        accounts_settle(&held[i], 10, DOLLAR / 100 - 1, NULL);
    CHECK(refuses(plan, 1, 101, &refusal) && refusal.left == 100);
    CHECK(!refuses(plan, 1, 100, &refusal));
    struct accounts_money sum = money(accounts, "key:a", ACCOUNTS_MONTH);
    CHECK(sum.spent == DOLLAR - 100 && sum.reserved == 0);
    CHECK(money(accounts, "key:a", ACCOUNTS_YEAR).spent == DOLLAR - 100); /* all are kept */
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* No refused request takes anything of any account, nor of any other limit. */
static void test_all_or_nothing(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits[] = {limits_of("key:a"), limits_of("team:t"),
                                       limits_of("org")};
    struct accounts_refusal refusal;
    struct reservation reservation;
    struct accounts_view view;

    limits[0].rpm = limits[0].tpm = limits[0].parallel = 100;
    limits[1].budgets[ACCOUNTS_DAY] = 50;
    limits[2].budgets[ACCOUNTS_YEAR] = 40;
    struct accounts_plan *plan = plan_of(accounts, limits, 3);
    for (int i = 0; i < 10; i++)
        CHECK(refuses(plan, 10, 41, &refusal) && named(&refusal, "org", "budget:year"));
    CHECK(refuses(plan, 10, 51, &refusal) && named(&refusal, "org", "budget:year"));
    accounts_plan_view(plan, 0, &view);
    CHECK(view.rpm.left == 100 && view.tpm.left == 100 && view.parallel.left == 100);
    accounts_plan_view(plan, 1, &view);
    CHECK(view.windows[ACCOUNTS_DAY].reserved == 0 && view.windows[ACCOUNTS_DAY].limit == 50);
    CHECK(accounts_reserve(plan, 10, 30, &reservation, &refusal));
    CHECK(!accounts_raise(&reservation, 20, 41, &refusal));
    accounts_plan_view(plan, 0, &view);
    CHECK(view.tpm.left == 90 && view.windows[ACCOUNTS_YEAR].reserved == 30);
    CHECK(accounts_raise(&reservation, 20, 40, &refusal));
    accounts_settle(&reservation, 15, 45, NULL); /* more than was reserved: the fact counts */
    accounts_plan_view(plan, 2, &view);
    CHECK(view.windows[ACCOUNTS_YEAR].spent == 45 && view.windows[ACCOUNTS_YEAR].reserved == 0);
    CHECK(refuses(plan, 1, 1, &refusal) && refusal.left == 0);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* B-27: the next admission meets the new limits; what was spent stays, nothing is negative. */
static void test_changed_budget(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation reservation;

    limits.budgets[ACCOUNTS_DAY] = 100;
    struct accounts_plan *before = plan_of(accounts, &limits, 1);
    CHECK(accounts_reserve(before, 0, 80, &reservation, &refusal));
    limits.budgets[ACCOUNTS_DAY] = 50;
    struct accounts_plan *lowered = plan_of(accounts, &limits, 1);
    CHECK(refuses(lowered, 0, 1, &refusal) && refusal.left == 0);
    accounts_settle(&reservation, 0, 70, NULL);
    CHECK(refuses(lowered, 0, 1, &refusal) && refusal.left == 0);
    limits.budgets[ACCOUNTS_DAY] = 200;
    limits.budgets[ACCOUNTS_WEEK] = 75; /* declared late: it finds what was spent before */
    struct accounts_plan *raised = plan_of(accounts, &limits, 1);
    CHECK(refuses(raised, 0, 6, &refusal) && named(&refusal, "key:a", "budget:week"));
    CHECK(!refuses(raised, 0, 5, &refusal));
    CHECK(accounts_count(accounts) == 1);
    accounts_plan_free(before);
    accounts_plan_free(lowered);
    accounts_plan_free(raised);
    accounts_free(accounts);
}

/* B-33: sums end where their type ends; they never wrap around into credit. */
static void test_large(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct reservation held[3];

    limits.tpm = INT64_MAX;
    struct accounts_plan *plain = plan_of(accounts, &limits, 1);
    limits.budgets[ACCOUNTS_YEAR] = INT64_MAX;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    for (int64_t i = 0; i < 1000; i++) {
        CHECK(accounts_reserve(plan, 1000000000, 1000000000000, &held[0], &refusal));
        accounts_settle(&held[0], 1000000000, 1000000000000, NULL);
        pass(&hands, 60 * SECOND_US);
    }
    CHECK(money(accounts, "key:a", ACCOUNTS_YEAR).spent == 1000000000000000);
    for (int i = 0; i < 3; i++)
        CHECK(accounts_reserve(plain, INT64_MAX, INT64_MAX, &held[i], &refusal) || i > 0);
    CHECK(money(accounts, "key:a", ACCOUNTS_YEAR).reserved == INT64_MAX);
    CHECK(refuses(plan, 1, 1, &refusal) && refusal.left == 0);
    CHECK(accounts_settle(&held[0], INT64_MAX, INT64_MAX, NULL) == 0);
    CHECK(money(accounts, "key:a", ACCOUNTS_YEAR).spent == INT64_MAX);
    CHECK(money(accounts, "key:a", ACCOUNTS_YEAR).reserved == 0);
    CHECK(refuses(plan, 1, 1, &refusal));
    accounts_plan_free(plain);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* A soft budget stops nothing, and is told of once, by the settle that crosses it. */
static void test_soft(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_refusal refusal;
    struct accounts_crossing out[ACCOUNTS_CROSSINGS];
    struct reservation reservation;

    limits.soft[0] = (struct accounts_soft){ACCOUNTS_DAY, 100};
    limits.soft[1] = (struct accounts_soft){ACCOUNTS_MONTH, 150};
    limits.soft_count = 2;
    struct accounts_plan *plan = plan_of(accounts, &limits, 1);
    size_t crossed[8];
    for (int i = 0; i < 8; i++) {
        CHECK(accounts_reserve(plan, 0, 30, &reservation, &refusal));
        bool last = i == 7;
        if (last) pass(&hands, INT64_C(24 * 3600) * SECOND_US);
        crossed[i] = accounts_settle(&reservation, 0, 30, i == 4 ? NULL : out);
        if (i == 3) CHECK(out[0].window == ACCOUNTS_DAY && out[0].spent == 120);
        if (i == 5) CHECK(out[0].window == ACCOUNTS_MONTH && out[0].soft == 150);
    }
    CHECK(crossed[0] + crossed[1] + crossed[2] == 0 && crossed[3] == 1);
    CHECK(crossed[4] == 0 && crossed[5] == 1); /* a silent one's crossing is told by the next */
    CHECK(crossed[6] + crossed[7] == 0);
    CHECK(accounts_reserve(plan, 0, 0, &reservation, &refusal));
    CHECK(accounts_settle(&reservation, 0, 100, out) == 1); /* the next day, anew */
    accounts_plan_free(plan);
    accounts_free(accounts);
}

int main(void)
{
    test_requests();
    test_tokens();
    test_rate();
    test_parallel();
    test_budget();
    test_all_or_nothing();
    test_changed_budget();
    test_large();
    test_soft();
    return check_report();
}
