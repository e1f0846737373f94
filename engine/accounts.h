/* Who may spend how much: rate limits and budgets that are reserved before a call and settled
 * after it, for up to 16 accounts at once, all of them or none.
 *
 * Knows clocks and locks; neither Lua nor who an account stands for: its name is just text. One
 * table a process, any thread; it survives reloads, and what it knows of money comes from the
 * ledger at start (accounts_seed). Money is in nano-dollars; sums saturate, none is a float. */
#ifndef MOONGATE_ACCOUNTS_H
#define MOONGATE_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTC: weeks begin on Monday. */
enum accounts_window {
    ACCOUNTS_MINUTE,
    ACCOUNTS_HOUR,
    ACCOUNTS_DAY,
    ACCOUNTS_WEEK,
    ACCOUNTS_MONTH,
    ACCOUNTS_YEAR,
    ACCOUNTS_EVER, /* from 1970 on; it ends in the year 10000 */
    ACCOUNTS_WINDOWS,
};

enum {
    ACCOUNTS_PER_PLAN = 16,
    ACCOUNTS_SOFT = 8,    /* soft budgets of one account */
    ACCOUNTS_NAME = 1024, /* bytes */
    ACCOUNTS_NONE = -1,   /* no such limit */
};

struct account;
struct accounts;
struct accounts_plan;

/* Where time comes from; a test brings its own. NULL functions: the kernel's clocks. */
struct accounts_clock {
    int64_t (*wall_us)(void *arg);
    int64_t (*monotonic_us)(void *arg);
    void *arg;
};

struct accounts_options {
    size_t max_accounts; /* 0: 262,144; clients' own (end users') may take at most half */
    struct accounts_clock clock;
};

struct accounts *accounts_new(const struct accounts_options *options)
    __attribute__((warn_unused_result));
/* No plan may be used any more. */
void accounts_free(struct accounts *accounts);

/* What the ledger says was spent in the window that begins at start_s. */
struct accounts_seed {
    const char *name; /* borrowed for the call */
    size_t len;
    enum accounts_window window;
    int64_t start_s, nano;
};

/* Before serving; adds. What belongs to an older window than the running one is left out.
 * False: the table is full; an end user without room is left out, and no reason not to start.
 */
bool accounts_seed(struct accounts *accounts, const struct accounts_seed *seed);
size_t accounts_count(const struct accounts *accounts);

/* "minute" … "year", "ever"; ACCOUNTS_WINDOWS: none of them. */
enum accounts_window accounts_window_named(const char *name);
const char *accounts_window_name(enum accounts_window window);
/* When the window that holds this moment begins, and the next one. */
int64_t accounts_window_start(enum accounts_window window, int64_t wall_ms);
int64_t accounts_window_end(enum accounts_window window, int64_t wall_ms);

/* ---- plans: which accounts a request is charged to, and what limits they have -------------
 */

struct accounts_soft {
    enum accounts_window window;
    int64_t nano;
};

/* What one account may do. ACCOUNTS_NONE where there is no limit; 0 lets nothing through. */
struct accounts_limits {
    const char *name; /* borrowed for the call */
    size_t len;
    int64_t rpm, tpm, parallel;
    int64_t budgets[ACCOUNTS_WINDOWS];
    struct accounts_soft soft[ACCOUNTS_SOFT];
    unsigned soft_count;
    bool open; /* without the cluster it may go on spending */
};

/* One that limits nothing. */
void accounts_limits_init(struct accounts_limits *limits);

/* A plan for these accounts, made where they are missing. Of an account that is named twice the
 * stricter limits hold. `accounts` NULL: a plan that takes everything, for states that only
 * check files. NULL with *error, a static text: the table is full, no memory, too many soft
 * budgets. */
struct accounts_plan *accounts_plan_new(struct accounts *accounts,
                                        const struct accounts_limits *limits, size_t count,
                                        const char **error) __attribute__((warn_unused_result));
/* No reservation may be left. */
void accounts_plan_free(struct accounts_plan *plan);
size_t accounts_plan_size(const struct accounts_plan *plan);

/* ---- reserve, then settle ------------------------------------------------------------------
 */

struct reservation {
    struct accounts_plan *plan; /* borrowed, must outlive it; NULL: settled */
    int64_t tokens, nano;       /* what is set aside now */
    int64_t admitted_ms;        /* wall clock; which windows it belongs to */
};

