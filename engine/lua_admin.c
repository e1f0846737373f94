#include "lua_admin.h"

#include <stdlib.h>

#include <lauxlib.h>

#include "buf.h"
#include "digest.h"
#include "gateway.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"
#include "metrics.h"

enum { MAX_METRICS = 64 << 20 };

static const char JOB[] = "moongate.reload";

/* A reload that a task waits for. `job` is held; NULL once dropped. */
struct job_box {
    struct task_owned owned;
    struct reload_job *job;
    struct task *task; /* borrowed; outlives `job` by task_own() */
    struct lua_context *context;
    struct job_box *next, **prev; /* in context->jobs */
};

static void drop(struct job_box *box)
{
    if (!box->job) return;
    reload_job_drop(box->job);
    box->job = NULL;
    *box->prev = box->next;
    if (box->next) box->next->prev = box->prev;
}

static void box_release(struct task_owned *owned)
{
    drop((struct job_box *)owned);
}

static int l_gc(lua_State *L)
{
    struct job_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    drop(box);
    return 0;
}

void lua_jobs_look(struct lua_context *context)
{
    const char *refused;

    for (struct job_box *box = context->jobs; box; box = box->next) {
        if (reload_job_done(box->job, &refused)) task_ready(box->task);
    }
}

/* job | nil, err = reload() */
static int l_reload(lua_State *L)
{
    struct lua_context *context = lua_context_of(L);
    struct task *task = task_current(L);

    if (!task) return luaL_error(L, "files cannot be reloaded while they load");
    struct job_box *box = lua_newuserdata(L, sizeof(*box)); /* box */
    box->job = NULL;
    box->owned = (struct task_owned){.release = box_release};
    luaL_getmetatable(L, JOB);
    lua_setmetatable(L, -2);
    box->task = task;
    box->context = context;
    box->job = gateway_reload_later(context->gateway, context->loop);
    if (!box->job) {
        lua_pushnil(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "too many reloads are waiting");
        lua_setfield(L, -2, "message");
        return 2;
    }
    box->next = context->jobs;
    box->prev = &context->jobs;
    if (box->next) box->next->prev = &box->next;
    context->jobs = box;
    task_own(L, &box->owned);
    return 1;
}

static int l_done(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB);
    const char *refused;

    lua_pushboolean(L, !box->job || reload_job_done(box->job, &refused));
    return 1;
}

/* true | nil, err = result() of what is done */
static int l_result(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB);
    const char *refused = NULL;

    if (!box->job || !reload_job_done(box->job, &refused)) {
        return luaL_error(L, "the reload is not done");
    }
    if (!refused) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, refused);
    lua_setfield(L, -2, "message");
    return 2;
}

/* text = metrics() */
static int l_metrics(lua_State *L)
{
    struct buf text;

    buf_init(&text, MAX_METRICS);
    if (!metrics_print(lua_context_of(L)->metrics, &text)) {
        buf_free(&text);
        return luaL_error(L, "the metrics do not fit in memory");
    }
    /* A failed push leaks the text once, in a state that is out of memory anyway. */
    lua_pushlstring(L, text.data ? text.data : "", text.len);
    buf_free(&text);
    return 1;
}

/* n = generation() */
static int l_generation(lua_State *L)
{
    struct gateway_status status;

    gateway_status(lua_context_of(L)->gateway, &status);
    lua_pushinteger(L, (lua_Integer)status.generation);
    return 1;
}

/* true | false | nil = is_token(text); nil: none is configured. In constant time. */
static int l_is_token(lua_State *L)
{
    struct digest_bytes said, token;
    const char *text;

    said.data = luaL_checklstring(L, 1, &said.len);
    if (!gateway_admin_token(lua_context_of(L)->gateway, &text, &token.len)) return 0;
    token.data = text;
    lua_pushboolean(L, digest_equal(said, token));
    return 1;
}

/* { generation, last_reload_ok, last_reload_s, draining, admin_remote, boot, error } = status()
 */
static int l_status(lua_State *L)
{
    struct moongate *gateway = lua_context_of(L)->gateway;
    struct gateway_status status;

    gateway_status(gateway, &status);
    lua_createtable(L, 0, 7);
    lua_pushinteger(L, (lua_Integer)status.generation);
    lua_setfield(L, -2, "generation");
    lua_pushboolean(L, !gateway_admin_is_loopback(gateway));
    lua_setfield(L, -2, "admin_remote");
    lua_pushnumber(L, (lua_Number)gateway_boot_ms(gateway));
    lua_setfield(L, -2, "boot");
    lua_pushboolean(L, status.last_reload_ok);
    lua_setfield(L, -2, "last_reload_ok");
    lua_pushboolean(L, status.draining);
    lua_setfield(L, -2, "draining");
    lua_pushnumber(L, (lua_Number)status.last_reload_s);
    lua_setfield(L, -2, "last_reload_s");
    char *error = gateway_last_error(gateway);
    lua_pushstring(L, error);
    free(error);
    lua_setfield(L, -2, "error");
    return 1;
}

void lua_admin_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"metrics", l_metrics},
                                         {"generation", l_generation},
                                         {"status", l_status},
                                         {"is_token", l_is_token},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {{"done", l_done}, {"result", l_result}, {NULL, NULL}};

    lua_pushcfunction(L, l_reload); /* raw reload */
    lua_setfield(L, -2, "reload");
    luaL_newmetatable(L, JOB); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1); /* raw */
    lua_newtable(L);
    luaL_register(L, NULL, functions); /* raw admin */
}
