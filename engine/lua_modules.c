#include "lua_modules.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "bundle.h"
#include "embedded.h"
#include "lua_dropin.h"
#include "lua_memory.h"
#include "lua_vm.h"

/* "pipeline.auth" → scripts/pipeline/auth.lua; "providers.openai" → providers/openai.lua. */
static const struct bundle_file *module_file(struct vm *vm, const char *module)
{
    char name[256];
    const char *prefix = strncmp(module, "providers.", 10) == 0 ? "" : "scripts/";
    int len = snprintf(name, sizeof(name), "%s%s", prefix, module);

    if (len < 0 || (size_t)len + 5 > sizeof(name)) return NULL;
    for (char *at = name + strlen(prefix); *at; at++) {
        if (*at == '.') *at = '/';
    }
    memcpy(name + len, ".lua", 5);
    return bundle_find(vm->files, name);
}

int lua_modules_compile(lua_State *L, const char *bytes, size_t len, const char *chunk,
                        bool jit)
{
    int status = luaL_loadbufferx(L, bytes, len, chunk, "t");

    if (status == 0 && !jit) {
        luaJIT_setmode(L, -1, LUAJIT_MODE_ALLFUNC | LUAJIT_MODE_OFF);
    }
    return status;
}

int lua_modules_load(lua_State *L, const struct bundle_file *file, const char *chunk)
{
    if (file->code && vm_of(L)->precompiled) {
        int status = luaL_loadbufferx(L, file->code, file->code_len, chunk, "b");
        if (status == 0 || status == LUA_ERRMEM) return status;
        lua_pop(L, 1);
    }
    return lua_modules_compile(L, file->bytes, file->len, chunk, true);
}

void lua_modules_check(lua_State *L)
{
    struct bundle *files = vm_of(L)->files;

    for (size_t i = 0; i < bundle_count(files); i++) {
        const struct bundle_file *file = bundle_at(files, i);
        if (file->code || strncmp(file->name, "scripts/", 8) != 0) continue;
        lua_pushfstring(L, "@%s", file->name); /* chunk */
        if (lua_modules_load(L, file, lua_tostring(L, -1)) != 0) lua_error(L);
        lua_pop(L, 2);
    }
}

/* package.loaders[2]: chunk | message = find(module) */
static int l_find(lua_State *L)
{
    struct vm *vm = vm_of(L);
    const char *module = luaL_checkstring(L, 1);
    const struct bundle_file *file = module_file(vm, module);

    if (!file) {
        lua_pushfstring(L, "\n\tno script %s in this gateway", module);
        return 1;
    }
    lua_pushfstring(L, "@%s", file->name); /* module chunk */
    const char *chunk = lua_tostring(L, -1);
    int status = file->drop_in ? lua_modules_compile(L, file->bytes, file->len, chunk, false)
                               : lua_modules_load(L, file, chunk);
    if (status == LUA_ERRMEM) vm_memory_refuse(L);
    if (status != 0) return lua_error(L); /* module chunk message */
    if (file->drop_in) {
        lua_dropin_push_env(L); /* module chunk fn env */
        lua_setfenv(L, -2);
    }
    return 1; /* module chunk fn */
}

/* module = require(name): Lua's own is the upvalue. Where that raises, it leaves a mark for
 * "loop or previous error", and would find it for ever: a module whose turn came when memory
 * was short may be asked for again. */
static int l_require(lua_State *L)
{
    (void)luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1)); /* name require */
    lua_pushvalue(L, 1);
    int status = lua_pcall(L, 1, 1, 0); /* name module | err */
    if (status == 0) return 1;
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED"); /* name err loaded */
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1); /* name err */
    if (status == LUA_ERRMEM) vm_memory_refuse(L);
    return lua_error(L);
}

/* require finds what was preloaded, then the bundle's files; on the command line, then Lua's
 * own places (lua-cjson). */
static void set_loaders(lua_State *L, bool cli)
{
    lua_getglobal(L, "package");    /* package */
    lua_getfield(L, -1, "loaders"); /* package loaders */
    if (cli) {
        lua_rawgeti(L, -1, 3); /* the C loader moves behind ours */
        lua_rawseti(L, -2, 4);
        lua_rawgeti(L, -1, 2);
        lua_rawseti(L, -2, 3);
    } else {
        for (int i = 3; i <= 4; i++) {
            lua_pushnil(L);
            lua_rawseti(L, -2, i);
        }
        lua_pushnil(L);
        lua_setfield(L, -3, "loadlib");
    }
    lua_pushcfunction(L, l_find);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

/* Is this the LuaJIT that compiled our files? Another one may read its code wrongly. */
static bool is_compiler(lua_State *L)
{
    lua_getglobal(L, "jit");
    lua_getfield(L, -1, "version");
    const char *version = lua_tostring(L, -1);
    bool is = version && strcmp(version, embedded_compiler) == 0;

    lua_pop(L, 2);
    return is;
}

void lua_modules_open(lua_State *L, bool cli)
{
    vm_of(L)->precompiled = is_compiler(L);
    set_loaders(L, cli);
    lua_getglobal(L, "require");
    lua_pushcclosure(L, l_require, 1);
    lua_setglobal(L, "require");
}
