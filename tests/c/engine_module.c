/* The pure half of the engine as a Lua module, so that busted can test scripts without a
 * gateway: require "engine" makes engine.json, .crypto, .tokens and .time (what of it never
 * waits) known. */
#include <lauxlib.h>
#include <lua.h>

#include "lua_engine.h"
#include "lua_safe.h"

int luaopen_engine(lua_State *L);

static int open_safe_string(lua_State *L)
{
    lua_safe_push_string(L);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_engine(lua_State *L)
{
    static const luaL_Reg modules[] = {
        {"engine.json", luaopen_engine_json},     {"engine.crypto", luaopen_engine_crypto},
        {"engine.tokens", luaopen_engine_tokens}, {"engine.time", luaopen_engine_clock},
        {"engine.safe_string", open_safe_string}, {NULL, NULL}};
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload"); /* package preload */
    for (const luaL_Reg *module = modules; module->name; module++) {
        lua_pushcfunction(L, module->func);
        lua_setfield(L, -2, module->name);
    }
    lua_pushboolean(L, 1);
    return 1;
}
