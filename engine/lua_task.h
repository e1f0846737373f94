/* Coroutines: start, wait, ready, resume, cancel. One task serves one client request, or
 * nobody.
 *
 * lua_resume and lua_yield are called in lua_task.c alone. All of it belongs to one worker's
 * thread. */
#ifndef MOONGATE_LUA_TASK_H
#define MOONGATE_LUA_TASK_H

#include <stdbool.h>

#include <lua.h>

struct lua_context;
struct request;
struct task;
struct vm;

/* Something that must not outlive its task: an upstream, a hold. Embedded in a userdata;
 * released when the task ends, however it ends, unless disowned before. */
struct task_owned {
    struct task_owned *next, **prev;
    void (*release)(struct task_owned *owned);
};

/* The task that is running L; NULL while files load. */
struct task *task_current(lua_State *L);
/* Tie `owned` to the running task; outside of one, it is left to __gc. */
void task_own(lua_State *L, struct task_owned *owned);
/* Harmless when not owned. */
void task_disown(struct task_owned *owned);

/* A coroutine of `vm` for this request; it first runs at tasks_run(). False: no memory. */
bool task_start(struct vm *vm, struct request *client) __attribute__((warn_unused_result));
/* start(fn): a coroutine of its own that no client waits for. A lua_CFunction for the prelude.
 */
int task_start_alone(lua_State *L);
/* Whatever it waits for may have happened: look again. Safe in any callback; never runs Lua. */
void task_ready(struct task *task);
/* The client is gone, or the gateway stops: the next wait raises. */
void task_cancel(struct task *task);
void tasks_cancel_all(struct lua_context *context);
/* patience(seconds): for so long, the running task's waits go on though its client is gone,
 * unless the gateway stops or 64 of this worker do so already. A lua_CFunction for the prelude.
 */
int task_patience(lua_State *L);
/* It has gone on for long enough. */
void task_impatient(struct task *task);
/* Resume what is ready, once each. */
void tasks_run(struct lua_context *context);
/* Before a vm closes: the tasks it kept for reuse. */
void tasks_free_idle(struct vm *vm);

/* cancelled = wait(): the one lua_yield. A lua_CFunction for the prelude. */
int task_wait(lua_State *L);

#endif
