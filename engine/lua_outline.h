/* Outlines of JSON bodies, as scripts write them. */
#ifndef MOONGATE_LUA_OUTLINE_H
#define MOONGATE_LUA_OUTLINE_H

#include <lua.h>

#include "tokens_body.h"

void lua_outline_open(lua_State *L);

/* outline = outline { … }: see scripts/meta/engine_tokens.lua. Raises on one that is wrong. */
int lua_outline_make(lua_State *L);

/* Raises where there is none. */
const struct outline *lua_outline_check(lua_State *L, int index);

#endif
