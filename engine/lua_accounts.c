/* engine.accounts: what a request may spend is set aside before its call, and becomes what it
 * has spent after it. */
#include "lua_accounts.h"

#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "accounts.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"
#include "shared.h"

/* Of one running request; the only userdata with a finalizer it needs. */
struct reserved {
    struct task_owned owned;
    struct lua_plan *plan; /* counted; NULL: settled */
    struct shared *shared; /* borrowed; NULL: nothing is counted there */
    struct reservation reservation;
};

/* Methods get their metatables as upvalues: this one's is the plan's, and that of what it
 * makes.
 */
enum { OWN = 1, MADE = 2 };

static void *self(lua_State *L, const char *what)
{
    if (!lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(OWN)))
        luaL_argerror(L, 1, what);
    lua_pop(L, 1);
    return lua_touserdata(L, 1);
}

struct lua_plan *lua_plan_at(lua_State *L)
{
    struct lua_plan *plan = *(struct lua_plan **)self(L, "a plan");

    luaL_argcheck(L, plan, 1, "a plan that is not closed");
    return plan;
}

/* Tokens and nano-dollars: whole, not negative; nil is none. What is above 2^53 is cut there.
 */
static int64_t amount_at(lua_State *L, int index)
{
    lua_Number n = luaL_optnumber(L, index, 0);

    luaL_argcheck(L, n >= 0, index, "a number that is not negative");
    return n < 9007199254740992.0 ? (int64_t)ceil(n) : INT64_C(9007199254740992);
}

/* ---- plans --------------------------------------------------------------------------------
 */

/* plan | nil, err = plan({ account, … [, hold = key] }) */
static int l_plan(lua_State *L)
{
    const char *error = NULL;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct lua_plan **box = lua_newuserdata(L, sizeof(struct lua_plan *)); /* table box */
    *box = NULL;
    lua_pushvalue(L, lua_upvalueindex(MADE));
    lua_setmetatable(L, -2);
    *box = lua_plan_read(L, 1, &error);
    if (*box) return 1;
    lua_pushnil(L);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "unavailable");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, error);
    lua_setfield(L, -2, "message");
    return 2;
}

static int l_plan_gc(lua_State *L)
{
    struct lua_plan **box = lua_touserdata(L, 1);

    lua_plan_drop(*box);
    *box = NULL;
    return 0;
}

/* ---- reservations -------------------------------------------------------------------------
 */

static void let_go(struct reserved *reserved)
{
    struct lua_plan *plan = reserved->plan;

    if (reserved->shared)
        (void)shared_add(reserved->shared, (struct shared_key){plan->hold, plan->hold_len}, -1,
                         0, NULL);
    reserved->plan = NULL;
    lua_plan_drop(plan);
}

/* Nobody said what it came to: what was set aside is taken as spent. */
static void give_up(struct reserved *reserved)
{
    if (!reserved->plan) return;
    (void)accounts_settle(&reserved->reservation, reserved->reservation.tokens,
                          reserved->reservation.nano, NULL);
    let_go(reserved);
}

static void release(struct task_owned *owned)
{
    give_up((struct reserved *)owned);
}

static int push_refusal(lua_State *L, const struct accounts_refusal *refusal)
{
    lua_pushlstring(L, refusal->name, refusal->len);
    lua_pushstring(L, accounts_limit_name(refusal->limit));
    lua_pushnumber(L, (lua_Number)refusal->retry_us / 1e6);
    lua_pushnumber(L, (lua_Number)refusal->left);
    if (!refusal->soon) return 5;
    lua_pushboolean(L, 1);
    return 6;
}

/* res | nil, name, limit, retry, left, soon = plan:reserve(tokens, nano) */
static int l_reserve(lua_State *L)
{
    struct lua_plan *plan = lua_plan_at(L);
    int64_t tokens = amount_at(L, 2), nano = amount_at(L, 3);
    struct shared *shared = plan->hold_len ? lua_context_of(L)->shared : NULL;
    struct accounts_refusal refusal;

    struct reserved *reserved = lua_newuserdata(L, sizeof(*reserved)); /* … res */
    memset(reserved, 0, sizeof(*reserved));
    reserved->owned.release = release;
    if (!accounts_reserve(plan->plan, tokens, nano, &reserved->reservation, &refusal)) {
        lua_pushnil(L);
        return push_refusal(L, &refusal);
    }
    lua_pushvalue(L, lua_upvalueindex(MADE));
    lua_setmetatable(L, -2);
    reserved->plan = plan;
    plan->refs++;
    if (shared &&
        shared_add(shared, (struct shared_key){plan->hold, plan->hold_len}, 1, 0, NULL))
        reserved->shared = shared;
    task_own(L, &reserved->owned);
    return 1;
}

static struct reserved *reserved_at(lua_State *L)
{
    return self(L, "a reservation");
}

