/* The scripts that the build packed into the binary: build/embedded.c, by tools/embed.c.
 *
 * Constant data; any thread. */
#ifndef MOONGATE_EMBEDDED_H
#define MOONGATE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name;  /* as in the tree: "scripts/pipeline.lua" */
    const char *bytes; /* terminated, though they may hold NULs */
    size_t len;
};

extern const struct embedded_file
    embedded_files[]; /* sorted by name; one empty entry behind the last */
extern const size_t embedded_count;
extern const char embedded_version[];

#endif
