/* Rows: one line of JSON from a format and values, without a table or a string on the way.
 *
 * The hot path writes two rows and a log line a request; this is what makes them cheap. */
#ifndef MOONGATE_LUA_ROW_H
#define MOONGATE_LUA_ROW_H

#include <stddef.h>

#include <lua.h>

/* Write the format at `index` with the values behind it. Borrowed until the next encode in this
 * state. Raises on a value of the wrong type.
 *
 *   %s  text as it stands: ready JSON       %q  a JSON string, null for nil
 *   %d  an integer, null for nil            %f  one decimal, null for nil
 *   %b  true or false                       %t  the time now, a JSON string; takes no value */
const char *lua_row_write(lua_State *L, int index, size_t *len);

#endif
