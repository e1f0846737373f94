/* The pepper: 32 random bytes in the data folder that every key's secret is hashed with, so
 * that a copy of the ledger alone tells nothing about a key. Knows files only; used while
 * starting. */
#ifndef MOONGATE_PEPPER_H
#define MOONGATE_PEPPER_H

#include <stdbool.h>

enum { PEPPER_SIZE = 32 };

/* Read `dir`/pepper. Where it is missing, make it if `may_make`, which is to be false once the
 * ledger has keys: with another pepper none of them could be told from a wrong one. False:
 * *error (free() it) says why, and what to do. The caller wipes `out` (digest_wipe). */
bool pepper_open(const char *dir, bool may_make, unsigned char out[PEPPER_SIZE], char **error)
    __attribute__((warn_unused_result));

#endif
