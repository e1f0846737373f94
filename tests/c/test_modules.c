/* Modules of a state: as the build compiled them, as text where somebody changed them, and once
 * more where memory ran out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "bundle.h"
#include "check.h"
#include "lua_context.h"
#include "lua_modules.h"
#include "lua_vm.h"

static struct lua_context context = {.loopback = true};

/* A state of the files that are compiled in, and of those in `scripts`, where there are any. */
static struct vm *open_state(const char *scripts)
{
    struct bundle_paths paths = {.scripts_dir = scripts};
    char *error = NULL;
    struct bundle *files = bundle_read(&paths, 1, &error);

    if (!CHECK(files)) return NULL;
    struct vm *vm = vm_open(&context, files);
    bundle_drop(files);
    CHECK(vm);
    return vm;
}

/* require(name) while there are so many bytes more: its status; the module or what was raised
 * is on the stack. */
static int require_with(struct vm *vm, const char *name, size_t more)
{
    size_t ceiling = vm->ceiling;

    lua_settop(vm->L, 0);
    lua_getglobal(vm->L, "require");
    lua_pushstring(vm->L, name);
    if (more < ceiling) vm->ceiling = vm->used + more;
    int status = lua_pcall(vm->L, 1, 1, 0);
    vm->ceiling = ceiling;
    return status;
}

static int require(struct vm *vm, const char *name)
{
    return require_with(vm, name, SIZE_MAX);
}

static void loads_what_was_compiled(void)
{
    struct vm *vm = open_state(NULL);

    if (!vm) return;
    CHECK(vm->precompiled);
    const struct bundle_file *file = bundle_find(vm->files, "scripts/lib/fault.lua");
    if (CHECK(file && file->code && file->code_len > 0)) {
        struct bundle_file code = *file, text = *file;
        code.bytes = "this is not Lua";
        code.len = strlen(code.bytes);
        CHECK(lua_modules_load(vm->L, &code, "@a") == 0);
        vm->precompiled = false; /* as with another LuaJIT than the build's */
        CHECK(lua_modules_load(vm->L, &code, "@a") != 0);
        vm->precompiled = true;
        text.code = "\033LJ and no more";
        text.code_len = strlen(text.code);
        CHECK(lua_modules_load(vm->L, &text, "@a") == 0);
    }
    file = bundle_find(vm->files, "routes.lua");
    CHECK(file && !file->code);
    vm_retire(vm);
}

/* The file and the line that a module's error names are those of its text. */
static void says_where(void)
{
    struct vm *vm = open_state(NULL);

    if (!vm) return;
    lua_State *L = vm->L;
    if (CHECK(require(vm, "lib.wildcard") == 0)) {
        lua_pushnil(L);
        while (lua_next(L, 1) && !lua_isfunction(L, -1))
            lua_pop(L, 1);
        lua_Debug about;
        CHECK(lua_isfunction(L, -1) && lua_getinfo(L, ">S", &about));
        CHECK(strcmp(about.source, "@scripts/lib/wildcard.lua") == 0);
        CHECK(about.linedefined > 1);
    }
    vm_retire(vm);
}

static void reads_what_was_changed(void)
{
    char dir[] = "/tmp/moongate-modules-XXXXXX", path[64];

    if (!CHECK(mkdtemp(dir))) return;
    (void)snprintf(path, sizeof(path), "%s/boot.lua", dir);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("return 'changed'", file) >= 0 && fclose(file) == 0);
    struct vm *vm = open_state(dir);
    if (vm) {
        CHECK(require(vm, "boot") == 0);
        CHECK(strcmp(lua_tostring(vm->L, -1), "changed") == 0);
        vm_retire(vm);
    }
    (void)unlink(path);
    (void)rmdir(dir);
}

static void asks_again_when_memory_ran_out(void)
{
    struct vm *vm = open_state(NULL);

    if (!vm) return;
    unsigned refused = 0;
    for (size_t more = 0; more < 256 << 10; more += 512) {
        int status = require_with(vm, "lib.money", more);
        if (status == 0) break;
        CHECK(status == LUA_ERRMEM);
        refused++;
    }
    CHECK(refused > 4); /* at several places */
    CHECK(require(vm, "lib.money") == 0 && lua_istable(vm->L, -1));
    CHECK(require(vm, "lib.nobodys") == LUA_ERRRUN);
    CHECK(strstr(lua_tostring(vm->L, -1), "no script lib.nobodys"));
    vm_retire(vm);
}

int main(void)
{
    loads_what_was_compiled();
    says_where();
    reads_what_was_changed();
    asks_again_when_memory_ran_out();
    return check_report();
}
