/* Where a text is cut into pieces, before tokens are made: the split rules of each encoding, as
 * decisions. Knows bytes only. Linear, and interruptible within a piece of any length. */
#ifndef MOONGATE_TOKENS_SCAN_H
#define MOONGATE_TOKENS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tokens_file.h"

enum { SCAN_MEMOS = 6 };

/* A run of characters: its end, and the end of the last one that was tracked (or NULL). */
struct tokens_span {
    const uint8_t *end, *tracked;
};

struct tokens_scan {
    const uint8_t *end; /* of the text */
    enum tokens_rules rules;
    bool late;      /* the piece goes on beyond what one look may take */
    unsigned memos; /* how far the long runs of this piece have been followed: */
    struct {
        const uint8_t *from;
        unsigned mask;
        struct tokens_span span;
    } memo[SCAN_MEMOS];
};

/* The end of the piece that begins at p, before scan->end. NULL: not found yet, ask again. */
const uint8_t *tokens_scan(struct tokens_scan *scan, const uint8_t *p);

#endif
