/* Files that hold secrets. Start-up and reload only. */
#ifndef MOONGATE_SECRET_FILE_H
#define MOONGATE_SECRET_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* All of a file into `bytes`, and how many they are. -1: *why says what is wrong (static): it
 * cannot be read, is longer than that, or everybody may read it (MATRICES 3.2: the gateway
 * refuses to start). */
ssize_t secret_file_read(const char *path, char *bytes, size_t room, const char **why);

#endif
