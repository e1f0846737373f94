/* engine.tokens: exact counts where there is a vocabulary, estimates where not. Also built into
 * the tests, where there is no context. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "estimate.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_guard.h"
#include "lua_json.h"
#include "lua_vm.h"
#include "moment.h"
#include "shelf.h"
#include "tokens.h"

enum {
    STEP = 4096,       /* bytes between two looks at the clock */
    TURN_US = 1500,    /* then others have theirs */
    GUARDED_US = 20000 /* where nothing may wait: what is left is then estimated */
};

static const char RUN[] = "moongate.tokens_run";
static const char context_key = 0; /* its address: the registry's key of the context */

/* Counts until done or out of time. True: done. */
static bool work(struct tokens_run *run, int64_t us)
{
    int64_t end_us = moment_monotonic_us() + us;

    while (!tokens_step(run, STEP)) {
        if (moment_monotonic_us() >= end_us) return false;
    }
    return true;
}

static int push_count(lua_State *L, const struct tokens_run *run)
{
    const char *rest = run->text + run->at;
    bool over = run->count > run->limit;
    uint64_t more = over ? 0 : estimate_tokens(rest, run->len - run->at);

    lua_pushnumber(L, (double)(run->count + more));
    lua_pushboolean(L, more == 0 && !run->rough);
    return 2;
}

static uint64_t limit_at(lua_State *L, int index)
{
    lua_Number limit = luaL_optnumber(L, index, HUGE_VAL);

    luaL_argcheck(L, limit >= 0, index, "a limit is not negative");
    return limit < 9e15 ? (uint64_t)limit : TOKENS_NO_LIMIT;
}

/* Where nothing may wait it is a guarded call, or a command, which has all the time. */
static bool may_wait(lua_State *L, const struct lua_context *context)
{
    return context->guard && !context->guard->running && vm_of(L)->running;
}

/* n, exact = tokens_count(text [, encoding [, limit]]); or nil, run: call tokens_go_on(run) in
 * a later turn. A text of more than `limit` tokens has limit + 1. */
static int l_count(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *encoding = luaL_optstring(L, 2, "");
    uint64_t limit = limit_at(L, 3);

    lua_pushlightuserdata(L, (void *)&context_key);
    lua_rawget(L, LUA_REGISTRYINDEX); /* text encoding limit context */
    const struct lua_context *context = lua_touserdata(L, -1);
    const struct tokens *tokens = context ? shelf_find(context->shelf, encoding) : NULL;
    if (!tokens || !context->tokens_work) {
        lua_pushnumber(L, (double)estimate_tokens(text, len));
        lua_pushboolean(L, 0);
        return 2;
    }
    struct tokens_run run = {tokens, context->tokens_work, text, len, .limit = limit};
    bool waits = may_wait(L, context);
    int64_t us = waits ? TURN_US : context->cli ? INT64_MAX / 2 : GUARDED_US;
    if (work(&run, us) || !waits) return push_count(L, &run);
    lua_pushnil(L);
    struct tokens_run *later = lua_newuserdata(L, sizeof(*later)); /* … nil run */
    *later = run;
    luaL_getmetatable(L, RUN);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0); /* … nil run holds */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2); /* the text lives as long as the run */
    return 2;
}

/* n, exact = tokens_go_on(run); nil: not yet. */
static int l_go_on(lua_State *L)
{
    struct tokens_run *run = luaL_checkudata(L, 1, RUN);

    if (work(run, TURN_US)) return push_count(L, run);
    lua_pushnil(L);
    return 1;
}

/* exact = has(encoding): is its vocabulary here? */
static int l_has(lua_State *L)
{
    const char *encoding = luaL_checkstring(L, 1);

    lua_pushlightuserdata(L, (void *)&context_key);
    lua_rawget(L, LUA_REGISTRYINDEX); /* encoding context */
    const struct lua_context *context = lua_touserdata(L, -1);
    lua_pushboolean(L, context && shelf_find(context->shelf, encoding));
    return 1;
}

/* text = complaint(): why vocabularies are missing; "" where none is. */
static int l_complaint(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&context_key);
    lua_rawget(L, LUA_REGISTRYINDEX); /* context */
    const struct lua_context *context = lua_touserdata(L, -1);
    lua_pushstring(L, context && context->shelf ? shelf_complaint(context->shelf) : "");
    return 1;
}

/* bool = mentions(doc, text, …): do the document's bytes hold one of these? One pass. */
static int l_mentions(lua_State *L)
{
    size_t len, n;
    const char *bytes = lua_doc_peek(L, 1, &len);
    bool begins[256] = {false};
    bool found = false;

    if (!bytes) return luaL_typerror(L, 1, "document");
    for (int i = 2; i <= lua_gettop(L); i++) {
        begins[(unsigned char)*luaL_checkstring(L, i)] = true;
    }
    for (size_t at = 0; at < len && !found; at++) {
        if (!begins[(unsigned char)bytes[at]]) continue;
        for (int i = 2; i <= lua_gettop(L) && !found; i++) {
            const char *text = lua_tolstring(L, i, &n);
            found = n <= len - at && memcmp(bytes + at, text, n) == 0;
        }
    }
    lua_pushboolean(L, found);
    return 1;
}

int luaopen_engine_tokens(lua_State *L)
{
    static const luaL_Reg functions[] = {{"count", l_count},
                                         {"complaint", l_complaint},
                                         {"has", l_has},
                                         {"mentions", l_mentions},
                                         {NULL, NULL}};

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

void lua_tokens_use(lua_State *L, const struct lua_context *context)
{
    lua_pushlightuserdata(L, (void *)&context_key);
    lua_pushlightuserdata(L, (void *)context);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void lua_tokens_open(lua_State *L)
{
    lua_tokens_use(L, lua_context_of(L));
    luaL_newmetatable(L, RUN);
    lua_pop(L, 1); /* raw */
    lua_pushcfunction(L, l_go_on);
    lua_setfield(L, -2, "tokens_go_on");
}
