/* Every door that scripts see, in one place: who opens what. */
#ifndef MOONGATE_LUA_ENGINE_H
#define MOONGATE_LUA_ENGINE_H

#include <lua.h>

struct lua_context;

/* Fill package.loaded with engine.* and push the raw table that prelude.lua dresses up. */
void lua_engine_open(lua_State *L);

int luaopen_engine_accounts(lua_State *L);
int luaopen_engine_clock(lua_State *L);
int luaopen_engine_crypto(lua_State *L);
int luaopen_engine_form(lua_State *L);
int luaopen_engine_guard(lua_State *L);
int luaopen_engine_journal(lua_State *L);
int luaopen_engine_json(lua_State *L);
int luaopen_engine_keyring(lua_State *L);
int luaopen_engine_log(lua_State *L);
int luaopen_engine_metric(lua_State *L);
int luaopen_engine_overload(lua_State *L);
int luaopen_engine_shared(lua_State *L);
int luaopen_engine_sql(lua_State *L);
int luaopen_engine_tokens(lua_State *L);

/* With the raw table on top: add what starts things (http_start, reload, timer), and push the
 * table of functions that prelude.lua completes. */
void lua_upstream_open(lua_State *L);
void lua_request_open(lua_State *L);
void lua_admin_open(lua_State *L);
/* Adds timer(), tokens_go_on(), ledger_ask(), journal_sync(); push nothing. */
void lua_sync_open(lua_State *L);
void lua_ledger_open(lua_State *L);
void lua_ledger_open_open(lua_State *L); /* ledger_open() */
void lua_timer_open(lua_State *L);
void lua_tokens_open(lua_State *L);
/* The vocabularies of this context, borrowed for the state's life. */
void lua_tokens_use(lua_State *L, const struct lua_context *context);

#endif
