/* Functions of Lua's libraries that end: Lua 5.1 patterns with a limit on steps, results with a
 * ceiling, and what is sorted.
 *
 * No hook interrupts a C function, so a pattern with a few lazy groups can hold a worker for
 * seconds; operator code gets these instead of the stock ones. */
#ifndef MOONGATE_LUA_SAFE_H
#define MOONGATE_LUA_SAFE_H

#include <lua.h>

/* Push a table with string's functions: find, match, gmatch, gsub, rep and format bounded, the
 * others as they are, `dump` left out. */
void lua_safe_push_string(lua_State *L);
/* Push table.sort, which takes large tables only with a function of Lua's to compare by. */
void lua_safe_push_sort(lua_State *L);

#endif
