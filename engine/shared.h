/* Counters, windows and holds that all workers see; they survive reload, by name.
 *
 * Thread-safe. Values are doubles holding integers up to 2^53 exactly, or times in ms. Nothing
 * is evicted to make room: a full table refuses the new key. Expired keys read as absent. */
#ifndef MOONGATE_SHARED_H
#define MOONGATE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shared;

struct shared *shared_new(size_t max_keys) __attribute__((warn_unused_result));
void shared_free(struct shared *shared);

/* Any bytes, at most 1,024 of them: longer ones are refused. Borrowed for the call. */
struct shared_key {
    const char *bytes;
    size_t len;
};

/* False: no such key. Of a window: what is in it now. */
bool shared_get(struct shared *shared, struct shared_key key, double *value);
/* ttl_ms 0: for ever. False: the table is full. */
bool shared_set(struct shared *shared, struct shared_key key, double value, int64_t ttl_ms);
/* Add n to the value (0 when absent; ttl_ms counts from the first add). What is back at 0 and
 * has no deadline may be forgotten when the table is full. */
bool shared_add(struct shared *shared, struct shared_key key, double n, int64_t ttl_ms,
                double *now);
/* Keep the larger of the stored and the given value, and the later deadline. */
bool shared_max(struct shared *shared, struct shared_key key, double value, int64_t ttl_ms);
/* Take n from a sliding window's limit: atomic check-and-add, two buckets, the older one
 * weighted. 0: taken. Else after how many ms it may succeed (a full table: one window). n = 0
 * only looks whether there is any room; n < 0 gives back. */
int64_t shared_take(struct shared *shared, struct shared_key key, double n, double limit,
                    int64_t window_ms);

size_t shared_count(const struct shared *shared);
/* Keys refused for lack of room since start. */
uint64_t shared_refused(const struct shared *shared);

#endif
