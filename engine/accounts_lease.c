/* Leases as the cluster's thread meets them: reports out, grants in. */
#include "accounts_lease.h"

#include "accounts_parts.h"

static const int64_t SWEEP_US = 250000;
static const int64_t ANSWER_US = 200000; /* after this a grant is not waited for any more */
static const int64_t IDLE_US = 1000000;  /* what was not used for so long goes back */
static const int64_t PLACE_US = 200000;  /* places are few: they go back sooner */
static const int64_t BEAT_US = 5000000;  /* places are held by those that say so */
enum { POOL_LEASES = 4 };                /* what a pool keeps at most */

void accounts_lease_on(struct accounts *accounts, const struct accounts_lease_options *options)
{
    accounts->lease = *options;
    if (accounts->lease.most_nano <= 0) accounts->lease.most_nano = 100000000;
    if (accounts->lease.percent <= 0) accounts->lease.percent = 1;
    accounts->leased = true;
}

void accounts_lease_contact(struct accounts *accounts, bool contact, unsigned nodes)
{
    if (nodes) atomic_store(&accounts->nodes, nodes);
    atomic_store(&accounts->contact, contact);
}

void accounts_lease_tell_all(struct accounts *accounts)
{
    atomic_store(&accounts->tell_all, true);
}

void accounts_lease_release(struct accounts *accounts)
{
    int64_t long_ago = accounts_monotonic(accounts) - 2 * IDLE_US;
    struct accounts_lease *lease = atomic_load(&accounts->leases);

    for (; lease; lease = lease->next) {
        lock_take(&lease->account->lock);
        for (int number = 0; number < ACCOUNTS_SLOTS; number++) {
            struct accounts_slot *slot = lease->slots[number];
            if (!slot) continue;
            slot->touched_us = long_ago;
            slot->wanting = false;
        }
        lock_drop(&lease->account->lock);
    }
    accounts_lease_tell_all(accounts);
}

const char *accounts_slot_name(int slot)
{
    if (slot < ACCOUNTS_WINDOWS) return accounts_window_name((enum accounts_window)slot);
    return accounts_limit_name(slot == ACCOUNTS_SLOT_PARALLEL ? ACCOUNTS_PARALLEL
                               : slot == ACCOUNTS_SLOT_RPM    ? ACCOUNTS_RPM
                                                              : ACCOUNTS_TPM);
}

/* ---- reports ------------------------------------------------------------------------------
 */

/* A report in the making, the account locked. */
struct telling {
    struct accounts *accounts;
    struct accounts_lease *lease;
    struct accounts_want *out;
    size_t max, count;
    int64_t now_us;
};

static bool is_idle(const struct telling *telling, const struct accounts_slot *slot, int number)
{
    int64_t after = number == ACCOUNTS_SLOT_PARALLEL ? PLACE_US : IDLE_US;

    return telling->now_us - slot->touched_us > after;
}

/* What is held ahead of use and what is asked for; of held slots. */
static void fill_held(const struct telling *telling, struct accounts_slot *slot,
                      struct accounts_want *want)
{
    const struct account *account = telling->lease->account;
    int64_t used = accounts_lease_used(account, want->slot);
    bool idle = is_idle(telling, slot, want->slot);

    if (used > slot->held) { /* nobody granted that: the spare lease, or a high bill */
        slot->spare -= used - slot->held < slot->spare ? used - slot->held : slot->spare;
        slot->held = used;
    } else if (idle && !slot->wanting) { /* nobody came for it for a while */
        slot->held = used;
    }
    want->held = slot->held;
    want->others_spent = slot->others_spent;
    slot->told_used = used;
    if (want->slot < ACCOUNTS_WINDOWS) {
        int64_t minute_ms = (int64_t)account->minute * 60000;
        want->spent = account->windows[want->slot].spent;
        want->start_ms = accounts_window_start(want->slot, minute_ms);
        want->end_ms = accounts_window_end(want->slot, minute_ms);
    }
    slot->told_spent = want->spent;
    want->back = slot->held - used; /* ahead of use; replaced below */
}

static void fill_pooled(const struct telling *telling, struct accounts_slot *slot,
                        struct accounts_want *want)
{
    int64_t size = accounts_lease_size(telling->accounts, want->slot, slot->limit);
    bool idle = is_idle(telling, slot, want->slot);
    int64_t keep = idle && !slot->wanting ? 0 : size * POOL_LEASES;

    if (keep < slot->need) keep = slot->need;
    want->back = slot->held > keep ? slot->held - keep : 0;
    slot->held -= want->back;
}

static void fill(struct telling *telling, int number)
{
    struct accounts_slot *slot = telling->lease->slots[number];
    struct accounts_want *want = &telling->out[telling->count++];
    int64_t ahead;

    *want = (struct accounts_want){.account = telling->lease->account,
                                   .name = telling->lease->account->name,
                                   .len = telling->lease->account->len,
                                   .slot = number,
                                   .seq = ++telling->accounts->lease_seq,
                                   .limit = slot->limit};
    if (accounts_slot_pooled(number)) {
        fill_pooled(telling, slot, want);
        ahead = slot->held;
    } else {
        fill_held(telling, slot, want);
        ahead = want->back;
        want->back = 0;
    }
    want->need = slot->need > ahead ? slot->need - ahead : 0;
    want->least = slot->least > ahead ? slot->least - ahead : 0;
    if (slot->wanting) {
        int64_t left = ahead > slot->need ? ahead - slot->need : 0;
        int64_t size = accounts_lease_size(telling->accounts, number, slot->limit);
        want->want = accounts_plus(want->need, size > left ? size - left : 0);
    }
    slot->seq = want->seq;
    slot->asked = true;
    slot->asked_us = telling->now_us;
    slot->wanting = false;
    slot->need = slot->least = 0;
}

