#include "lua_row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "json.h"
#include "lua_json.h"
#include "moment.h"

/* Sixty small pieces a request: only the one that does not fit is worth a call. */
static inline void put(lua_State *L, struct buf *out, const char *text, size_t len)
{
    if (out->cap - out->len >= len && out->limit - out->len >= len) {
        memcpy(out->data + out->len, text, len);
        out->len += len;
    } else if (!buf_append(out, text, len)) {
        luaL_error(L, "out of memory");
    }
}

/* Digits by hand: printf is a tenth of a request's Lua time. */
static void put_integer(lua_State *L, struct buf *out, double value)
{
    char digits[24];
    char *at = digits + sizeof(digits);

    if (!(fabs(value) <= 9007199254740992.0)) luaL_error(L, "%%d: not an exact integer");
    uint64_t rest = (uint64_t)fabs(value);
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) *--at = '-';
    put(L, out, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_decimal(lua_State *L, struct buf *out, double value)
{
    double tenths = floor(fabs(value) * 10.0 + 0.5);
    char tail[2] = {'.', '0'};

    if (!(tenths < 9007199254740992.0)) luaL_error(L, "%%f: too large");
    tail[1] = (char)('0' + (int)fmod(tenths, 10.0));
    if (value < 0) put(L, out, "-", 1);
    put_integer(L, out, floor(tenths / 10.0));
    put(L, out, tail, 2);
}

static void put_now(lua_State *L, struct buf *out)
{
    char now[MOMENT_ISO_SIZE];

    moment_iso(moment_wall_us() / 1000, now);
    put(L, out, "\"", 1);
    put(L, out, now, strlen(now));
    put(L, out, "\"", 1);
}

static void put_text(lua_State *L, struct buf *out, int value)
{
    size_t len;
    const char *text = luaL_checklstring(L, value, &len);

    put(L, out, text, len);
}

/* Strictly, so that a row may stand in a log as it is. */
static void put_quoted(lua_State *L, struct buf *out, int value)
{
    size_t len;
    const char *text = luaL_checklstring(L, value, &len);

    if (!json_quote(out, text, len, true)) luaL_error(L, "out of memory");
}

static void put_value(lua_State *L, struct buf *out, char kind, int value)
{
    if (kind == 's') {
        put_text(L, out, value);
    } else if (kind == 'b') {
        bool yes = lua_toboolean(L, value);
        put(L, out, yes ? "true" : "false", yes ? 4 : 5);
    } else if (lua_isnoneornil(L, value)) {
        put(L, out, "null", 4);
    } else if (kind == 'q') {
        put_quoted(L, out, value);
    } else if (kind == 'd') {
        put_integer(L, out, luaL_checknumber(L, value));
    } else if (kind == 'f') {
        put_decimal(L, out, luaL_checknumber(L, value));
    } else {
        luaL_error(L, "a row knows no %%%c", kind);
    }
}

const char *lua_row_write(lua_State *L, int index, size_t *len)
{
    size_t format_len;
    const char *format = luaL_checklstring(L, index, &format_len);
    const char *end = format + format_len;
    struct buf *out = lua_json_buffer(L);
    int value = index;

    while (format < end) {
        const char *mark = memchr(format, '%', (size_t)(end - format));
        if (!mark || mark + 1 == end) mark = end;
        put(L, out, format, (size_t)(mark - format));
        if (mark == end) break;
        if (mark[1] == 't') {
            put_now(L, out);
        } else {
            put_value(L, out, mark[1], ++value);
        }
        format = mark + 2;
    }
    *len = out->len;
    return out->data;
}
