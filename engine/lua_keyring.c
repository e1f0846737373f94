/* engine.keyring: the ledger's keys. All states ask; only the ledger's changes anything. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "keyring.h"
#include "lua_context.h"
#include "lua_engine.h"

static const char READER[] = "moongate.keyring";

/* A state's reader, an upvalue of the functions that ask. NULL where there is no keyring, which
 * reads as an empty one: a state that only checks a file. */
struct reader_box {
    struct keyring_reader *reader; /* owned */
};

static struct keyring *keyring_of(lua_State *L)
{
    return lua_context_of(L)->keyring;
}

/* Made at its first use: a state of the tests has no context while its doors open. */
static struct keyring_reader *reader_of(lua_State *L)
{
    struct reader_box *box = lua_touserdata(L, lua_upvalueindex(1));
    struct keyring *keyring = box->reader ? NULL : keyring_of(L);

    if (keyring) {
        box->reader = keyring_reader_new(keyring);
        if (!box->reader) luaL_error(L, "out of memory");
    }
    return box->reader;
}

static struct keyring_reader *need_reader(lua_State *L)
{
    struct keyring_reader *reader = reader_of(L);

    if (!reader) luaL_error(L, "there is no keyring here");
    return reader;
}

static struct keyring *need_writer(lua_State *L)
{
    struct keyring *keyring = keyring_of(L);

    if (!keyring || !lua_context_of(L)->ledger_state)
        luaL_error(L, "only the ledger changes keys");
    return keyring;
}

static struct keyring_text text_at(lua_State *L, int index)
{
    struct keyring_text text;

    text.bytes = luaL_checklstring(L, index, &text.len);
    return text;
}

/* id, json | nil = find(token) */
static int l_find(lua_State *L)
{
    struct keyring_text id, record, token = text_at(L, 1);
    struct keyring_reader *reader = reader_of(L);

    if (!reader || !keyring_find(reader, token, &id, &record)) return 0;
    lua_pushlstring(L, id.bytes, id.len);
    lua_pushlstring(L, record.bytes, record.len);
    return 2;
}

/* json | nil = team(name) */
static int l_team(lua_State *L)
{
    struct keyring_text record, name = text_at(L, 1);
    struct keyring_reader *reader = reader_of(L);

    if (!reader || !keyring_team(reader, name, &record)) return 0;
    lua_pushlstring(L, record.bytes, record.len);
    return 1;
}

static int l_version(lua_State *L)
{
    struct keyring *keyring = keyring_of(L);

    lua_pushnumber(L, keyring ? (lua_Number)keyring_version(keyring) : 0);
    return 1;
}

static int l_count(lua_State *L)
{
    struct keyring *keyring = keyring_of(L);

    lua_pushnumber(L, keyring ? (lua_Number)keyring_count(keyring) : 0);
    return 1;
}

static int l_is_closed(lua_State *L)
{
    struct keyring *keyring = keyring_of(L);

    lua_pushboolean(L, keyring && keyring_is_closed(keyring));
    return 1;
}

/* raw = hash(token) */
static int l_hash(lua_State *L)
{
    unsigned char mac[KEYRING_MAC];
    struct keyring_text token = text_at(L, 1);

    if (!keyring_hash(need_reader(L), token, mac)) return luaL_error(L, "out of memory");
    lua_pushlstring(L, (const char *)mac, sizeof(mac));
    return 1;
}

/* token, id, raw = mint() */
static int l_mint(lua_State *L)
{
    char token[KEYRING_TOKEN];
    unsigned char mac[KEYRING_MAC];

    if (!keyring_mint(token)) return luaL_error(L, "no randomness");
    if (!keyring_hash(need_reader(L), (struct keyring_text){token, sizeof(token)}, mac))
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, token, sizeof(token));
    lua_pushlstring(L, token + 3, KEYRING_ID);
    lua_pushlstring(L, (const char *)mac, sizeof(mac));
    return 3;
}

/* put(id, raw, json) */
static int l_put(lua_State *L)
{
    struct keyring_text id = text_at(L, 1), mac = text_at(L, 2), record = text_at(L, 3);

    luaL_argcheck(L, id.len == KEYRING_ID, 1, "a public id");
    luaL_argcheck(L, mac.len == KEYRING_MAC, 2, "32 bytes");
    if (!keyring_put(need_writer(L), id, (const unsigned char *)mac.bytes, record))
        return luaL_error(L, "out of memory");
    return 0;
}

/* there = remove(id) */
static int l_remove(lua_State *L)
{
    lua_pushboolean(L, keyring_remove(need_writer(L), text_at(L, 1)));
    return 1;
}

/* put_team(name, json) */
static int l_put_team(lua_State *L)
{
    struct keyring_text name = text_at(L, 1), record = text_at(L, 2);

    luaL_argcheck(L, name.len <= KEYRING_NAME_LIMIT, 1, "256 bytes at most");
    if (!keyring_put_team(need_writer(L), name, record)) return luaL_error(L, "out of memory");
    return 0;
}

/* there = remove_team(name) */
static int l_remove_team(lua_State *L)
{
    lua_pushboolean(L, keyring_remove_team(need_writer(L), text_at(L, 1)));
    return 1;
}

static int l_gc(lua_State *L)
{
    struct reader_box *box = lua_touserdata(L, 1);

    keyring_reader_free(box->reader);
    box->reader = NULL;
    return 0;
}

int luaopen_engine_keyring(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", l_find},
        {"team", l_team},
        {"version", l_version},
        {"count", l_count},
        {"is_closed", l_is_closed},
        {"hash", l_hash},
        {"mint", l_mint},
        {"put", l_put},
        {"remove", l_remove},
        {"put_team", l_put_team},
        {"remove_team", l_remove_team},
        {NULL, NULL},
    };

    lua_newtable(L);                                           /* module */
    struct reader_box *box = lua_newuserdata(L, sizeof(*box)); /* module box */
    box->reader = NULL;
    luaL_newmetatable(L, READER);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushvalue(L, -1); /* module box box */
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1); /* module */
    return 1;
}
