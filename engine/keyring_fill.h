/* The keyring at start: the pepper's file, and what the ledger's tables say. Once, before
 * anything serves. */
#ifndef MOONGATE_KEYRING_FILL_H
#define MOONGATE_KEYRING_FILL_H

#include <stdbool.h>

struct keyring;
struct sql;

/* `dir` is the data folder. False: *error (free() it) says why, and what to do. */
bool keyring_fill(struct keyring *keyring, struct sql *sql, const char *dir, char **error)
    __attribute__((warn_unused_result));

#endif
