/* Every script's bytes, read once per reload: immutable, counted, shared by the workers.
 *
 * Knows files and names, not Lua. A bundle may be read by any thread; the count is atomic. */
#ifndef MOONGATE_BUNDLE_H
#define MOONGATE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

struct bundle_file {
    const char *name;  /* "scripts/pipeline.lua", "providers/openai.lua", "routes.lua" */
    const char *bytes; /* the bundle's, or compiled in */
    size_t len;
    const char *code; /* compiled in, too: the same in LuaJIT's words; NULL: only as text */
    size_t code_len;
    bool drop_in; /* operator code: from the providers directory, or the routes */
};

/* Where files come from; NULL: only what is compiled in. Borrowed. */
struct bundle_paths {
    const char *routes;
    const char *providers_dir;
    const char *scripts_dir;
    const char *data_dir;      /* where a table of prices may be */
    const struct bundle *last; /* whose table stays where that one is damaged; or NULL */
};

struct bundle;

/* NULL with *error (free() it) set when a file that was named cannot be read. */
struct bundle *bundle_read(const struct bundle_paths *paths, unsigned generation, char **error)
    __attribute__((warn_unused_result));
/* What was compiled in has been read, and will seldom be again: its pages need not stay.
 * Reading it goes on as before. */
void bundle_rest(void);
struct bundle *bundle_hold(struct bundle *bundle);
void bundle_drop(struct bundle *bundle);

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name);
size_t bundle_count(const struct bundle *bundle);
const struct bundle_file *bundle_at(const struct bundle *bundle, size_t i);
unsigned bundle_generation(const struct bundle *bundle);
/* What people call the routes file: its path as given, or "routes.lua" for the built-in one. */
const char *bundle_routes_label(const struct bundle *bundle);
bool bundle_routes_built_in(const struct bundle *bundle);
/* Why the table of prices in the data folder ("prices") was refused; NULL: it was not. The last
 * one's stands then, where there is one. */
const char *bundle_prices_problem(const struct bundle *bundle);

#endif
