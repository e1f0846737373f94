#include "lua_safe.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lua_pattern.h"

/* No result is longer; the stock functions know no end. */
static const size_t MAX_RESULT = 8 << 20;
enum {
    ANY_NUMBER = 512,    /* more than one number takes in a format: "%.99f" of 1e308 */
    MOST_SORTED = 20000, /* numbers: some 10 ms */
};

static void check_size(lua_State *L, size_t size)
{
    if (size > MAX_RESULT) luaL_error(L, "resulting string too large");
}

/* LuaJIT limits its own stack, not C's: a gsub whose function calls gsub, and so on, would
 * leave no room for anything (8 KiB a level). Such calls get 1 MiB below the outermost one that
 * this thread has seen. */
static bool is_deep(void)
{
    static _Thread_local uintptr_t outermost;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    if (here > outermost) outermost = here;
    return outermost - here > 1 << 20;
}

/* ---- find, match --------------------------------------------------------------------------
 */

static bool is_plain(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] && strchr("^$*+?.([%-", p[i])) return false;
    }
    return true;
}

/* Where to begin: argument 3, from 1, negative from the end. */
static size_t start_of(lua_State *L, size_t len)
{
    lua_Integer start = luaL_optinteger(L, 3, 1);
    if (start < 0) start += (lua_Integer)len + 1;
    if (start < 1) start = 1;
    return (size_t)start - 1 < len ? (size_t)start - 1 : len;
}

static int find_plain(lua_State *L, const char *s, size_t len, size_t start)
{
    size_t size;
    const char *p = lua_tolstring(L, 2, &size);
    const char *found = size ? memmem(s + start, len - start, p, size) : s + start;
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - s + 1);
    lua_pushinteger(L, found - s + (lua_Integer)size);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    size_t len, size;
    const char *s = luaL_checklstring(L, 1, &len), *p = luaL_checklstring(L, 2, &size);
    size_t start = start_of(L, len);
    if (find && (lua_toboolean(L, 4) || is_plain(p, size))) return find_plain(L, s, len, start);

    struct pattern pattern;
    bool anchored = *p == '^';
    pattern_begin(&pattern, L, s, len);
    for (const char *at = s + start; at <= s + len; at++) {
        const char *to = pattern_match(&pattern, at, p + anchored);
        if (to && find) {
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, to - s);
            return pattern_push_captures(&pattern, NULL, NULL) + 2;
        }
        if (to) return pattern_push_captures(&pattern, at, to);
        if (anchored) break;
    }
    lua_pushnil(L);
    return 1;
}

static int l_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int l_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* ---- gmatch -------------------------------------------------------------------------------
 */

/* Upvalues: subject, pattern, where to go on. */
static int next_match(lua_State *L)
{
    size_t len;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &len);
    const char *p = lua_tostring(L, lua_upvalueindex(2));
    struct pattern pattern;
    pattern_begin(&pattern, L, s, len);
    for (const char *at = s + lua_tointeger(L, lua_upvalueindex(3)); at <= s + len; at++) {
        const char *to = pattern_match(&pattern, at, p);
        if (!to) continue;
        lua_pushinteger(L, to - s + (to == at)); /* an empty match must not come again */
        lua_replace(L, lua_upvalueindex(3));
        return pattern_push_captures(&pattern, at, to);
    }
    return 0;
}

static int l_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_match, 3);
    return 1;
}

/* ---- gsub ---------------------------------------------------------------------------------
 */

/* The result of a gsub as it grows. */
struct result {
    luaL_Buffer buffer;
    size_t size;
};

static void add(lua_State *L, struct result *result, const char *bytes, size_t len)
{
    result->size += len;
    check_size(L, result->size);
    luaL_addlstring(&result->buffer, bytes, len);
}

/* Add the string at the top, and pop it. */
static void add_top(lua_State *L, struct result *result)
{
    result->size += lua_objlen(L, -1);
    check_size(L, result->size);
    luaL_addvalue(&result->buffer);
}

/* The replacement text with its %0 … %9 filled in. */
static void add_text(struct pattern *m, struct result *result, const char *from, const char *to)
{
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            add(m->L, result, text + i, 1);
            continue;
        }
        i++; /* at the end: the terminator, as the stock function does */
        if (text[i] < '0' || text[i] > '9') {
            add(m->L, result, text + i, 1);
        } else if (text[i] == '0') {
            add(m->L, result, from, (size_t)(to - from));
        } else {
            pattern_push_capture(m, text[i] - '1', from, to);
            lua_tostring(m->L, -1); /* a position becomes text */
            add_top(m->L, result);
        }
    }
}

