/* Several gateways and one store: what they spend together, whatever happens to the store. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lease_world.h"

/* B-22: four gateways, one budget: 0 over while the store answers; and the last cent can be
 * spent, whoever holds it. */
static void test_together(unsigned losses)
{
    struct accounts_limits limits = a_dollar_a_day(false);
    struct world *world = open_world(&limits);

    for (int i = 0; i < NODES; i++)
        atomic_store(&world->nodes[i].losses, losses);
    start_clusters(world);
    start_spenders(world);
    join_spenders(world);
    CHECK(all_spent(world) <= DOLLAR);
    /* What nobody uses goes back. */
    int64_t end = now_us(NULL) + PATIENCE_US;
    while (all_spent(world) <= DOLLAR - DOLLAR / 300 && now_us(NULL) < end) {
        nap_us(300000);
        while (call(&world->nodes[3], DOLLAR / 300, DOLLAR / 300) == PAID)
            ;
    }
    CHECK(all_spent(world) <= DOLLAR);
    CHECK(all_spent(world) > DOLLAR - DOLLAR / 300);
    close_world(world);
}

static int64_t all_held(struct world *world)
{
    int64_t sum = 0;

    pthread_mutex_lock(&world->store.lock);
    for (int i = 0; i < NODES; i++)
        sum += world->store.shares[ACCOUNTS_DAY][i].held;
    pthread_mutex_unlock(&world->store.lock);
    return sum;
}

/* B-23: the store dies in the middle. Each gateway spends what it holds and one lease, then no
 * more; when it is back, all is told and nothing is left to spend. */
static void test_dies(void)
{
    struct accounts_limits limits = a_dollar_a_day(false);
    struct world *world = open_world(&limits);
    enum outcome outcome = PAID;

    start_clusters(world);
    while (all_spent(world) < DOLLAR / 2)
        for (int i = 0; i < NODES; i++)
            CHECK(call(&world->nodes[i], DOLLAR / 300, DOLLAR / 300) == PAID);
    cut(world, true);
    int64_t before = all_spent(world);
    for (int i = 0; i < NODES; i++) {
        for (outcome = PAID; outcome == PAID;)
            outcome = call(&world->nodes[i], DOLLAR / 300, DOLLAR / 300);
        CHECK(outcome == ALONE);
        CHECK(atomic_load(&world->nodes[i].spent) > 0);
    }
    /* By now also of a report that was under way. */
    CHECK(all_spent(world) > before);
    CHECK(all_spent(world) <= all_held(world) + NODES * LEASE);
    CHECK(all_spent(world) <= DOLLAR + NODES * LEASE);
    cut(world, false);
    for (int i = 0; i < 3; i++) {
        nap_us(300000);
        for (int j = 0; j < NODES; j++)
            while (call(&world->nodes[j], DOLLAR / 300, DOLLAR / 300) == PAID)
                ;
    }
    CHECK(all_spent(world) <= DOLLAR + NODES * LEASE);
    close_world(world);
}

/* C-22: no store from the start: a lease each. Whoever starts again and again gets no second.
 */
static void test_never_there(void)
{
    struct accounts_limits limits = a_dollar_a_day(false);
    struct world *world = open_world(&limits);
    int64_t day_s = accounts_window_start(ACCOUNTS_DAY, START_MS) / 1000;

    start_clusters(world);
    cut(world, true);
    for (int i = 0; i < NODES; i++) {
        enum outcome outcome = PAID;
        while (outcome == PAID)
            outcome = call(&world->nodes[i], DOLLAR / 300, DOLLAR / 300);
        CHECK(outcome == ALONE);
    }
    CHECK(all_spent(world) <= NODES * LEASE && all_spent(world) > NODES * LEASE / 2);
    struct node again = {.store = &world->store, .hands = &world->hands};
    open_node(&again, &limits);
    accounts_lease_contact(again.accounts, false, 0);
    accounts_seed(again.accounts, &(struct accounts_seed){"key:a", 5, ACCOUNTS_DAY, day_s,
                                                          atomic_load(&world->nodes[0].spent)});
    CHECK(call(&again, LEASE / 2, LEASE / 2) == ALONE);
    close_node(&again);
    close_world(world);
}

/* An open account goes on alone, up to what the others had left when they were last heard of.
 */
static void test_open(void)
{
    struct accounts_limits limits = a_dollar_a_day(true);
    struct world *world = open_world(&limits);
    enum outcome outcome = PAID;

    start_clusters(world);
    for (int i = 0; i < 120; i++)
        CHECK(call(&world->nodes[i % 2], DOLLAR / 300, DOLLAR / 300) == PAID);
    struct accounts_view view = {.len = 0};
    int64_t others = atomic_load(&world->nodes[1].spent);
    for (int i = 0; i < 1000 && view.windows[ACCOUNTS_DAY].elsewhere != others; i++) {
        CHECK(call(&world->nodes[0], 100, 100) == PAID); /* until it has heard of the second */
        nap_us(300000);
        accounts_plan_view(world->nodes[0].plan, 0, &view);
    }
    CHECK(view.windows[ACCOUNTS_DAY].elsewhere == others);
    cut(world, true);
    while (outcome == PAID)
        outcome = call(&world->nodes[0], DOLLAR / 300, DOLLAR / 300);
    int64_t mine = atomic_load(&world->nodes[0].spent);
    accounts_plan_view(world->nodes[0].plan, 0, &view);
    CHECK(view.windows[ACCOUNTS_DAY].spent == mine);
    CHECK(mine + others <= DOLLAR && mine + others > DOLLAR - 2 * LEASE);
    close_world(world);
}

