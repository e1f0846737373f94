/* The files that are compiled in. build/embedded.c is generated from them by `make`. */
#ifndef MOONGATE_EMBEDDED_H
#define MOONGATE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* "scripts/pipeline.lua", "engine/prelude.lua", "routes.lua" */
    const char *bytes;
    size_t len;
    const char *code; /* the same, compiled by LuaJIT; NULL: of a file that is none of ours */
    size_t code_len;
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_count;
extern const char embedded_version[];
/* The code of all of them, in one piece. */
extern const char embedded_code[];
extern const size_t embedded_code_len;
extern const char embedded_compiler[]; /* LuaJIT's version, as it says it itself */

#endif
