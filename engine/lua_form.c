#include "lua_form.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "lua_engine.h"
#include "multipart.h"

enum { WORTH_A_STEP = 16 << 10 }; /* bytes */

static const char FORM[] = "moongate.form";

/* The bytes never move while the form lives: what they are lent to needs no copy. */
struct form {
    char *bytes; /* owned */
    size_t len;
    size_t count;
    struct multipart_part parts[MULTIPART_PARTS]; /* their texts point into `bytes` */
    char boundary[MULTIPART_BOUNDARY + 1];
};

static int l_gc(lua_State *L)
{
    struct form *form = lua_touserdata(L, 1);

    free(form->bytes);
    form->bytes = NULL;
    return 0;
}

/* Push an empty form: the owner that must exist before there is something to own. */
static struct form *push_form(lua_State *L)
{
    struct form *form = lua_newuserdata(L, sizeof(*form));

    memset(form, 0, sizeof(*form));
    luaL_getmetatable(L, FORM);
    lua_setmetatable(L, -2);
    return form;
}

/* The collector does not see bytes outside Lua. */
static void tell_collector(lua_State *L, size_t len)
{
    if (len >= WORTH_A_STEP) lua_gc(L, LUA_GCSTEP, (int)(len >> 10));
}

/* Find the parts of `bytes`, which the form does not own yet. */
static const char *read_parts(struct form *form, const char *bytes, size_t len)
{
    struct multipart reader;
    enum multipart_result found;

    multipart_init(&reader, form->boundary, bytes, len);
    form->count = 0;
    do {
        struct multipart_part part;
        found = multipart_next(&reader, &part);
        if (found == MULTIPART_PART) form->parts[form->count++] = part;
    } while (found == MULTIPART_PART);
    return found == MULTIPART_BAD ? reader.problem : NULL;
}

const char *lua_form_push(lua_State *L, struct buf *bytes, const char *type)
{
    const char *problem = "its content-type names no boundary";
    struct form *form = push_form(L); /* form */

    if (type && multipart_boundary(type, form->boundary)) {
        problem = read_parts(form, bytes->data ? bytes->data : "", bytes->len);
    }
    if (!problem && form->count == 0) problem = "it has no parts";
    if (problem) {
        lua_pop(L, 1);
        return problem;
    }
    form->bytes = buf_take(bytes, &form->len);
    tell_collector(L, form->len);
    return NULL;
}

const char *lua_form_bytes(lua_State *L, int index, size_t *len)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    luaL_getmetatable(L, FORM);
    bool is_form = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!is_form) return NULL;
    const struct form *form = lua_touserdata(L, index);
    *len = form->len;
    return form->bytes;
}

static struct form *check_form(lua_State *L)
{
    return luaL_checkudata(L, 1, FORM);
}

static const struct multipart_part *check_part(lua_State *L, const struct form *form)
{
    lua_Integer i = luaL_checkinteger(L, 2);

    luaL_argcheck(L, i >= 1 && (size_t)i <= form->count, 2, "there is no such part");
    return &form->parts[i - 1];
}

static void set_text(lua_State *L, const char *name, struct multipart_text text)
{
    if (!text.at) return;
    lua_pushlstring(L, text.at, text.len);
    lua_setfield(L, -2, name);
}

/* { { name =, filename =, type =, size = }, … } = form:parts() */
static int l_parts(lua_State *L)
{
    const struct form *form = check_form(L);

    lua_createtable(L, (int)form->count, 0);
    for (size_t i = 0; i < form->count; i++) {
        lua_createtable(L, 0, 4); /* parts part */
        set_text(L, "name", form->parts[i].name);
        set_text(L, "filename", form->parts[i].filename);
        set_text(L, "type", form->parts[i].type);
        lua_pushnumber(L, (lua_Number)form->parts[i].content.len);
        lua_setfield(L, -2, "size");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* text = form:text(i [, most]): a part's content, or its first bytes */
static int l_text(lua_State *L)
{
    const struct multipart_part *part = check_part(L, check_form(L));
    size_t len = part->content.len;
    lua_Number most = luaL_optnumber(L, 3, (lua_Number)len);

    if (most < (lua_Number)len) len = most > 0 ? (size_t)most : 0;
    lua_pushlstring(L, part->content.at, len);
    return 1;
}

/* form = form:splice(i, text): the same with one part's content replaced. A text that holds the
 * boundary would be another form: raises. */
static int l_splice(lua_State *L)
{
    const struct form *form = check_form(L);
    const struct multipart_part *part = check_part(L, form);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    size_t before = (size_t)(part->content.at - form->bytes);
    size_t behind = form->len - before - part->content.len;

    struct form *made = push_form(L);
    memcpy(made->boundary, form->boundary, sizeof(made->boundary));
    made->bytes = malloc(before + len + behind);
    if (!made->bytes) return luaL_error(L, "not enough memory");
    made->len = before + len + behind;
    memcpy(made->bytes, form->bytes, before);
    memcpy(made->bytes + before, text, len);
    memcpy(made->bytes + before + len, part->content.at + part->content.len, behind);
    tell_collector(L, made->len);
    const char *problem = read_parts(made, made->bytes, made->len);
    if (problem || made->count != form->count) return luaL_error(L, "the text is no content");
    return 1;
}

/* bytes = form:bytes() */
static int l_bytes(lua_State *L)
{
    const struct form *form = check_form(L);

    lua_pushlstring(L, form->bytes, form->len);
    return 1;
}

static int l_len(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)check_form(L)->len);
    return 1;
}

/* form | nil, why = read(content_type, bytes) */
static int l_read(lua_State *L)
{
    const char *type = luaL_checkstring(L, 1);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    struct buf copy;

    buf_init(&copy, len);
    if (len && !buf_append(&copy, bytes, len)) return luaL_error(L, "not enough memory");
    const char *problem = lua_form_push(L, &copy, type);
    if (!problem) return 1;
    buf_free(&copy);
    lua_pushnil(L);
    lua_pushstring(L, problem);
    return 2;
}

int luaopen_engine_form(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"parts", l_parts}, {"text", l_text}, {"splice", l_splice},
        {"bytes", l_bytes}, {NULL, NULL},
    };

    luaL_newmetatable(L, FORM); /* meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_len);
    lua_setfield(L, -2, "__len");
    lua_newtable(L); /* meta methods */
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L); /* module */
    lua_pushcfunction(L, l_read);
    lua_setfield(L, -2, "read");
    return 1;
}
