/* What accounts and plans hold, copied out for those who ask. */
#include <string.h>

#include "accounts_parts.h"

static struct accounts_rate bucket_view(struct accounts_bucket *bucket, int64_t limit,
                                        int64_t now_us)
{
    if (limit == ACCOUNTS_NONE) return (struct accounts_rate){ACCOUNTS_NONE, 0, 0};
    accounts_rate_drain(bucket, limit, now_us);
    return (struct accounts_rate){limit, accounts_rate_left(bucket, limit),
                                  accounts_rate_reset(bucket, limit)};
}

/* Locks the account. `entry` NULL: no limits. */
static void look(struct accounts *accounts, struct account *account,
                 const struct accounts_entry *entry, struct accounts_view *view)
{
    int64_t now_us = accounts_monotonic(accounts);

    (void)accounts_clock_tick(accounts);
    lock_take(&account->lock);
    int64_t now_ms = atomic_load_explicit(&accounts->now_ms, memory_order_relaxed);
    accounts_windows_roll(account, now_ms);
    view->name = account->name;
    view->len = account->len;
    view->rpm = bucket_view(&account->rpm, entry ? entry->rpm : ACCOUNTS_NONE, now_us);
    view->tpm = bucket_view(&account->tpm, entry ? entry->tpm : ACCOUNTS_NONE, now_us);
    int64_t most = entry ? entry->parallel : ACCOUNTS_NONE;
    int64_t places = most - account->parallel;
    view->parallel = (struct accounts_rate){most, places > 0 ? places : 0, 0};
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        const struct accounts_slot *slot = accounts_lease_slot(account, window);
        view->windows[window] = (struct accounts_money){
            .limit = entry ? entry->budgets[window] : ACCOUNTS_NONE,
            .spent = account->windows[window].spent,
            .reserved = account->windows[window].reserved,
            .elsewhere = slot ? slot->others_spent : 0,
            .start_ms = accounts_window_start(window, now_ms),
            .end_ms = accounts_window_end(window, now_ms),
        };
    }
    lock_drop(&account->lock);
}

void accounts_view(struct accounts *accounts, struct account *account,
                   struct accounts_view *view)
{
    look(accounts, account, NULL, view);
}

void accounts_plan_view(struct accounts_plan *plan, size_t index, struct accounts_view *view)
{
    for (unsigned i = 0; i < plan->count; i++)
        if (plan->entries[i].rank == index)
            look(plan->accounts, plan->entries[i].account, &plan->entries[i], view);
}

static void tighter(struct accounts_rate *rate, struct accounts_rate other)
{
    if (other.limit == ACCOUNTS_NONE) return;
    if (rate->limit == ACCOUNTS_NONE || other.left < rate->left ||
        (other.left == rate->left && other.reset_us > rate->reset_us))
        *rate = other;
}

void accounts_plan_room(struct accounts_plan *plan, struct accounts_rate *rpm,
                        struct accounts_rate *tpm)
{
    int64_t now_us = plan->accounts ? accounts_monotonic(plan->accounts) : 0;

    rpm->limit = tpm->limit = ACCOUNTS_NONE;
    for (unsigned i = 0; i < plan->count; i++) {
        const struct accounts_entry *entry = &plan->entries[i];
        if (entry->rpm == ACCOUNTS_NONE && entry->tpm == ACCOUNTS_NONE) continue;
        lock_take(&entry->account->lock);
        tighter(rpm, bucket_view(&entry->account->rpm, entry->rpm, now_us));
        tighter(tpm, bucket_view(&entry->account->tpm, entry->tpm, now_us));
        lock_drop(&entry->account->lock);
    }
}
