/* The vocabularies of a process, by the name of their encoding: opened once, used by all
 * threads.
 *
 * Knows files, not which model has which. Opened and closed by whoever starts the threads. */
#ifndef MOONGATE_SHELF_H
#define MOONGATE_SHELF_H

#include <stddef.h>

struct shelf;
struct tokens;

/* Opens NAME.mgv, for all names, in a folder; NULL: `vocabularies` beside the binary, above it,
 * or in ../share/moongate. What is missing or damaged is left out. NULL: out of memory. */
struct shelf *shelf_open(const char *folder) __attribute__((warn_unused_result));
void shelf_close(struct shelf *shelf);

/* What was left out and why, for people; "" where all is well. */
const char *shelf_complaint(const struct shelf *shelf);

/* NULL: there is none of that name. A NULL shelf is an empty one. */
const struct tokens *shelf_find(const struct shelf *shelf, const char *name);

#endif
