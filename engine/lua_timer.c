/* Pauses: a timer that makes its task ready. prelude.lua waits for it. */
#include <lauxlib.h>

#include "loop.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"
#include "moment.h"

static const char TIMER[] = "moongate.timer";

struct timer_box {
    struct task_owned owned;
    struct loop_timer timer;
    struct loop *loop; /* borrowed */
    bool done;
};

static void box_release(struct task_owned *owned)
{
    struct timer_box *box = (struct timer_box *)owned;

    loop_timer_clear(box->loop, &box->timer);
    box->done = true;
}

static void on_fire(struct loop_timer *timer)
{
    struct timer_box *box =
        (struct timer_box *)((char *)timer - offsetof(struct timer_box, timer));

    box->done = true;
    task_ready(timer->owner);
}

static int l_gc(lua_State *L)
{
    struct timer_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    box_release(&box->owned);
    return 0;
}

/* timer = timer(seconds) */
static int l_timer(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    struct task *task = task_current(L);
    struct loop *loop = lua_context_of(L)->loop;

    if (!task) return luaL_error(L, "nothing can be waited for while files load");
    if (!(seconds >= 0)) seconds = 0;
    if (seconds > 86400) seconds = 86400;

    struct timer_box *box = lua_newuserdata(L, sizeof(*box)); /* box */
    *box = (struct timer_box){.owned.release = box_release, .loop = loop};
    box->timer.on_fire = on_fire;
    box->timer.owner = task;
    luaL_getmetatable(L, TIMER);
    lua_setmetatable(L, -2);
    /* By the clock as it is now, not as the turn began, and rounded up: never too short. */
    int64_t until_us = moment_monotonic_us() + (int64_t)(seconds * 1e6);
    if (!loop_timer_set(loop, &box->timer, (until_us + 999) / 1000)) {
        return luaL_error(L, "out of memory");
    }
    task_own(L, &box->owned);
    return 1;
}

static int l_done(lua_State *L)
{
    struct timer_box *box = luaL_checkudata(L, 1, TIMER);

    lua_pushboolean(L, box->done);
    return 1;
}

void lua_timer_open(lua_State *L)
{
    lua_pushcfunction(L, l_timer); /* raw timer */
    lua_setfield(L, -2, "timer");
    luaL_newmetatable(L, TIMER); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushcfunction(L, l_done);
    lua_setfield(L, -2, "done");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1); /* raw */
}
