/* A plain luajit that a sanitizer is part of: into any other, a module under a sanitizer cannot
 * be loaded. Runs busted with tests/unit in such builds (tests/tools/run.sh).
 *
 *     host SCRIPT [ARG]...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

const char *__asan_default_options(void);

/* The module's own context stays to the end (engine_module.c). */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* As engine/lua_memory.c has it there: no two objects in one block. */
static void *apart(void *ud, void *block, size_t old, size_t now)
{
    void *moved = NULL;

    (void)ud;
    if (now && posix_memalign(&moved, 16, now) != 0) return NULL;
    if (moved && block) memcpy(moved, block, old < now ? old : now);
    free(block);
    return moved;
}

/* Beneath the error: where it came from. */
static int traced(lua_State *L)
{
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static int run(lua_State *L, int argc, char **argv)
{
    luaL_openlibs(L);
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    lua_pushcfunction(L, traced);
    int status = luaL_loadfile(L, argv[1]);
    if (status == 0) {
        for (int i = 2; i < argc; i++)
            lua_pushstring(L, argv[i]);
        status = lua_pcall(L, argc - 2, 0, 1);
    }
    if (status != 0) fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    lua_State *L = argc > 1 ? lua_newstate(apart, NULL) : NULL;

    if (!L) return EXIT_FAILURE;
    int status = run(L, argc, argv);
    lua_close(L);
    return status;
}
