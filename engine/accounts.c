/* The table of accounts, and the plans that point into it. */
#include "accounts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "accounts_parts.h"
#include "moment.h"
#include "siphash.h"

enum { MAX_ACCOUNTS = 262144, FIRST_BUCKETS = 256 };

/* More than this a minute is no limit; it keeps the buckets' arithmetic within 64 bits. */
static const int64_t MAX_RATE = 10000000000;
/* A clock that was set back by less while nothing ran opens no budget anew. */
static const int64_t SET_BACK_MS = (int64_t)2 * 86400000;
/* Names that clients choose; they may not crowd out those of the operator. Whoever finds no
 * room any more shares an account with others, which is none of them (pipeline/plans.lua). */
static const char GUEST[] = "user:", SHARED = '*';

static int64_t wall_us(void *arg)
{
    (void)arg;
    return moment_wall_us();
}

static int64_t monotonic_us(void *arg)
{
    (void)arg;
    return moment_monotonic_us();
}

struct accounts *accounts_new(const struct accounts_options *options)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts));

    if (!accounts) return NULL;
    if (options) {
        accounts->clock = options->clock;
        accounts->max_accounts = options->max_accounts;
    }
    if (!accounts->clock.wall_us) accounts->clock.wall_us = wall_us;
    if (!accounts->clock.monotonic_us) accounts->clock.monotonic_us = monotonic_us;
    if (!accounts->max_accounts) accounts->max_accounts = MAX_ACCOUNTS;
    accounts->bucket_count = FIRST_BUCKETS;
    accounts->buckets = calloc(FIRST_BUCKETS, sizeof(struct account *));
    if (!accounts->buckets ||
        getrandom(accounts->seed, sizeof(accounts->seed), 0) != sizeof(accounts->seed)) {
        accounts_free(accounts);
        return NULL;
    }
    (void)accounts_clock_tick(accounts);
    return accounts;
}

void accounts_free(struct accounts *accounts)
{
    struct account *account;

    if (!accounts) return;
    account = atomic_load(&accounts->newest);
    while (account) {
        struct account *older = (struct account *)account->older;
        accounts_lease_free(account->lease);
        free(account);
        account = older;
    }
    free(accounts->buckets);
    free(accounts);
}

size_t accounts_count(const struct accounts *accounts)
{
    return atomic_load_explicit(&accounts->count, memory_order_relaxed);
}

/* ---- the table: all of it with its lock held ----------------------------------------------
 */

static struct account *search(const struct accounts *accounts, uint64_t hash, const char *name,
                              size_t len)
{
    struct account *account = accounts->buckets[hash & (accounts->bucket_count - 1)];

    while (account && (account->hash != hash || account->len != len ||
                       memcmp(account->name, name, len) != 0))
        account = account->chain;
    return account;
}

/* Without the memory for more buckets the chains grow longer, no more. */
static void widen(struct accounts *accounts)
{
    size_t count = accounts->bucket_count * 2;
    struct account **buckets = calloc(count, sizeof(struct account *));

    if (!buckets) return;
    for (size_t i = 0; i < accounts->bucket_count; i++) {
        struct account *account = accounts->buckets[i];
        while (account) {
            struct account *next = account->chain;
            struct account **bucket = &buckets[account->hash & (count - 1)];
            account->chain = *bucket;
            *bucket = account;
            account = next;
        }
    }
    free(accounts->buckets);
    accounts->buckets = buckets;
    accounts->bucket_count = count;
}

static bool is_guest(const char *name, size_t len)
{
    size_t head = sizeof(GUEST) - 1;

    return len >= head && memcmp(name, GUEST, head) == 0 &&
           (len == head || name[head] != SHARED);
}

static bool room_for(struct accounts *accounts, const char *name, size_t len)
{
    bool guest = is_guest(name, len);

    if (accounts_count(accounts) >= accounts->max_accounts) return false;
    if (!guest) return true;
    if (accounts->guests >= accounts->max_accounts / 2) return false;
    accounts->guests++;
    return true;
}

static struct account *make(struct accounts *accounts, uint64_t hash, const char *name,
                            size_t len)
{
    struct account *account = calloc(1, sizeof(*account) + len);

    if (!account) return NULL;
    account->hash = hash;
    account->len = (uint16_t)len;
    memcpy(account->name, name, len);
    accounts_windows_roll(account, atomic_load(&accounts->now_ms));
    if (accounts_count(accounts) >= accounts->bucket_count) widen(accounts);
    struct account **bucket = &accounts->buckets[hash & (accounts->bucket_count - 1)];
    account->chain = *bucket;
    *bucket = account;
    account->older = atomic_load(&accounts->newest);
    atomic_store(&accounts->newest, account);
    atomic_fetch_add(&accounts->count, 1);
    return account;
}

/* NULL: not there, and not to be made or no room. */
static struct account *enter(struct accounts *accounts, const char *name, size_t len,
                             bool wanted)
{
    uint64_t hash = siphash(accounts->seed, name, len);

    lock_take(&accounts->lock);
    struct account *account = search(accounts, hash, name, len);
    if (!account && wanted && len <= ACCOUNTS_NAME && room_for(accounts, name, len))
        account = make(accounts, hash, name, len);
    lock_drop(&accounts->lock);
    return account;
}

