/* Limits of several gateways that add up: each spends only what a common store granted it.
 *
 * Knows neither Redis nor the network: whoever does (the cluster's thread, one thread alone)
 * fetches what is wanted here, brings it before the store, and hands in what it granted. A slot
 * is one limit of one account. There are two kinds:
 *
 *  - held: budgets, and places among the running. The store keeps, of each node, what it holds
 *    in all (it may use up to that) and what it has spent; the sum of all held is at most the
 *    limit. Reports are absolute: one that is lost, or told twice, or told to a store that lost
 *    its memory, does no harm.
 *  - pooled: requests and tokens a minute. The store keeps one token bucket; what it grants is
 *    added to the node's pool, and what the pool has too much goes back.
 *
 * While there is contact nothing is spent that is not held, and the sum holds exactly. A node
 * without contact may spend what it holds, and of each budget whose end it has not seen one
 * lease more that nobody granted: overshoot is at most nodes x lease. Then it refuses. Accounts
 * declared `open` go on, up to what the others had not taken when they were last heard of.
 *
 * The store's part, of one report, in one atomic step (test_accounts_lease.c has it in C):
 *
 *   if run is the node's last and seq <= its last: answer nothing           (a late one)
 *   held:   mine := held; mine_spent := spent
 *           room := limit - what all others hold - mine
 *   pooled: level := max(0, level - (limit/60 a second since then) - back)
 *           room := limit - level
 *   sure := min(room, need), or none if room < least
 *   more := min((room - sure) / (2 x nodes), want - need), or none if room < least
 *   mine, or level, += sure + more
 *   answer give = sure + more, left = room - give, others' held, others' spent, nodes
 *
 * `nodes` are those that reported anything lately. What a node holds may be taken from it when
 * it has been silent for long; it may then overshoot by what it had not used, about a lease. */
#ifndef MOONGATE_ACCOUNTS_LEASE_H
#define MOONGATE_ACCOUNTS_LEASE_H

#include "accounts.h"

enum {
    /* Budgets have the slots of their windows. */
    ACCOUNTS_SLOT_PARALLEL = ACCOUNTS_WINDOWS,
    ACCOUNTS_SLOT_RPM,
    ACCOUNTS_SLOT_TPM,
    ACCOUNTS_SLOTS,
};

struct accounts_lease_options {
    /* A request waits for a grant: called in its thread, with no lock held; must not wait. */
    void (*wake)(void *arg);
    void *arg;
    int64_t most_nano; /* a lease of a budget; 0: a hundred millions ($0.10) */
    int percent;       /* of the budget, if that is less; 0: 1 */
};

/* Spend leased amounts from now on. Before serving. */
void accounts_lease_on(struct accounts *accounts, const struct accounts_lease_options *options);
/* Whether the store answers: false when the breaker opens, true with the first answer. Begins
 * as false. `nodes`: how many there are, as far as is known (0: as before). Any thread. */
void accounts_lease_contact(struct accounts *accounts, bool contact, unsigned nodes);

/* One slot's report and request. */
struct accounts_want {
    struct account *account; /* for the grant */
    const char *name;        /* borrowed from the table: for good */
    size_t len;
    int slot;
    int64_t start_ms, end_ms; /* of the budget's window; else 0: the slot has no end */
    uint64_t seq;             /* above all earlier ones of this run of the process */
    int64_t limit;
    int64_t held, spent;  /* held slots: in all, in this window */
    int64_t others_spent; /* as the last grant said; 0: none came in this window */
    int64_t back;         /* pooled slots: given back */
    int64_t least; /* the smallest of the requests that wait needs this much more; 0: none */
    int64_t need, want; /* all of them together; with some for those that come: want ≥ need */
};

/* "minute" … "year", "parallel", "rpm", "tpm". */
const char *accounts_slot_name(int slot);
static inline bool accounts_slot_pooled(int slot)
{
    return slot >= ACCOUNTS_SLOT_RPM;
}

/* What is to be reported now: first what requests wait for; every 250 ms also what has changed,
 * and what is held and not used any more. Ask again while it fills `out`. A slot is not told
 * again before its grant is in, or 200 ms have passed. One thread. */
size_t accounts_lease_wants(struct accounts *accounts, struct accounts_want *out, size_t max);

struct accounts_grant {
    struct account *account; /* these four as in the want */
    int slot;
    int64_t start_ms;
    uint64_t seq;
    int64_t give;
    int64_t left; /* what the store could have given more */
    int64_t others_held, others_spent;
};

/* Grants for reports that are not the slot's last one, or of a window that has ended, are
 * dropped. The same thread. */
void accounts_lease_grant(struct accounts *accounts, const struct accounts_grant *grant);
/* The store has lost its memory, or is another one: report everything once more. */
void accounts_lease_tell_all(struct accounts *accounts);
/* Nobody asks any more: what is held and not used goes back with the next reports. */
void accounts_lease_release(struct accounts *accounts);

#endif
