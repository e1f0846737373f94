/* Several gateways and one store: what they spend together, whatever happens to the store. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "accounts_lease.h"
#include "accounts_world.h"
#include "moment.h"

enum { NODES = 4, WANTS = 8, THREADS = 3, SPEED = 8 };

static const int64_t LEASE = DOLLAR / 100; /* of a dollar, one per cent */

/* Eight times as fast as the world's: leases come back after a second. */
static int64_t now_us(void *arg)
{
    (void)arg;
    return moment_monotonic_us() * SPEED;
}

static void nap_us(int64_t us)
{
    us /= SPEED;

    struct timespec time = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&time, NULL);
}

/* ---- the store, as Redis will be ----------------------------------------------------------
 */

struct share {
    int64_t held, spent;
    uint64_t seq;
    unsigned run;
};

/* One account's budget, requests and places; the lock makes a report one step. */
struct store {
    pthread_mutex_t lock;
    struct share shares[ACCOUNTS_SLOTS][NODES];
    int64_t level, level_us; /* of the bucket, in 60-millionths */
    int64_t deaf_until_us;   /* it has lost its memory: no grants before all have told */
};

static int64_t drained(struct store *store, const struct accounts_want *want, int64_t at_us)
{
    int64_t gone = (at_us - store->level_us) * want->limit + want->back * 60 * SECOND_US;

    store->level_us = at_us;
    store->level = store->level > gone ? store->level - gone : 0;
    return want->limit - (store->level + 60 * SECOND_US - 1) / (60 * SECOND_US);
}

/* False: a late report. */
static bool report(struct store *store, unsigned node, unsigned run,
                   const struct accounts_want *want, struct accounts_grant *grant)
{
    struct share *shares = store->shares[want->slot], *mine = &shares[node];
    int64_t room = want->limit, give = 0, at_us = now_us(NULL);

    if (mine->run == run && want->seq <= mine->seq) return false;
    *mine = (struct share){want->held, want->spent, want->seq, run};
    *grant = (struct accounts_grant){
        want->account, want->slot, want->start_ms, want->seq, 0, 0, 0, 0};
    for (unsigned i = 0; i < NODES; i++) {
        room -= shares[i].held;
        if (i == node) continue;
        grant->others_held += shares[i].held;
        grant->others_spent += shares[i].spent;
    }
    if (accounts_slot_pooled(want->slot)) room = drained(store, want, at_us);
    if (room >= want->least && room > 0 && at_us >= store->deaf_until_us) {
        int64_t sure = room < want->need ? room : want->need;
        int64_t more = (room - sure) / (2 * NODES), asked = want->want - want->need;
        give = sure + (more < asked ? more : asked);
    }
    grant->give = give;
    grant->left = room - give;
    if (accounts_slot_pooled(want->slot))
        store->level += give * 60 * SECOND_US;
    else
        mine->held += give;
    return true;
}

/* ---- gateways -----------------------------------------------------------------------------
 */

struct node {
    struct store *store;
    unsigned number, run;
    struct hands *hands;
    struct accounts *accounts;
    struct accounts_plan *plan;
    _Atomic bool stop, cut;  /* cut: no contact */
    _Atomic unsigned losses; /* of 8 messages, how many are lost on the way */
    _Atomic int64_t spent;
    unsigned dice;
};

static void open_node(struct node *node, const struct accounts_limits *limits)
{
    struct accounts_options options = {.clock = {read_wall, now_us, node->hands}};

    node->accounts = accounts_new(&options);
    accounts_lease_on(node->accounts, &(struct accounts_lease_options){0});
    accounts_lease_contact(node->accounts, true, NODES);
    node->plan = plan_of(node->accounts, limits, 1);
    node->dice = node->number * 77 + 5;
}

static void close_node(struct node *node)
{
    accounts_plan_free(node->plan);
    accounts_free(node->accounts);
}

static bool lost(struct node *node)
{
    node->dice = node->dice * 1103515245U + 12345U;
    return (node->dice >> 16) % 8 < atomic_load(&node->losses);
}

/* The cluster's thread, one turn: all reports to the store, its answers back. */
static void talk(struct node *node)
{
    struct accounts_want wants[WANTS];
    struct accounts_grant grant;
    size_t count;

    while ((count = accounts_lease_wants(node->accounts, wants, WANTS)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (atomic_load(&node->cut) || lost(node)) continue;
            pthread_mutex_lock(&node->store->lock);
            bool heard = report(node->store, node->number, node->run, &wants[i], &grant);
            if (heard && lost(node)) /* it comes twice: the second time is late */
                heard = report(node->store, node->number, node->run, &wants[i], &grant);
            pthread_mutex_unlock(&node->store->lock);
            if (heard && !lost(node)) accounts_lease_grant(node->accounts, &grant);
        }
        if (atomic_load(&node->cut)) return;
    }
}

static void *cluster(void *arg)
{
    struct node *node = arg;

    while (!atomic_load(&node->stop)) {
        talk(node);
        nap_us(800);
    }
    return NULL;
}

enum outcome { PAID, WAITED, ALONE, REFUSED };

