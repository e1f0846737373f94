/* Plans as scripts write them: tables of names and limits, read strictly. */
#include "lua_accounts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "accounts.h"
#include "lua_context.h"

enum { MAX_HOLD = 256 };

/* The limit on top of the stack, popped: nil is none. */
static int64_t pop_limit(lua_State *L, const char *what)
{
    int64_t limit = ACCOUNTS_NONE;

    if (!lua_isnil(L, -1)) {
        lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(n >= 0)) luaL_error(L, "%s: a number that is not negative is wanted", what);
        limit = n < 9007199254740992.0 ? (int64_t)floor(n) : INT64_MAX;
    }
    lua_pop(L, 1);
    return limit;
}

static int64_t limit_named(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    return pop_limit(L, name);
}

/* { window = "month", nano = n } on top of the stack. */
static struct accounts_soft read_budget(lua_State *L)
{
    struct accounts_soft budget;

    if (!lua_istable(L, -1)) luaL_error(L, "a budget is a table");
    lua_getfield(L, -1, "window");
    const char *window = lua_isnil(L, -1) ? "ever" : lua_tostring(L, -1);
    budget.window = window ? accounts_window_named(window) : ACCOUNTS_WINDOWS;
    if (budget.window == ACCOUNTS_WINDOWS)
        luaL_error(L, "a budget's window is minute, hour, day, week, month, year or ever");
    lua_pop(L, 1);
    budget.nano = limit_named(L, "nano");
    if (budget.nano == ACCOUNTS_NONE) luaL_error(L, "a budget has its nano");
    return budget;
}

/* The account's table is on top. */
static void read_budgets(lua_State *L, struct accounts_limits *limits)
{
    lua_getfield(L, -1, "budgets"); /* account budgets|nil */
    for (int i = 1; lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        struct accounts_soft budget = read_budget(L);
        int64_t *limit = &limits->budgets[budget.window];
        if (*limit == ACCOUNTS_NONE || budget.nano < *limit) *limit = budget.nano;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_soft(lua_State *L, struct accounts_limits *limits)
{
    lua_getfield(L, -1, "soft"); /* account soft|nil */
    for (int i = 1; lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        if (limits->soft_count == ACCOUNTS_SOFT)
            luaL_error(L, "an account has at most %d soft budgets", ACCOUNTS_SOFT);
        limits->soft[limits->soft_count++] = read_budget(L);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_account(lua_State *L, struct accounts_limits *limits)
{
    accounts_limits_init(limits);
    if (!lua_istable(L, -1)) luaL_error(L, "an account is a table");
    lua_getfield(L, -1, "name");
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "an account has a name");
    limits->name = lua_tolstring(L, -1, &limits->len); /* kept alive by its table */
    if (limits->len == 0 || limits->len > ACCOUNTS_NAME)
        luaL_error(L, "an account's name has 1 to %d bytes", ACCOUNTS_NAME);
    lua_pop(L, 1);
    limits->rpm = limit_named(L, "rpm");
    limits->tpm = limit_named(L, "tpm");
    limits->parallel = limit_named(L, "parallel");
    lua_getfield(L, -1, "open");
    limits->open = lua_toboolean(L, -1);
    lua_pop(L, 1);
    read_budgets(L, limits);
    read_soft(L, limits);
}

static const char *read_hold(lua_State *L, int index, size_t *len)
{
    const char *hold = "";

    *len = 0;
    lua_getfield(L, index, "hold");
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "hold is a shared key");
        hold = lua_tolstring(L, -1, len); /* kept alive by the table */
        if (*len == 0 || *len > MAX_HOLD) luaL_error(L, "hold has 1 to %d bytes", MAX_HOLD);
    }
    lua_pop(L, 1);
    return hold;
}

struct lua_plan *lua_plan_read(lua_State *L, int index, const char **error)
{
    struct accounts_limits limits[ACCOUNTS_PER_PLAN];
    size_t count = lua_objlen(L, index), hold_len;
    const char *hold = read_hold(L, index, &hold_len);

    if (count > ACCOUNTS_PER_PLAN)
        luaL_error(L, "a plan has at most %d accounts", ACCOUNTS_PER_PLAN);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        read_account(L, &limits[i]);
        lua_pop(L, 1);
    }
    *error = "out of memory";
    struct lua_plan *plan = malloc(sizeof(*plan) + hold_len);
    if (!plan) return NULL;
    plan->refs = 1;
    plan->hold_len = hold_len;
    memcpy(plan->hold, hold, hold_len);
    plan->plan = accounts_plan_new(lua_context_of(L)->accounts, limits, count, error);
    if (plan->plan) return plan;
    free(plan);
    return NULL;
}

void lua_plan_drop(struct lua_plan *plan)
{
    if (!plan || --plan->refs) return;
    accounts_plan_free(plan->plan);
    free(plan);
}
