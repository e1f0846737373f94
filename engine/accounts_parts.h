/* What the files of accounts share among themselves; nobody else includes it. */
#ifndef MOONGATE_ACCOUNTS_PARTS_H
#define MOONGATE_ACCOUNTS_PARTS_H

#include <stdatomic.h>

#include "accounts.h"
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
