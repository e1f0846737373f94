/* A small door: the clock's part of engine.time. It needs no context: also built into the
 * tests. */
#include <math.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua_engine.h"
#include "lua_row.h"
#include "moment.h"

static int push_module(lua_State *L, const luaL_Reg *functions)
{
    lua_newtable(L);
    for (; functions->name; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
    return 1;
}

/* ---- the clock ----------------------------------------------------------------------------
 */

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)moment_wall_us() / 1e6);
    return 1;
}

static int l_monotonic(lua_State *L)
{
    lua_pushnumber(L, (double)moment_monotonic_us() / 1e6);
    return 1;
}

/* text = iso([seconds]): UTC; now where none are given. */
static int l_iso(lua_State *L)
{
    char text[MOMENT_ISO_SIZE];
    int64_t ms = moment_wall_us() / 1000;

    if (!lua_isnoneornil(L, 1)) {
        lua_Number seconds = luaL_checknumber(L, 1);
        luaL_argcheck(L, fabs(seconds) < 1e12, 1, "seconds since 1970");
        ms = (int64_t)floor(seconds * 1000 + 0.5);
    }
    moment_iso(ms, text);
    lua_pushstring(L, text);
    return 1;
}

int luaopen_engine_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", l_now}, {"monotonic", l_monotonic}, {"iso", l_iso}, {NULL, NULL}};

    return push_module(L, functions);
}
