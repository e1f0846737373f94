#include "lua_guard.h"

#include <sched.h>
#include <string.h>

#include <lauxlib.h>

#include "lua_context.h"
#include "lua_vm.h"
#include "moment.h"

enum { LIMIT_MS = GUARD_LIMIT_US / 1000 };

/* Of a load: the thread's processor time, as for an operator's function. Files are not refused
 * for having to share the processor with other workers that load them, or with anything else.
 */
static int64_t load_ms(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) return moment_unhurried_us() / 1000;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void guard_lock(struct guard *guard)
{
    while (atomic_flag_test_and_set_explicit(&guard->lock, memory_order_acquire)) {
        sched_yield();
    }
}

static void guard_unlock(struct guard *guard)
{
    atomic_flag_clear_explicit(&guard->lock, memory_order_release);
}

void guard_init(struct guard *guard)
{
    atomic_flag_clear(&guard->lock);
    guard->running = NULL;
    guard->calls = 0;
    guard->clock = CLOCK_MONOTONIC;
    guard->seen = 0;
    guard->seen_us = 0;
    atomic_init(&guard->turn_ms, 0);
}

void guard_own(struct guard *guard, clockid_t clock)
{
    guard_lock(guard);
    guard->clock = clock;
    guard_unlock(guard);
}

/* From now on at every instruction: a pcall that swallows the error meets it again at once.
 * Scripts of ours are let through to the operator's line that called them. */
static void stop(lua_State *L, lua_Debug *where)
{
    struct vm *vm = vm_of(L);

    if (vm->deadline_ms && load_ms() < vm->deadline_ms) return;
    lua_sethook(L, stop, LUA_MASKCOUNT, 1);
    if (!lua_getinfo(L, "Sl", where) || where->source[0] != '@') return;
    if (strncmp(where->source, "@scripts/", 9) == 0 ||
        strncmp(where->source, "@engine/", 8) == 0) {
        return;
    }
    lua_pushfstring(L, "%s:%d: ran longer than %d ms%s", where->short_src, where->currentline,
                    vm->loading ? LOAD_LIMIT_MS : LIMIT_MS,
                    vm->loading ? " while loading" : "");
    lua_error(L);
}

/* What a call used before it was first seen, less than the pause between two looks, is given
 * to it: the clock is read here, where it costs no call anything. */
void guard_look(struct guard *guard)
{
    struct timespec now;

    guard_lock(guard);
    if (guard->running && clock_gettime(guard->clock, &now) == 0) {
        int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
        if (guard->seen != guard->calls) {
            guard->seen = guard->calls;
            guard->seen_us = now_us;
        } else if (now_us - guard->seen_us >= GUARD_LIMIT_US) {
            lua_sethook(guard->running, stop, LUA_MASKCOUNT, 1);
        }
    }
    guard_unlock(guard);
}

void guard_load_begin(struct vm *vm)
{
    vm->loading = true;
    vm->deadline_ms = load_ms() + LOAD_LIMIT_MS;
    lua_sethook(vm->L, stop, LUA_MASKCOUNT, 10000);
}

void guard_load_end(struct vm *vm)
{
    vm->loading = false;
    vm->deadline_ms = 0;
    lua_sethook(vm->L, NULL, 0, 0);
}

static void enter(struct guard *guard, lua_State *L)
{
    guard_lock(guard);
    guard->running = L;
    guard->calls++;
    guard_unlock(guard);
}

static void leave(struct guard *guard, lua_State *L)
{
    guard_lock(guard);
    guard->running = NULL;
    guard_unlock(guard);
    /* The watchdog sets no hook once running is NULL: what it set before goes now. */
    if (lua_gethookmask(L)) lua_sethook(L, NULL, 0, 0);
}

/* true, results… | false, err = call(fn, …)
 *
 * Nested calls are the outer one's business; while files load, the loader's hook watches. */
static int l_call(lua_State *L)
{
    struct vm *vm = vm_of(L);
    struct guard *guard = vm->context->guard;
    bool outermost = guard && !vm->loading && !guard->running;
    size_t ceiling = vm->ceiling;

    luaL_checkany(L, 1);
    lua_pushboolean(L, 1); /* fn … true */
    lua_insert(L, 1);      /* true fn … */
    if (outermost) {
        if (vm->used + GUARD_MEMORY < ceiling) vm->ceiling = vm->used + GUARD_MEMORY;
        enter(guard, L);
    }
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0); /* true results… | true err */
    if (outermost) {
        leave(guard, L);
        vm->ceiling = ceiling;
    }
    if (status == 0) return lua_gettop(L);
    if (status == LUA_ERRMEM) { /* the message is a fixed string: say what it means here */
        lua_settop(L, 0);
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "took more than 32 MiB of memory");
        return 2;
    }
    lua_pushboolean(L, 0); /* true err false */
    lua_replace(L, 1);     /* false err */
    return 2;
}

/* true, results… | false, err = load(fn, …): as long as a generation may take to load. For
 * commands, whose state is no generation. */
static int l_load(lua_State *L)
{
    struct vm *vm = vm_of(L);

    luaL_checkany(L, 1);
    if (!vm->context->cli) return luaL_error(L, "guard.load is for commands");
    guard_load_begin(vm);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0); /* results… | err */
    guard_load_end(vm);
    lua_pushboolean(L, status == 0);
    lua_insert(L, 1); /* ok results… */
    return lua_gettop(L);
}

int luaopen_engine_guard(lua_State *L)
{
    static const luaL_Reg functions[] = {{"call", l_call}, {"load", l_load}, {NULL, NULL}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
