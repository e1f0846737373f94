/* What metrics.c keeps and metrics_print.c reads. Of no concern to anybody else. */
#ifndef MOONGATE_METRICS_INTERNAL_H
#define MOONGATE_METRICS_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "metrics.h"

enum {
    MAX_FAMILIES = 256,
    MAX_SERIES = 1 << 16,
    MAX_CELLS = 1 << 20, /* a worker's; memory only where they are used */
    MAX_BUCKETS = 32,
};

/* Never freed before the registry is; readers follow `next` without a lock. */
struct series {
    _Atomic(struct series *) next; /* of the same family */
    struct series *same_hash;      /* under the lock */
    struct family *family;         /* borrowed */
    unsigned id;
    size_t cell; /* its first, in each worker's cells */
    size_t len;
    char labels[]; /* `a="x",b="y"`, sorted, escaped; no NUL */
};

struct family {
    char *name; /* owned */
    char *help; /* owned; or NULL */
    enum metric_kind kind;
    bool money; /* a counter of nano-dollars: its cells are integers */
    size_t buckets;
    double bounds[MAX_BUCKETS];
    unsigned count; /* of its series; under the lock */
    _Atomic(struct series *) first;
    struct series *last; /* under the lock */
};

struct metrics {
    unsigned workers;
    struct lock lock;                     /* taken to register, never to count */
    struct family families[MAX_FAMILIES]; /* the first family_count are whole */
    _Atomic unsigned family_count;
    _Atomic(struct series *) *series; /* owned, by id */
    struct series **table;            /* owned: chains by hash; under the lock */
    unsigned series_count;            /* under the lock */
    size_t cells_used;                /* under the lock */
    _Atomic uint64_t dropped;         /* series that were refused */
    _Atomic uint64_t *cells[];        /* owned; one block for each worker, and one more */
};

/* A cell holds a double, or an int64_t where the family is money. */
double metrics_number(uint64_t bits);

#endif