/* What stands for the match [from, to). */
static void add_value(struct pattern *m, struct result *result, const char *from,
                      const char *to)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        add_text(m, result, from, to);
        return;
    }
    if (type == LUA_TTABLE) {
        pattern_push_capture(m, 0, from, to);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, pattern_push_captures(m, from, to), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        add(L, result, from, (size_t)(to - from));
        return;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    lua_tostring(L, -1);
    add_top(L, result);
}

static int l_gsub(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len), *p = luaL_checkstring(L, 2);
    int type = lua_type(L, 3);
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1), n = 0;
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TTABLE &&
        type != LUA_TFUNCTION)
        luaL_typerror(L, 3, "string/function/table");
    if (type == LUA_TNUMBER) lua_tostring(L, 3);
    if (is_deep()) return luaL_error(L, "stack overflow: gsub within gsub");

    struct pattern pattern;
    struct result result = {.size = 0};
    const char *at = s, *end = s + len;
    bool anchored = *p == '^';
    pattern_begin(&pattern, L, s, len);
    luaL_buffinit(L, &result.buffer);
    while (n < most) {
        const char *to = pattern_match(&pattern, at, p + anchored);
        if (to) {
            n++;
            add_value(&pattern, &result, at, to);
        }
        if (to && to > at) {
            at = to;
        } else if (at < end) {
            add(L, &result, at++, 1);
        } else {
            break;
        }
        if (anchored) break;
    }
    add(L, &result, at, (size_t)(end - at));
    luaL_pushresult(&result.buffer);
    lua_pushinteger(L, n);
    return 2;
}

/* ---- rep, format --------------------------------------------------------------------------
 */

/* Upvalue: the stock function. It may only run once its result is known to be small. */
static int call_stock(lua_State *L)
{
    int n = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, 1);
    return 1;
}

static int l_rep(lua_State *L)
{
    size_t len, between;
    lua_Integer n;
    luaL_checklstring(L, 1, &len);
    n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &between);
    if (n > 0 && len + between > 0 && (size_t)n > MAX_RESULT / (len + between))
        return luaL_error(L, "resulting string too large");
    if (len + between == 0) n = n > 0; /* nothing, a billion times, still takes its time */
    lua_pushinteger(L, n);
    lua_replace(L, 2);
    return call_stock(L);
}

static int l_format(lua_State *L)
{
    size_t size;
    const char *format = luaL_checklstring(L, 1, &size);
    bool quotes = memmem(format, size, "q", 1) != NULL; /* %q: up to four bytes for one */
    int n = lua_gettop(L);
    for (int i = 2; i <= n; i++) {
        size += ANY_NUMBER + (lua_type(L, i) == LUA_TSTRING ? lua_objlen(L, i) : 0);
    }
    check_size(L, quotes ? size * 4 : size);
    call_stock(L);
    check_size(L, lua_objlen(L, -1)); /* __tostring may have said anything */
    return 1;
}

/* ---- sort ---------------------------------------------------------------------------------
 */

/* sort(t, less): a comparison in Lua can be stopped, and so can a sort that asks it. Upvalue:
 * Lua's own. */
static int l_sort(lua_State *L)
{
    bool watched = lua_isfunction(L, 2) && !lua_iscfunction(L, 2);

    luaL_checktype(L, 1, LUA_TTABLE);
    if (!watched && lua_objlen(L, 1) > MOST_SORTED) {
        return luaL_error(L, "to sort more than %d elements, table.sort needs a function",
                          MOST_SORTED);
    }
    lua_settop(L, 2); /* t less */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1); /* sort t less */
    lua_call(L, 2, 0);
    return 0;
}

/* ---- for operator code --------------------------------------------------------------------
 */

void lua_safe_push_sort(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, LUA_TABLIBNAME); /* loaded table */
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, l_sort, 1); /* loaded table sort */
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void lua_safe_push_string(lua_State *L)
{
    static const char *const plain[] = {"byte",    "char", "len",   "lower",
                                        "reverse", "sub",  "upper", NULL};
    static const luaL_Reg bounded[] = {{"find", l_find},
                                       {"gmatch", l_gmatch},
                                       {"gsub", l_gsub},
                                       {"match", l_match},
                                       {NULL, NULL}};

    lua_newtable(L); /* safe */
    luaL_register(L, NULL, bounded);
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, LUA_STRLIBNAME); /* safe loaded string */
    for (int i = 0; plain[i]; i++) {
        lua_getfield(L, -1, plain[i]);
        lua_setfield(L, -4, plain[i]);
    }
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, l_rep, 1);
    lua_setfield(L, -4, "rep");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, l_format, 1);
    lua_setfield(L, -4, "format");
    lua_pop(L, 2);
}
