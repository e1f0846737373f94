#include "lua_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include "bundle.h"
#include "digest.h"
#include "log.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_guard.h"
#include "lua_memory.h"
#include "lua_modules.h"
#include "lua_safe.h"
#include "lua_task.h"
#include "refusal.h"
#include "secret_file.h"

enum {
    CEILING = 128 << 20,
    LOAD_CEILING = 64 << 20,
    MAX_SECRET_FILE = 64 << 10,
};

struct vm *vm_of(lua_State *L)
{
    void *ud;

    lua_getallocf(L, &ud);
    return ud;
}

const char *vm_version(void)
{
    return LUAJIT_VERSION;
}

struct lua_context *lua_context_of(lua_State *L)
{
    return vm_of(L)->context;
}

/* fn | nil, message = vm.load(source, chunkname, env) */
static int l_load(lua_State *L)
{
    size_t len;
    const char *source = luaL_checklstring(L, 1, &len);
    const char *chunk = luaL_checkstring(L, 2);

    luaL_checktype(L, 3, LUA_TTABLE);
    if (lua_modules_compile(L, source, len, chunk, false) != 0) {
        lua_pushnil(L); /* … message nil */
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3); /* … fn env */
    lua_setfenv(L, -2);
    return 1;
}

/* bytes | nil = vm.source(name) */
static int l_source(lua_State *L)
{
    const struct bundle_file *file = bundle_find(vm_of(L)->files, luaL_checkstring(L, 1));

    if (!file) return 0;
    lua_pushlstring(L, file->bytes, file->len);
    return 1;
}

/* names = vm.files() */
static int l_files(lua_State *L)
{
    struct bundle *files = vm_of(L)->files;

    lua_createtable(L, (int)bundle_count(files), 0);
    for (size_t i = 0; i < bundle_count(files); i++) {
        lua_pushstring(L, bundle_at(files, i)->name);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* bool = vm.is_operator(name) */
static int l_is_operator(lua_State *L)
{
    const struct bundle_file *file = bundle_find(vm_of(L)->files, luaL_checkstring(L, 1));

    lua_pushboolean(L, file && file->drop_in);
    return 1;
}

/* value | nil = vm.getenv(name) */
static int l_getenv(lua_State *L)
{
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* bytes | nil, message = vm.read_file(path). Small files (secrets), and only while loading. */
static int l_read_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char bytes[MAX_SECRET_FILE];
    const char *why;

    if (!vm_of(L)->loading && !vm_of(L)->context->cli) {
        return luaL_error(L, "files are read while routes.lua loads, not later");
    }
    ssize_t len = secret_file_read(path, bytes, sizeof(bytes), &why);
    if (len < 0) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", path, why);
        return 2;
    }
    lua_pushlstring(L, bytes, (size_t)len);
    digest_wipe(bytes, (size_t)len);
    return 1;
}

/* { routes, built_in, loopback, cli, trial, generation, prices_problem } = vm.options() */
static int l_options(lua_State *L)
{
    struct vm *vm = vm_of(L);

    lua_createtable(L, 0, 5);
    lua_pushstring(L, bundle_routes_label(vm->files));
    lua_setfield(L, -2, "routes");
    lua_pushboolean(L, bundle_routes_built_in(vm->files));
    lua_setfield(L, -2, "built_in");
    lua_pushboolean(L, vm->context->loopback);
    lua_setfield(L, -2, "loopback");
    lua_pushboolean(L, vm->context->cli);
    lua_setfield(L, -2, "cli");
    lua_pushboolean(L, vm->context->trial);
    lua_setfield(L, -2, "trial");
    lua_pushinteger(L, (lua_Integer)bundle_generation(vm->files));
    lua_setfield(L, -2, "generation");
    lua_pushstring(L, bundle_prices_problem(vm->files)); /* nil: none */
    lua_setfield(L, -2, "prices_problem");
    return 1;
}

/* string functions with a step limit = vm.safe_string() */
static int l_safe_string(lua_State *L)
{
    lua_safe_push_string(L);
    return 1;
}

/* table.sort that does not go on for long unheard = vm.safe_sort() */
static int l_safe_sort(lua_State *L)
{
    lua_safe_push_sort(L);
    return 1;
}

static int open_vm(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"load", l_load},           {"source", l_source},
        {"files", l_files},         {"is_operator", l_is_operator},
        {"getenv", l_getenv},       {"read_file", l_read_file},
        {"options", l_options},     {"safe_string", l_safe_string},
        {"safe_sort", l_safe_sort}, {NULL, NULL},
    };

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

/* ---- a state ---- */

/* Names that reach beyond the gateway's own scripts (J5, J6). The command line keeps them. */
static void close_doors(lua_State *L)
{
    static const char *const globals[] = {"dofile",     "loadfile", "load",
                                          "loadstring", "newproxy", NULL};
    static const char *const os[] = {"execute", "exit",      "getenv",  "remove",
                                     "rename",  "setlocale", "tmpname", NULL};

    for (int i = 0; globals[i]; i++) {
        lua_pushnil(L);
        lua_setglobal(L, globals[i]);
    }
    lua_getglobal(L, "os");
    for (int i = 0; os[i]; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, os[i]);
    }
    lua_pop(L, 1);
}

