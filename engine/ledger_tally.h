/* Sums by key: bytes → a row of integers, zero at first. Knows nothing. One thread. */
#ifndef MOONGATE_LEDGER_TALLY_H
#define MOONGATE_LEDGER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally_entry {
    struct tally_entry *next; /* in its slot */
    uint32_t hash;
    size_t len;
    int64_t values[]; /* `width` of them, and then the key's bytes */
};

struct tally {
    struct tally_entry **slots; /* owned */
    size_t slot_count, count;
    size_t width; /* values an entry */
};

void tally_init(struct tally *tally, size_t width);
/* The values of a key, made where it is new (*made, may be NULL). NULL: no memory. Valid until
 * the tally is cleared. */
int64_t *tally_at(struct tally *tally, const void *key, size_t len, bool *made);
/* Forget all. */
void tally_clear(struct tally *tally);
void tally_free(struct tally *tally);

const char *tally_key(const struct tally *tally, const struct tally_entry *entry);
/* From NULL on, each once, in no order. */
struct tally_entry *tally_next(const struct tally *tally, const struct tally_entry *entry);

#endif
