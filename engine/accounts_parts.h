/* What the files of accounts share among themselves; nobody else includes it. */
#ifndef MOONGATE_ACCOUNTS_PARTS_H
#define MOONGATE_ACCOUNTS_PARTS_H

#include <stdatomic.h>

#include "accounts_lease.h"
#include "lock.h"

/* What was taken of a rate limit and has not run out again. The unit is a 60-millionth of what
 * is counted: then a limit of n a minute runs out at n units a microsecond, without a rest. */
struct accounts_bucket {
    int64_t level;
    int64_t at_us; /* monotonic */
};

struct accounts_sum {
    int64_t spent, reserved;
};

/* One limit that several gateways share; its account's lock guards it. */
struct accounts_slot {
    int64_t limit;       /* as the last request saw it */
    int64_t held;        /* held slots: what may be used in all; pooled: what is left to take */
    int64_t spare;       /* taken without being asked for, while there was no contact */
    int64_t need, least; /* of the requests that wait: all together, the smallest; 0: none */
    int64_t told_used, told_spent;           /* of the last report; -1: none */
    int64_t left, others_held, others_spent; /* of the last grant */
    int64_t checked; /* of all gateways: the sum that soft budgets were last compared with */
    int64_t answered_us, asked_us, touched_us;
    uint64_t seq; /* of the last report */
    bool live;    /* used since the window began: all above means something */
    bool asked;   /* its grant is still to come */
    bool wanting; /* somebody waits, or soon will */
    bool known;   /* a grant came in this window */
    bool spared;  /* `spare` was decided, until the next grant */
};

/* What an account with limits has more where gateways share them. */
struct accounts_lease {
    struct account *account;        /* borrowed */
    struct accounts_lease *next;    /* of all; set before it is published */
    struct accounts_lease *wanting; /* of those that want something; under lease_lock */
    bool queued;                    /* same lock */
    struct accounts_slot *slots[ACCOUNTS_SLOTS]; /* owned; NULL: no limit of that kind */
};

/* Made on first use, never moved, never freed before the table. All windows are kept for every
 * account, so that a budget declared later finds what was spent before it. */
struct account {
    struct lock lock; /* held for a few dozen instructions; several only in order of address */
    uint32_t minute;  /* of the table's clock, when the windows were last looked at */
    struct account *chain;       /* of its bucket in the table */
    const struct account *older; /* set before it is published */
    uint64_t hash;
    struct accounts_bucket rpm, tpm;
    int32_t parallel;
    uint16_t len;
    uint8_t untold; /* windows, a bit each, in which a crossing is still to be told */
    struct accounts_lease *lease; /* owned; NULL: one gateway, or no limits yet */
    struct accounts_sum windows[ACCOUNTS_WINDOWS];
    char name[];
};

struct accounts {
    struct accounts_clock clock;
    _Atomic int64_t now_ms; /* the wall clock, never going back */
    struct lock lock;       /* of all below */
    uint64_t seed[2];
    struct account **buckets; /* owned */
    size_t bucket_count;      /* a power of two */
    size_t max_accounts, guests;
    _Atomic size_t count;
    _Atomic(struct account *) newest; /* owned, through `older` */

    /* Several gateways (accounts_lease.h). */
    struct accounts_lease_options lease;
    bool leased; /* set before serving */
    atomic_bool contact;
    atomic_uint nodes;
    _Atomic(struct accounts_lease *) leases; /* all of them */
    struct lock lease_lock;                  /* of the queue; taken last of all locks */
    struct accounts_lease *wanting;
    uint64_t lease_seq; /* the four: of the cluster's thread alone */
    int64_t swept_us;
    struct accounts_lease *sweeping; /* where a sweep goes on; NULL: none runs */
    atomic_bool tell_all;
};

struct accounts_entry {
    struct account *account; /* borrowed */
    unsigned rank;           /* its place as given */
    bool open;
    uint8_t budget_mask; /* windows with a budget */
    unsigned soft_count;
    int64_t rpm, tpm, parallel;
    int64_t budgets[ACCOUNTS_WINDOWS];
    struct accounts_soft soft[ACCOUNTS_SOFT];
};

