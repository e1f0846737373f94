/* engine.overload: what is said to requests that are not served. */
#include <lauxlib.h>
#include <lua.h>

#include "lua_engine.h"
#include "lua_vm.h"
#include "refusal.h"

/* A member of the row on top; NULL: none. Borrowed from the row. */
static const char *text_of(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    const char *text = lua_tostring(L, -1);

    lua_pop(L, 1);
    return text;
}

/* say(rows): once these scripts serve. In a state that serves nobody nothing happens. */
static int l_say(lua_State *L)
{
    struct refusals *refusals = vm_of(L)->refusals;

    luaL_checktype(L, 1, LUA_TTABLE);
    if (!refusals) return 0;
    refusals_clear(refusals);
    for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
        lua_rawgeti(L, 1, i); /* rows row */
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_getfield(L, -1, "status"); /* rows row status */
        int status = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        struct refusal_row row = {text_of(L, "path"), text_of(L, "method"),
                                  text_of(L, "header"), status, text_of(L, "body")};
        luaL_argcheck(L, status == 0 || (status >= 400 && status <= 599 && row.body), 1,
                      "a row has a status and a body, or neither");
        if (!refusals_add(refusals, &row)) return luaL_error(L, "out of memory");
        lua_pop(L, 1);
    }
    return 0;
}

int luaopen_engine_overload(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_say);
    lua_setfield(L, -2, "say");
    return 1;
}
