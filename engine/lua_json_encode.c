#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "json.h"
#include "lua_json.h"

/* Encoded text and key lists are gathered outside Lua, in memory that a userdata of the state
 * owns: an error on the way leaves nothing behind but a buffer that the next encode empties. */
struct scratch {
    struct buf out;
    struct buf names; /* of struct key, as a stack */
};

/* A name of a table that is being written; borrowed from the table. */
struct key {
    const char *text;
    size_t len;
};

struct encoder {
    lua_State *L;
    struct scratch *scratch;
    bool log; /* writes anything rather than raise */
    bool comma;
    unsigned depth;
};

enum { LIMIT = 128 << 20, KEEP = 1 << 20, SLOTS_A_LEVEL = 6 };

static const char SCRATCH = 's'; /* registry key: its address */

static void write_value(struct encoder *e, int index);

static int scratch_gc(lua_State *L)
{
    struct scratch *scratch = lua_touserdata(L, 1);
    buf_free(&scratch->out);
    buf_free(&scratch->names);
    return 0;
}

void lua_json_open_encoder(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&SCRATCH);
    struct scratch *scratch = lua_newuserdata(L, sizeof(*scratch)); /* key scratch */
    buf_init(&scratch->out, LIMIT);
    buf_init(&scratch->names, LIMIT);
    lua_createtable(L, 0, 1); /* key scratch meta */
    lua_pushcfunction(L, scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static struct scratch *scratch_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&SCRATCH);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct scratch *scratch = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return scratch;
}

/* ---- pieces -------------------------------------------------------------------------------
 */

static void need(struct encoder *e, bool good)
{
    if (!good) luaL_error(e->L, "JSON text too large, or not enough memory");
}

static void put(struct encoder *e, const char *bytes, size_t len)
{
    need(e, buf_append(&e->scratch->out, bytes, len));
}

static void put_string(struct encoder *e, const char *bytes, size_t len)
{
    need(e, json_quote(&e->scratch->out, bytes, len, e->log));
}

/* What JSON does not have: an error, or in a log a word for it. */
static void put_odd(struct encoder *e, int index)
{
    lua_State *L = e->L;
    const char *type = luaL_typename(L, index);
    if (!e->log) luaL_error(L, "cannot encode a %s as JSON", type);
    lua_pushfstring(L, "%s: %p", type, lua_topointer(L, index));
    put_string(e, lua_tostring(L, -1), lua_objlen(L, -1));
    lua_pop(L, 1);
}

static void put_number(struct encoder *e, double value)
{
    char text[JSON_NUMBER_SPACE];
    size_t len = json_print_number(value, text);
    if (len) {
        put(e, text, len);
    } else if (!e->log) {
        luaL_error(e->L, "cannot encode NaN or an infinity as JSON");
    } else if (value != value) {
        put_string(e, "nan", 3);
    } else {
        put_string(e, value > 0 ? "inf" : "-inf", value > 0 ? 3 : 4);
    }
}

static void put_userdata(struct encoder *e, int index)
{
    const struct raw *raw = lua_raw_of(e->L, index);
    size_t len;
    if (raw) {
        put(e, raw->text, raw->len);
        return;
    }
    const char *bytes = lua_doc_peek(e->L, index, &len);
    if (bytes) {
        put(e, bytes, len);
    } else {
        put_odd(e, index);
    }
}

/* ---- tables -------------------------------------------------------------------------------
 */

static void write_array(struct encoder *e, int index, int n)
{
    put(e, "[", 1);
    for (int i = 1; i <= n; i++) {
        if (i > 1) put(e, ",", 1);
        lua_rawgeti(e->L, index, i);
        write_value(e, lua_gettop(e->L));
        lua_pop(e->L, 1);
    }
    put(e, "]", 1);
}

