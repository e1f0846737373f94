#include "lua_sync.h"

#include <lauxlib.h>

#include "journal.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"

static const char SYNC[] = "moongate.sync";

/* A task that waits for its line. */
struct sync_box {
    struct task_owned owned;
    struct journal *journal;       /* NULL once dropped */
    uint64_t at;                   /* where its line ends */
    struct task *task;             /* borrowed; outlives the wait by task_own() */
    struct sync_box *next, **prev; /* in context->syncs */
};

static void drop(struct sync_box *box)
{
    if (!box->journal) return;
    box->journal = NULL;
    *box->prev = box->next;
    if (box->next) box->next->prev = box->prev;
}

static void box_release(struct task_owned *owned)
{
    drop((struct sync_box *)owned);
}

static int l_gc(lua_State *L)
{
    struct sync_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    drop(box);
    return 0;
}

/* The disk has them, or was asked and would not take them. */
static bool is_done(const struct sync_box *box)
{
    return !box->journal || journal_synced(box->journal) >= box->at ||
           journal_unkept(box->journal) >= box->at;
}

void lua_syncs_look(struct lua_context *context)
{
    for (struct sync_box *box = context->syncs; box; box = box->next) {
        if (is_done(box)) task_ready(box->task);
    }
}

/* box | nil = journal_sync(): for all lines so far; nil: nobody is to wait for that here */
static int l_sync(lua_State *L)
{
    struct lua_context *context = lua_context_of(L);
    struct task *task = task_current(L);

    if (!context->strict || !context->journal || !task) return 0;
    struct sync_box *box = lua_newuserdata(L, sizeof(*box)); /* box */
    *box = (struct sync_box){.owned.release = box_release, .task = task};
    luaL_getmetatable(L, SYNC);
    lua_setmetatable(L, -2);
    box->journal = context->journal;
    box->at = journal_appended(context->journal);
    box->next = context->syncs;
    box->prev = &context->syncs;
    if (box->next) box->next->prev = &box->next;
    context->syncs = box;
    task_own(L, &box->owned);
    return 1;
}

static int l_done(lua_State *L)
{
    struct sync_box *box = luaL_checkudata(L, 1, SYNC);

    lua_pushboolean(L, is_done(box));
    return 1;
}

/* bool = result(): the disk has them */
static int l_result(lua_State *L)
{
    struct sync_box *box = luaL_checkudata(L, 1, SYNC);

    lua_pushboolean(L, box->journal && journal_synced(box->journal) >= box->at);
    return 1;
}

static int l_close(lua_State *L)
{
    struct sync_box *box = luaL_checkudata(L, 1, SYNC);

    task_disown(&box->owned);
    drop(box);
    return 0;
}

void lua_sync_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"done", l_done}, {"result", l_result}, {"close", l_close}, {NULL, NULL}};

    lua_pushcfunction(L, l_sync); /* raw sync */
    lua_setfield(L, -2, "journal_sync");
    luaL_newmetatable(L, SYNC); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1); /* raw */
}