/* true | false, name, limit, retry, left, soon = res:raise(tokens, nano) */
static int l_raise(lua_State *L)
{
    struct reserved *reserved = reserved_at(L);
    int64_t tokens = amount_at(L, 2), nano = amount_at(L, 3);
    struct accounts_refusal refusal;
    bool raised = accounts_raise(&reserved->reservation, tokens, nano, &refusal);

    lua_pushboolean(L, raised);
    return raised ? 1 : push_refusal(L, &refusal);
}

static int push_crossings(lua_State *L, const struct accounts_crossing *crossings, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 4);
        lua_pushlstring(L, crossings[i].name, crossings[i].len);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, accounts_window_name(crossings[i].window));
        lua_setfield(L, -2, "window");
        lua_pushnumber(L, (lua_Number)crossings[i].spent);
        lua_setfield(L, -2, "nano");
        lua_pushnumber(L, (lua_Number)crossings[i].soft);
        lua_setfield(L, -2, "soft");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* crossed | nil = res:settle(tokens, nano) */
static int l_settle(lua_State *L)
{
    struct reserved *reserved = reserved_at(L);
    int64_t tokens = amount_at(L, 2), nano = amount_at(L, 3);
    struct accounts_crossing crossings[ACCOUNTS_CROSSINGS];

    if (!reserved->plan) return 0;
    task_disown(&reserved->owned);
    size_t count = accounts_settle(&reserved->reservation, tokens, nano, crossings);
    let_go(reserved);
    return count ? push_crossings(L, crossings, count) : 0;
}

/* res:refund() */
static int l_refund(lua_State *L)
{
    struct reserved *reserved = reserved_at(L);

    if (!reserved->plan) return 0;
    task_disown(&reserved->owned);
    accounts_refund(&reserved->reservation);
    let_go(reserved);
    return 0;
}

static int l_reserved_gc(lua_State *L)
{
    struct reserved *reserved = lua_touserdata(L, 1);

    task_disown(&reserved->owned);
    give_up(reserved);
    return 0;
}

/* res.admitted, .tokens, .nano; else the methods. */
static int l_reserved_index(lua_State *L)
{
    const struct reserved *reserved = lua_touserdata(L, 1);
    const char *name;

    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1)) return 1;
    name = lua_tostring(L, 2);
    if (!name) return 1;
    if (strcmp(name, "admitted") == 0)
        lua_pushnumber(L, (lua_Number)reserved->reservation.admitted_ms);
    else if (strcmp(name, "tokens") == 0)
        lua_pushnumber(L, (lua_Number)reserved->reservation.tokens);
    else if (strcmp(name, "nano") == 0)
        lua_pushnumber(L, (lua_Number)reserved->reservation.nano);
    return 1;
}

/* ---- the door -----------------------------------------------------------------------------
 */

/* Into the table on top, with metatables `own` and `made` (stack places; 0: none) as upvalues.
 */
static void add(lua_State *L, const luaL_Reg *functions, int own, int made)
{
    for (const luaL_Reg *f = functions; f->name; f++) {
        if (own)
            lua_pushvalue(L, own);
        else
            lua_pushnil(L);
        if (made)
            lua_pushvalue(L, made);
        else
            lua_pushnil(L);
        lua_pushcclosure(L, f->func, 2);
        lua_setfield(L, -2, f->name);
    }
}

static void lock_metatable(lua_State *L, int meta, lua_CFunction gc)
{
    lua_pushcfunction(L, gc);
    lua_setfield(L, meta, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, meta, "__metatable");
}

int luaopen_engine_accounts(lua_State *L)
{
    static const luaL_Reg functions[] = {{"plan", l_plan},
                                         {"spent", lua_accounts_spent},
                                         {"each", lua_accounts_each},
                                         {"names", lua_accounts_names},
                                         {NULL, NULL}};
    static const luaL_Reg plans[] = {{"reserve", l_reserve},
                                     {"state", lua_accounts_state},
                                     {"room", lua_accounts_room},
                                     {NULL, NULL}};
    static const luaL_Reg reservations[] = {
        {"raise", l_raise}, {"settle", l_settle}, {"refund", l_refund}, {NULL, NULL}};
    int plan = lua_gettop(L) + 1, reservation = plan + 1;

    lua_newtable(L);
    lua_newtable(L); /* plan reservation */
    lock_metatable(L, plan, l_plan_gc);
    lock_metatable(L, reservation, l_reserved_gc);
    lua_newtable(L); /* plan reservation methods */
    add(L, plans, plan, reservation);
    lua_setfield(L, plan, "__index");
    lua_newtable(L);
    add(L, reservations, reservation, 0);
    lua_pushcclosure(L, l_reserved_index, 1);
    lua_setfield(L, reservation, "__index");
    lua_newtable(L); /* plan reservation module */
    add(L, functions, 0, plan);
    return 1;
}
