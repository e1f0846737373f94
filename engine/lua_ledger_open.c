/* engine.ledger.open: the ledger in a command's own hands, while no gateway runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "datadir.h"
#include "keyring.h"
#include "ledger.h"
#include "lua_context.h"
#include "lua_engine.h"

static const char OPEN[] = "moongate.ledger_open";

/* Closed once, by close() or with the state. */
struct open_box {
    int lock_fd; /* -1: closed */
    struct keyring *keyring;
    struct ledger *ledger;
};

/* Queries that nobody holds end first: what is garbage is collected before. */
static void close_box(lua_State *L, struct open_box *box)
{
    struct lua_context *context = lua_context_of(L);

    if (box->lock_fd < 0) return;
    context->sql = NULL;
    context->keyring = NULL;
    context->ledger_state = false;
    ledger_free(box->ledger);
    keyring_free(box->keyring);
    (void)close(box->lock_fd);
    box->lock_fd = -1;
}

/* A state that closes has ended its queries already: they are younger than the box. */
static int l_gc(lua_State *L)
{
    close_box(L, lua_touserdata(L, 1));
    return 0;
}

static int l_close(lua_State *L)
{
    struct open_box *box = luaL_checkudata(L, 1, OPEN);

    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    close_box(L, box);
    return 0;
}

static int fail(lua_State *L, const char *kind, char *message)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, message ? message : "out of memory");
    lua_setfield(L, -2, "message");
    free(message);
    return 2;
}

/* box | nil, err = ledger_open(data_dir) */
static int l_open(lua_State *L)
{
    const char *dir = luaL_checkstring(L, 1);
    struct lua_context *context = lua_context_of(L);
    char *error = NULL;

    if (!context->cli || context->sql) return luaL_error(L, "the ledger is not opened here");
    struct open_box *box = lua_newuserdata(L, sizeof(*box)); /* dir box */
    *box = (struct open_box){.lock_fd = -1};
    luaL_getmetatable(L, OPEN);
    lua_setmetatable(L, -2);
    if (access(dir, F_OK) != 0)
        return fail(L, "missing", strdup("there is no such data folder"));
    box->lock_fd = datadir_lock(dir, &error);
    if (box->lock_fd < 0) return fail(L, errno == EBUSY ? "locked" : "ledger", error);
    box->keyring = keyring_new();
    struct ledger_options options = {.data_dir = dir, .keyring = box->keyring};
    box->ledger = box->keyring ? ledger_open(&options, &error) : NULL;
    if (!box->ledger) {
        close_box(L, box);
        return fail(L, "ledger", error);
    }
    context->sql = ledger_sql(box->ledger);
    context->keyring = box->keyring;
    context->ledger_state = true;
    return 1;
}

void lua_ledger_open_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"close", l_close}, {NULL, NULL}};

    lua_pushcfunction(L, l_open); /* raw open */
    lua_setfield(L, -2, "ledger_open");
    luaL_newmetatable(L, OPEN); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1); /* raw */
}
