/* What the files of the door engine.accounts share. */
#ifndef MOONGATE_LUA_ACCOUNTS_H
#define MOONGATE_LUA_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct accounts_plan;

/* A plan and how many point to it: its userdata, and each reservation that runs. All of one
 * lua_State. */
struct lua_plan {
    unsigned refs;
    struct accounts_plan *plan; /* owned */
    size_t hold_len;            /* 0: nothing else is counted */
    char hold[];                /* a key of engine.shared that counts who runs */
};

/* The table at `index` as a plan, with one reference. Raises on what is no plan; NULL, with the
 * reason: no room. */
struct lua_plan *lua_plan_read(lua_State *L, int index, const char **error);
void lua_plan_drop(struct lua_plan *plan);
/* The userdata at 1; the method's first upvalue is its metatable. */
struct lua_plan *lua_plan_at(lua_State *L);

/* Methods and functions of lua_accounts_view.c. */
int lua_accounts_state(lua_State *L);
int lua_accounts_room(lua_State *L);
int lua_accounts_spent(lua_State *L);
int lua_accounts_each(lua_State *L);
int lua_accounts_names(lua_State *L);

#endif
