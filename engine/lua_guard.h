/* Operator code under a clock and a memory cap: stopped alone, whatever pcall it hides in.
 *
 * The clock is the worker's processor time: on a machine that others keep busy, a function that
 * did nothing wrong is not stopped for having waited its turn.
 *
 * A count hook cannot stop compiled code, so operator chunks are loaded with the JIT off; the
 * hook is set by the watchdog, from its own thread, only once the code has run too long. */
#ifndef MOONGATE_LUA_GUARD_H
#define MOONGATE_LUA_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <lua.h>

struct vm;

enum {
    GUARD_LIMIT_US = 25000,  /* from the first look at it: + two looks, stopped within 45 ms */
    GUARD_MEMORY = 32 << 20, /* bytes that one guarded call may add */
    LOAD_LIMIT_MS = 1000,    /* for a whole generation, likewise of processor time */
};

/* What the watchdog looks at. One a worker. The lock is held for a few instructions. */
struct guard {
    atomic_flag lock;
    lua_State *running;   /* the state inside a guarded call; NULL: none. Under the lock */
    uint64_t calls;       /* guarded calls so far: tells one from the next. Under the lock */
    clockid_t clock;      /* the processor time of the thread that runs them. Under the lock */
    uint64_t seen;        /* the watchdog's alone: the call that it saw running last, */
    int64_t seen_us;      /* and what the clock said then */
    atomic_llong turn_ms; /* when the worker's current turn began to run Lua; 0: it waits */
};

void guard_init(struct guard *guard);
/* The calls of one thread are guarded, whose processor time this clock is; until then the
 * wall's counts. */
void guard_own(struct guard *guard, clockid_t clock);
/* From the watchdog's thread: stop what has run too long. */
void guard_look(struct guard *guard);

/* Stop loading code at vm->deadline_ms; in the vm's own thread, around a whole load. */
void guard_load_begin(struct vm *vm);
void guard_load_end(struct vm *vm);

/* true, results… | false, err = guard.call(fn, …). engine.guard */
int luaopen_engine_guard(lua_State *L);

#endif
