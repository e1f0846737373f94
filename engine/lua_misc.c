/* Small doors: engine.journal, the clock's part of engine.time, engine.tokens. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "estimate.h"
#include "journal.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "moment.h"

static int push_module(lua_State *L, const luaL_Reg *functions)
{
    lua_newtable(L);
    for (; functions->name; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
    return 1;
}

/* ---- engine.journal -----------------------------------------------------------------------
 */

static int push_failure(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "unavailable");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    return 2;
}

/* true | nil, err = append(line): on file before this turn's calls leave and answers end. */
static int l_append(lua_State *L)
{
    size_t len;
    const char *line = luaL_checklstring(L, 1, &len);
    struct journal *journal = lua_context_of(L)->journal;

    luaL_argcheck(L, !memchr(line, '\n', len), 1, "one line, without its end");
    if (!journal) return push_failure(L, "there is no journal here");
    if (!journal_append(journal, line, len))
        return push_failure(L, "the journal's spool is full");
    lua_pushboolean(L, 1);
    return 1;
}

int luaopen_engine_journal(lua_State *L)
{
    static const luaL_Reg functions[] = {{"append", l_append}, {NULL, NULL}};

    return push_module(L, functions);
}

/* ---- the clock ----------------------------------------------------------------------------
 */

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)moment_wall_us() / 1e6);
    return 1;
}

static int l_monotonic(lua_State *L)
{
    lua_pushnumber(L, (double)moment_monotonic_us() / 1e6);
    return 1;
}

/* text = iso([seconds]): UTC; now where none are given. */
static int l_iso(lua_State *L)
{
    char text[MOMENT_ISO_SIZE];
    int64_t ms = moment_wall_us() / 1000;

    if (!lua_isnoneornil(L, 1)) {
        lua_Number seconds = luaL_checknumber(L, 1);
        luaL_argcheck(L, fabs(seconds) < 1e12, 1, "seconds since 1970");
        ms = (int64_t)floor(seconds * 1000 + 0.5);
    }
    moment_iso(ms, text);
    lua_pushstring(L, text);
    return 1;
}

int luaopen_engine_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", l_now}, {"monotonic", l_monotonic}, {"iso", l_iso}, {NULL, NULL}};

    return push_module(L, functions);
}

/* ---- engine.tokens ------------------------------------------------------------------------
 */

/* n, exact = count(text [, encoding]). An estimate until vocabularies are loaded: exact is
 * false, whatever the encoding. estimate.c says how far off it is. */
static int l_count(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);

    (void)luaL_optstring(L, 2, "");
    lua_pushnumber(L, (double)estimate_tokens(text, len));
    lua_pushboolean(L, 0);
    return 2;
}

int luaopen_engine_tokens(lua_State *L)
{
    static const luaL_Reg functions[] = {{"count", l_count}, {NULL, NULL}};

    return push_module(L, functions);
}
