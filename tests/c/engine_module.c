/* The pure half of the engine as a Lua module, so that busted can test scripts without a
 * gateway: require "engine" makes engine.json, .crypto, .tokens and .time (what of it never
 * waits) known. */
#include <lauxlib.h>
#include <lua.h>

#include "lua_context.h"
#include "lua_engine.h"
#include "lua_safe.h"
#include "shelf.h"
#include "tokens.h"

int luaopen_engine(lua_State *L);

static int open_safe_string(lua_State *L)
{
    lua_safe_push_string(L);
    return 1;
}

/* Of the build, for as long as the process runs; none: counts are estimates. */
static void use_vocabularies(lua_State *L)
{
    struct lua_context *context = lua_newuserdata(L, sizeof(*context));

    *context = (struct lua_context){.cli = true};
    context->shelf = shelf_open("build/vocabularies");
    context->tokens_work = tokens_work_new(0);
    lua_tokens_use(L, context);
    (void)luaL_ref(L, LUA_REGISTRYINDEX);
}

__attribute__((visibility("default"))) int luaopen_engine(lua_State *L)
{
    static const luaL_Reg modules[] = {
        {"engine.json", luaopen_engine_json},     {"engine.crypto", luaopen_engine_crypto},
        {"engine.tokens", luaopen_engine_tokens}, {"engine.time", luaopen_engine_clock},
        {"engine.safe_string", open_safe_string}, {NULL, NULL}};
    use_vocabularies(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload"); /* package preload */
    for (const luaL_Reg *module = modules; module->name; module++) {
        lua_pushcfunction(L, module->func);
        lua_setfield(L, -2, module->name);
    }
    lua_pushboolean(L, 1);
    return 1;
}
