#include "lua_json.h"

#include <string.h>

#include <lauxlib.h>

#include "lua_engine.h"

/* Registry keys: their addresses. */
static const char ARRAY_MARK = 'a', RAW_META = 'r';
/* In the metatable of an object that remembers its order; and what json.remove is. */
static const char ORDER_MARK = 'o', REMOVE = 'x';

static void push_registered(lua_State *L, const char *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

/* ---- null, remove, arrays, order ----------------------------------------------------------
 */

bool lua_json_is_null(lua_State *L, int index)
{
    return lua_islightuserdata(L, index) && !lua_touserdata(L, index);
}

bool lua_json_is_remove(lua_State *L, int index)
{
    return lua_islightuserdata(L, index) && lua_touserdata(L, index) == (void *)&REMOVE;
}

void lua_json_push_array_mark(lua_State *L)
{
    push_registered(L, &ARRAY_MARK);
}

bool lua_json_is_marked(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) return false;
    lua_json_push_array_mark(L);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

bool lua_json_push_order(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) return false;
    lua_pushlightuserdata(L, (void *)&ORDER_MARK);
    lua_rawget(L, -2); /* meta mark */
    bool ordered = lua_toboolean(L, -1);
    lua_pop(L, ordered ? 1 : 2);
    return ordered;
}

void lua_json_set_order(lua_State *L, int index)
{
    lua_pushlightuserdata(L, (void *)&ORDER_MARK);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_setmetatable(L, index);
}

/* t = json.array(t) */
static int l_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_json_push_array_mark(L);
    lua_setmetatable(L, 1);
    return 1;
}

/* Would it be encoded as an array? */
static int l_is_array(lua_State *L)
{
    luaL_checkany(L, 1);
    size_t n = lua_istable(L, 1) ? lua_objlen(L, 1) : 0;
    if (n == 0 || lua_json_is_marked(L, 1)) {
        lua_pushboolean(L, lua_istable(L, 1) && lua_json_is_marked(L, 1));
        return 1;
    }
    lua_pushnil(L);
    for (; lua_next(L, 1); n--) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TNUMBER || n == 0) {
            lua_pushboolean(L, 0);
            return 1;
        }
    }
    lua_pushboolean(L, n == 0);
    return 1;
}

/* t = json.object(keys, t) */
static int l_object(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    int n = (int)lua_objlen(L, 1), count = 0;
    lua_createtable(L, n, 1); /* keys t order */
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i); /* keys t order name */
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "the names must be strings");
        int same = 1;
        for (; same <= count; same++) { /* a name listed twice is written once */
            lua_rawgeti(L, 3, same);
            bool equal = lua_rawequal(L, -1, -2);
            lua_pop(L, 1);
            if (equal) break;
        }
        if (same <= count) {
            lua_pop(L, 1);
        } else {
            lua_rawseti(L, 3, ++count);
        }
    }
    lua_json_set_order(L, 2);
    return 1;
}

/* ---- raw ----------------------------------------------------------------------------------
 */

void lua_raw_push(lua_State *L, const char *text, size_t len, bool number)
{
    struct raw *raw = lua_newuserdata(L, sizeof(*raw) + len);
    raw->len = len;
    raw->number = number;
    memcpy(raw->text, text, len);
    push_registered(L, &RAW_META);
    lua_setmetatable(L, -2);
}

const struct raw *lua_raw_of(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    push_registered(L, &RAW_META);
    bool is_raw = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_raw ? lua_touserdata(L, index) : NULL;
}

/* json.raw(text): checked here, so that what is encoded is JSON whoever wrote the text. */
static int l_raw(lua_State *L)
{
    static const struct json_limits limits = {JSON_MAX_DEPTH, 1000000, 65536};
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct json_error error;
    if (!json_check(text, len, &limits, &error))
        return luaL_error(L, "json.raw: %s at byte %d", error.message, (int)error.at);
    while (strchr(" \t\r\n", *text)) { /* a value stands between the blanks */
        text++;
        len--;
    }
    while (strchr(" \t\r\n", text[len - 1])) {
        len--;
    }
    lua_raw_push(L, text, len, *text == '-' || (*text >= '0' && *text <= '9'));
    return 1;
}

static int l_is_raw(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, lua_raw_of(L, 1) != NULL);
    return 1;
}

static int raw_tostring(lua_State *L)
{
    const struct raw *raw = lua_raw_of(L, 1);
    luaL_argcheck(L, raw, 1, "a raw value was expected");
    lua_pushlstring(L, raw->text, raw->len);
    return 1;
}

static int raw_eq(lua_State *L)
{
    const struct raw *a = lua_raw_of(L, 1), *b = lua_raw_of(L, 2);
    lua_pushboolean(L, a && b && a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
    return 1;
}

/* json.text(value): the text of a raw value, or of any other encoded. */
static int l_text(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_raw_of(L, 1)) return raw_tostring(L);
    size_t len;
    const char *text = lua_json_encode(L, 1, &len);
    lua_pushlstring(L, text, len);
    return 1;
}

/* ---- decode -------------------------------------------------------------------------------
 */

void lua_json_push_error(lua_State *L, const struct json_error *error)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, json_code_name(error->code));
    lua_setfield(L, -2, "code");
    char text[JSON_ERROR_SPACE];
    json_explain(error, text);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "message");
    lua_pushnumber(L, (lua_Number)error->at);
    lua_setfield(L, -2, "at");
    if (error->param[0]) {
        lua_pushstring(L, error->param);
        lua_setfield(L, -2, "param");
    }
}

bool lua_json_decode(lua_State *L, const char *text, size_t len)
{
    struct json_error error;
    return lua_json_read(L, text, len, 0, &error);
}

/* value | nil, err = json.decode(text [, options]) */
static int l_decode(lua_State *L)
{
    size_t len;
    struct json_error error;
    const char *text = luaL_checklstring(L, 1, &len);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_json_read(L, text, len, lua_istable(L, 2) ? 2 : 0, &error)) return 1;
    lua_pushnil(L);
    lua_json_push_error(L, &error);
    return 2;
}

/* ---- the module ---------------------------------------------------------------------------
 */

static int l_encode(lua_State *L)
{
    size_t len;
    lua_settop(L, 1);
    const char *text = lua_json_encode(L, 1, &len);
    lua_pushlstring(L, text, len);
    return 1;
}

int luaopen_engine_json(lua_State *L)
{
    static const luaL_Reg functions[] = {{"array", l_array},       {"decode", l_decode},
                                         {"encode", l_encode},     {"index", lua_json_index},
                                         {"is_array", l_is_array}, {"is_raw", l_is_raw},
                                         {"object", l_object},     {"raw", l_raw},
                                         {"text", l_text},         {NULL, NULL}};
    static const luaL_Reg raw_meta[] = {
        {"__eq", raw_eq}, {"__tostring", raw_tostring}, {NULL, NULL}};

    lua_pushlightuserdata(L, (void *)&ARRAY_MARK);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, (void *)&RAW_META);
    lua_newtable(L);
    luaL_register(L, NULL, raw_meta);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_json_open_encoder(L);
    lua_doc_open(L);

    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushlightuserdata(L, (void *)&REMOVE);
    lua_setfield(L, -2, "remove");
    return 1;
}
