/* Intent lines whose request has not ended yet: which line of which file, by the request's id.
 * Knows neither files nor SQL. One thread. */
#ifndef MOONGATE_LEDGER_PENDING_H
#define MOONGATE_LEDGER_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger_line.h"

struct ledger_file;

struct pending {
    struct pending *next; /* in its slot: all of one id stand in one */
    uint32_t hash;
    struct ledger_file *file; /* borrowed */
    int64_t offset;           /* of the line, in the file */
    size_t id_len;
    char id[]; /* id_len bytes */
};

struct ledger_pending {
    struct pending **slots; /* owned */
    size_t slot_count, count;
};

/* False: no memory. */
bool pending_add(struct ledger_pending *all, struct ledger_text id, struct ledger_file *file,
                 int64_t offset) __attribute__((warn_unused_result));
/* All lines of a request are done with; `touched` is told of each file that had one. */
void pending_remove(struct ledger_pending *all, struct ledger_text id,
                    void (*touched)(struct ledger_file *file));
/* From NULL on, each once. */
struct pending *pending_next(const struct ledger_pending *all, const struct pending *at);
/* The next one of the same request; NULL: it was the last. */
struct pending *pending_same(const struct pending *at);
void pending_clear(struct ledger_pending *all);

#endif
