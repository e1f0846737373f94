/* Four gateways and one store, in one process: what Redis does, in plain C. */
#ifndef MOONGATE_LEASE_WORLD_H
#define MOONGATE_LEASE_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "accounts_lease.h"
#include "accounts_world.h"
#include "moment.h"

enum { PATIENCE_US = 80000000 }; /* the machine may be busy */
enum { NODES = 4, WANTS = 8, THREADS = 3, SPEED = 8 };

#define LEASE (DOLLAR / 100) /* of a dollar, one per cent */

/* Eight times as fast as the world's: leases come back after a second. */
static inline int64_t now_us(void *arg)
{
    (void)arg;
    return moment_monotonic_us() * SPEED;
}

static inline void nap_us(int64_t us)
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
    bool deaf;               /* it has lost its memory: no grants before all have told */
};

static inline int64_t drained(struct store *store, const struct accounts_want *want,
                              int64_t at_us)
{
    int64_t gone = (at_us - store->level_us) * want->limit + want->back * 60 * SECOND_US;

    store->level_us = at_us;
    store->level = store->level > gone ? store->level - gone : 0;
    return want->limit - (store->level + 60 * SECOND_US - 1) / (60 * SECOND_US);
}

/* False: a late report. */
static inline bool report(struct store *store, unsigned node, unsigned run,
                          const struct accounts_want *want, struct accounts_grant *grant)
{
    struct share *shares = store->shares[want->slot], *mine = &shares[node];
    int64_t room = want->limit, give = 0, at_us = now_us(NULL);

    if (mine->run == run && want->seq <= mine->seq) return false;
    *mine = (struct share){want->held, want->spent, want->seq, run};
    *grant = (struct accounts_grant){
        want->account, want->slot, want->start_ms, want->seq, 0, 0, 0, 0};
    unsigned told = 0;
    for (unsigned i = 0; i < NODES; i++) {
        told += shares[i].seq > 0;
        room -= shares[i].held;
        if (i == node) continue;
        grant->others_held += shares[i].held;
        grant->others_spent += shares[i].spent;
    }
    if (accounts_slot_pooled(want->slot)) room = drained(store, want, at_us);
    if (told == NODES) store->deaf = false;
    if (room >= want->least && room > 0 && !store->deaf) {
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

static inline void open_node(struct node *node, const struct accounts_limits *limits)
{
    struct accounts_options options = {.clock = {read_wall, now_us, node->hands}};

    node->accounts = accounts_new(&options);
    accounts_lease_on(node->accounts, &(struct accounts_lease_options){0});
    accounts_lease_contact(node->accounts, true, NODES);
    node->plan = plan_of(node->accounts, limits, 1);
    node->dice = node->number * 77 + 5;
}

static inline void close_node(struct node *node)
{
    accounts_plan_free(node->plan);
    accounts_free(node->accounts);
}

static inline bool lost(struct node *node)
{
    node->dice = node->dice * 1103515245U + 12345U;
    return (node->dice >> 16) % 8 < atomic_load(&node->losses);
}

/* The cluster's thread, one turn: all reports to the store, its answers back. */
static inline void talk(struct node *node)
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

static inline void *cluster(void *arg)
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
static inline enum outcome call(struct node *node, int64_t nano, int64_t fact)
{
    struct accounts_refusal refusal;
    struct reservation reservation;

    for (int64_t waited = 0;; waited += 4000) {
        if (accounts_reserve(node->plan, 1, nano, &reservation, &refusal)) break;
        if (!refusal.leased) return REFUSED;
        if (!refusal.soon) return ALONE;
        if (waited >= PATIENCE_US) return WAITED;
        nap_us(4000);
    }
    accounts_settle(&reservation, 1, fact, NULL);
    atomic_fetch_add(&node->spent, fact);
    return PAID;
}

static inline void *spend(void *arg)
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

static inline struct accounts_limits a_dollar_a_day(bool open)
{
    struct accounts_limits limits = limits_of("key:a");

    limits.budgets[ACCOUNTS_DAY] = DOLLAR;
    limits.open = open;
    return limits;
}

static inline struct world *open_world(const struct accounts_limits *limits)
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

static inline void start_clusters(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        CHECK(pthread_create(&world->cluster[i], NULL, cluster, &world->nodes[i]) == 0);
}

static inline void start_spenders(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < THREADS; j++)
            CHECK(pthread_create(&world->spenders[i][j], NULL, spend, &world->nodes[i]) == 0);
}

static inline void join_spenders(struct world *world)
{
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < THREADS; j++)
            CHECK(pthread_join(world->spenders[i][j], NULL) == 0);
}

static inline int64_t all_spent(struct world *world)
{
    int64_t sum = 0;

    for (int i = 0; i < NODES; i++)
        sum += atomic_load(&world->nodes[i].spent);
    return sum;
}

static inline void close_world(struct world *world)
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

static inline void cut(struct world *world, bool off)
{
    for (int i = 0; i < NODES; i++) {
        atomic_store(&world->nodes[i].cut, off);
        accounts_lease_contact(world->nodes[i].accounts, !off, 0);
    }
}

#endif