/* C-24: the store forgets all. It grants nothing until everybody has told once more. */
static void test_forgets(void)
{
    struct accounts_limits limits = a_dollar_a_day(false);
    struct world *world = open_world(&limits);

    start_clusters(world);
    while (all_spent(world) < DOLLAR * 6 / 10)
        for (int i = 0; i < NODES; i++)
            (void)call(&world->nodes[i], DOLLAR / 300, DOLLAR / 300);
    pthread_mutex_lock(&world->store.lock);
    memset(world->store.shares, 0, sizeof(world->store.shares));
    world->store.deaf = true;
    pthread_mutex_unlock(&world->store.lock);
    for (int i = 0; i < NODES; i++)
        accounts_lease_tell_all(world->nodes[i].accounts);
    start_spenders(world);
    join_spenders(world);
    CHECK(all_spent(world) <= DOLLAR && all_spent(world) > DOLLAR * 9 / 10);
    close_world(world);
}

/* Requests a minute of all together; and places, however they are spread. */
static void test_rates(void)
{
    struct accounts_limits limits = limits_of("key:a");
    enum { CALLS = 5000 };
    struct world *world;
    unsigned passed = 0;

    limits.rpm = 1200;
    world = open_world(&limits);
    int64_t begin = now_us(NULL);
    for (int i = 0; i < CALLS; i++) {
        struct node *node = &world->nodes[i % NODES];
        struct accounts_refusal refusal;
        struct reservation reservation;
        bool taken = accounts_reserve(node->plan, 1, 0, &reservation, &refusal);
        for (int tries = 0; !taken && refusal.soon && tries < 3; tries++) {
            talk(node);
            taken = accounts_reserve(node->plan, 1, 0, &reservation, &refusal);
        }
        if (!taken) CHECK(refusal.limit == ACCOUNTS_RPM);
        if (taken) accounts_settle(&reservation, 1, 0, NULL);
        passed += taken;
        talk(node);
    }
    int64_t took_us = now_us(NULL) - begin;
    int64_t most = 1200 + 1200 * took_us / (60 * SECOND_US) + 1;
    CHECK(passed <= most && passed > 1200 - NODES * 24 * 2);
    for (int i = 0; i < NODES; i++)
        close_node(&world->nodes[i]);
    free(world);
}

static void test_places(void)
{
    struct accounts_limits limits = limits_of("key:a");
    struct reservation held[40];
    struct world *world;
    unsigned running = 0;

    limits.parallel = 10;
    world = open_world(&limits);
    for (int i = 0; i < 40; i++) {
        struct node *node = &world->nodes[i % NODES];
        struct accounts_refusal refusal;
        bool taken = accounts_reserve(node->plan, 1, 0, &held[running], &refusal);
        for (int tries = 0; !taken && refusal.soon && tries < 3; tries++) {
            talk(node);
            taken = accounts_reserve(node->plan, 1, 0, &held[running], &refusal);
        }
        if (!taken && running == 10)
            CHECK(refusal.limit == ACCOUNTS_PARALLEL && !refusal.leased);
        running += taken;
        talk(node);
    }
    CHECK(running == 10);
    for (unsigned i = 0; i < running; i++)
        accounts_settle(&held[i], 0, 0, NULL);
    for (int i = 0; i < NODES; i++)
        close_node(&world->nodes[i]);
    free(world);
}

/* A soft budget is crossed by the sum of all; who hears of it tells of it once. */
static void test_soft(void)
{
    struct accounts_limits limits = limits_of("key:a");
    struct accounts_crossing out[ACCOUNTS_CROSSINGS];
    size_t told[2] = {0, 0};
    struct world *world;

    limits.soft[0] = (struct accounts_soft){ACCOUNTS_DAY, DOLLAR};
    limits.soft_count = 1;
    world = open_world(&limits);
    for (int i = 0; i < 20; i++) {
        struct node *node = &world->nodes[i % 2];
        struct accounts_refusal refusal;
        struct reservation reservation;
        CHECK(accounts_reserve(node->plan, 1, DOLLAR / 12, &reservation, &refusal));
        told[i % 2] += accounts_settle(&reservation, 1, DOLLAR / 12, out);
        if (i == 10) CHECK(told[0] + told[1] == 0);
        nap_us(260000);
        talk(&world->nodes[0]);
        talk(&world->nodes[1]);
    }
    CHECK(told[0] == 1 && told[1] == 1 && out[0].spent >= DOLLAR);
    for (int i = 0; i < NODES; i++)
        close_node(&world->nodes[i]);
    free(world);
}

int main(void)
{
    test_together(0);
    test_together(2);
    test_dies();
    test_never_there();
    test_open();
    test_forgets();
    test_rates();
    test_places();
    test_soft();
    return check_report();
}
