/* What the watchdog stops: whoever uses the processor too long, wherever it hides; and whom it
 * lets be: who only waited for a turn. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "check.h"
#include "lua_context.h"
#include "lua_guard.h"
#include "lua_vm.h"

/* In place of lua_vm.c: one state. */
static struct guard guard;
static struct lua_context context = {.guard = &guard};
static struct vm vm = {.context = &context, .ceiling = (size_t)1 << 30};

struct vm *vm_of(lua_State *L)
{
    (void)L;
    return &vm;
}

static atomic_bool done;

static void nap(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static void *watch(void *unused)
{
    (void)unused;
    while (!atomic_load(&done)) {
        nap(10);
        guard_look(&guard);
    }
    return NULL;
}

/* Away from the processor for many looks of the watchdog, as on a machine that others use. */
static int l_wait(lua_State *L)
{
    (void)L;
    nap(300);
    return 0;
}

/* ok, and the text that stays on the stack: what guard.call said of a function of this body. */
static bool call(lua_State *L, const char *body)
{
    lua_settop(L, 0);
    lua_getglobal(L, "call");
    if (luaL_loadbuffer(L, body, strlen(body), "@routes.lua") != 0) return CHECK(false);
    if (lua_pcall(L, 1, 2, 0) != 0) return CHECK(false);
    return lua_toboolean(L, 1);
}

static void stops_whoever_goes_on(lua_State *L)
{
    static const char *const wild[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "local function f() return f() end return f()",
    };

    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        CHECK(!call(L, wild[i]));
        CHECK(strstr(lua_tostring(L, 2), "routes.lua:1: ran longer than 25 ms"));
        CHECK(!lua_gethookmask(L));
        CHECK(call(L, "return 'as before'"));
    }
}

static void lets_be_who_waited(lua_State *L)
{
    CHECK(call(L, "wait() local n = 0 for i = 1, 1000 do n = n + i end return n"));
    CHECK(lua_tointeger(L, 2) == 500500);
    CHECK(call(L, "pcall(wait) wait() return 1"));
    CHECK(!call(L, "wait() while true do end"));
}

/* As a generation is loaded. */
static bool load(lua_State *L, const char *body)
{
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, body, strlen(body), "@routes.lua") != 0) return CHECK(false);
    guard_load_begin(&vm);
    int status = lua_pcall(L, 0, 1, 0);
    guard_load_end(&vm);
    return status == 0;
}

/* A gateway's workers load at the same time, on whatever processors there are for them; and so
 * may a command on a machine that has other work. */
static void lets_load_who_waited(lua_State *L)
{
    static const char waits[] =
        "for i = 1, 4 do wait() end for i = 1, 100000 do local _ = i * i end return 1";

    CHECK(load(L, waits));
    CHECK(!load(L, "while true do end"));
    CHECK(strstr(lua_tostring(L, 1), "routes.lua:1: ran longer than 1000 ms while loading"));
}

int main(void)
{
    lua_State *L = luaL_newstate();
    pthread_t watchdog;
    clockid_t clock;

    if (!CHECK(L != NULL)) return check_report();
    vm.L = L;
    alarm(60); /* where nothing is stopped */
    luaL_openlibs(L);
    (void)luaL_dostring(L, "jit.off()");
    luaopen_engine_guard(L);
    lua_getfield(L, -1, "call");
    lua_setglobal(L, "call");
    lua_register(L, "wait", l_wait);
    guard_init(&guard);
    if (!CHECK(pthread_getcpuclockid(pthread_self(), &clock) == 0)) return check_report();
    guard_own(&guard, clock);
    if (!CHECK(pthread_create(&watchdog, NULL, watch, NULL) == 0)) return check_report();
    stops_whoever_goes_on(L);
    lets_be_who_waited(L);
    lets_load_who_waited(L);
    atomic_store(&done, true);
    pthread_join(watchdog, NULL);
    lua_close(L);
    return check_report();
}
