/* Byte-pair merging of one window of text, and the look-ups it and the counter share.
 *
 * Knows one vocabulary and bytes; not where pieces begin. */
#ifndef MOONGATE_TOKENS_MERGE_H
#define MOONGATE_TOKENS_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tokens_file.h"

enum {
    MERGE_MOST = 8192, /* bytes of a window */
    MERGE_BLOCK = 64,
};

/* A mapped file; the pointers are into it. */
struct tokens {
    const struct tokens_header *header; /* owned: the mapping */
    const uint32_t *bytes, *byte_pairs, *long_slots;
    const uint64_t *filter, *pairs, *shorts, *middles;
    const uint8_t *text;
    unsigned pair_shift, short_shift, middle_shift, long_shift;
};

/* One window: lists by the place where a token begins. */
struct merge {
    int32_t key[MERGE_MOST] __attribute__((aligned(64))); /* rank and place of the pair here */
    int32_t least[MERGE_MOST / MERGE_BLOCK] __attribute__((aligned(64))); /* key of a block */
    uint32_t id[MERGE_MOST];
    uint16_t next[MERGE_MOST], before[MERGE_MOST + 1];
};

/* Merge p[0..len), len at most MERGE_MOST: how many tokens. merge->next leads from each to the
 * place behind it. */
size_t merge_window(struct merge *merge, const struct tokens *tokens, const uint8_t *p,
                    size_t len);

/* Is the piece a token? By length: of up to 15 bytes (the length in the highest byte of
 * `high`), and longer. */
bool merge_is_short(const struct tokens *tokens, uint64_t low, uint64_t high);
bool merge_is_long(const struct tokens *tokens, const uint8_t *p, size_t len);

#endif
