/* engine.shared: numbers that all workers see and that survive a reload, by name. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"
#include "shared.h"

static const char HELD[] = "moongate.held";

/* What was added for as long as a task lives. `shared` is NULL once it is settled. */
struct held {
    struct task_owned owned;
    struct shared *shared; /* borrowed */
    double n;
    size_t len;
    char key[];
};

static struct shared_key key_at(lua_State *L, int index)
{
    struct shared_key key;

    key.bytes = luaL_checklstring(L, index, &key.len);
    return key;
}

static double number_at(lua_State *L, int index)
{
    lua_Number n = luaL_checknumber(L, index);

    luaL_argcheck(L, n == n, index, "a number, not NaN");
    return n;
}

/* Seconds, or none (0), as milliseconds; a hundred years stand for ever. */
static int64_t ms_at(lua_State *L, int index)
{
    lua_Number seconds = luaL_optnumber(L, index, 0);

    luaL_argcheck(L, seconds >= 0, index, "seconds, not negative");
    if (seconds > 3e9) return 0;
    return (int64_t)ceil(seconds * 1000);
}

/* NULL in a state that only checks or explains: reads as an empty table that takes everything.
 */
static struct shared *shared_of(lua_State *L)
{
    return lua_context_of(L)->shared;
}

static void push_full(lua_State *L)
{
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "unavailable");
    lua_setfield(L, -2, "kind");
    lua_pushliteral(L, "the shared table is full");
    lua_setfield(L, -2, "message");
}

/* What a writing function returns: the value, or nil, err. */
static int push_result(lua_State *L, bool ok, double value)
{
    if (ok) {
        lua_pushnumber(L, value);
        return 1;
    }
    lua_pushnil(L);
    push_full(L);
    return 2;
}

/* n | nil = get(key) */
static int l_get(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    struct shared *shared = shared_of(L);
    double value;

    if (shared && shared_get(shared, key, &value))
        lua_pushnumber(L, value);
    else
        lua_pushnil(L);
    return 1;
}

/* n | nil, err = set(key, n [, ttl]) */
static int l_set(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    double n = number_at(L, 2);
    int64_t ttl = ms_at(L, 3);
    struct shared *shared = shared_of(L);

    return push_result(L, !shared || shared_set(shared, key, n, ttl), n);
}

/* sum | nil, err = add(key, n [, ttl]) */
static int l_add(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    double n = number_at(L, 2), now = n;
    int64_t ttl = ms_at(L, 3);
    struct shared *shared = shared_of(L);
    bool ok = !shared || shared_add(shared, key, n, ttl, &now);

    return push_result(L, ok, now);
}

/* n | nil, err = max(key, n [, ttl]) */
static int l_max(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    double n = number_at(L, 2);
    int64_t ttl = ms_at(L, 3);
    struct shared *shared = shared_of(L);

    return push_result(L, !shared || shared_max(shared, key, n, ttl), n);
}

/* true | false, retry = take(key, n, limit, window): seconds. n = 0 looks, n < 0 gives back. */
static int l_take(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    double n = number_at(L, 2), limit = number_at(L, 3);
    int64_t window = ms_at(L, 4);

    luaL_argcheck(L, window > 0, 4, "seconds, more than none");
    struct shared *shared = shared_of(L);
    int64_t retry = shared ? shared_take(shared, key, n, limit, window) : 0;
    lua_pushboolean(L, retry == 0);
    if (retry == 0) return 1;
    lua_pushnumber(L, (double)retry / 1000);
    return 2;
}

/* ---- holds --------------------------------------------------------------------------------
 */

/* Put `actual` in the place of what was held: once. */
static void settle(struct held *held, double actual)
{
    struct shared *shared = held->shared;

    if (!shared) return;
    held->shared = NULL;
    if (actual != held->n)
        (void)shared_add(shared, (struct shared_key){held->key, held->len}, actual - held->n, 0,
                         NULL);
}

static void release(struct task_owned *owned)
{
    settle((struct held *)owned, 0);
}

/* held [, err] = hold(key, n). A full table counts nothing, says so, and is settled as well. */
static int l_hold(lua_State *L)
{
    struct shared_key key = key_at(L, 1);
    double n = number_at(L, 2);
    struct shared *shared = shared_of(L);
    struct held *held = lua_newuserdata(L, sizeof(*held) + key.len); /* key n held */

    memset(held, 0, sizeof(*held));
    held->owned.release = release;
    held->n = n;
    held->len = key.len;
    memcpy(held->key, key.bytes, key.len);
    luaL_getmetatable(L, HELD);
    lua_setmetatable(L, -2);
    if (!shared) return 1;
    if (!shared_add(shared, key, n, 0, NULL)) {
        push_full(L);
        return 2;
    }
    held->shared = shared;
    task_own(L, &held->owned);
    return 1;
}

/* held:settle([actual]) */
static int l_settle(lua_State *L)
{
    struct held *held = luaL_checkudata(L, 1, HELD);
    double actual = lua_isnoneornil(L, 2) ? 0 : number_at(L, 2);

    task_disown(&held->owned);
    settle(held, actual);
    return 0;
}

static int l_gc(lua_State *L)
{
    struct held *held = lua_touserdata(L, 1);

    task_disown(&held->owned);
    settle(held, 0);
    return 0;
}

int luaopen_engine_shared(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"get", l_get},   {"set", l_set},   {"add", l_add}, {"max", l_max},
        {"take", l_take}, {"hold", l_hold}, {NULL, NULL},
    };

    luaL_newmetatable(L, HELD); /* meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_settle);
    lua_setfield(L, -2, "settle");
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_newtable(L); /* module */
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
