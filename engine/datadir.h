/* The data directory: one gateway to each. Knows files only. */
#ifndef MOONGATE_DATADIR_H
#define MOONGATE_DATADIR_H

#include <stdbool.h>

/* Make it if it is missing and lock it against a second gateway, which would write the same
 * journals. A descriptor that holds the lock until it is closed; -1 with *error (free() it) and
 * errno set. */
int datadir_lock(const char *dir, char **error) __attribute__((warn_unused_result));

/* Leave one line in a file of it (0600), for programs that look for a running gateway; a file
 * that cannot be written is none. */
void datadir_note(const char *dir, const char *name, const char *line);
void datadir_forget(const char *dir, const char *name);

/* Whether it lies on a network's file system, where SQLite's locks may not hold; *kind is its
 * name, static. */
bool datadir_is_remote(const char *dir, const char **kind);

#endif
