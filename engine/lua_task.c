#include "lua_task.h"

#include <assert.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "gate.h"
#include "log.h"
#include "loop.h"
#include "lua_context.h"
#include "lua_memory.h"
#include "lua_request.h"
#include "lua_vm.h"
#include "moment.h"
#include "refusal.h"
#include "server.h"

enum {
    MAX_IDLE = 256,
    MAX_PATIENT = 64, /* of a worker: tasks that go on without their client */
};

/* One coroutine serving one client request, or nobody's. Freed when it ends; may outlive the
 * client. */
struct task {
    lua_State *co;             /* kept alive by co_ref in the vm's registry */
    struct vm *vm;             /* counted: holds its generation open */
    struct request *client;    /* ours until request_release(); NULL: nobody's */
    struct task_owned *owned;  /* what ends with this task */
    struct task *next_ready;   /* in the context's list, when queued; of idle ones, when idle */
    struct task *next, **prev; /* in the context's list of all */
    struct loop_timer patience; /* runs from when the client is gone */
    int64_t patience_ms;        /* 0: waits raise at once */
    bool patient;               /* the timer runs */
    int co_ref;
    bool started;
    bool queued;
    bool cancelled;
    bool cut; /* cancelled by us, not by the client */
};

struct task *task_current(lua_State *L)
{
    return vm_of(L)->running;
}

/* ---- what a task owns ---- */

void task_own(lua_State *L, struct task_owned *owned)
{
    struct task *task = task_current(L);

    owned->next = NULL;
    owned->prev = NULL;
    if (!task) return;
    owned->next = task->owned;
    owned->prev = &task->owned;
    if (task->owned) task->owned->prev = &owned->next;
    task->owned = owned;
}

void task_disown(struct task_owned *owned)
{
    if (!owned->prev) return;
    *owned->prev = owned->next;
    if (owned->next) owned->next->prev = owned->prev;
    owned->next = NULL;
    owned->prev = NULL;
}

static void release_owned(struct task *task)
{
    while (task->owned) {
        struct task_owned *owned = task->owned;
        task_disown(owned);
        owned->release(owned);
    }
}

/* ---- start and end ---- */

static void link_task(struct task *task)
{
    struct lua_context *context = task->vm->context;

    task->next = context->tasks;
    task->prev = &context->tasks;
    if (task->next) task->next->prev = &task->next;
    context->tasks = task;
    context->task_count++;
}

static void unlink_task(struct task *task)
{
    *task->prev = task->next;
    if (task->next) task->next->prev = task->prev;
    task->vm->context->task_count--;
}

static int new_thread(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);

    task->co = lua_newthread(L); /* task co */
    task->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static struct task *task_new(struct vm *vm)
{
    struct task *task = vm->idle;

    if (task) {
        vm->idle = task->next_ready;
        vm->idle_count--;
        return task;
    }
    task = calloc(1, sizeof(*task));
    if (!task) return NULL;
    for (int tries = 0; tries < 2; tries++) {
        if (lua_cpcall(vm->L, new_thread, task) == 0) return task;
        lua_pop(vm->L, 1);
        vm_collect(vm);
    }
    free(task);
    return NULL;
}

static void task_free(struct task *task)
{
    luaL_unref(task->vm->L, LUA_REGISTRYINDEX, task->co_ref);
    free(task);
}

static void begin(struct task *task, struct vm *vm, struct request *client)
{
    task->vm = vm;
    task->client = client;
    task->owned = NULL;
    task->started = task->queued = task->cancelled = task->patient = task->cut = false;
    task->patience_ms = 0;
    vm->tasks++;
    link_task(task);
    task_ready(task);
}

bool task_start(struct vm *vm, struct request *client)
{
    struct task *task = task_new(vm);

    if (!task) return false;
    begin(task, vm, client);
    request_set_owner(client, task);
    return true;
}

int task_start_alone(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!task_current(L)) return luaL_error(L, "nothing can be started while files load");
    lua_settop(L, 1);
    lua_State *co = lua_newthread(L); /* fn co */
    lua_insert(L, 1);
    lua_xmove(L, co, 1);
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct task *task = calloc(1, sizeof(*task));
    if (!task) {
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
        return luaL_error(L, "out of memory");
    }
    task->co = co;
    task->co_ref = ref;
    begin(task, vm_of(L), NULL);
    return 0;
}

/* ---- patience: going on for a while without the client ---- */

static void lose_patience(struct task *task)
{
    if (!task->patient) return;
    loop_timer_clear(task->vm->context->loop, &task->patience);
    task->patient = false;
    task->vm->context->patient_count--;
}

static void on_patience_ended(struct loop_timer *timer)
{
    task_impatient(timer->owner);
}

/* The client has just left. Where too many go on without theirs, this one does not. */
static void wait_on(struct task *task)
{
    struct lua_context *context = task->vm->context;
    int64_t until_ms = moment_monotonic_us() / 1000 + task->patience_ms;

    if (task->patience_ms == 0 || context->patient_count >= MAX_PATIENT) return;
    task->patience = (struct loop_timer){.on_fire = on_patience_ended, .owner = task};
    if (!loop_timer_set(context->loop, &task->patience, until_ms)) return;
    task->patient = true;
    context->patient_count++;
}

