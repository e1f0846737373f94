/* What scripts may read of accounts: a key's own state, and every account's sums. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "accounts.h"
#include "lua_accounts.h"
#include "lua_context.h"

enum { NAMES_MOST = 10000 };

static void set_number(lua_State *L, const char *name, lua_Number n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, name);
}

static void set_rate(lua_State *L, const char *name, const struct accounts_rate *rate,
                     bool timed)
{
    if (rate->limit == ACCOUNTS_NONE) return;
    lua_createtable(L, 0, 3);
    set_number(L, "limit", (lua_Number)rate->limit);
    set_number(L, "left", (lua_Number)rate->left);
    if (timed) set_number(L, "reset", (lua_Number)rate->reset_us / 1e6);
    lua_setfield(L, -2, name);
}

static void set_budgets(lua_State *L, const struct accounts_view *view)
{
    int count = 0;

    lua_newtable(L); /* account budgets */
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        const struct accounts_money *money = &view->windows[window];
        if (money->limit == ACCOUNTS_NONE) continue;
        lua_createtable(L, 0, 5);
        lua_pushstring(L, accounts_window_name(window));
        lua_setfield(L, -2, "window");
        set_number(L, "limit", (lua_Number)money->limit);
        set_number(L, "spent", (lua_Number)money->spent + (lua_Number)money->elsewhere);
        set_number(L, "reserved", (lua_Number)money->reserved);
        if (window != ACCOUNTS_EVER)
            set_number(L, "resets_at", (lua_Number)money->end_ms / 1000);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "budgets");
}

/* list = plan:state() */
int lua_accounts_state(lua_State *L)
{
    struct lua_plan *plan = lua_plan_at(L);
    size_t count = accounts_plan_size(plan->plan);
    struct accounts_view view;

    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        accounts_plan_view(plan->plan, i, &view);
        lua_createtable(L, 0, 5);
        lua_pushlstring(L, view.name, view.len);
        lua_setfield(L, -2, "name");
        set_rate(L, "rpm", &view.rpm, true);
        set_rate(L, "tpm", &view.tpm, true);
        set_rate(L, "parallel", &view.parallel, false);
        set_budgets(L, &view);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static void push_rate(lua_State *L, const struct accounts_rate *rate)
{
    if (rate->limit == ACCOUNTS_NONE) {
        lua_pushnil(L);
        lua_pushnil(L);
        lua_pushnil(L);
        return;
    }
    lua_pushnumber(L, (lua_Number)rate->limit);
    lua_pushnumber(L, (lua_Number)rate->left);
    lua_pushnumber(L, (lua_Number)rate->reset_us / 1e6);
}

/* limit, left, reset of requests, then of tokens = plan:room() */
int lua_accounts_room(lua_State *L)
{
    struct lua_plan *plan = lua_plan_at(L);
    struct accounts_rate rpm, tpm;

    accounts_plan_room(plan->plan, &rpm, &tpm);
    push_rate(L, &rpm);
    push_rate(L, &tpm);
    return 6;
}

/* Into the table on top, by window. */
static void set_windows(lua_State *L, const struct accounts_view *view)
{
    for (int window = 0; window < ACCOUNTS_WINDOWS; window++) {
        const struct accounts_money *money = &view->windows[window];
        lua_createtable(L, 0, 3);
        set_number(L, "spent", (lua_Number)money->spent);
        set_number(L, "reserved", (lua_Number)money->reserved);
        set_number(L, "start", (lua_Number)money->start_ms / 1000);
        lua_setfield(L, -2, accounts_window_name(window));
    }
}

/* windows | nil = spent(name) */
int lua_accounts_spent(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    struct accounts *accounts = lua_context_of(L)->accounts;
    struct account *account = accounts ? accounts_find(accounts, name, len) : NULL;
    struct accounts_view view;

    if (!account) {
        lua_pushnil(L);
        return 1;
    }
    accounts_view(accounts, account, &view);
    lua_createtable(L, 0, ACCOUNTS_WINDOWS);
    set_windows(L, &view);
    return 1;
}

/* list = each([prefix [, part, parts]]) */
int lua_accounts_each(lua_State *L)
{
    size_t len;
    const char *prefix = luaL_optlstring(L, 1, "", &len);
    unsigned part = (unsigned)luaL_optint(L, 2, 0), parts = (unsigned)luaL_optint(L, 3, 1);
    struct accounts *accounts = lua_context_of(L)->accounts;
    struct account *account = NULL;
    struct accounts_view view;
    int count = 0;

    lua_newtable(L);
    while (accounts && parts > 0 && (account = accounts_next(accounts, account))) {
        size_t name_len;
        const char *name = accounts_name(account, &name_len);
        if (accounts_hash(account) % parts != part) continue;
        if (name_len < len || memcmp(name, prefix, len) != 0) continue;
        accounts_view(accounts, account, &view);
        lua_createtable(L, 0, ACCOUNTS_WINDOWS + 1);
        lua_pushlstring(L, view.name, view.len);
        lua_setfield(L, -2, "name");
        set_windows(L, &view);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* names = names(prefix, after, most) */
int lua_accounts_names(lua_State *L)
{
    struct accounts_wanted wanted = {0};
    struct accounts *accounts = lua_context_of(L)->accounts;
    lua_Integer most = luaL_checkinteger(L, 3);

    wanted.prefix = luaL_checklstring(L, 1, &wanted.prefix_len);
    wanted.after = luaL_optlstring(L, 2, "", &wanted.after_len);
    luaL_argcheck(L, most >= 0 && most <= NAMES_MOST, 3, "out of range");
    wanted.most = (size_t)most;
    const struct account **list =
        lua_newuserdata(L, sizeof(struct account *) * (wanted.most + 1));
    size_t count = accounts ? accounts_names(accounts, &wanted, list) : 0;

    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *name = accounts_name(list[i], &len);
        lua_pushlstring(L, name, len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}
