/* engine.sql: prepared statements on the ledger's one connection. Only the ledger thread's
 * state has it, and the command line's while it holds a ledger open. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "lua_context.h"
#include "lua_engine.h"
#include "lua_json.h"
#include "sql.h"

static const double EXACT = 9007199254740992.0;
static const char QUERY[] = "moongate.sql_query";

/* A query in use; done when collected, should something raise before it is. */
struct query_box {
    struct sql_query *query; /* NULL once done */
};

static void done(struct query_box *box)
{
    sql_done(box->query);
    box->query = NULL;
}

static int l_gc(lua_State *L)
{
    done(lua_touserdata(L, 1));
    return 0;
}

static int fail(lua_State *L, const char *code, const char *message)
{
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "sql");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    return lua_error(L);
}

static int fail_as(lua_State *L, const struct sql *sql)
{
    return fail(L, sql_code_name(sql_error(sql)), sql_message(sql));
}

static struct sql *sql_of(lua_State *L)
{
    struct sql *sql = lua_context_of(L)->sql;

    if (!sql) fail(L, "CANTOPEN", "the ledger is not open");
    return sql;
}

static bool bind_number(struct sql_query *query, unsigned i, double value)
{
    if (fabs(value) <= EXACT && floor(value) == value) {
        return sql_bind_integer(query, i, (int64_t)value);
    }
    return sql_bind_real(query, i, value);
}

/* The value at a stack index, which stays there as long as the query is used. */
static bool bind(lua_State *L, struct sql_query *query, unsigned i, int index)
{
    size_t len;
    const char *bytes;

    switch (lua_type(L, index)) {
    case LUA_TNUMBER: return bind_number(query, i, lua_tonumber(L, index));
    case LUA_TBOOLEAN: return sql_bind_integer(query, i, lua_toboolean(L, index));
    case LUA_TSTRING:
        bytes = lua_tolstring(L, index, &len);
        return sql_bind_text(query, i, bytes, len);
    case LUA_TNONE:
    case LUA_TNIL: return sql_bind_null(query, i);
    default:
        if (lua_json_is_null(L, index)) return sql_bind_null(query, i);
        return luaL_error(L, "parameter %d is a %s", (int)i, luaL_typename(L, index));
    }
}

/* Pushes the box of a query made ready: text at 1, values behind it; too few are NULL. */
static struct query_box *begin(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct sql *sql = sql_of(L);
    int given = lua_gettop(L) - 1;
    struct query_box *box = lua_newuserdata(L, sizeof(*box)); /* … box */

    box->query = NULL;
    luaL_getmetatable(L, QUERY);
    lua_setmetatable(L, -2);
    box->query = sql_query(sql, text, len);
    if (!box->query) fail_as(L, sql);
    if ((unsigned)given > sql_parameters(box->query)) {
        luaL_error(L, "%d values for %d parameters", given, (int)sql_parameters(box->query));
    }
    for (int i = 1; i <= given; i++) {
        if (!bind(L, box->query, (unsigned)i, i + 1)) fail_as(L, sql);
    }
    return box;
}

static bool step(lua_State *L, struct query_box *box)
{
    enum sql_code code = sql_step(box->query);

    if (code == SQL_ROW) return true;
    if (code == SQL_OK) return false;
    done(box);
    fail_as(L, sql_of(L));
    return false;
}

/* Digits where a double would lose some. */
static void push_integer(lua_State *L, int64_t value)
{
    if ((double)value >= -EXACT && (double)value <= EXACT) {
        lua_pushnumber(L, (double)value);
    } else {
        char digits[24];
        (void)snprintf(digits, sizeof(digits), "%lld", (long long)value);
        lua_pushstring(L, digits);
    }
}

/* Push the row as a table: what is NULL is absent. */
static void push_row(lua_State *L, const struct sql_query *query)
{
    unsigned count = sql_columns(query);
    size_t len;

    lua_createtable(L, 0, (int)count); /* row */
    for (unsigned i = 0; i < count; i++) {
        enum sql_type type = sql_column_type(query, i);
        if (type == SQL_NULL) continue;
        lua_pushstring(L, sql_column_name(query, i)); /* row name */
        if (type == SQL_INTEGER) {
            push_integer(L, sql_integer(query, i));
        } else if (type == SQL_REAL) {
            lua_pushnumber(L, sql_real(query, i));
        } else {
            const char *bytes = sql_bytes(query, i, &len);
            lua_pushlstring(L, bytes, len);
        }
        lua_rawset(L, -3); /* row */
    }
}

/* list of rows = rows(text, …) */
static int l_rows(lua_State *L)
{
    struct query_box *box = begin(L);

    lua_newtable(L); /* … box list */
    for (int n = 1; step(L, box); n++) {
        push_row(L, box->query);
        lua_rawseti(L, -2, n);
    }
    done(box);
    return 1;
}

/* first row | nil = row(text, …) */
static int l_row(lua_State *L)
{
    struct query_box *box = begin(L);

    if (step(L, box)) {
        push_row(L, box->query);
    } else {
        lua_pushnil(L);
    }
    done(box);
    return 1;
}

/* rows changed = run(text, …) */
static int l_run(lua_State *L)
{
    struct query_box *box = begin(L);

    while (step(L, box)) {
    }
    done(box);
    lua_pushnumber(L, (double)sql_changes(sql_of(L)));
    return 1;
}

/* Call fn(…), which is the whole stack, in a transaction. */
static int transact(lua_State *L)
{
    struct sql *sql = sql_of(L);

    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (sql_run(sql, "BEGIN IMMEDIATE") != SQL_OK) return fail_as(L, sql);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (status == 0 && sql_run(sql, "COMMIT") == SQL_OK) return lua_gettop(L);
    if (status == 0) {
        sql_rollback(sql);
        return fail_as(L, sql);
    }
    sql_rollback(sql);
    return lua_error(L);
}

/* results = atomic(fn, …): all of it, or none. Inside of another: a part of that. */
static int l_atomic(lua_State *L)
{
    if (!sql_in_transaction(sql_of(L))) return transact(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* results = durable(fn, …): the same, and on disk when it returns. */
static int l_durable(lua_State *L)
{
    struct sql *sql = sql_of(L);

    if (sql_in_transaction(sql)) return luaL_error(L, "a transaction is running already");
    lua_pushcfunction(L, transact);
    lua_insert(L, 1); /* transact fn … */
    sql_sync_commits(sql, true);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    sql_sync_commits(sql, false);
    return status == 0 ? lua_gettop(L) : lua_error(L);
}

int luaopen_engine_sql(lua_State *L)
{
    static const luaL_Reg functions[] = {{"rows", l_rows},       {"row", l_row},
                                         {"run", l_run},         {"atomic", l_atomic},
                                         {"durable", l_durable}, {NULL, NULL}};

    luaL_newmetatable(L, QUERY);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
