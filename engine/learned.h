/* What reported numbers were of estimated ones, by name and kind: a mean and how far single
 * ones lie from it, the latest weighing most. Kept over restarts in a small file.
 *
 * Thread-safe. Knows names and ratios; what they are of is the scripts' business. */
#ifndef MOONGATE_LEARNED_H
#define MOONGATE_LEARNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct learned;

enum {
    LEARNED_NAMES = 512, /* of more, those that were seen least are forgotten */
    LEARNED_NAME = 96,   /* bytes, with the end; of longer names the first */
    LEARNED_KINDS = 16,
};

struct lesson {
    double mean, deviation;
    uint64_t count; /* 0: nothing is known */
};

struct learned *learned_new(void) __attribute__((warn_unused_result));
void learned_free(struct learned *learned);

/* Take a ratio into account, and look at the result. Ratios that cannot be are left out. */
struct lesson learned_add(struct learned *learned, const char *name, unsigned kind,
                          double ratio);
struct lesson learned_get(struct learned *learned, const char *name, unsigned kind);

/* Read or write DIR/tokens.learned; written whole or not at all, and only where something
 * changed since. Lines that make no sense are left out: it is no ledger. */
void learned_load(struct learned *learned, const char *dir);
bool learned_save(struct learned *learned, const char *dir);

#endif
