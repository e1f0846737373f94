/* Reserve, raise, settle, refund. All accounts of a plan are locked together, always in order
 * of their addresses; then everything is looked at before anything is taken. */
#include <string.h>

#include "accounts_parts.h"

static const int64_t SOON_US = 1000000; /* when a place among the running may be free */

static const char *const LIMITS[] = {
    "rpm",        "tpm",         "parallel",     "budget:minute", "budget:hour",
    "budget:day", "budget:week", "budget:month", "budget:year",   "budget:ever",
};

const char *accounts_limit_name(enum accounts_limit limit)
{
    return LIMITS[limit];
}

static void lock_all(struct accounts_plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++)
        lock_take(&plan->entries[i].account->lock);
}

static void unlock_all(struct accounts_plan *plan)
{
    for (unsigned i = plan->count; i-- > 0;)
        lock_drop(&plan->entries[i].account->lock);
}

/* ---- looking ------------------------------------------------------------------------------
 */

/* What refuses, and how long it will; kept if nothing seen before lasts longer. */
struct refuser {
    const struct accounts_entry *entry; /* NULL: nothing refuses */
    enum accounts_limit limit;
    int64_t retry_us, left;
    bool leased, soon;
};

static void refuse(struct refuser *worst, struct refuser found)
{
    if (worst->entry && worst->retry_us > found.retry_us) return;
    if (worst->entry && worst->retry_us == found.retry_us &&
        worst->entry->rank <= found.entry->rank)
        return;
    *worst = found;
}

static void look_at_rates(const struct accounts *accounts, const struct accounts_entry *entry,
                          const struct accounts_step *step, struct refuser *worst)
{
    struct account *account = entry->account;
    int64_t wait, limit;

    if (entry->parallel >= 0 && account->parallel + step->requests > entry->parallel &&
        step->requests)
        refuse(worst, (struct refuser){entry, ACCOUNTS_PARALLEL, SOON_US, 0, false, false});
    if (entry->rpm >= 0 && step->requests) {
        limit = accounts_lease_rate(accounts, entry, entry->rpm);
        accounts_rate_drain(&account->rpm, limit, step->now_us);
        wait = accounts_rate_wait(&account->rpm, limit, step->requests);
        if (wait)
            refuse(worst,
                   (struct refuser){entry, ACCOUNTS_RPM, wait,
                                    accounts_rate_left(&account->rpm, limit), false, false});
    }
    if (entry->tpm >= 0 && step->tokens > step->had) {
        limit = accounts_lease_rate(accounts, entry, entry->tpm);
        accounts_rate_drain(&account->tpm, limit, step->now_us);
        wait = accounts_rate_wait(&account->tpm, limit,
                                  accounts_rate_cut(step->tokens, limit) -
                                      accounts_rate_cut(step->had, limit));
        if (wait)
            refuse(worst,
                   (struct refuser){entry, ACCOUNTS_TPM, wait,
                                    accounts_rate_left(&account->tpm, limit), false, false});
    }
}

static void look_at_budgets(const struct accounts_entry *entry,
                            const struct accounts_step *step, struct refuser *worst)
{
    unsigned mask = entry->budget_mask & accounts_windows_of(entry->account, step->admitted_ms);

    if (step->nano <= 0) return;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        const struct accounts_sum *sum = &entry->account->windows[window];
        int64_t room = entry->budgets[window] - accounts_plus(sum->spent, sum->reserved);

        if (!(mask >> window & 1) || step->nano <= room) continue;
        int64_t end_ms = accounts_window_end(window, step->now_ms);
        refuse(worst,
               (struct refuser){entry, ACCOUNTS_BUDGET + window, (end_ms - step->now_ms) * 1000,
                                room > 0 ? room : 0, false, false});
    }
}

static enum accounts_limit limit_of_slot(int slot)
{
    switch (slot) {
    case ACCOUNTS_SLOT_PARALLEL: return ACCOUNTS_PARALLEL;
    case ACCOUNTS_SLOT_RPM: return ACCOUNTS_RPM;
    case ACCOUNTS_SLOT_TPM: return ACCOUNTS_TPM;
    default: return ACCOUNTS_BUDGET + slot;
    }
}

static void look_at_leases(const struct accounts *accounts, const struct accounts_entry *entry,
                           const struct accounts_step *step, struct refuser *worst)
{
    struct accounts_shortage shortage;

    for (int slot = 0; entry->account->lease && slot < ACCOUNTS_SLOTS; slot++) {
        if (accounts_lease_fits(accounts, entry, step, slot, &shortage)) continue;
        refuse(worst, (struct refuser){entry, limit_of_slot(slot), shortage.retry_us,
                                       shortage.left, !shortage.final, shortage.soon});
    }
}