/* Worth a report although nobody waits. */
static bool changed(const struct telling *telling, const struct accounts_slot *slot, int number)
{
    const struct account *account = telling->lease->account;
    bool idle = is_idle(telling, slot, number);

    if (!slot->live) return false;
    if (slot->asked) return true; /* no answer: the store may hold for us what we do not know */
    if (accounts_slot_pooled(number)) return idle && slot->held > 0;
    int64_t used = accounts_lease_used(account, number);
    if (used != slot->told_used || (idle && slot->held > used)) return true;
    if (number < ACCOUNTS_WINDOWS) return account->windows[number].spent != slot->told_spent;
    return slot->held > 0 && telling->now_us - slot->asked_us > BEAT_US;
}

/* What waits, and with `all` what has changed. False: `out` is full, and not all is told. */
static bool tell(struct telling *telling, struct accounts_lease *lease, bool all)
{
    struct account *account = lease->account;
    bool done = true;

    telling->lease = lease;
    (void)accounts_clock_tick(telling->accounts);
    lock_take(&account->lock);
    accounts_windows_roll(account, atomic_load(&telling->accounts->now_ms));
    for (int number = 0; number < ACCOUNTS_SLOTS && done; number++) {
        struct accounts_slot *slot = lease->slots[number];
        if (!slot) continue;
        if (slot->asked && telling->now_us - slot->asked_us < ANSWER_US) continue;
        if (!slot->wanting && !(all && changed(telling, slot, number))) continue;
        done = telling->count < telling->max;
        if (done) fill(telling, number);
    }
    lock_drop(&account->lock);
    return done;
}

static struct accounts_lease *next_wanting(struct accounts *accounts)
{
    lock_take(&accounts->lease_lock);
    struct accounts_lease *lease = accounts->wanting;
    if (lease) {
        accounts->wanting = lease->wanting;
        lease->wanting = NULL;
        lease->queued = false;
    }
    lock_drop(&accounts->lease_lock);
    return lease;
}

static void forget_told(struct accounts *accounts)
{
    struct accounts_lease *lease = atomic_load(&accounts->leases);

    for (; lease; lease = lease->next) {
        lock_take(&lease->account->lock);
        for (int number = 0; number <= ACCOUNTS_SLOT_PARALLEL; number++)
            if (lease->slots[number]) lease->slots[number]->told_used = -1;
        lock_drop(&lease->account->lock);
    }
}

static void sweep(struct telling *telling)
{
    struct accounts *accounts = telling->accounts;

    if (!accounts->sweeping) {
        bool again = atomic_exchange(&accounts->tell_all, false);
        if (again) forget_told(accounts);
        if (!again && telling->now_us - accounts->swept_us < SWEEP_US) return;
        accounts->swept_us = telling->now_us;
        accounts->sweeping = atomic_load(&accounts->leases);
    }
    while (accounts->sweeping && tell(telling, accounts->sweeping, true))
        accounts->sweeping = accounts->sweeping->next;
}

size_t accounts_lease_wants(struct accounts *accounts, struct accounts_want *out, size_t max)
{
    struct telling telling = {
        .accounts = accounts, .out = out, .max = max, .now_us = accounts_monotonic(accounts)};
    struct accounts_lease *lease;

    while (telling.count < max && (lease = next_wanting(accounts)))
        if (!tell(&telling, lease, false)) accounts_lease_queue(accounts, lease);
    if (telling.count < max) sweep(&telling);
    return telling.count;
}

/* ---- grants -------------------------------------------------------------------------------
 */

/* The window that the report was about, or none at all. */
static bool same_window(const struct account *account, const struct accounts_grant *grant)
{
    int64_t minute_ms = (int64_t)account->minute * 60000;

    return grant->slot >= ACCOUNTS_WINDOWS ||
           accounts_window_start(grant->slot, minute_ms) == grant->start_ms;
}

/* Whatever the store says: sums of it stay within their type, and nothing is taken back. */
static int64_t sane(int64_t n)
{
    static const int64_t most = INT64_C(9007199254740992);

    if (n < 0) return 0;
    return n < most ? n : most;
}

void accounts_lease_grant(struct accounts *accounts, const struct accounts_grant *grant)
{
    struct account *account = grant->account;
    struct accounts_slot *slot = account->lease->slots[grant->slot];
    bool more = false;

    lock_take(&account->lock);
    if (slot->asked && slot->seq == grant->seq && same_window(account, grant)) {
        slot->asked = false;
        if (!slot->known)
            slot->checked = accounts_plus(slot->checked, sane(grant->others_spent));
        slot->known = true;
        slot->spared = false;
        slot->spare = 0;
        slot->held = accounts_plus(slot->held, sane(grant->give));
        slot->left = sane(grant->left);
        slot->others_held = sane(grant->others_held);
        slot->others_spent = sane(grant->others_spent);
        slot->answered_us = accounts_monotonic(accounts);
        more = slot->wanting;
    }
    lock_drop(&account->lock);
    if (more) accounts_lease_queue(accounts, account->lease);
}
