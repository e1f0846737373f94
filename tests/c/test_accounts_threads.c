/* Many threads at the same accounts: nothing over, nothing lost, nothing left behind. Run it
 * under ThreadSanitizer too (make tsan). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "accounts_world.h"

enum { RACERS = 64, RACES = 1000, CROWD = 8, STEPS = 20000, ACCOUNTS = 6, MOST_HELD = 16 };

/* ---- the last dollar ----------------------------------------------------------------------
 */

/* Each thread runs for one round's budget as soon as the round is open, so that all meet. */
struct race {
    struct accounts_plan *_Atomic plan; /* of the round */
    _Atomic int round, done;
    _Atomic int64_t admitted;
};

static void *run_races(void *arg)
{
    struct race *race = arg;
    struct accounts_refusal refusal;
    struct reservation reservation;

    for (int round = 1; round <= RACES; round++) {
        while (atomic_load(&race->round) < round)
            sched_yield();
        struct accounts_plan *plan = atomic_load(&race->plan);
        for (int i = 0; i < 3; i++) {
            int64_t cost = DOLLAR / 7 + i; /* seven do not fit, whichever they are */
            if (!accounts_reserve(plan, 10, cost, &reservation, &refusal)) continue;
            atomic_fetch_add(&race->admitted, 1);
            accounts_settle(&reservation, 10, cost, NULL);
        }
        atomic_fetch_add(&race->done, 1);
    }
    return NULL;
}