/* ---- taking -------------------------------------------------------------------------------
 */

static void take(const struct accounts_entry *entry, const struct accounts_step *step)
{
    struct account *account = entry->account;
    unsigned mask = accounts_windows_of(account, step->admitted_ms);

    account->parallel += (int32_t)step->requests;
    if (entry->rpm >= 0 && step->requests)
        accounts_rate_take(&account->rpm, entry->rpm, step->requests);
    if (entry->tpm >= 0 && step->tokens != step->had)
        accounts_rate_take(&account->tpm, entry->tpm,
                           accounts_rate_cut(step->tokens, entry->tpm) -
                               accounts_rate_cut(step->had, entry->tpm));
    if (step->nano == 0) return;
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++)
        if (mask >> window & 1)
            account->windows[window].reserved =
                accounts_plus(account->windows[window].reserved, step->nano);
}

/* True: the cluster should hear of it. */
static bool take_all(struct accounts_plan *plan, const struct accounts_step *step)
{
    bool low = false;

    for (unsigned i = 0; i < plan->count; i++) {
        take(&plan->entries[i], step);
        if (accounts_lease_take(plan->accounts, &plan->entries[i], step)) low = true;
    }
    return low;
}

/* Where nothing but leases stands in the way, more of them is asked for. */
static bool ask_all(struct accounts_plan *plan, const struct accounts_step *step,
                    const struct refuser *worst)
{
    if (!worst->leased) return false;
    for (unsigned i = 0; i < plan->count; i++)
        accounts_lease_ask(plan->accounts, &plan->entries[i], step);
    return true;
}

/* All or nothing. The time is that of the table, read with all locks held: none of the accounts
 * has seen a later one. `fresh`: it is also the moment of admission. */
static bool try_step(struct accounts_plan *plan, struct accounts_step *step, bool fresh,
                     struct accounts_refusal *refusal)
{
    struct accounts *accounts = plan->accounts;
    struct refuser worst = {.entry = NULL};

    (void)accounts_clock_tick(accounts);
    step->now_us = accounts_monotonic(accounts);
    lock_all(plan);
    step->now_ms = atomic_load_explicit(&accounts->now_ms, memory_order_relaxed);
    if (fresh) step->admitted_ms = step->now_ms;
    for (unsigned i = 0; i < plan->count; i++) {
        accounts_windows_roll(plan->entries[i].account, step->now_ms);
        look_at_rates(accounts, &plan->entries[i], step, &worst);
        look_at_budgets(&plan->entries[i], step, &worst);
        look_at_leases(accounts, &plan->entries[i], step, &worst);
    }
    bool wake = worst.entry ? ask_all(plan, step, &worst) : take_all(plan, step);
    unlock_all(plan);
    if (wake && accounts->lease.wake) accounts->lease.wake(accounts->lease.arg);
    if (!worst.entry) return true;
    *refusal = (struct accounts_refusal){
        .name = worst.entry->account->name,
        .len = worst.entry->account->len,
        .limit = worst.limit,
        .retry_us = worst.retry_us,
        .left = worst.left,
        .leased = worst.leased,
        .soon = worst.soon,
    };
    return false;
}

bool accounts_reserve(struct accounts_plan *plan, int64_t tokens, int64_t nano,
                      struct reservation *reservation, struct accounts_refusal *refusal)
{
    struct accounts_step step = {.requests = 1, .tokens = tokens, .nano = nano};

    *reservation = (struct reservation){NULL, tokens, nano, 0};
    if (plan->accounts && !try_step(plan, &step, true, refusal)) return false;
    reservation->plan = plan;
    reservation->admitted_ms = step.admitted_ms;
    return true;
}

bool accounts_raise(struct reservation *reservation, int64_t tokens, int64_t nano,
                    struct accounts_refusal *refusal)
{
    struct accounts_plan *plan = reservation->plan;

    if (!plan) return true;
    if (tokens < reservation->tokens) tokens = reservation->tokens;
    if (nano < reservation->nano) nano = reservation->nano;
    struct accounts_step step = {.had = reservation->tokens,
                                 .tokens = tokens,
                                 .nano = nano - reservation->nano,
                                 .admitted_ms = reservation->admitted_ms};
    if (plan->accounts && !try_step(plan, &step, false, refusal)) return false;
    reservation->tokens = tokens;
    reservation->nano = nano;
    return true;
}

