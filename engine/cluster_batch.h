/* What one call to the script in Redis (scripts/cluster/grant.lua) asks and is told: the words
 * of its KEYS and ARGV, and the numbers that come back. The cluster thread's alone. */
#ifndef MOONGATE_CLUSTER_BATCH_H
#define MOONGATE_CLUSTER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts_lease.h"
#include "buf.h"
#include "node.h"
#include "redis.h"

enum {
    BATCH_SLOTS = 64,
    BATCH_WORDS = 2 + 5 + BATCH_SLOTS * 12,
};

/* Who asks, and since when Redis has remembered without a gap (0: not known). */
struct cluster_self {
    char id[NODE_ID], boot[NODE_ID];
    int64_t epoch, version;
};

struct cluster_batch {
    struct accounts_want wants[BATCH_SLOTS];
    size_t count;
    struct buf text; /* owned; the words' bytes */
    const char *words[BATCH_WORDS];
    size_t lens[BATCH_WORDS], offsets[BATCH_WORDS], used;
    struct digest *digest; /* owned */
};

/* What all the script says of itself. */
struct cluster_news {
    int64_t epoch, version;
    unsigned nodes;
    bool twin; /* another process goes by our name */
};

bool cluster_batch_init(struct cluster_batch *batch) __attribute__((warn_unused_result));
void cluster_batch_free(struct cluster_batch *batch);

/* The words for the wants in the batch, borrowed until the next call. False: no memory. */
bool cluster_batch_words(struct cluster_batch *batch, const struct cluster_self *self,
                         struct redis_words *words) __attribute__((warn_unused_result));
/* The answer to the last words, in the order of batch->wants. False: not such an answer. */
bool cluster_batch_read(const struct cluster_batch *batch, const struct redis_answer *answer,
                        struct cluster_news *news, struct accounts_grant grants[BATCH_SLOTS])
    __attribute__((warn_unused_result));

#endif
