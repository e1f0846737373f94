/* A table of accounts whose time the tests move, and short ways to ask it. */
#ifndef MOONGATE_ACCOUNTS_WORLD_H
#define MOONGATE_ACCOUNTS_WORLD_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "accounts.h"
#include "check.h"

#define SECOND_US INT64_C(1000000)
#define DOLLAR    INT64_C(1000000000)
#define START_MS  INT64_C(1795348800000) /* 2026-11-22T12:00:00Z, a Sunday */

/* A clock that stands still until it is told to move. */
struct hands {
    _Atomic int64_t wall_ms, monotonic_us;
};

static inline int64_t read_wall(void *arg)
{
    return atomic_load(&((struct hands *)arg)->wall_ms) * 1000;
}

static inline int64_t read_monotonic(void *arg)
{
    return atomic_load(&((struct hands *)arg)->monotonic_us);
}

static inline struct accounts *table(struct hands *hands)
{
    struct accounts_options options = {.clock = {read_wall, read_monotonic, hands}};

    atomic_store(&hands->wall_ms, START_MS);
    atomic_store(&hands->monotonic_us, 5 * SECOND_US);
    return accounts_new(&options);
}

static inline void pass(struct hands *hands, int64_t us)
{
    atomic_fetch_add(&hands->wall_ms, us / 1000);
    atomic_fetch_add(&hands->monotonic_us, us);
}

static inline struct accounts_limits limits_of(const char *name)
{
    struct accounts_limits limits;

    accounts_limits_init(&limits);
    limits.name = name;
    limits.len = strlen(name);
    return limits;
}

static inline struct accounts_plan *plan_of(struct accounts *accounts,
                                            const struct accounts_limits *limits, size_t count)
{
    const char *error = NULL;
    struct accounts_plan *plan = accounts_plan_new(accounts, limits, count, &error);

    CHECK(plan && !error);
    return plan;
}

static inline struct accounts_money money(struct accounts *accounts, const char *name,
                                          enum accounts_window window)
{
    struct account *account = accounts_find(accounts, name, strlen(name));
    struct accounts_view view;

    if (!CHECK(account != NULL)) return (struct accounts_money){0};
    accounts_view(accounts, account, &view);
    return view.windows[window];
}

static inline bool refuses(struct accounts_plan *plan, int64_t tokens, int64_t nano,
                           struct accounts_refusal *refusal)
{
    struct reservation reservation;

    if (!accounts_reserve(plan, tokens, nano, &reservation, refusal)) return true;
    accounts_refund(&reservation);
    return false;
}

static inline bool named(const struct accounts_refusal *refusal, const char *name,
                         const char *limit)
{
    return refusal->len == strlen(name) && memcmp(refusal->name, name, refusal->len) == 0 &&
           strcmp(accounts_limit_name(refusal->limit), limit) == 0;
}

#endif