/* ---- giving back --------------------------------------------------------------------------
 */

/* What ends a reservation. */
struct end {
    const struct reservation *reservation; /* borrowed */
    int64_t requests;                      /* given back of rpm */
    int64_t tokens, nano;                  /* the fact */
};

static void charge(const struct accounts *accounts, const struct accounts_entry *entry,
                   const struct end *end)
{
    struct account *account = entry->account;
    unsigned mask = accounts_windows_of(account, end->reservation->admitted_ms);
    int64_t tokens = accounts_rate_cut(end->reservation->tokens, entry->tpm) -
                     accounts_rate_cut(end->tokens, entry->tpm);

    account->parallel--;
    if (end->requests && entry->rpm >= 0)
        accounts_rate_take(&account->rpm, entry->rpm, -end->requests);
    if (entry->tpm >= 0) accounts_rate_take(&account->tpm, entry->tpm, -tokens);
    accounts_lease_return(accounts, entry, end->requests, tokens);
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        struct accounts_sum *sum = &account->windows[window];
        if (!(mask >> window & 1)) continue;
        sum->reserved -= end->reservation->nano;
        if (sum->reserved < 0) sum->reserved = 0; /* it had come to the end of its type */
        sum->spent = accounts_plus(sum->spent, end->nano);
    }
}

/* What all gateways have spent in a window, as far as is known; and what that was when soft
 * budgets were last compared with it. */
static int64_t spent_by_all(const struct account *account, const struct end *end, int window,
                            int64_t *before)
{
    const struct accounts_slot *slot = accounts_lease_slot(account, window);
    int64_t spent = account->windows[window].spent;

    *before = slot ? slot->checked : spent - end->nano;
    return slot ? accounts_plus(spent, slot->others_spent) : spent;
}

static void remember_checked(const struct accounts_entry *entry, const struct end *end)
{
    int64_t before;

    for (unsigned i = 0; i < entry->soft_count; i++) {
        int window = (int)entry->soft[i].window;
        struct accounts_slot *slot = accounts_lease_slot(entry->account, window);
        if (slot) slot->checked = spent_by_all(entry->account, end, window, &before);
    }
}

/* Soft budgets that this charge, or one before it that could not tell, carried past the limit.
 * Several gateways tell of it each, when they hear of it. */
static size_t crossings(const struct accounts_entry *entry, const struct end *end,
                        struct accounts_crossing *out, size_t room)
{
    struct account *account = entry->account;
    unsigned mask = accounts_windows_of(account, end->reservation->admitted_ms), told = 0;
    size_t count = 0;
    int64_t before;

    for (unsigned i = 0; i < entry->soft_count; i++) {
        const struct accounts_soft *soft = &entry->soft[i];
        int64_t spent = spent_by_all(account, end, (int)soft->window, &before);
        unsigned bit = 1U << soft->window;
        bool crossed = before < soft->nano && (mask & bit);

        if (spent < soft->nano || !(crossed || (account->untold & bit))) continue;
        if (!out || count == room) {
            account->untold |= (uint8_t)bit;
            continue;
        }
        told |= bit;
        out[count++] = (struct accounts_crossing){account->name, account->len, soft->window,
                                                  spent, soft->nano};
    }
    account->untold &= (uint8_t)~told;
    remember_checked(entry, end);
    return count;
}

static size_t finish(struct reservation *reservation, const struct end *end,
                     struct accounts_crossing *out)
{
    struct accounts_plan *plan = reservation->plan;
    size_t count = 0;

    if (plan->accounts) {
        lock_all(plan);
        for (unsigned i = 0; i < plan->count; i++) {
            charge(plan->accounts, &plan->entries[i], end);
            if (plan->entries[i].soft_count)
                count += crossings(&plan->entries[i], end, out ? out + count : NULL,
                                   ACCOUNTS_CROSSINGS - count);
        }
        unlock_all(plan);
    }
    reservation->plan = NULL;
    return count;
}

size_t accounts_settle(struct reservation *reservation, int64_t tokens, int64_t nano,
                       struct accounts_crossing out[ACCOUNTS_CROSSINGS])
{
    struct end end = {.reservation = reservation, .tokens = tokens, .nano = nano};

    return reservation->plan ? finish(reservation, &end, out) : 0;
}

void accounts_refund(struct reservation *reservation)
{
    struct end end = {.reservation = reservation, .requests = 1};

    if (reservation->plan) (void)finish(reservation, &end, NULL);
}
