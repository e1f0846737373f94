/* The data directory: one gateway to each. Knows files only. */
#ifndef MOONGATE_DATADIR_H
#define MOONGATE_DATADIR_H

/* Make it if it is missing and lock it against a second gateway, which would write the same
 * journals. A descriptor that holds the lock until it is closed; -1 with *error (free() it) and
 * errno set. */
int datadir_lock(const char *dir, char **error) __attribute__((warn_unused_result));

#endif
