/* Leases as requests meet them: what is held is used, and what is missing is asked for. */
#include <stdlib.h>

#include "accounts_parts.h"

static const int64_t MINUTE_US = 60000000;
static const int64_t FRESH_US = 200000; /* what the store said is believed for so long */
static const int64_t GRANT_US = 3000;   /* a grant is on its way: look again after this */
static const int64_t OUTAGE_US = 1000000;
static const int64_t NO_LIMIT = 9007199254740991; /* 2^53 - 1: what stores count exactly */
enum { RATE_SLICES = 50 };                        /* a lease of a rate is a 50th of it */

static int64_t limit_of(const struct accounts_entry *entry, int slot)
{
    switch (slot) {
    case ACCOUNTS_SLOT_PARALLEL: return entry->parallel;
    case ACCOUNTS_SLOT_RPM: return entry->rpm;
    case ACCOUNTS_SLOT_TPM: return entry->tpm;
    default: return entry->budgets[slot];
    }
}

/* A soft budget alone needs to know what the others have spent, too. */
static bool is_soft(const struct accounts_entry *entry, int slot)
{
    for (unsigned i = 0; i < entry->soft_count; i++)
        if ((int)entry->soft[i].window == slot) return true;
    return false;
}

static struct accounts_lease *lease_new(struct accounts *accounts, struct account *account)
{
    struct accounts_lease *lease = calloc(1, sizeof(*lease));

    if (!lease) return NULL;
    lease->account = account;
    lease->next = atomic_load(&accounts->leases);
    while (!atomic_compare_exchange_weak(&accounts->leases, &lease->next, lease))
        ;
    return lease;
}

bool accounts_lease_open(struct accounts *accounts, const struct accounts_entry *entry)
{
    struct account *account = entry->account;

    for (int slot = 0; accounts->leased && slot < ACCOUNTS_SLOTS; slot++) {
        if (limit_of(entry, slot) == ACCOUNTS_NONE && !is_soft(entry, slot)) continue;
        if (!account->lease) account->lease = lease_new(accounts, account);
        if (!account->lease) return false;
        struct accounts_slot **place = &account->lease->slots[slot];
        if (!*place) *place = calloc(1, sizeof(**place));
        if (!*place) return false;
    }
    return true;
}

void accounts_lease_free(struct accounts_lease *lease)
{
    for (int slot = 0; lease && slot < ACCOUNTS_SLOTS; slot++)
        free(lease->slots[slot]);
    free(lease);
}

/* A new window: nothing of it is held yet. */
void accounts_lease_roll(struct account *account, int window)
{
    struct accounts_slot *slot = accounts_lease_slot(account, window);

    if (slot) *slot = (struct accounts_slot){0};
}

void accounts_lease_queue(struct accounts *accounts, struct accounts_lease *lease)
{
    lock_take(&accounts->lease_lock);
    if (!lease->queued) {
        lease->queued = true;
        lease->wanting = accounts->wanting;
        accounts->wanting = lease;
    }
    lock_drop(&accounts->lease_lock);
}

int64_t accounts_lease_size(const struct accounts *accounts, int slot, int64_t limit)
{
    int64_t size = limit / RATE_SLICES;

    if (slot < ACCOUNTS_WINDOWS) {
        size = limit / 100 * accounts->lease.percent;
        if (size > accounts->lease.most_nano) size = accounts->lease.most_nano;
    }
    /* A place that is kept for later is one that another gateway has not: none of a few. */
    if (slot == ACCOUNTS_SLOT_PARALLEL) return size;
    return size > 0 ? size : 1;
}

int64_t accounts_lease_used(const struct account *account, int slot)
{
    if (slot == ACCOUNTS_SLOT_PARALLEL) return account->parallel;
    return accounts_plus(account->windows[slot].spent, account->windows[slot].reserved);
}

static bool in_contact(const struct accounts *accounts)
{
    return atomic_load_explicit(&accounts->contact, memory_order_relaxed);
}