enum accounts_limit {
    ACCOUNTS_RPM,
    ACCOUNTS_TPM,
    ACCOUNTS_PARALLEL,
    ACCOUNTS_BUDGET, /* + window */
    ACCOUNTS_LIMITS = ACCOUNTS_BUDGET + ACCOUNTS_WINDOWS,
};

/* "rpm", "budget:month", … */
const char *accounts_limit_name(enum accounts_limit limit);

struct accounts_refusal {
    const char *name; /* borrowed from the table: for good */
    size_t len;
    enum accounts_limit limit; /* of several that refuse, the one that lasts longest */
    int64_t retry_us;          /* it may succeed after this */
    int64_t left;              /* of that limit */
    bool leased; /* shared with other gateways, this one holds no more (accounts_lease.h) */
    bool soon;   /* a grant may be on its way: ask again in some milliseconds */
};

/* Take a request, `tokens`, a place among the running and `nano` of every budget, of all the
 * plan's accounts or of none. More tokens than a limit has in all take all of it, once it is
 * full. What costs nothing passes a budget that is used up. False: why. */
bool accounts_reserve(struct accounts_plan *plan, int64_t tokens, int64_t nano,
                      struct reservation *reservation, struct accounts_refusal *refusal)
    __attribute__((warn_unused_result));
/* Set more aside: new totals, which never lower the old. Budgets whose window has ended since
 * admission are no more in the way: they can only be charged. All or nothing. */
bool accounts_raise(struct reservation *reservation, int64_t tokens, int64_t nano,
                    struct accounts_refusal *refusal) __attribute__((warn_unused_result));

/* A soft budget that one settle carried past its limit. */
struct accounts_crossing {
    const char *name; /* as above */
    size_t len;
    enum accounts_window window;
    int64_t spent, soft;
};

enum { ACCOUNTS_CROSSINGS = 32 };

/* The fact takes the reservation's place, in the windows of admission; once, later calls do
 * nothing. How many soft budgets were crossed; with `out` NULL the next settle of the account
 * tells of them. */
size_t accounts_settle(struct reservation *reservation, int64_t tokens, int64_t nano,
                       struct accounts_crossing out[ACCOUNTS_CROSSINGS]);
/* Nothing happened: all is given back, the request too. Once. */
void accounts_refund(struct reservation *reservation);

/* ---- looking ------------------------------------------------------------------------------
 */

struct accounts_rate {
    int64_t limit, left; /* limit: ACCOUNTS_NONE where there is none */
    int64_t reset_us;    /* until it is full again */
};

struct accounts_money {
    int64_t limit, spent, reserved;
    int64_t elsewhere; /* spent by other gateways, as far as was heard */
    int64_t start_ms, end_ms;
};

struct accounts_view {
    const char *name; /* as above */
    size_t len;
    struct accounts_rate rpm, tpm, parallel; /* parallel: no reset */
    struct accounts_money windows[ACCOUNTS_WINDOWS];
};

/* The plan's account `index`, in the order given. */
void accounts_plan_view(struct accounts_plan *plan, size_t index, struct accounts_view *view);
/* Those rate limits of all the accounts that have least left. */
void accounts_plan_room(struct accounts_plan *plan, struct accounts_rate *rpm,
                        struct accounts_rate *tpm);
/* NULL: no such account. */
struct account *accounts_find(struct accounts *accounts, const char *name, size_t len);
/* All there are, the newest first, in no lock's way: start with NULL. */
struct account *accounts_next(struct accounts *accounts, const struct account *account);
/* Secret, and the same as long as it lives: shares of a table too long to be looked at at once.
 */
uint64_t accounts_hash(const struct account *account);
/* Borrowed, for good. */
const char *accounts_name(const struct account *account, size_t *len);

/* Which names are wanted: those that begin so and come behind `after`, in the order of their
 * bytes; the first `most`. */
struct accounts_wanted {
    const char *prefix, *after; /* borrowed for the call */
    size_t prefix_len, after_len, most;
};

/* How many there are now in `out`, which has room for `most`. In no lock's way. */
size_t accounts_names(struct accounts *accounts, const struct accounts_wanted *wanted,
                      const struct account **out);
/* Without limits. */
void accounts_view(struct accounts *accounts, struct account *account,
                   struct accounts_view *view);

#endif
