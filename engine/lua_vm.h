/* One generation of scripts in one thread: bundle → state, sandbox, limits, close. */
#ifndef MOONGATE_LUA_VM_H
#define MOONGATE_LUA_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct bundle;
struct lua_context;
struct refusals;
struct task;

/* Born in vm_load(), closed when its last task ends and the worker has dropped it. */
struct vm {
    lua_State *L;                /* owned */
    struct bundle *files;        /* counted */
    struct lua_context *context; /* borrowed: the thread's, or that of a load */
    struct refusals *refusals;   /* owned; what boot.lua said of overload; NULL: no gateway's */
    struct task *running;        /* borrowed; NULL between resumes */
    unsigned tasks;              /* coroutines still running these scripts */
    bool retired;                /* a newer generation serves: close with the last task */
    bool loading;                /* files may be read, hooks are not yet live */
    int serve_ref;               /* what boot.lua returned */
    struct task *idle; /* owned by lua_task.c: ended, their coroutines ready for more */
    unsigned idle_count;
    size_t used, ceiling; /* bytes of Lua memory: now, at most */
    bool refuses;         /* the next that asks for memory is refused */
    bool starved;         /* memory was refused since the last vm_collect() */
    bool precompiled;     /* this LuaJIT can read what was compiled in */
    int64_t deadline_ms;  /* of loading, by lua_guard.c's clock; 0: none */
    void *(*allocate)(void *ud, void *block, size_t old, size_t now); /* LuaJIT's own */
    void *allocate_ud;
};

/* A state that has run scripts/boot.lua. NULL with *error (free() it): every reason, a line
 * each, as "file:line: message". */
struct vm *vm_load(struct lua_context *context, struct bundle *files, char **error)
    __attribute__((warn_unused_result));
/* Its scripts run in this context from now on; none may run yet. What it was loaded in may go.
 */
void vm_move(struct vm *vm, struct lua_context *context);

/* A state for one command: all libraries, nothing loaded yet. */
struct vm *vm_open(struct lua_context *context, struct bundle *files)
    __attribute__((warn_unused_result));
/* No new tasks; closes now or with the last task. */
void vm_retire(struct vm *vm);
/* A task of it ended. */
void vm_task_ended(struct vm *vm);

struct vm *vm_of(lua_State *L);

/* LuaJIT's, for people. */
const char *vm_version(void);

#endif
