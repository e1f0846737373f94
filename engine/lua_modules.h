/* Where a state's modules come from: the bundle's files, by require. */
#ifndef MOONGATE_LUA_MODULES_H
#define MOONGATE_LUA_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct bundle_file;

/* require finds what was preloaded and the bundle's files: while files load, and later in a
 * task, whose generation's they are. `cli`: then Lua's own places, too. Once in a new state. */
void lua_modules_open(lua_State *L, bool cli);

/* Push the function that a text is (never bytecode: J5), or why it is none. Operator code is
 * interpreted (no `jit`), so that a hook can stop it. 0: it is one. */
int lua_modules_compile(lua_State *L, const char *bytes, size_t len, const char *chunk,
                        bool jit);
/* The same of a file of ours, never a drop-in: as it was compiled when the gateway was built,
 * where it is that file still. */
int lua_modules_load(lua_State *L, const struct bundle_file *file, const char *chunk);

/* Raises what is wrong in a script that was not compiled when the gateway was built, and that
 * nobody may ask for until it serves. */
void lua_modules_check(lua_State *L);

#endif