int64_t accounts_lease_rate(const struct accounts *accounts, const struct accounts_entry *entry,
                            int64_t limit)
{
    unsigned nodes = atomic_load_explicit(&accounts->nodes, memory_order_relaxed);

    if (!accounts->leased || entry->open || limit <= 0 || nodes < 2 || in_contact(accounts))
        return limit;
    return limit / nodes > 0 ? limit / nodes : 1;
}

int64_t accounts_lease_need(const struct accounts_entry *entry,
                            const struct accounts_step *step, int slot)
{
    if (limit_of(entry, slot) == ACCOUNTS_NONE) return 0;
    switch (slot) {
    case ACCOUNTS_SLOT_PARALLEL:
    case ACCOUNTS_SLOT_RPM: return step->requests;
    case ACCOUNTS_SLOT_TPM:
        return accounts_rate_cut(step->tokens, entry->tpm) -
               accounts_rate_cut(step->had, entry->tpm);
    default: break;
    }
    /* A window that has ended since admission can only be charged. */
    if (!(accounts_windows_of(entry->account, step->admitted_ms) >> slot & 1)) return 0;
    return step->nano;
}

/* The slot, made live: what was used before it was, the store has heard of or will. */
static struct accounts_slot *touch(const struct accounts_entry *entry, int slot, int64_t now_us)
{
    struct accounts_slot *found = accounts_lease_slot(entry->account, slot);

    if (!found) return NULL;
    if (!found->live) {
        found->live = true;
        found->told_used = found->told_spent = -1;
        if (!accounts_slot_pooled(slot))
            found->held = accounts_lease_used(entry->account, slot);
        if (slot < ACCOUNTS_WINDOWS) found->checked = entry->account->windows[slot].spent;
    }
    found->limit = limit_of(entry, slot);
    if (found->limit == ACCOUNTS_NONE) found->limit = NO_LIMIT;
    found->touched_us = now_us;
    return found;
}

/* One lease that nobody granted, once until the next grant, and not of a budget whose end has
 * been seen. A gateway that never had contact counts what it spent before against it: so one
 * that dies and starts again and again gets no more than one. */
static int64_t spare_of(const struct accounts *accounts, struct accounts_slot *slot, int number,
                        int64_t used)
{
    int64_t size = accounts_lease_size(accounts, number, slot->limit);
    int64_t room = slot->limit - slot->others_held - slot->held;

    if (size == 0) size = 1;
    if (slot->spared) return slot->spare;
    slot->spared = true;
    if (!slot->known) size -= used < size ? used : size;
    slot->spare = size < room ? size : room;
    if (slot->spare < 0) slot->spare = 0;
    return slot->spare;
}

/* What may be used of a held slot in all; what may still be taken of a pooled one. */
static int64_t allowed(const struct accounts *accounts, const struct accounts_entry *entry,
                       struct accounts_slot *slot, int number)
{
    int64_t used, rest = slot->limit - slot->others_held;

    if (in_contact(accounts)) return slot->held;
    if (accounts_slot_pooled(number)) return INT64_MAX; /* accounts_lease_rate() limits it */
    if (entry->open) return rest > slot->held ? rest : slot->held;
    used = accounts_lease_used(entry->account, number);
    return accounts_plus(slot->held, spare_of(accounts, slot, number, used));
}

bool accounts_lease_fits(const struct accounts *accounts, const struct accounts_entry *entry,
                         const struct accounts_step *step, int number,
                         struct accounts_shortage *shortage)
{
    int64_t need = accounts_lease_need(entry, step, number), used = 0;

