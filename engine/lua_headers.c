#include "lua_headers.h"

#include <lauxlib.h>

/* A string that may stand in a head; no number, whose text nothing would keep alive. */
static const char *head_text(lua_State *L, int index, const char *what)
{
    size_t len;
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "a header's %s must be a string", what);

    const char *text = lua_tolstring(L, index, &len);
    for (size_t i = 0; i < len; i++) { /* strpbrk() makes a table for each of these few bytes */
        if (text[i] == '\r' || text[i] == '\n' || text[i] == '\0')
            luaL_error(L, "a header's %s may hold no line break and no NUL", what);
    }
    return text;
}

size_t lua_headers_read(lua_State *L, int index, struct http_header *headers)
{
    size_t n = 0;

    if (lua_isnoneornil(L, index)) return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) { /* … key value */
        if (n == HEADERS_MAX) luaL_error(L, "more than %d headers", HEADERS_MAX);
        if (lua_istable(L, -1)) {
            lua_rawgeti(L, -1, 1); /* … key pair name */
            lua_rawgeti(L, -2, 2); /* … key pair name value */
            headers[n].name = head_text(L, -2, "name");
            headers[n].value = head_text(L, -1, "value");
            lua_pop(L, 3);
        } else {
            headers[n].name = head_text(L, -2, "name");
            headers[n].value = head_text(L, -1, "value");
            lua_pop(L, 1);
        }
        n++;
    }
    return n;
}
