#include "lua_ledger.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "json.h"
#include "ledger.h"
#include "ledger_queue.h"
#include "loop.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_memory.h"
#include "lua_task.h"
#include "lua_vm.h"

enum { MAX_ANSWER = 64 << 20 };

static const char ASK[] = "moongate.ask";

/* ---- a task's question --------------------------------------------------------------------
 */

/* `job` is held; NULL once dropped. */
struct ask_box {
    struct task_owned owned;
    struct ledger_job *job;
    struct task *task;            /* borrowed; outlives `job` by task_own() */
    struct ask_box *next, **prev; /* in context->asks */
};

static void drop(struct ask_box *box)
{
    if (!box->job) return;
    ledger_job_drop(box->job);
    box->job = NULL;
    *box->prev = box->next;
    if (box->next) box->next->prev = box->prev;
}

static void box_release(struct task_owned *owned)
{
    drop((struct ask_box *)owned);
}

static int l_gc(lua_State *L)
{
    struct ask_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    drop(box);
    return 0;
}

void lua_asks_look(struct lua_context *context)
{
    for (struct ask_box *box = context->asks; box; box = box->next) {
        if (ledger_job_done(box->job)) task_ready(box->task);
    }
}

/* job | nil = ledger_ask(verb, text); nil: too many are waiting */
static int l_ask(lua_State *L)
{
    struct lua_context *context = lua_context_of(L);
    struct task *task = task_current(L);
    struct ledger_question question = {.verb = luaL_checkstring(L, 1)};

    question.text = luaL_checklstring(L, 2, &question.len);
    if (!task || !context->ledger) return luaL_error(L, "the ledger cannot be asked from here");
    struct ask_box *box = lua_newuserdata(L, sizeof(*box)); /* box */
    box->job = NULL;
    box->owned = (struct task_owned){.release = box_release};
    luaL_getmetatable(L, ASK);
    lua_setmetatable(L, -2);
    box->task = task;
    box->job = ledger_ask(context->ledger, &question, context->loop);
    if (!box->job) return 0;
    box->next = context->asks;
    box->prev = &context->asks;
    if (box->next) box->next->prev = &box->next;
    context->asks = box;
    task_own(L, &box->owned);
    return 1;
}

static int l_done(lua_State *L)
{
    struct ask_box *box = luaL_checkudata(L, 1, ASK);

    lua_pushboolean(L, !box->job || ledger_job_done(box->job));
    return 1;
}

/* fine, text | nil = result() of what is done; nil: there was no memory for it */
static int l_result(lua_State *L)
{
    struct ask_box *box = luaL_checkudata(L, 1, ASK);
    bool fine;
    size_t len;

    if (!box->job || !ledger_job_done(box->job)) return luaL_error(L, "it is not done");
    const char *text = ledger_job_result(box->job, &fine, &len);
    lua_pushboolean(L, fine);
    if (!text) return 1;
    lua_pushlstring(L, text, len);
    return 2;
}

void lua_ledger_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"done", l_done}, {"result", l_result}, {NULL, NULL}};

    lua_pushcfunction(L, l_ask); /* raw ask */
    lua_setfield(L, -2, "ledger_ask");
    luaL_newmetatable(L, ASK); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1); /* raw */
}

/* ---- the answer ---------------------------------------------------------------------------
 */

static int require_main(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ledger.main");
    lua_call(L, 1, 1);
    if (!lua_isfunction(L, -1)) return luaL_error(L, "ledger/main.lua returned no function");
    return 1;
}

struct vm *lua_ledger_load(struct lua_context *context, struct bundle *files, char **error)
{
    struct vm *vm = vm_open(context, files);

    *error = NULL;
    if (!vm) return NULL;
    lua_pushcfunction(vm->L, require_main);
    if (lua_pcall(vm->L, 0, 1, 0) != 0) {
        const char *message = lua_tostring(vm->L, -1);
        *error = strdup(message ? message : "the ledger's scripts failed to load");
        vm_retire(vm);
        return NULL;
    }
    vm->serve_ref = luaL_ref(vm->L, LUA_REGISTRYINDEX);
    return vm;
}

/* One question, and what the scripts made of it. */
struct question {
    struct ledger_job *job;
    char *text; /* owned: a copy, for another thread */
    size_t len;
    bool fine;
};

/* fine, text = main(verb, text) */
static int answer(lua_State *L)
{
    struct question *question = lua_touserdata(L, 1);
    size_t len;
    const char *text = ledger_job_text(question->job, &len);

    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->serve_ref);
    lua_pushstring(L, ledger_job_verb(question->job));
    lua_pushlstring(L, text, len);
    lua_call(L, 2, 2);
    question->fine = lua_toboolean(L, -2);
    text = lua_tolstring(L, -1, &question->len);
    question->text = text ? malloc(question->len + 1) : NULL;
    if (question->text) memcpy(question->text, text, question->len + 1);
    return 0;
}

/* Nothing here may be asked of a state that is full, but under pcall: it would end the process.
 * What a large answer leaves behind is not left to the next question. */
void lua_ledger_answer(struct vm *vm, struct ledger_job *job)
{
    struct question question = {.job = job};

    if (lua_cpcall(vm->L, answer, &question) == 0) {
        ledger_job_answer(job, question.fine, question.text, question.len);
    } else {
        const char *message = lua_tostring(vm->L, -1);
        lua_ledger_refuse(job, message ? message : "the ledger's scripts failed");
        lua_pop(vm->L, 1);
    }
    if (vm->starved || vm->used > vm->ceiling / 2) vm_collect(vm);
}

void lua_ledger_refuse(struct ledger_job *job, const char *message)
{
    static const char head[] = "{\"kind\":\"ledger\",\"status\":503,"
                               "\"code\":\"ledger_unavailable\",\"message\":";
    struct buf text;
    size_t len = 0;

    buf_init(&text, MAX_ANSWER);
    bool whole = buf_append(&text, head, sizeof(head) - 1) &&
                 json_quote(&text, message, strlen(message), true) && buf_append(&text, "}", 1);
    if (!whole) buf_free(&text);
    char *bytes = whole ? buf_take(&text, &len) : NULL;
    ledger_job_answer(job, false, bytes, len);
}

void lua_ledger_collect(struct vm *vm)
{
    if (!vm) return;
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
}