    if (need <= 0) return true;
    struct accounts_slot *slot = touch(entry, number, step->now_us);
    if (!slot) return true;
    if (!accounts_slot_pooled(number)) used = accounts_lease_used(entry->account, number);
    int64_t rest = allowed(accounts, entry, slot, number) - used;
    if (need <= rest) return true;
    bool fresh = slot->known && step->now_us - slot->answered_us < FRESH_US;
    shortage->final = in_contact(accounts) && fresh && need > accounts_plus(rest, slot->left);
    shortage->soon = in_contact(accounts) && !shortage->final;
    shortage->left = rest > 0 ? rest : 0;
    shortage->retry_us = in_contact(accounts) ? GRANT_US : OUTAGE_US;
    if (!shortage->final) return false;
    shortage->left = accounts_plus(shortage->left, slot->left);
    if (number == ACCOUNTS_SLOT_PARALLEL)
        shortage->retry_us = OUTAGE_US;
    else if (!accounts_slot_pooled(number))
        shortage->retry_us = (accounts_window_end(number, step->now_ms) - step->now_ms) * 1000;
    else if (slot->limit > 0) /* the store's bucket fills up again */
        shortage->retry_us = (need - rest - slot->left) * MINUTE_US / slot->limit + 1;
    return false;
}

/* Half of what is held ahead is used: ask before anybody has to wait. */
static bool runs_low(const struct accounts *accounts, const struct accounts_entry *entry,
                     struct accounts_slot *slot, int number, int64_t now_us)
{
    int64_t ahead = slot->held;

    if (slot->asked || slot->wanting || !in_contact(accounts)) return false;
    if (slot->known && slot->left == 0 && now_us - slot->answered_us < FRESH_US) return false;
    if (!accounts_slot_pooled(number)) ahead -= accounts_lease_used(entry->account, number);
    return ahead < accounts_lease_size(accounts, number, slot->limit) / 2;
}

bool accounts_lease_take(struct accounts *accounts, const struct accounts_entry *entry,
                         const struct accounts_step *step)
{
    struct accounts_lease *lease = entry->account->lease;
    bool low = false;

    if (!lease) return false;
    for (int number = 0; number < ACCOUNTS_SLOTS; number++) {
        struct accounts_slot *slot = touch(entry, number, step->now_us);
        int64_t need = slot ? accounts_lease_need(entry, step, number) : 0;
        if (need <= 0) continue;
        if (accounts_slot_pooled(number)) {
            slot->held -= need;
            if (slot->held < 0) slot->held = 0; /* taken without contact */
        }
        if (!runs_low(accounts, entry, slot, number, step->now_us)) continue;
        slot->wanting = true;
        low = true;
    }
    if (low) accounts_lease_queue(accounts, lease);
    return low;
}

void accounts_lease_ask(struct accounts *accounts, const struct accounts_entry *entry,
                        const struct accounts_step *step)
{
    struct accounts_lease *lease = entry->account->lease;
    struct accounts_shortage shortage;
    bool short_of = false;

    if (!lease) return;
    for (int number = 0; number < ACCOUNTS_SLOTS; number++) {
        struct accounts_slot *slot = lease->slots[number];
        int64_t need = accounts_lease_need(entry, step, number);
        if (accounts_lease_fits(accounts, entry, step, number, &shortage)) continue;
        short_of = true;
        slot->wanting = true;
        if (slot->asked) continue; /* it looks again when that grant is in */
        slot->need = accounts_plus(slot->need, need);
        if (slot->need > slot->limit) slot->need = slot->limit;
        if (slot->least == 0 || need < slot->least) slot->least = need;
    }
    if (short_of) accounts_lease_queue(accounts, lease);
}

void accounts_lease_return(const struct accounts *accounts, const struct accounts_entry *entry,
                           int64_t requests, int64_t tokens)
{
    struct accounts_slot *rpm = accounts_lease_slot(entry->account, ACCOUNTS_SLOT_RPM);
    struct accounts_slot *tpm = accounts_lease_slot(entry->account, ACCOUNTS_SLOT_TPM);

    if (!in_contact(accounts)) return;
    if (rpm && rpm->live && entry->rpm >= 0) rpm->held += requests;
    if (!tpm || !tpm->live || entry->tpm < 0) return;
    tpm->held = tpm->held + tokens > 0 ? tpm->held + tokens : 0;
}
