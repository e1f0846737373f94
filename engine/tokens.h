/* Exact token counts by byte-pair encoding, from vocabularies that are mapped read-only.
 *
 * Knows bytes only: which model has which vocabulary is the scripts' business. Special tokens
 * in a text are ordinary text. Bytes that are no UTF-8 count too, each as a sign of its own. A
 * vocabulary may be used by all threads, a workspace by one at a time. Time is linear in the
 * text, whatever it is; nothing is allocated while counting. */
#ifndef MOONGATE_TOKENS_H
#define MOONGATE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tokens_scan.h"
#include "tokens_tally.h"

struct tokens;
struct tokens_work;

enum {
    TOKENS_WHY = 256, /* room for a reason */
};

#define TOKENS_NO_LIMIT (UINT64_MAX - 1)

/* Map a vocabulary. NULL: missing, truncated, altered or of another version, and `why` (of
 * TOKENS_WHY bytes) says which. */
const struct tokens *tokens_open(const char *path, char *why)
    __attribute__((warn_unused_result));
void tokens_close(const struct tokens *tokens);
uint32_t tokens_size(const struct tokens *tokens);

/* What counting needs to write to: under 0.4 MB. `window`: bytes of a long piece that are
 * merged at once; 0: as is best. */
struct tokens_work *tokens_work_new(size_t window) __attribute__((warn_unused_result));
void tokens_work_free(struct tokens_work *work);

uint64_t tokens_count(const struct tokens *tokens, struct tokens_work *work, const char *text,
                      size_t len);
/* Stops as soon as there are more than `limit`, and then returns limit + 1. */
uint64_t tokens_count_limit(const struct tokens *tokens, struct tokens_work *work,
                            const char *text, size_t len, uint64_t limit);
/* How many bytes the first `limit` tokens have. May end within a character. */
size_t tokens_prefix(const struct tokens *tokens, struct tokens_work *work, const char *text,
                     size_t len, uint64_t limit);

/* A count that can be interrupted. Set the first six (`limit`: TOKENS_NO_LIMIT for all) and
 * zero the others; text and workspace must stay, but others may use the workspace in between.
 */
struct tokens_run {
    const struct tokens *tokens;
    struct tokens_work *work;
    const char *text;
    size_t len;
    uint64_t limit;
    struct tokens_tally *tally; /* what it is made of is added there; NULL: nobody asks */

    uint64_t count;  /* so far; limit + 1: there are more */
    size_t at;       /* bytes of those tokens, at most `limit` of them */
    uint64_t effort; /* bytes merged so far, some of them twice: linear in len */
    bool rough;      /* two windows of a long piece did not meet: off by a few */

    struct tokens_scan scan;
    size_t piece;  /* where a long piece that is being merged ends; 0: in none */
    size_t window; /* where its window begins */
    size_t width;  /* bytes of the window */
};

/* Go on for about `most` bytes. True: done. */
bool tokens_step(struct tokens_run *run, size_t most);

#endif
