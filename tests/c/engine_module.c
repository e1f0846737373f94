/* The pure half of the engine as a Lua module, so that busted can test scripts without a
 * gateway: require "engine" makes engine.json, .crypto, .tokens and .time (what of it never
 * waits) known; and engine.sql and engine.keyring, once engine.scratch has opened a ledger. */
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>

#include "keyring.h"
#include "keyring_fill.h"
#include "learned.h"
#include "ledger_schema.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_jit.h"
#include "lua_safe.h"
#include "lua_vm.h"
#include "shelf.h"
#include "sql.h"
#include "tokens.h"

int luaopen_engine(lua_State *L);

static int open_safe_string(lua_State *L)
{
    lua_safe_push_string(L);
    return 1;
}

static int open_safe_sort(lua_State *L)
{
    lua_safe_push_sort(L);
    return 1;
}

/* ---- a ledger of a test's own -------------------------------------------------------------
 */

/* Doors find their context through the allocator; this one hands on to LuaJIT's. Both live as
 * long as the process. */
static void *pass_on(void *ud, void *block, size_t old, size_t now)
{
    struct vm *vm = ud;

    return vm->allocate(vm->allocate_ud, block, old, now);
}

static void give_context(lua_State *L)
{
    void *ud;
    if (lua_getallocf(L, &ud) == pass_on) return; /* a second file of the same run */
    struct vm *vm = calloc(1, sizeof(*vm));

    if (vm) vm->context = calloc(1, sizeof(*vm->context));
    if (!vm || !vm->context) {
        free(vm);
        luaL_error(L, "out of memory");
        return;
    }
    vm->context->ledger_state = true;
    vm->allocate = lua_getallocf(L, &vm->allocate_ud);
    lua_setallocf(L, pass_on, vm);
}

/* scratch.close(): the keyring stays, for readers keep to it. */
static int l_scratch_close(lua_State *L)
{
    struct lua_context *context = lua_context_of(L);

    sql_close(context->sql);
    context->sql = NULL;
    return 0;
}

/* scratch.open(dir): DATA/ledger.db with its tables, and DATA/pepper. One keyring a process:
 * another ledger's keys are added to it. */
static int l_scratch_open(lua_State *L)
{
    struct lua_context *context = lua_context_of(L);
    const char *dir = luaL_checkstring(L, 1);
    enum sql_code code;
    char path[512], *error = NULL;

    if (context->sql) return luaL_error(L, "a ledger is open");
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    if (!context->keyring) context->keyring = keyring_new();
    if (!context->keyring) return luaL_error(L, "out of memory");
    context->sql = sql_open(path, true, &code, &error);
    if (context->sql && ledger_schema_migrate(context->sql, path, &error) &&
        keyring_fill(context->keyring, context->sql, dir, &error))
        return 0;
    lua_pushstring(L, error ? error : sql_code_name(code));
    free(error);
    return lua_error(L);
}

static int open_scratch(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_scratch_open);
    lua_setfield(L, -2, "open");
    lua_pushcfunction(L, l_scratch_close);
    lua_setfield(L, -2, "close");
    return 1;
}

/* Of the build, for as long as the process runs; none: counts are estimates. */
static void use_vocabularies(lua_State *L)
{
    struct lua_context *context = lua_newuserdata(L, sizeof(*context));

    *context = (struct lua_context){.cli = true};
    context->shelf = shelf_open("build/vocabularies");
    context->tokens_work = tokens_work_new(0);
    context->learned = learned_new();
    lua_tokens_use(L, context);
    (void)luaL_ref(L, LUA_REGISTRYINDEX);
}

__attribute__((visibility("default"))) int luaopen_engine(lua_State *L)
{
    static const luaL_Reg modules[] = {{"engine.form", luaopen_engine_form},
                                       {"engine.json", luaopen_engine_json},
                                       {"engine.crypto", luaopen_engine_crypto},
                                       {"engine.tokens", luaopen_engine_tokens},
                                       {"engine.time", luaopen_engine_clock},
                                       {"engine.safe_string", open_safe_string},
                                       {"engine.sql", luaopen_engine_sql},
                                       {"engine.keyring", luaopen_engine_keyring},
                                       {"engine.scratch", open_scratch},
                                       {"engine.safe_sort", open_safe_sort},
                                       {NULL, NULL}};
    lua_jit_watch(L); /* the specs run what the gateway runs */
    give_context(L);
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