/* The value at the top, which is popped, as a member of that name. */
static void write_member(struct encoder *e, const char *name, size_t len)
{
    if (e->comma) put(e, ",", 1);
    put_string(e, name, len);
    put(e, ":", 1);
    write_value(e, lua_gettop(e->L));
    lua_pop(e->L, 1);
    e->comma = true;
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Write the members whose names are not in the set at `known` (0: all), sorted. */
static void write_sorted(struct encoder *e, int index, int known)
{
    lua_State *L = e->L;
    struct buf *names = &e->scratch->names;
    size_t start = names->len;
    lua_pushnil(L);
    for (; lua_next(L, index); lua_pop(L, 1)) { /* name value */
        if (known) {
            lua_pushvalue(L, -2);
            lua_rawget(L, known);
            bool skip = lua_toboolean(L, -1);
            lua_pop(L, 1);
            if (skip) continue;
        }
        struct key key;
        key.text = lua_tolstring(L, -2, &key.len);
        need(e, buf_append(names, &key, sizeof(key)));
    }
    size_t n = (names->len - start) / sizeof(struct key);
    if (n) qsort(names->data + start, n, sizeof(struct key), compare_keys);
    for (size_t i = 0; i < n; i++) {
        struct key key; /* a copy: what is written below may move the buffer */
        memcpy(&key, names->data + start + i * sizeof(key), sizeof(key));
        lua_pushlstring(L, key.text, key.len);
        lua_rawget(L, index);
        write_member(e, key.text, key.len);
    }
    names->len = start;
}

/* First the names of the list at the top, which is popped, then the others, sorted. `count` is
 * how many members there are. */
static void write_ordered(struct encoder *e, int index, size_t count)
{
    lua_State *L = e->L;
    int order = lua_gettop(L), n = (int)lua_objlen(L, order);
    size_t written = 0;
    for (int i = 1; i <= n; i++) {
        size_t len;
        lua_rawgeti(L, order, i); /* order name */
        const char *name = lua_tolstring(L, -1, &len);
        lua_pushvalue(L, -1);
        lua_rawget(L, index); /* order name value */
        if (lua_isnil(L, -1)) {
            lua_pop(L, 2);
            continue;
        }
        write_member(e, name, len);
        lua_pop(L, 1);
        written++;
    }
    if (written < count) {
        lua_createtable(L, 0, n); /* order known */
        for (int i = 1; i <= n; i++) {
            lua_rawgeti(L, order, i);
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        }
        write_sorted(e, index, order + 1);
    }
    lua_settop(L, order - 1);
}

/* A log's table with keys of several kinds. */
static void write_mixed(struct encoder *e, int index)
{
    lua_State *L = e->L;
    lua_pushnil(L);
    while (lua_next(L, index)) { /* key value */
        lua_pushvalue(L, -2);
        if (!lua_tostring(L, -1)) {
            lua_pushstring(L, luaL_typename(L, -3));
            lua_replace(L, -2);
        }
        lua_insert(L, -2); /* key name value */
        size_t len;
        const char *name = lua_tolstring(L, -2, &len);
        write_member(e, name, len);
        lua_pop(L, 1);
    }
}

/* How many keys the table has, and whether all are of that type. */
static bool has_only(lua_State *L, int index, int type, size_t *count)
{
    bool only = true;
    *count = 0;
    lua_pushnil(L);
    for (; lua_next(L, index); lua_pop(L, 1)) {
        (*count)++;
        only = only && lua_type(L, -2) == type;
    }
    return only;
}

static void write_object(struct encoder *e, int index)
{
    size_t count;
    bool mixed = !has_only(e->L, index, LUA_TSTRING, &count), comma = e->comma;
    if (mixed && !e->log)
        luaL_error(e->L, "cannot encode a table whose keys are neither 1 to n nor all strings");
    put(e, "{", 1);
    e->comma = false;
    if (mixed) {
        write_mixed(e, index);
    } else if (lua_json_push_order(e->L, index)) {
        write_ordered(e, index, count);
    } else {
        write_sorted(e, index, 0);
    }
    e->comma = comma;
    put(e, "}", 1);
}

static void write_table(struct encoder *e, int index)
{
    size_t n = lua_objlen(e->L, index), count;
    if (e->depth == JSON_MAX_DEPTH) {
        if (!e->log)
            luaL_error(e->L, "cannot encode more than 64 levels, or a table in itself");
        put_string(e, "too deep", 8);
        return;
    }
    e->depth++;
    if (lua_json_is_marked(e->L, index) ||
        (n && has_only(e->L, index, LUA_TNUMBER, &count) && count == n)) {
        write_array(e, index, (int)n);
    } else {
        write_object(e, index);
    }
    e->depth--;
}

static void write_value(struct encoder *e, int index)
{
    lua_State *L = e->L;
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNIL: put(e, "null", 4); break;
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, index)) {
            put(e, "true", 4);
        } else {
            put(e, "false", 5);
        }
        break;
    case LUA_TNUMBER: put_number(e, lua_tonumber(L, index)); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        put_string(e, text, len);
        break;
    case LUA_TTABLE: write_table(e, index); break;
    case LUA_TUSERDATA: put_userdata(e, index); break;
    default:
        if (lua_json_is_null(L, index)) {
            put(e, "null", 4);
        } else {
            put_odd(e, index);
        }
    }
}

/* ---- doors --------------------------------------------------------------------------------
 */

static struct buf *write_all(lua_State *L, int index, bool log)
{
    struct encoder e = {.L = L, .scratch = scratch_of(L), .log = log};
    if (index < 0) index = lua_gettop(L) + 1 + index;
    luaL_checkstack(L, (JSON_MAX_DEPTH + 2) * SLOTS_A_LEVEL, "JSON");
    e.scratch->names.len = 0;
    write_value(&e, index);
    return &e.scratch->out;
}

struct buf *lua_json_buffer(lua_State *L)
{
    struct buf *out = &scratch_of(L)->out;
    if (out->cap > KEEP) buf_free(out); /* one large text must not stay for ever */
    buf_clear(out);
    return out;
}

struct buf *lua_json_write(lua_State *L, int index)
{
    return write_all(L, index, false);
}

const char *lua_json_encode(lua_State *L, int index, size_t *len)
{
    lua_json_buffer(L);
    struct buf *out = write_all(L, index, false);
    *len = out->len;
    return out->data;
}

const char *lua_json_encode_log(lua_State *L, int index, size_t *len)
{
    lua_json_buffer(L);
    struct buf *out = write_all(L, index, true);
    *len = out->len;
    return out->data;
}