struct accounts_plan {
    struct accounts *accounts; /* borrowed; NULL: takes everything */
    unsigned count;
    struct accounts_entry entries[]; /* in order of their accounts' addresses */
};

/* accounts_window.c: what time it is for the table; and carry a locked account into it. */
int64_t accounts_clock_tick(struct accounts *accounts);
void accounts_windows_roll(struct account *account, int64_t now_ms);
/* The windows of a locked account that still are those of the moment of admission, a bit each.
 */
unsigned accounts_windows_of(const struct account *account, int64_t admitted_ms);

/* accounts_rate.c: all of a locked account. */
int64_t accounts_rate_cut(int64_t n, int64_t limit);
void accounts_rate_drain(struct accounts_bucket *bucket, int64_t limit, int64_t now_us);
/* 0: n fit. Else after how many µs they may; never more than a minute. */
int64_t accounts_rate_wait(const struct accounts_bucket *bucket, int64_t limit, int64_t n);
/* n below 0 gives back. */
void accounts_rate_take(struct accounts_bucket *bucket, int64_t limit, int64_t n);
int64_t accounts_rate_left(const struct accounts_bucket *bucket, int64_t limit);
int64_t accounts_rate_reset(const struct accounts_bucket *bucket, int64_t limit);

/* One step of a reservation: what it has, what it wants in all. */
struct accounts_step {
    int64_t requests; /* 1 for a new one: of rpm, and of the running */
    int64_t had, tokens;
    int64_t nano; /* more than it had */
    int64_t admitted_ms, now_ms, now_us;
};

/* Why a lease lets a step not pass: what is missing in which slot. */
struct accounts_shortage {
    bool soon;  /* a grant may be on its way */
    bool final; /* the limit itself is used up, as far as the store knows */
    int64_t left, retry_us;
};

/* accounts_lease_spend.c: all of a locked account, and harmless without leases. */
/* Slots for what the entry limits. False: no memory. */
bool accounts_lease_open(struct accounts *accounts, const struct accounts_entry *entry);
void accounts_lease_free(struct accounts_lease *lease);
/* NULL: not shared with other gateways. */
static inline struct accounts_slot *accounts_lease_slot(const struct account *account, int slot)
{
    return account->lease ? account->lease->slots[slot] : NULL;
}
void accounts_lease_roll(struct account *account, int window);
/* The limit a minute that holds here: without contact a share of it. */
int64_t accounts_lease_rate(const struct accounts *accounts, const struct accounts_entry *entry,
                            int64_t limit);
/* What the step needs of this slot; 0: nothing, or there is no such limit. */
int64_t accounts_lease_need(const struct accounts_entry *entry,
                            const struct accounts_step *step, int slot);
bool accounts_lease_fits(const struct accounts *accounts, const struct accounts_entry *entry,
                         const struct accounts_step *step, int slot,
                         struct accounts_shortage *shortage);
/* The step was taken; true: the store should be asked for more soon. */
bool accounts_lease_take(struct accounts *accounts, const struct accounts_entry *entry,
                         const struct accounts_step *step);
/* The step waits for what it lacks here. */
void accounts_lease_ask(struct accounts *accounts, const struct accounts_entry *entry,
                        const struct accounts_step *step);
/* Requests and tokens that were not used go back to the pools. */
void accounts_lease_return(const struct accounts *accounts, const struct accounts_entry *entry,
                           int64_t requests, int64_t tokens);
int64_t accounts_lease_size(const struct accounts *accounts, int slot, int64_t limit);
/* What of a held slot is used, spent included. */
int64_t accounts_lease_used(const struct account *account, int slot);
void accounts_lease_queue(struct accounts *accounts, struct accounts_lease *lease);

/* Sums that stop at the ends of their type. */
static inline int64_t accounts_plus(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static inline int64_t accounts_monotonic(const struct accounts *accounts)
{
    return accounts->clock.monotonic_us(accounts->clock.arg);
}

#endif
