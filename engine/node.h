/* Which gateway this is, among several: a word that is made once and kept in its data folder,
 * so that what it holds of shared budgets stays its own when it is started again.
 *
 * Knows one file. Start-up only. */
#ifndef MOONGATE_NODE_H
#define MOONGATE_NODE_H

#include <stdbool.h>

enum { NODE_ID = 17 }; /* 16 hexadecimal digits and a NUL */

/* False with *error (free() it): the file cannot be read or made. */
bool node_id(const char *data_dir, char id[NODE_ID], char **error)
    __attribute__((warn_unused_result));
/* A word that nobody else has. False: no randomness. */
bool node_random(char id[NODE_ID]) __attribute__((warn_unused_result));

#endif