struct account *accounts_find(struct accounts *accounts, const char *name, size_t len)
{
    return enter(accounts, name, len, false);
}

uint64_t accounts_hash(const struct account *account)
{
    return account->hash;
}

struct account *accounts_next(struct accounts *accounts, const struct account *account)
{
    return account ? (struct account *)account->older : atomic_load(&accounts->newest);
}

bool accounts_seed(struct accounts *accounts, const struct accounts_seed *seed)
{
    struct account *account = enter(accounts, seed->name, seed->len, true);
    int64_t now_ms = accounts_clock_tick(accounts), start_ms = seed->start_s * 1000;

    if (!account) return is_guest(seed->name, seed->len); /* there will be none for it either */
    if (start_ms > now_ms && start_ms - now_ms <= SET_BACK_MS) {
        atomic_store(&accounts->now_ms, start_ms);
        now_ms = start_ms;
    }
    lock_take(&account->lock);
    accounts_windows_roll(account, now_ms);
    if (accounts_window_start(seed->window, now_ms) == start_ms) {
        int64_t *spent = &account->windows[seed->window].spent;
        *spent = accounts_plus(*spent, seed->nano);
    }
    lock_drop(&account->lock);
    return true;
}

/* ---- plans --------------------------------------------------------------------------------
 */

void accounts_limits_init(struct accounts_limits *limits)
{
    memset(limits, 0, sizeof(*limits));
    limits->rpm = limits->tpm = limits->parallel = ACCOUNTS_NONE;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++)
        limits->budgets[window] = ACCOUNTS_NONE;
}

static void tighten(int64_t *limit, int64_t other)
{
    if (other != ACCOUNTS_NONE && (*limit == ACCOUNTS_NONE || other < *limit)) *limit = other;
}

/* The entry of this account, if there is none a new one at its place in the order. */
static struct accounts_entry *entry_for(struct accounts_plan *plan, struct account *account)
{
    unsigned at = 0;

    while (at < plan->count && (uintptr_t)plan->entries[at].account < (uintptr_t)account)
        at++;
    struct accounts_entry *entry = &plan->entries[at];
    if (at < plan->count && entry->account == account) return entry;
    memmove(entry + 1, entry, (plan->count - at) * sizeof(*entry));
    memset(entry, 0, sizeof(*entry));
    entry->account = account;
    entry->rank = plan->count++;
    entry->open = true;
    entry->rpm = entry->tpm = entry->parallel = ACCOUNTS_NONE;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++)
        entry->budgets[window] = ACCOUNTS_NONE;
    return entry;
}

/* The stricter of what holds already and of `limits`. False: too many soft budgets. */
static bool hold_to(struct accounts_entry *entry, const struct accounts_limits *limits)
{
    tighten(&entry->rpm, limits->rpm);
    tighten(&entry->tpm, limits->tpm);
    tighten(&entry->parallel, limits->parallel);
    if (entry->rpm > MAX_RATE) entry->rpm = MAX_RATE;
    if (entry->tpm > MAX_RATE) entry->tpm = MAX_RATE;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        tighten(&entry->budgets[window], limits->budgets[window]);
        if (entry->budgets[window] != ACCOUNTS_NONE)
            entry->budget_mask |= (uint8_t)(1U << window);
    }
    entry->open = entry->open && limits->open;
    if (limits->soft_count > ACCOUNTS_SOFT - entry->soft_count) return false;
    for (unsigned i = 0; i < limits->soft_count; i++)
        entry->soft[entry->soft_count++] = limits->soft[i];
    return true;
}

static const char *fill(struct accounts_plan *plan, const struct accounts_limits *limits,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct account *account = enter(plan->accounts, limits[i].name, limits[i].len, true);
        if (!account) return "the table of accounts is full";
        struct accounts_entry *entry = entry_for(plan, account);
        if (!hold_to(entry, &limits[i])) return "too many soft budgets";
        lock_take(&account->lock);
        bool opened = accounts_lease_open(plan->accounts, entry);
        lock_drop(&account->lock);
        if (!opened) return "out of memory";
    }
    return NULL;
}

struct accounts_plan *accounts_plan_new(struct accounts *accounts,
                                        const struct accounts_limits *limits, size_t count,
                                        const char **error)
{
    struct accounts_plan *plan = NULL;

    *error = "too many accounts";
    if (count > ACCOUNTS_PER_PLAN) return NULL;
    *error = "out of memory";
    plan = calloc(1, sizeof(*plan) + count * sizeof(struct accounts_entry));
    if (!plan) return NULL;
    plan->accounts = accounts;
    *error = accounts ? fill(plan, limits, count) : NULL;
    if (!*error) return plan;
    free(plan);
    return NULL;
}

void accounts_plan_free(struct accounts_plan *plan)
{
    free(plan);
}

size_t accounts_plan_size(const struct accounts_plan *plan)
{
    return plan->count;
}
