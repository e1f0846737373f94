#include "lua_memory.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "lua_vm.h"
#include "sanitized.h"

/* A collection costs what lives; garbage costs memory. So much of it may gather between two, at
 * least half of what lives and at most nine times as much: a fresh state is a megabyte. */
enum {
    GARBAGE = 8 << 20,
    LEAST_PAUSE = 150, /* per cent of what lives */
    MOST_PAUSE = 1000,
};

static void *allocate(void *ud, void *block, size_t old, size_t now)
{
    struct vm *vm = ud;

    if (now > old && (vm->used + (now - old) > vm->ceiling || vm->refuses)) {
        vm->starved = true;
        vm->refuses = false;
        return NULL;
    }
    void *moved = vm->allocate(vm->allocate_ud, block, old, now);
    if (moved || now == 0) vm->used += now - old; /* wraps where it shrinks: modulo 2^64 */
    return moved;
}

#if SANITIZED_ADDRESS

/* Each block by itself, and elsewhere whenever it changes its size: to the sanitizer LuaJIT's
 * arena is one block, in which what C does with a dead object, or beyond its end, is not seen.
 */
static void *apart(void *ud, void *block, size_t old, size_t now)
{
    void *moved = NULL;

    (void)ud;
    if (now && posix_memalign(&moved, 16, now) != 0) return NULL;
    if (moved && block) memcpy(moved, block, old < now ? old : now);
    free(block);
    return moved;
}

lua_State *vm_memory_state(void)
{
    return lua_newstate(apart, NULL);
}

#else

lua_State *vm_memory_state(void)
{
    return luaL_newstate();
}

#endif

void vm_memory_count(struct vm *vm)
{
    vm->allocate = lua_getallocf(vm->L, &vm->allocate_ud);
    vm->used = (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0) * 1024;
    lua_setallocf(vm->L, allocate, vm);
}

/* ---- userdata whose finalizers tell the time ---- */

static void push_finalized(lua_State *L, lua_CFunction finalizer)
{
    lua_newuserdata(L, 0); /* it */
    lua_newtable(L);       /* it meta */
    lua_pushcfunction(L, finalizer);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2); /* it */
}

/* LuaJIT gives its arena back only while it finds its own allocator in place. The oldest
 * userdata is finalized last: nobody asks for the vm after it. */
static int l_last(lua_State *L)
{
    struct vm *vm = vm_of(L);

    lua_setallocf(L, vm->allocate, vm->allocate_ud);
    return 0;
}

/* The end of a collection: what is in use now is what lives. Its successor waits for the next.
 */
static int l_collected(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (vm->retired) return 0; /* it may be closing: nothing may come after l_last() */
    size_t live = vm->used + 1;
    size_t pause = 100 + 100 * (size_t)GARBAGE / live;

    if (pause < LEAST_PAUSE) pause = LEAST_PAUSE;
    if (pause > MOST_PAUSE) pause = MOST_PAUSE;
    lua_gc(L, LUA_GCSETPAUSE, (int)pause);
    lua_getmetatable(L, 1);  /* it meta */
    lua_newuserdata(L, 0);   /* it meta next */
    lua_insert(L, -2);       /* it next meta */
    lua_setmetatable(L, -2); /* it next: nobody else holds it */
    return 0;
}

void vm_memory_begin(lua_State *L)
{
    push_finalized(L, l_last);
    (void)luaL_ref(L, LUA_REGISTRYINDEX); /* until the state closes */
    push_finalized(L, l_collected);
    lua_pop(L, 1);
}

/* ---- when memory was refused ---- */

void vm_memory_refuse(lua_State *L)
{
    struct vm *vm = vm_of(L);

    vm->refuses = true;
    lua_newuserdata(L, 1);
}

static int collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    return 0;
}

static int step(lua_State *L)
{
    lua_gc(L, LUA_GCSTEP, 0); /* more would not end before so much was freed */
    return 0;
}

void vm_memory_step(struct vm *vm)
{
    if (lua_cpcall(vm->L, step, NULL) != 0) lua_pop(vm->L, 1);
}

void vm_collect(struct vm *vm)
{
    size_t ceiling = vm->ceiling;

    vm->ceiling = SIZE_MAX / 2; /* finalizers, and the call itself, take a little */
    if (lua_cpcall(vm->L, collect, NULL) != 0) lua_pop(vm->L, 1);
    vm->ceiling = ceiling;
    vm->starved = false;
}