static void open_library(lua_State *L, const char *name, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

static void open_libraries(lua_State *L, bool cli)
{
    if (cli) {
        luaL_openlibs(L);
    } else {
        open_library(L, "", luaopen_base);
        open_library(L, LUA_LOADLIBNAME, luaopen_package);
        open_library(L, LUA_TABLIBNAME, luaopen_table);
        open_library(L, LUA_STRLIBNAME, luaopen_string);
        open_library(L, LUA_MATHLIBNAME, luaopen_math);
        open_library(L, LUA_BITLIBNAME, luaopen_bit);
        open_library(L, LUA_OSLIBNAME, luaopen_os);
        open_library(L, LUA_DBLIBNAME, luaopen_debug);
        open_library(L, LUA_JITLIBNAME, luaopen_jit);
        close_doors(L);
    }
}

/* Methods of strings are the bounded ones everywhere: operator code reaches them through any
 * string (J2). */
static void bound_string_methods(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1); /* "" meta */
    lua_safe_push_string(L); /* "" meta safe */
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0); /* getmetatable("") tells nothing */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* Everything that may raise while a state is built; run under pcall. */
static int build(lua_State *L)
{
    struct vm *vm = vm_of(L);
    const struct bundle_file *prelude = bundle_find(vm->files, "engine/prelude.lua");

    vm_memory_begin(L);
    open_libraries(L, vm->context->cli);
    lua_modules_open(L, vm->context->cli);
    bound_string_methods(L);
    lua_engine_open(L); /* raw */
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded"); /* raw package loaded */
    open_vm(L);
    lua_setfield(L, -2, "engine.vm");
    lua_pop(L, 2); /* raw */
    if (!prelude || lua_modules_load(L, prelude, "@engine/prelude.lua") != 0) {
        return luaL_error(L, "engine/prelude.lua: %s",
                          prelude ? lua_tostring(L, -1) : "missing");
    }
    lua_insert(L, -2); /* prelude raw */
    lua_call(L, 1, 0);
    return 0;
}

static void vm_free(struct vm *vm)
{
    vm->retired = true;
    tasks_free_idle(vm);
    if (vm->L) lua_close(vm->L);
    refusals_free(vm->refusals);
    bundle_drop(vm->files);
    free(vm);
}

struct vm *vm_open(struct lua_context *context, struct bundle *files)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    if (!vm) return NULL;
    vm->context = context;
    vm->files = bundle_hold(files);
    vm->ceiling = context->cli ? SIZE_MAX / 2 : CEILING;
    vm->serve_ref = LUA_NOREF;
    vm->L = vm_memory_state();
    if (!vm->L) {
        vm_free(vm);
        return NULL;
    }
    vm_memory_count(vm);
    lua_pushcfunction(vm->L, build);
    if (lua_pcall(vm->L, 0, 0, 0) != 0) {
        if (context->log)
            log_event(context->log, LOG_ERROR, "vm", "%s", lua_tostring(vm->L, -1));
        vm_free(vm);
        return NULL;
    }
    return vm;
}

/* The reasons, a line each, from what boot.lua raised: { errors = {{file, line, message}…} } or
 * anything else. */
static char *reasons(lua_State *L)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out) return NULL;
    if (lua_istable(L, -1)) lua_getfield(L, -1, "errors");
    if (lua_istable(L, -1)) {
        for (int i = 1; i <= (int)lua_objlen(L, -1); i++) {
            lua_rawgeti(L, -1, i);          /* errors one */
            lua_getfield(L, -1, "file");    /* errors one file */
            lua_getfield(L, -2, "line");    /* errors one file line */
            lua_getfield(L, -3, "message"); /* errors one file line message */
            const char *file = lua_tostring(L, -3), *message = lua_tostring(L, -1);
            (void)fprintf(out, "%s%s:%d: %s", i > 1 ? "\n" : "", file ? file : "?",
                          (int)lua_tointeger(L, -2), message ? message : "?");
            lua_pop(L, 4);
        }
    } else {
        const char *message = lua_tostring(L, -1);
        (void)fputs(message ? message : "the scripts failed to load", out);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* serve = boot() */
static int boot(lua_State *L)
{
    const struct bundle_file *file = bundle_find(vm_of(L)->files, "scripts/boot.lua");

    if (!file) return luaL_error(L, "scripts/boot.lua is missing");
    if (vm_of(L)->context->trial) lua_modules_check(L);
    if (lua_modules_load(L, file, "@scripts/boot.lua") != 0) return lua_error(L);
    lua_call(L, 0, 1);
    if (!lua_isfunction(L, -1)) return luaL_error(L, "scripts/boot.lua returned no function");
    return 1;
}

struct vm *vm_load(struct lua_context *context, struct bundle *files, char **error)
{
    struct vm *vm = vm_open(context, files);

    *error = NULL;
    if (!vm) return NULL;
    vm->refusals = refusals_new();
    if (!vm->refusals) {
        vm_free(vm);
        return NULL;
    }
    vm->ceiling = LOAD_CEILING;
    guard_load_begin(vm);
    lua_pushcfunction(vm->L, boot);
    int status = lua_pcall(vm->L, 0, 1, 0);
    guard_load_end(vm);
    vm->ceiling = CEILING;
    if (status != 0) {
        *error = status == LUA_ERRMEM ? strdup("the files take more than 64 MiB while loading")
                                      : reasons(vm->L);
        vm_free(vm);
        return NULL;
    }
    vm->serve_ref = luaL_ref(vm->L, LUA_REGISTRYINDEX);
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
    return vm;
}

void vm_move(struct vm *vm, struct lua_context *context)
{
    vm->context = context;
    lua_tokens_use(vm->L, context);
}

void vm_retire(struct vm *vm)
{
    if (!vm) return;
    vm->retired = true;
    if (vm->tasks == 0) vm_free(vm);
}

void vm_task_ended(struct vm *vm)
{
    vm->tasks--;
    if (vm->retired && vm->tasks == 0) vm_free(vm);
}
