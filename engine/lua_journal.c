/* engine.journal: lines that are on file before a call leaves and before an answer ends. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "journal.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_row.h"

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

/* true | nil, err = row(format, …): append() of a row (lua_row.h) */
static int l_row(lua_State *L)
{
    size_t len;
    struct journal *journal = lua_context_of(L)->journal;
    const char *line = lua_row_write(L, 1, &len);

    if (!journal) return push_failure(L, "there is no journal here");
    if (!journal_append(journal, line, len))
        return push_failure(L, "the journal's spool is full");
    lua_pushboolean(L, 1);
    return 1;
}

/* Is half of the spool full: a time to refuse what must not go without its line? */
static int l_crowded(lua_State *L)
{
    const struct journal *journal = lua_context_of(L)->journal;

    lua_pushboolean(L, journal && journal_queued(journal) > JOURNAL_CROWDED);
    return 1;
}

int luaopen_engine_journal(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, l_append);
    lua_setfield(L, -2, "append");
    lua_pushcfunction(L, l_row);
    lua_setfield(L, -2, "row");
    lua_pushcfunction(L, l_crowded);
    lua_setfield(L, -2, "crowded");
    return 1;
}
