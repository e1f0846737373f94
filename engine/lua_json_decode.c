#include <stdlib.h>

#include <lauxlib.h>

#include "json.h"
#include "lua_json.h"

/* Lua may raise at any push: nothing here is owned but by Lua. */
struct decoder {
    lua_State *L;
    struct json_reader reader;
    int array_mark; /* stack index of the arrays' metatable */
    int raw;        /* of the names whose containers stay raw; 0: none */
    bool ordered;   /* objects remember their order */
};

/* Tables are made once the first thing in them is seen, so that a million empty ones stay
 * small. */
enum { FIRST_MEMBERS = 4, FIRST_ITEMS = 2, SHORT = 1024, SLOTS_A_LEVEL = 4 };

static const struct json_limits decode_limits = {JSON_MAX_DEPTH, 1000000, 65536};

static void push_string(lua_State *L, const struct json_reader *reader)
{
    size_t len = (size_t)(reader->to - reader->from);
    char small[SHORT];
    if (!reader->escaped) {
        lua_pushlstring(L, reader->from, len);
    } else if (len <= SHORT) {
        lua_pushlstring(L, small, json_unescape(reader->from, len, small));
    } else {
        char *large = lua_newuserdata(L, len); /* large */
        lua_pushlstring(L, large, json_unescape(reader->from, len, large));
        lua_remove(L, -2);
    }
}

static void push_number(lua_State *L, const struct json_reader *reader)
{
    size_t len = (size_t)(reader->to - reader->from);
    double value;
    if (json_number(reader->from, len, &value)) {
        lua_pushnumber(L, value);
    } else {
        lua_raw_push(L, reader->from, len, true);
    }
}

static bool push_value(struct decoder *d, enum json_token token);

static bool push_array(struct decoder *d)
{
    lua_State *L = d->L;
    enum json_token token = json_next(&d->reader);
    lua_createtable(L, token == JSON_CLOSE ? 0 : FIRST_ITEMS, 0); /* array */
    lua_pushvalue(L, d->array_mark);
    lua_setmetatable(L, -2);
    for (int i = 1; token != JSON_CLOSE; i++) {
        if (!push_value(d, token)) return false;
        lua_rawseti(L, -2, i);
        token = json_next(&d->reader);
    }
    return true;
}

/* The name at the top is one whose container stays raw. */
static bool stays_raw(const struct decoder *d, enum json_token token)
{
    if (!d->raw || (token != JSON_OBJECT && token != JSON_ARRAY)) return false;
    lua_pushvalue(d->L, -1);
    lua_rawget(d->L, d->raw);
    bool raw = lua_toboolean(d->L, -1);
    lua_pop(d->L, 1);
    return raw;
}

/* What is in it does not become Lua's, so only the reader's own ceiling holds for it: a batch
 * of embeddings has millions of numbers. */
static bool push_raw(struct decoder *d)
{
    const char *from = d->reader.from;
    size_t nodes = d->reader.nodes;
    d->reader.limits.nodes = json_answer_limits.nodes;
    if (json_skip(&d->reader) == JSON_BAD) return false;
    d->reader.limits.nodes = decode_limits.nodes;
    d->reader.nodes = nodes;
    lua_raw_push(d->L, from, (size_t)(d->reader.to - from), false);
    return true;
}

/* Add the name at the top to the order at `order`, unless the object has it already. */
static void remember(struct decoder *d, int object, int order, int *count)
{
    lua_State *L = d->L;
    lua_pushvalue(L, -1);
    lua_rawget(L, object); /* name value|nil */
    bool known = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (known) return;
    lua_pushvalue(L, -1);
    lua_rawseti(L, order, ++*count);
}

static bool push_object(struct decoder *d)
{
    lua_State *L = d->L;
    enum json_token token = json_next(&d->reader);
    int names = token == JSON_CLOSE ? 0 : FIRST_MEMBERS, count = 0;
    lua_createtable(L, 0, names); /* object */
    int object = lua_gettop(L);
    if (d->ordered) lua_createtable(L, names, 1); /* object order */
    while (token == JSON_NAME) {
        push_string(L, &d->reader); /* object [order] name */
        if (d->ordered) remember(d, object, object + 1, &count);
        token = json_next(&d->reader);
        if (!(stays_raw(d, token) ? push_raw(d) : push_value(d, token))) return false;
        lua_rawset(L, object);
        token = json_next(&d->reader);
    }
    if (token == JSON_BAD) return false;
    if (d->ordered) lua_json_set_order(L, object);
    return true;
}

/* Push one value; false: the reader found an error, and the stack holds what was begun.
 * Recursion ends at the reader's limit of depth. */
static bool push_value(struct decoder *d, enum json_token token)
{
    lua_State *L = d->L;
    switch (token) {
    case JSON_OBJECT: return push_object(d);
    case JSON_ARRAY: return push_array(d);
    case JSON_STRING: push_string(L, &d->reader); return true;
    case JSON_NUMBER: push_number(L, &d->reader); return true;
    case JSON_TRUE: lua_pushboolean(L, 1); return true;
    case JSON_FALSE: lua_pushboolean(L, 0); return true;
    case JSON_NULL: lua_pushlightuserdata(L, NULL); return true;
    default: return false;
    }
}

static void read_options(struct decoder *d, int options)
{
    lua_getfield(d->L, options, "ordered");
    d->ordered = lua_toboolean(d->L, -1);
    lua_pop(d->L, 1);
    lua_getfield(d->L, options, "raw"); /* stays, under the value */
    if (lua_istable(d->L, -1)) d->raw = lua_gettop(d->L);
}

bool lua_json_read(lua_State *L, const char *text, size_t len, int options,
                   struct json_error *error)
{
    struct decoder d = {.L = L};
    int top = lua_gettop(L);
    luaL_checkstack(L, (JSON_MAX_DEPTH + 2) * SLOTS_A_LEVEL, "JSON");
    lua_json_push_array_mark(L); /* mark */
    d.array_mark = top + 1;
    if (options) read_options(&d, options);
    json_begin(&d.reader, text, len, &decode_limits);
    bool good = push_value(&d, json_next(&d.reader)) && json_next(&d.reader) == JSON_END;
    *error = d.reader.error;
    if (good) lua_replace(L, top + 1);
    lua_settop(L, good ? top + 1 : top);
    return good;
}