/* HOUSE 5.2, B-20: 64 threads race for the last dollar, 1,000 rounds: 0 nano-dollars over. */
static void test_last_dollar(void)
{
    struct hands hands;
    struct accounts *accounts = table(&hands);
    struct accounts_limits limits[] = {limits_of("key:a"), limits_of("team:t"),
                                       limits_of("org")};
    struct race race = {.plan = NULL};
    pthread_t threads[RACERS];
    unsigned over = 0, short_of = 0;

    limits[0].budgets[ACCOUNTS_DAY] = DOLLAR;
    limits[2].budgets[ACCOUNTS_MONTH] = RACES * DOLLAR;
    struct accounts_plan *plan = plan_of(accounts, limits, 3);
    atomic_store(&race.plan, plan);
    for (int i = 0; i < RACERS; i++)
        CHECK(pthread_create(&threads[i], NULL, run_races, &race) == 0);
    for (int round = 1; round <= RACES; round++) {
        atomic_store(&race.round, round);
        while (atomic_load(&race.done) < RACERS * round)
            sched_yield();
        struct accounts_money day = money(accounts, "key:a", ACCOUNTS_DAY);
        if (day.spent > DOLLAR || day.reserved != 0) over++;
        if (day.spent < 6 * (DOLLAR / 7)) short_of++;
        pass(&hands, INT64_C(24 * 3600) * SECOND_US);
    }
    for (int i = 0; i < RACERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(over == 0 && short_of == 0);
    CHECK(atomic_load(&race.admitted) >= 6 * RACES && atomic_load(&race.admitted) <= 7 * RACES);
    accounts_plan_free(plan);
    accounts_free(accounts);
}

/* ---- everything at once -------------------------------------------------------------------
 */

struct crowd {
    struct accounts *accounts;
    struct hands *hands;
    _Atomic int64_t spent[ACCOUNTS]; /* Σ of what was settled */
    _Atomic unsigned seed;
    _Atomic uint64_t crossed, refused, admitted;
};

struct member {
    struct crowd *crowd;
    unsigned dice;
    struct accounts_plan *plans[4];
    unsigned members[4]; /* a bit each: the accounts of a plan */
    struct reservation held[MOST_HELD];
    unsigned of_plan[MOST_HELD];
};

static unsigned roll(struct member *member, unsigned sides)
{
    member->dice = member->dice * 1103515245U + 12345U;
    return (member->dice >> 16) % sides;
}

/* Different plans name the accounts in different orders: they must not lock each other up. */
static void make_plans(struct member *member)
{
    static const char *const names[] = {"org", "team:t", "key:a", "key:b", "tag:x=1", "user:u"};
    static const unsigned members[] = {0x07, 0x0f, 0x39, 0x3f};
    const char *error;

    for (int i = 0; i < 4; i++) {
        struct accounts_limits limits[ACCOUNTS];
        size_t count = 0;
        for (int j = 0; j < ACCOUNTS; j++) {
            int a = i % 2 ? ACCOUNTS - 1 - j : j;
            if (!(members[i] >> a & 1)) continue;
            limits[count] = limits_of(names[a]);
            limits[count].parallel = 10;
            limits[count].tpm = 9000000;
            limits[count].budgets[ACCOUNTS_YEAR] = 20000000;
            limits[count].soft[0] = (struct accounts_soft){ACCOUNTS_YEAR, 200000};
            limits[count++].soft_count = 1;
        }
        member->members[i] = members[i];
        member->plans[i] = accounts_plan_new(member->crowd->accounts, limits, count, &error);
    }
}

static void note(struct member *member, unsigned plan, int64_t nano)
{
    for (int a = 0; a < ACCOUNTS; a++)
        if (member->members[plan] >> a & 1) atomic_fetch_add(&member->crowd->spent[a], nano);
}

static void end_one(struct member *member, unsigned slot, unsigned how)
{
    struct reservation *reservation = &member->held[slot];
    struct accounts_crossing out[ACCOUNTS_CROSSINGS];
    int64_t nano = (int64_t)roll(member, (unsigned)reservation->nano + 1);

    if (how == 0) {
        accounts_refund(reservation);
        return;
    }
    if (how == 1) nano += 100; /* a bill above what was reserved */
    atomic_fetch_add(&member->crowd->crossed,
                     accounts_settle(reservation, (int64_t)roll(member, 500), nano, out));
    note(member, member->of_plan[slot], nano);
}

static void *push(void *arg)
{
    struct crowd *crowd = arg;
    struct member member = {.crowd = crowd};
    struct accounts_refusal refusal;

    member.dice = atomic_fetch_add(&crowd->seed, 7919);
    make_plans(&member);
    for (int i = 0; i < STEPS; i++) {
        unsigned slot = roll(&member, MOST_HELD), plan = roll(&member, 4);
        struct reservation *held = &member.held[slot];
        if (held->plan && roll(&member, 4) == 0) {
            (void)!accounts_raise(held, (int64_t)roll(&member, 2000),
                                  (int64_t)roll(&member, 900), &refusal);
        } else if (held->plan) {
            end_one(&member, slot, roll(&member, 8));
        } else if (accounts_reserve(member.plans[plan], (int64_t)roll(&member, 500),
                                    (int64_t)roll(&member, 500), held, &refusal)) {
            member.of_plan[slot] = plan;
            atomic_fetch_add(&crowd->admitted, 1);
        } else {
            held->plan = NULL;
            atomic_fetch_add(&crowd->refused, 1);
        }
        if (i % 64 == 0) pass(crowd->hands, SECOND_US / 2); /* minutes end, and an hour */
        if (i % 1000 == 0) atomic_fetch_sub(&crowd->hands->wall_ms, 90000);
    }
    for (unsigned slot = 0; slot < MOST_HELD; slot++)
        if (member.held[slot].plan) end_one(&member, slot, slot % 8);
    for (int i = 0; i < 4; i++)
        accounts_plan_free(member.plans[i]);
    return NULL;
}

/* B-24: whatever was done in whatever order, in the end nothing is reserved, nobody runs, and
 * each account has spent the sum of what was settled with it. */
static void test_crowd(void)
{
    static const char *const names[] = {"org", "team:t", "key:a", "key:b", "tag:x=1", "user:u"};
    struct hands hands;
    struct crowd crowd = {.accounts = table(&hands), .hands = &hands, .seed = 42};
    pthread_t threads[CROWD];

    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_create(&threads[i], NULL, push, &crowd) == 0);
    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int a = 0; a < ACCOUNTS; a++) {
        struct accounts_money sum = money(crowd.accounts, names[a], ACCOUNTS_YEAR);
        struct accounts_limits limits = limits_of(names[a]);
        limits.parallel = 10;
        struct accounts_plan *plan = plan_of(crowd.accounts, &limits, 1);
        struct accounts_view view;
        accounts_plan_view(plan, 0, &view);
        CHECK(sum.reserved == 0 && view.parallel.left == 10);
        for (int window = 0; window < ACCOUNTS_WINDOWS; window++)
            CHECK(money(crowd.accounts, names[a], window).reserved == 0);
        CHECK(sum.spent == atomic_load(&crowd.spent[a]));
        accounts_plan_free(plan);
    }
    CHECK(atomic_load(&crowd.crossed) == ACCOUNTS); /* each soft budget once */
    CHECK(atomic_load(&crowd.refused) > 0 && atomic_load(&crowd.admitted) > 0);
    accounts_free(crowd.accounts);
}

int main(void)
{
    test_last_dollar();
    test_crowd();
    return check_report();
}