/* One call that costs up to `nano`, waiting for a lease as the pipeline does. */
static enum outcome call(struct node *node, int64_t nano, int64_t fact)
{
    struct accounts_refusal refusal;
    struct reservation reservation;

    for (int64_t waited = 0;; waited += 4000) {
        if (accounts_reserve(node->plan, 1, nano, &reservation, &refusal)) break;
        if (!refusal.leased) return REFUSED;
        if (!refusal.soon) return ALONE;
        if (waited >= 400000) return WAITED;
        nap_us(4000);
    }
    accounts_settle(&reservation, 1, fact, NULL);
    atomic_fetch_add(&node->spent, fact);
    return PAID;
}

static void *spend(void *arg)
{
    struct node *node = arg;
    enum outcome outcome = PAID;

    for (int64_t i = 0; outcome != REFUSED && !atomic_load(&node->stop); i++)
        outcome = call(node, DOLLAR / 300, i % 3 ? DOLLAR / 300 : DOLLAR / 1000);
    return NULL;
}

/* ---- a world of them ----------------------------------------------------------------------
 */

struct world {
    struct hands hands;
    struct store store;
    struct node nodes[NODES];
    pthread_t cluster[NODES], spenders[NODES][THREADS];
};

static struct accounts_limits a_dollar_a_day(bool open)
{
    struct accounts_limits limits = limits_of("key:a");

    limits.budgets[ACCOUNTS_DAY] = DOLLAR;
    limits.open = open;
    return limits;
}

static struct world *open_world(const struct accounts_limits *limits)
{
    struct world *world = calloc(1, sizeof(*world));

    pthread_mutex_init(&world->store.lock, NULL);
    atomic_store(&world->hands.wall_ms, START_MS);
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];
        node->store = &world->store;
        node->number = i;
        node->hands = &world->hands;
        open_node(node, limits);
    }
    return world;
}

static void start_clusters(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        CHECK(pthread_create(&world->cluster[i], NULL, cluster, &world->nodes[i]) == 0);
}

static void start_spenders(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < THREADS; j++)
            CHECK(pthread_create(&world->spenders[i][j], NULL, spend, &world->nodes[i]) == 0);
}

static void join_spenders(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < THREADS; j++)
            CHECK(pthread_join(world->spenders[i][j], NULL) == 0);
}

static int64_t all_spent(struct world *world)
{
    int64_t sum = 0;

    for (int i = 0; i < NODES; i++)
        sum += atomic_load(&world->nodes[i].spent);
    return sum;
}

static void close_world(struct world *world)
{
    for (int i = 0; i < NODES; i++) {
        atomic_store(&world->nodes[i].stop, true);
        CHECK(pthread_join(world->cluster[i], NULL) == 0);
        CHECK(money(world->nodes[i].accounts, "key:a", ACCOUNTS_DAY).reserved == 0);
        close_node(&world->nodes[i]);
    }
    pthread_mutex_destroy(&world->store.lock);
    free(world);
}

static void cut(struct world *world, bool off)
{
    for (int i = 0; i < NODES; i++) {
        atomic_store(&world->nodes[i].cut, off);
        accounts_lease_contact(world->nodes[i].accounts, !off, 0);
    }
}

/* ---- tests --------------------------------------------------------------------------------
 */

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
    nap_us(1500000); /* what nobody uses goes back */
    for (int i = 0; i < 12 && all_spent(world) <= DOLLAR - DOLLAR / 300; i++) {
        while (call(&world->nodes[3], DOLLAR / 300, DOLLAR / 300) == PAID)
            ;
        nap_us(losses ? 300000 : 0);
    }
    CHECK(all_spent(world) <= DOLLAR);
    CHECK(all_spent(world) > DOLLAR - DOLLAR / 300);
    close_world(world);
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
    CHECK(all_spent(world) > before && all_spent(world) <= before + NODES * 3 * LEASE);
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
    start_spenders(world);
    nap_us(100000);
    for (int i = 0; i < NODES; i++)
        atomic_store(&world->nodes[i].stop, true);
    join_spenders(world);
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
    nap_us(600000);
    CHECK(call(&world->nodes[0], DOLLAR / 300, DOLLAR / 300) == PAID);
    nap_us(300000); /* the first has heard of the second */
    cut(world, true);
    while (outcome == PAID)
        outcome = call(&world->nodes[0], DOLLAR / 300, DOLLAR / 300);
    int64_t mine = atomic_load(&world->nodes[0].spent);
    int64_t others = atomic_load(&world->nodes[1].spent);
    struct accounts_view view;
    accounts_plan_view(world->nodes[0].plan, 0, &view);
    CHECK(view.windows[ACCOUNTS_DAY].spent == mine);
    CHECK(view.windows[ACCOUNTS_DAY].elsewhere == others);
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
    world->store.deaf_until_us = now_us(NULL) + SECOND_US;
    pthread_mutex_unlock(&world->store.lock);
    for (int i = 0; i < NODES; i++)
        accounts_lease_tell_all(world->nodes[i].accounts);
    nap_us(1100000);
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
    return check_report();
}
