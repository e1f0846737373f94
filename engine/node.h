/* Which gateway this is, among several: a word that is made once and kept in its data folder,
 * so that what it holds of shared budgets stays its own when it is started again.
 *
 * Knows two files. One thread at a time. */
#ifndef MOONGATE_NODE_H
#define MOONGATE_NODE_H

#include <stdbool.h>
#include <stdint.h>

enum { NODE_ID = 17 }; /* 16 hexadecimal digits and a NUL */

/* False with *error (free() it): the file cannot be read or made. */
bool node_id(const char *data_dir, char id[NODE_ID], char **error)
    __attribute__((warn_unused_result));
/* The epoch of the shared limits that it last belonged to; 0: of none. */
int64_t node_epoch(const char *data_dir);
void node_epoch_keep(const char *data_dir, int64_t epoch);
/* A word that nobody else has. False: no randomness. */
bool node_random(char id[NODE_ID]) __attribute__((warn_unused_result));

#endif
