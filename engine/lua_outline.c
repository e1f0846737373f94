/* Outlines: a table that a script writes, made into what tokens_body.c walks by. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua_outline.h"
#include "tokens_body.h"

static const char OUTLINE[] = "moongate.outline";

/* Stack indices while one is made. */
enum { SPEC = 1, MADE = 2, PLACES = 3, NUMBERS = 4 };

static float small(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name); /* … n */
    lua_Number n = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    if (!(n >= -1e4 && n <= 1e4)) luaL_error(L, "outline: %s is too large", name);
    return (float)n;
}

static void copy_word(lua_State *L, int index, const char *name, char *out, size_t room)
{
    size_t len;

    lua_getfield(L, index, name); /* … text */
    const char *text = luaL_optlstring(L, -1, "", &len);
    if (len >= room) luaL_error(L, "outline: %s is too long", text);
    memcpy(out, text, len + 1);
    lua_pop(L, 1);
}

static bool flag(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name); /* … bool */
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

/* The number of the place that is named there; 0: none. */
static uint8_t place_at(lua_State *L, int index)
{
    lua_getfield(L, index, "into"); /* … name */
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    lua_gettable(L, NUMBERS); /* … number */
    if (!lua_isnumber(L, -1)) luaL_error(L, "outline: a rule leads nowhere");
    uint8_t number = (uint8_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

/* The rule on top of the stack, for the member whose name is below it. */
static void read_rule(lua_State *L, struct outline_rule *rule)
{
    size_t len;
    const char *name = luaL_checklstring(L, -2, &len);
    int at = lua_gettop(L);

    luaL_checktype(L, at, LUA_TTABLE);
    if (len >= OUTLINE_NAME) luaL_error(L, "outline: %s is too long", name);
    *rule = (struct outline_rule){0};
    rule->name_len = strcmp(name, "*") == 0 ? 0 : (uint8_t)len;
    memcpy(rule->name, name, rule->name_len);
    rule->kind = flag(L, at, "text")     ? OUTLINE_TEXT
                 : flag(L, at, "image")  ? OUTLINE_IMAGE
                 : flag(L, at, "detail") ? OUTLINE_DETAIL
                                         : OUTLINE_SKIP;
    rule->into = place_at(L, at);
    rule->raw = flag(L, at, "raw");
    rule->ruled = flag(L, at, "ruled");
    rule->named = flag(L, at, "named");
    rule->add = small(L, at, "add");
    rule->each = small(L, at, "each");
    rule->alone = small(L, at, "alone");
    copy_word(L, at, "before", rule->before, OUTLINE_AROUND);
    copy_word(L, at, "after", rule->after, OUTLINE_AROUND);
}

/* The place on top of the stack; its rule for any name comes last. Rules used so far. */
static unsigned read_place(lua_State *L, struct outline *outline, uint8_t number, unsigned used)
{
    struct outline_place *place = &outline->place[number];
    int at = lua_gettop(L);

    *place = (struct outline_place){.first = (uint8_t)used, .add = small(L, at, "add")};
    lua_getfield(L, at, "members"); /* place members */
    luaL_checktype(L, -1, LUA_TTABLE);
    for (int any = 0; any <= 1; any++) {
        lua_pushnil(L);
        for (; lua_next(L, at + 1); lua_pop(L, 1)) { /* place members name rule */
            if ((strcmp(luaL_checkstring(L, -2), "*") == 0) != any) continue;
            if (used == OUTLINE_RULES) luaL_error(L, "outline: too many rules");
            read_rule(L, &outline->rule[used++]);
            place->count++;
        }
    }
    lua_pop(L, 1);
    return used;
}

/* Weights: { by_token, by_character } a kind, in tokens_tally.h's order. */
static void read_weights(lua_State *L, struct outline *outline)
{
    lua_getfield(L, SPEC, "otherwise");
    outline->otherwise = luaL_optnumber(L, -1, 1);
    lua_getfield(L, SPEC, "weights"); /* otherwise weights */
    outline->weighted = lua_istable(L, -1);
    for (int i = 0; outline->weighted && i < TALLY_KINDS; i++) {
        lua_rawgeti(L, -1, 2 * i + 1);
        lua_rawgeti(L, -2, 2 * i + 2); /* otherwise weights token character */
        outline->by_token[i] = luaL_optnumber(L, -2, outline->otherwise);
        outline->by_character[i] = luaL_optnumber(L, -1, 0);
        lua_pop(L, 2);
    }
    lua_pop(L, 2);
}

/* outline = outline { places = { body = { add =, members = { name = rule } }, … }, order =
 * names of places, the body's first, weights =, otherwise = } */
int lua_outline_make(lua_State *L)
{
    unsigned used = 0;

    luaL_checktype(L, SPEC, LUA_TTABLE);
    lua_settop(L, SPEC);
    struct outline *outline = lua_newuserdata(L, sizeof(*outline)); /* spec outline */
    *outline = (struct outline){0};
    luaL_getmetatable(L, OUTLINE);
    lua_setmetatable(L, MADE);
    read_weights(L, outline);
    lua_getfield(L, SPEC, "places"); /* spec outline places */
    luaL_checktype(L, PLACES, LUA_TTABLE);
    lua_newtable(L); /* spec outline places numbers */
    lua_getfield(L, SPEC, "order");
    size_t count = lua_objlen(L, -1);
    if (count >= OUTLINE_PLACES) luaL_error(L, "outline: too many places");
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (int)i);
        lua_pushnumber(L, (lua_Number)i);
        lua_rawset(L, NUMBERS);
    }
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, NUMBERS + 1, (int)i);
        lua_gettable(L, PLACES); /* … order place */
        used = read_place(L, outline, (uint8_t)i, used);
        lua_pop(L, 1);
    }
    lua_settop(L, MADE);
    return 1;
}

const struct outline *lua_outline_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, OUTLINE);
}

void lua_outline_open(lua_State *L)
{
    luaL_newmetatable(L, OUTLINE);
    lua_pop(L, 1);
}