/* Out of the ready list, where it may stand if it made itself ready and then raised. */
static void unqueue(struct task *task)
{
    struct lua_context *context = task->vm->context;
    struct task **at = &context->ready_first, *last = NULL;

    while (*at && *at != task) {
        last = *at;
        at = &last->next_ready;
    }
    if (!*at) return;
    *at = task->next_ready;
    if (context->ready_last == task) context->ready_last = last;
}

/* The last thing of a task: may close its generation. */
static void task_end(struct task *task, bool reusable)
{
    struct vm *vm = task->vm;

    if (task->queued) unqueue(task);
    lose_patience(task);
    release_owned(task);
    if (task->client) request_release(task->client);
    task->client = NULL;
    unlink_task(task);
    if (reusable && !vm->retired && vm->idle_count < MAX_IDLE) {
        lua_settop(task->co, 0);
        task->next_ready = vm->idle;
        vm->idle = task;
        vm->idle_count++;
    } else {
        task_free(task);
    }
    vm_task_ended(vm);
}

void tasks_free_idle(struct vm *vm)
{
    while (vm->idle) {
        struct task *task = vm->idle;
        vm->idle = task->next_ready;
        task_free(task);
    }
}

/* ---- ready, wait, resume ---- */

void task_ready(struct task *task)
{
    struct lua_context *context = task->vm->context;

    if (task->queued) return;
    task->queued = true;
    task->next_ready = NULL;
    if (context->ready_last) {
        context->ready_last->next_ready = task;
    } else {
        context->ready_first = task;
    }
    context->ready_last = task;
}

void task_cancel(struct task *task)
{
    if (!task->cancelled) wait_on(task);
    task->cancelled = true;
    task_ready(task);
}

void task_impatient(struct task *task)
{
    lose_patience(task);
    task_ready(task);
}

void tasks_cancel_all(struct lua_context *context)
{
    for (struct task *task = context->tasks; task; task = task->next) {
        task->patience_ms = 0;
        lose_patience(task);
        task->cut = !task->cancelled;
        task_cancel(task);
    }
}

int task_patience(lua_State *L)
{
    struct task *task = task_current(L);
    lua_Number seconds = luaL_checknumber(L, 1);

    if (!task) return luaL_error(L, "nothing can be waited for while files load");
    task->patience_ms = seconds > 0 && seconds < 3600 ? (int64_t)(seconds * 1000) : 0;
    return 0;
}

/* cancelled = wait(): the one lua_yield in the engine. */
int task_wait(lua_State *L)
{
    struct task *task = task_current(L);

    if (!task) return luaL_error(L, "nothing can be waited for while files load");
    return lua_yield(L, 0);
}

/* pipeline.lua catches everything: what arrives here is a bug of ours. */
static void report(struct task *task)
{
    const char *message = lua_tostring(task->co, -1);
    struct log *log = task->vm->context->log;

    if (log) log_event(log, LOG_ERROR, "task", "%s", message ? message : "raised no message");
}

/* First arguments: the request. Under pcall, since it may run out of memory. */
static int first(lua_State *L)
{
    struct task *task = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, task->vm->serve_ref); /* task serve */
    lua_request_push(L, task->client);                      /* task serve request */
    lua_xmove(L, task->co, 2);
    return 0;
}

/* A request whose turn comes so late that it is better told to come back. */
static bool turn_away(struct task *task)
{
    struct lua_context *context = task->vm->context;
    struct request *client = task->client;

    if (task->started || !client || !context->gate || request_is_admin(client)) return false;
    enum shed why = gate_begin(context->gate);
    if (why == SHED_NONE || refusals_spare(context->refusals, client)) return false;
    admission_count(context->gate->admission, context->worker, why);
    task->client = NULL;
    refusals_refuse(context->refusals, client, false);
    task_end(task, true);
    return true;
}

/* What wait() returns: false, true once the client is gone, "cut" once the gateway stops. */
static void push_news(struct task *task)
{
    if (task->cut) {
        lua_pushliteral(task->co, "cut");
    } else {
        lua_pushboolean(task->co, task->cancelled && !task->patient);
    }
}

/* Run a task until it waits or ends: the one lua_resume in the engine.
 *
 * Called only by tasks_run(), never from a curl or microhttpd callback: those call
 * task_ready() and return, so Lua never runs inside a library's stack frame. */
static void task_resume(struct task *task)
{
    struct vm *vm = task->vm;
    int status = 0, arguments = task->started || task->client ? 1 : 0;

    assert(!vm->running);
    vm->running = task;
    if (task->started) {
        push_news(task);
    } else if (task->client) {
        status = lua_cpcall(vm->L, first, task);
        if (status != 0) lua_xmove(vm->L, task->co, 1);
    }
    task->started = true;
    if (status == 0) status = lua_resume(task->co, arguments);
    vm->running = NULL;

    bool closes = status != LUA_YIELD && vm->retired && vm->tasks == 1;
    bool starved = vm->starved && !closes;
    if (status != LUA_YIELD && status != 0) report(task);
    if (status != LUA_YIELD) task_end(task, status == 0 && task->client);
    if (starved) vm_collect(vm);
}

void tasks_run(struct lua_context *context)
{
    struct task *task = context->ready_first;

    /* Only what was ready before: a task that made another ready leaves it for the next turn.
     */
    context->ready_first = context->ready_last = NULL;
    while (task) {
        struct task *next = task->next_ready;
        task->queued = false;
        if (!turn_away(task)) task_resume(task);
        task = next;
    }
}
