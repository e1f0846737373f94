#include "lua_jit.h"

#include <string.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "jit_scan.h"

enum { MAX_HELPERS = 256 };

/* What the watch knows: the userdata that is its first upvalue. */
struct watch {
    uintptr_t helpers[MAX_HELPERS]; /* what compiled code calls */
    size_t count;
};

/* The second upvalue is jit.util.tracemc, the third a table that keeps the function in which
 * the trace began, at [1]. */
enum {
    WATCH = lua_upvalueindex(1),
    TRACEMC = lua_upvalueindex(2),
    BEGAN = lua_upvalueindex(3)
};

static bool is_wrong(lua_State *L, int trace)
{
    const struct watch *watch = lua_touserdata(L, WATCH);
    size_t len;

    lua_pushvalue(L, TRACEMC);
    lua_pushinteger(L, trace);
    lua_call(L, 1, 2); /* code address | nothing */
    if (!lua_isstring(L, -2)) return false;
    const char *code = lua_tolstring(L, -2, &len);
    uintptr_t at = (uintptr_t)(intptr_t)lua_tonumber(L, -1);
    return jit_scan_cuts((const uint8_t *)code, len, at, watch->helpers, watch->count);
}

/* Its trace is compiled but has not run; nothing of it is left when this returns. */
static void discard(lua_State *L)
{
    lua_rawgeti(L, BEGAN, 1);
    if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
        (void)luaJIT_setmode(L, -1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
    }
    (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
}

/* watch(what, trace, function, …), called by the compiler. */
static int on_trace(lua_State *L)
{
    const char *what = lua_tostring(L, 1);

    if (!what) return 0;
    if (strcmp(what, "start") == 0) {
        lua_pushvalue(L, 3);
        lua_rawseti(L, BEGAN, 1);
    } else if (strcmp(what, "stop") == 0 && is_wrong(L, (int)lua_tointeger(L, 2))) {
        discard(L);
    }
    return 0;
}

/* Stack: util. */
static void find_helpers(lua_State *L, struct watch *watch)
{
    watch->count = 0;
    for (int i = 0; i < MAX_HELPERS; i++) {
        lua_getfield(L, -1, "ircalladdr");
        lua_pushinteger(L, i);
        lua_call(L, 1, 1);
        uintptr_t address = (uintptr_t)(intptr_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
        if (address) watch->helpers[watch->count++] = address;
    }
}

void lua_jit_watch(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "jit.util");
    lua_call(L, 1, 1); /* util */
    struct watch *watch = lua_newuserdata(L, sizeof(*watch));
    lua_insert(L, -2); /* watch util */
    find_helpers(L, watch);
    lua_getfield(L, -1, "tracemc");
    lua_remove(L, -2); /* watch tracemc */
    lua_newtable(L);
    lua_pushcclosure(L, on_trace, 3); /* fn */
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "attach"); /* fn jit attach */
    lua_pushvalue(L, -3);
    lua_pushliteral(L, "trace");
    lua_call(L, 2, 0);
    lua_pop(L, 2);
}
