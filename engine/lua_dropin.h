/* What an adapter of the operator's own can see: Lua that computes, and modules that adapters
 * are made of.
 *
 * The state's own globals hold what would undo the guard (debug.sethook, jit.on) or change what
 * every other script calls (string, table): no drop-in file gets those (MATRICES.md S-26, T22).
 */
#ifndef MOONGATE_LUA_DROPIN_H
#define MOONGATE_LUA_DROPIN_H

#include <lua.h>

/* Push an environment for one file: copies, so that no file meets another's changes. */
void lua_dropin_push_env(lua_State *L);

#endif
