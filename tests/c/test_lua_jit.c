/* A watched compiler, with a scan of the test's own: no loop is known that is compiled wrongly
 * every time, so here what is wrong is chosen. */
#include "check.h"
#include "jit_scan.h"

#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua_jit.h"

static unsigned scanned, wrong_from;

bool jit_scan_cuts(const uint8_t *code, size_t len, uintptr_t at, const uintptr_t *helpers,
                   size_t count)
{
    CHECK(code && len > 0 && at > 4096 && helpers && count > 10);
    return ++scanned >= wrong_from;
}

static lua_State *begin(unsigned first_wrong)
{
    lua_State *L = luaL_newstate();

    scanned = 0;
    wrong_from = first_wrong;
    if (!CHECK(L != NULL)) return NULL;
    luaL_openlibs(L);
    lua_jit_watch(L);
    CHECK(lua_gettop(L) == 0);
    return L;
}

static void run(lua_State *L)
{
    static const char loops[] = "local sum = 0\n"
                                "for i = 1, 300 do\n"
                                "  for k, v in pairs { a = 1, b = 2, c = i } do\n"
                                "    sum = sum + (i % 3 == 0 and v or v * 2)\n"
                                "  end\n"
                                "end\n"
                                "return sum";
    if (!CHECK(luaL_loadstring(L, loops) == 0)) return;
    for (int i = 0; i < 20; i++) {
        lua_pushvalue(L, -1);
        CHECK(lua_pcall(L, 0, 1, 0) == 0);
        CHECK(lua_tonumber(L, -1) == 200 * 2 * 3 + 100 * 3 + 2 * 30000 + 15150);
        lua_pop(L, 1);
    }
}

static int traces(lua_State *L)
{
    CHECK(luaL_dostring(L, "local util, n = require 'jit.util', 0\n"
                           "for i = 1, 500 do n = n + (util.traceinfo(i) and 1 or 0) end\n"
                           "return n") == 0);
    return (int)lua_tointeger(L, -1);
}

static void test_right(void)
{
    lua_State *L = begin(1000000);

    if (!L) return;
    run(L);
    unsigned compiled = scanned;
    CHECK(compiled > 0 && traces(L) >= (int)compiled);
    lua_close(L);
}

/* Thrown away, whichever it was, and not compiled again and again. */
static void test_wrong(void)
{
    for (unsigned first = 1; first <= 4; first++) {
        lua_State *L = begin(first);
        if (!L) return;
        run(L);
        CHECK(scanned >= 1 && scanned < 40);
        CHECK(traces(L) < (int)first);
        lua_close(L);
    }
}

int main(void)
{
    test_right();
    test_wrong();
    return check_report();
}
