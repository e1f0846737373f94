#include "lua_dropin.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "lua_safe.h"

static const char *const functions[] = {
    "assert",   "error",    "getmetatable", "ipairs", "next",   "pairs",
    "pcall",    "rawequal", "rawget",       "rawset", "select", "setmetatable",
    "tonumber", "tostring", "type",         "unpack", "xpcall", NULL};

/* Whole, but for what is named below. */
static const char *const libraries[] = {"table", "math", "bit", "coroutine", "os", NULL};

/* Of the engine, what adapters are made of; the rest is the pipeline's business. */
static const char *const doors[] = {"engine.json", "engine.crypto", "engine.time",
                                    "engine.log",  "engine.metric", NULL};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0) return true;
    }
    return false;
}

/* module = require(name): scripts' libraries, other adapters, and those doors. */
static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    bool allowed = strncmp(name, "lib.", 4) == 0 || strncmp(name, "providers.", 10) == 0 ||
                   is_one_of(name, doors);

    if (!allowed) return luaL_error(L, "an adapter cannot require \"%s\"", name);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* env.name = a copy of the global table of that name */
static void copy_library(lua_State *L, const char *name)
{
    lua_newtable(L); /* env copy */
    lua_getglobal(L, name);
    if (lua_istable(L, -1)) {
        lua_pushnil(L);
        while (lua_next(L, -2)) { /* env copy library key value */
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_settable(L, -5); /* env copy library key */
        }
    }
    lua_pop(L, 1);
    lua_setfield(L, -2, name);
}

void lua_dropin_push_env(lua_State *L)
{
    lua_newtable(L); /* env */
    for (int i = 0; functions[i]; i++) {
        lua_getglobal(L, functions[i]);
        lua_setfield(L, -2, functions[i]);
    }
    for (int i = 0; libraries[i]; i++)
        copy_library(L, libraries[i]);
    lua_safe_push_string(L);
    lua_setfield(L, -2, "string");
    lua_getfield(L, -1, "table"); /* env table */
    lua_safe_push_sort(L);
    lua_setfield(L, -2, "sort");
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushcclosure(L, l_require, 1);
    lua_setfield(L, -2, "require");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
}
