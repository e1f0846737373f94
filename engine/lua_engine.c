#include "lua_engine.h"

#include <lauxlib.h>

#include "lua_context.h"
#include "lua_task.h"

void lua_engine_open(lua_State *L)
{
    static const luaL_Reg modules[] = {
        {"engine.accounts", luaopen_engine_accounts},
        {"engine.crypto", luaopen_engine_crypto},
        {"engine.form", luaopen_engine_form},
        {"engine.guard", luaopen_engine_guard},
        {"engine.journal", luaopen_engine_journal},
        {"engine.json", luaopen_engine_json},
        {"engine.keyring", luaopen_engine_keyring},
        {"engine.log", luaopen_engine_log},
        {"engine.metric", luaopen_engine_metric},
        {"engine.overload", luaopen_engine_overload},
        {"engine.shared", luaopen_engine_shared},
        {"engine.sql", luaopen_engine_sql},
        {"engine.tokens", luaopen_engine_tokens},
        {NULL, NULL},
    };

    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded"); /* package loaded */
    for (const luaL_Reg *module = modules; module->name; module++) {
        lua_pushcfunction(L, module->func);
        lua_call(L, 0, 1);
        lua_setfield(L, -2, module->name);
    }
    lua_newtable(L); /* package loaded raw */
    lua_pushcfunction(L, task_wait);
    lua_setfield(L, -2, "wait");
    lua_pushcfunction(L, task_start_alone);
    lua_setfield(L, -2, "task_start");
    lua_pushcfunction(L, task_patience);
    lua_setfield(L, -2, "task_patience");
    lua_pushcfunction(L, luaopen_engine_clock);
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "clock");
    lua_sync_open(L);
    lua_ledger_open(L);
    lua_ledger_open_open(L);
    lua_timer_open(L);
    lua_tokens_open(L);
    lua_upstream_open(L); /* package loaded raw methods */
    lua_setfield(L, -2, "upstream");
    lua_request_open(L);
    lua_setfield(L, -2, "request");
    lua_admin_open(L);
    lua_setfield(L, -2, "admin"); /* package loaded raw */
    lua_pushboolean(L, lua_context_of(L)->strict);
    lua_setfield(L, -2, "strict");
    lua_getfield(L, -2, "engine.json");
    lua_getfield(L, -1, "decode");
    lua_setfield(L, -3, "json_decode");
    lua_getfield(L, -1, "encode");
    lua_setfield(L, -3, "json_encode");
    lua_pop(L, 1);
    lua_replace(L, -3);
    lua_pop(L, 1); /* raw */
}
