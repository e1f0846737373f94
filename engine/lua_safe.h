/* String functions that end: Lua 5.1 patterns with a limit on steps, results with a ceiling.
 *
 * No hook interrupts a C function, so a pattern with a few lazy groups can hold a worker for
 * seconds; operator code gets these instead of the stock ones. */
#ifndef MOONGATE_LUA_SAFE_H
#define MOONGATE_LUA_SAFE_H

#include <lua.h>

/* Push a table with string's functions: find, match, gmatch, gsub, rep and format bounded, the
 * others as they are, `dump` left out. */
void lua_safe_push_string(lua_State *L);

#endif
