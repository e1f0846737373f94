/* Limits and budgets that several gateways share, through Redis, by leases: a request is never
 * held up by Redis, it spends what this gateway was given, and one thread here sees to it that
 * there is some.
 *
 * Knows Redis through redis.h and the limits through accounts_lease.h. What is promised, also
 * while Redis is away: never more than one lease a gateway beyond a budget. */
#ifndef MOONGATE_CLUSTER_H
#define MOONGATE_CLUSTER_H

struct accounts;
struct cluster;
struct log;
struct metrics;
struct resolver;

/* All borrowed; outlive the cluster but for `url`. */
struct cluster_options {
    const char *url; /* redis://… */
    const char *data_dir;
    struct accounts *accounts;
    struct resolver *resolver;
    struct metrics *metrics;
    unsigned slot; /* of the metrics */
    struct log *log;
};

/* From now on the accounts are leased; before serving. Waits a moment for Redis, and goes on
 * without. NULL with *error (free() it) and errno: EINVAL: the address is wrong. */
struct cluster *cluster_start(const struct cluster_options *options, char **error)
    __attribute__((warn_unused_result));
/* What is leased and not used is given back, where Redis is there to take it. */
void cluster_stop(struct cluster *cluster);

#endif
