/* engine.log: log.info("event", { field = value, … }), and the values that may not be printed.
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>

#include "buf.h"
#include "json.h"
#include "log.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_json.h"
#include "lua_row.h"

/* Members that every line has already. */
static const char *const OURS[] = {"ts", "level", "event"};

static bool has_ours(lua_State *L, int fields)
{
    bool found = false;

    for (size_t i = 0; i < sizeof(OURS) / sizeof(*OURS) && !found; i++) {
        lua_pushstring(L, OURS[i]);
        lua_rawget(L, fields);
        found = !lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    return found;
}

/* Replace the fields at 2 by a copy in which those names end with an underscore. */
static void rename_ours(lua_State *L)
{
    lua_newtable(L); /* event fields copy */
    lua_pushnil(L);
    while (lua_next(L, 2)) { /* event fields copy key value */
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 3);
    }
    for (size_t i = 0; i < sizeof(OURS) / sizeof(*OURS); i++) {
        lua_pushfstring(L, "%s_", OURS[i]);
        lua_pushstring(L, OURS[i]);
        lua_rawget(L, 3); /* event fields copy name value */
        if (lua_isnil(L, -1)) {
            lua_pop(L, 2);
            continue;
        }
        lua_rawset(L, 3);
        lua_pushstring(L, OURS[i]);
        lua_pushnil(L);
        lua_rawset(L, 3);
    }
    lua_replace(L, 2); /* event copy */
}

static int write_event(lua_State *L, enum log_level level)
{
    struct log *log = lua_context_of(L)->log;
    const char *event = luaL_checkstring(L, 1);
    const char *text = "{}";
    size_t len = 2;

    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    if (!log || !log_wants(log, level)) return 0;
    lua_settop(L, 2);
    if (lua_istable(L, 2)) {
        if (has_ours(L, 2)) rename_ours(L);
        text = lua_json_encode_log(L, 2, &len);
    }
    if (text[0] == '{')
        log_fields(log, level, event, text + 1, len - 2);
    else /* a list */
        log_event(log, level, event, "%.*s", (int)(len < 16384 ? len : 16384), text);
    return 0;
}

static int l_debug(lua_State *L)
{
    return write_event(L, LOG_DEBUG);
}

static int l_info(lua_State *L)
{
    return write_event(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
    return write_event(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
    return write_event(L, LOG_ERROR);
}

/* log.row(level, event, format, …): members as a row (lua_row.h), for what is written often. */
static int l_row(lua_State *L)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    enum log_level level = (enum log_level)luaL_checkoption(L, 1, NULL, levels);
    const char *event = luaL_checkstring(L, 2);
    struct log *log = lua_context_of(L)->log;
    size_t len;

    if (!log || !log_wants(log, level)) return 0;
    const char *members = lua_row_write(L, 3, &len);
    log_row(log, level, event, members, len);
    return 0;
}

/* text = log.quote(string): a JSON string that may stand in a row. */
static int l_quote(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct buf *out = lua_json_buffer(L);

    if (!json_quote(out, text, len, true)) return luaL_error(L, "out of memory");
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

/* log.secret(value): whatever holds it is printed without it, from now on. */
static int l_secret(lua_State *L)
{
    size_t len;
    const char *value = luaL_checklstring(L, 1, &len);
    struct log *log = lua_context_of(L)->log;

    if (log) log_secret(log, value, len);
    return 0;
}

int luaopen_engine_log(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"debug", l_debug}, {"info", l_info}, {"warn", l_warn},     {"error", l_error},
        {"quote", l_quote}, {"row", l_row},   {"secret", l_secret}, {NULL, NULL},
    };

    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
