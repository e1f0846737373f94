/* A Lua table of headers → the array that server.h and client.h take. */
#ifndef MOONGATE_LUA_HEADERS_H
#define MOONGATE_LUA_HEADERS_H

#include <stddef.h>

#include <lua.h>

#include "server.h"

enum { HEADERS_MAX = 64 };

/* { [name] = value, … } or { { name, value }, … } at `index` (nil: none). Names and values are
 * borrowed from the table, which must stay on the stack. Raises on anything else, on more than
 * HEADERS_MAX, and on CR, LF or NUL in a name or a value (MATRICES.md T4). */
size_t lua_headers_read(lua_State *L, int index, struct http_header *headers);

#endif
