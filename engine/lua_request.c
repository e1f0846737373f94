#include "lua_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "json.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_form.h"
#include "lua_headers.h"
#include "lua_json.h"
#include "lua_task.h"
#include "lua_vm.h"
#include "server.h"

enum {
    FIELD_NAME_MAX = 256, /* of a header that scripts list */
};

static const char REQUEST[] = "moongate.request";

/* What a request userdata holds. `request` is borrowed from the task; NULL once that ended. */
struct request_box {
    struct task_owned owned;
    struct request *request;
};

static void box_release(struct task_owned *owned)
{
    struct request_box *box = (struct request_box *)owned;

    box->request = NULL;
}

static int l_gc(lua_State *L)
{
    struct request_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    box->request = NULL;
    return 0;
}

void lua_request_push(lua_State *L, struct request *request)
{
    struct request_box *box = lua_newuserdata(L, sizeof(*box)); /* box */

    box->request = request;
    box->owned.release = box_release;
    luaL_getmetatable(L, REQUEST); /* box meta */
    lua_setmetatable(L, -2);       /* box */
    task_own(L, &box->owned);
}

struct request *lua_request_at(lua_State *L, int index)
{
    struct request_box *box = luaL_checkudata(L, index, REQUEST);

    return box->request;
}

static struct request *live(lua_State *L)
{
    struct request *request = lua_request_at(L, 1);

    if (!request) luaL_error(L, "the request is over");
    return request;
}

/* ---- what came ---- */

static int l_header(lua_State *L)
{
    lua_pushstring(L, request_header(live(L), luaL_checkstring(L, 2)));
    return 1;
}

static int l_header_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)request_header_count(live(L), luaL_checkstring(L, 2)));
    return 1;
}

/* Into the table on top: name = value, or what stands there already, a comma, and the value. */
static void add_field(lua_State *L, const char *name, size_t name_len,
                      const struct request_field *field)
{
    lua_pushlstring(L, name, name_len);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3); /* table name old */
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, field->value, field->value_len);
    } else {
        lua_pushliteral(L, ",");
        lua_pushlstring(L, field->value, field->value_len);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

/* { name = value } = headers_with(prefix) : names in lower case, as is the prefix */
static int l_headers_with(lua_State *L)
{
    struct request *request = live(L);
    size_t len;
    const char *prefix = luaL_checklstring(L, 2, &len);
    struct request_field field;
    char name[FIELD_NAME_MAX];

    lua_newtable(L);
    for (unsigned i = 0; request_field(request, i, &field); i++) {
        if (field.name_len < len || field.name_len > sizeof name) continue;
        for (size_t n = 0; n < field.name_len; n++) {
            char c = field.name[n];
            name[n] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        }
        if (memcmp(name, prefix, len) == 0) add_field(L, name, field.name_len, &field);
    }
    return 1;
}

/* bool = coming() : wait and look again */
static int l_coming(lua_State *L)
{
    struct buf *bytes;

    lua_pushboolean(L, request_body(live(L), &bytes) == REQUEST_BODY_COMING);
    return 1;
}

static int push_refusal(lua_State *L, int status, const char *code, const char *message)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 4); /* nil err */
    lua_pushstring(L, status < 500 ? "bad_request" : "overloaded");
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    return 2;
}

static int push_no_room(lua_State *L)
{
    return push_refusal(L, 503, "overloaded", "There is no memory for the request body.");
}

/* The whole body; or the number of values pushed that say why not. */
static int whole_body(lua_State *L, struct buf **bytes)
{
    switch (request_body(live(L), bytes)) {
    case REQUEST_BODY_WHOLE: return 0;
    case REQUEST_BODY_TOO_LARGE:
        return push_refusal(L, 413, "body_too_large", "The request body is too large.");
    case REQUEST_BODY_TIMEOUT:
        return push_refusal(L, 408, "request_timeout", "The request body came too slowly.");
    case REQUEST_BODY_NO_MEMORY: return push_no_room(L);
    case REQUEST_BODY_COMING:
    case REQUEST_BODY_BROKEN: break;
    }
    return push_refusal(L, 400, "invalid_body", "The request body was cut off.");
}

/* doc | nil, err = take_document() */
static int l_take_document(lua_State *L)
{
    struct buf *bytes;
    struct json_error error;
    int refused = whole_body(L, &bytes);

    if (refused) return refused;
    if (lua_doc_push(L, bytes, &error)) return 1;
    if (error.code == JSON_NO_MEMORY) return push_no_room(L);
    char why[JSON_ERROR_SPACE], message[JSON_ERROR_SPACE + 64];
    json_explain(&error, why);
    (void)snprintf(message, sizeof(message), "The request body cannot be read: %s.", why);
    push_refusal(L, 400, json_code_name(error.code), message); /* nil err */
    if (error.param[0]) {
        lua_pushstring(L, error.param);
        lua_setfield(L, -2, "param");
    }
    return 2;
}

/* form | nil, err = take_form() */
static int l_take_form(lua_State *L)
{
    struct buf *bytes;
    int refused = whole_body(L, &bytes);

    if (refused) return refused;
    const char *problem = lua_form_push(L, bytes, request_header(live(L), "content-type"));
    if (!problem) return 1;
    lua_pushfstring(L, "The form cannot be read: %s.", problem); /* message */
    return push_refusal(L, 400, "invalid_value", lua_tostring(L, -1));
}

/* bytes | nil, err = take_bytes() */
static int l_take_bytes(lua_State *L)
{
    struct buf *bytes;
    int refused = whole_body(L, &bytes);

    if (refused) return refused;
    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->len);
    return 1;
}

/* ---- answers ---- */

/* A final status; what is none would be our own mistake further on, which ends the process. */
static int status_at(lua_State *L, int index)
{
    lua_Integer status = luaL_checkinteger(L, index);

    luaL_argcheck(L, status >= 200 && status <= 599, index, "a status of 200 to 599 expected");
    return (int)status;
}

/* sent = respond(status, headers, body) */
static int l_respond(lua_State *L)
{
    struct request *request = live(L);
    int status = status_at(L, 2);
    struct http_header headers[HEADERS_MAX];
    size_t n, len = 0;
    char *body = NULL;

    lua_settop(L, 4);
    n = lua_headers_read(L, 3, headers);
    if (lua_isstring(L, 4)) {
        const char *text = lua_tolstring(L, 4, &len);
        body = malloc(len ? len : 1);
        if (!body) return luaL_error(L, "out of memory");
        memcpy(body, text, len);
    } else if (!lua_isnil(L, 4) && !lua_doc_take(L, 4, &body, &len)) {
        return luaL_argerror(L, 4, "string or document expected");
    }
    lua_pushboolean(L, request_respond(request, status, headers, n, body, len));
    return 1;
}

/* begun = begin(status, headers) */
static int l_begin(lua_State *L)
{
    struct request *request = live(L);
    int status = status_at(L, 2);
    struct http_header headers[HEADERS_MAX];

    lua_settop(L, 3);
    size_t n = lua_headers_read(L, 3, headers);
    lua_pushboolean(L, request_begin(request, status, headers, n));
    return 1;
}

/* push(bytes): a reader that is gone loses them; its task hears of that at the next wait. */
static int l_push(lua_State *L)
{
    size_t len;
    struct request *request = live(L);
    const char *bytes = luaL_checklstring(L, 2, &len);

    lua_pushboolean(L, request_send(request, bytes, len));
    return 1;
}

/* bool = crowded(): too much is on its way */
static int l_crowded(lua_State *L)
{
    struct request *request = live(L);

    lua_pushboolean(L, !request_is_gone(request) && request_unsent(request) > REQUEST_CROWDED);
    return 1;
}

static int l_finish(lua_State *L)
{
    struct request *request = live(L);

    request_finish(request, lua_toboolean(L, 2));
    return 0;
}

/* ---- fields ---- */

static int push_field(lua_State *L, struct request *request, const char *name)
{
    if (strcmp(name, "method") == 0) {
        lua_pushstring(L, request_method(request));
    } else if (strcmp(name, "path") == 0) {
        lua_pushstring(L, request_path(request));
    } else if (strcmp(name, "query") == 0) {
        lua_pushstring(L, request_query(request));
    } else if (strcmp(name, "peer") == 0) {
        lua_pushstring(L, request_peer(request));
    } else if (strcmp(name, "admin") == 0) {
        lua_pushboolean(L, request_is_admin(request));
    } else if (strcmp(name, "gone") == 0) {
        lua_pushboolean(L, request_is_gone(request));
    } else if (strcmp(name, "started") == 0) {
        lua_pushnumber(L, (lua_Number)request_started_ms(request) / 1000.0);
    } else {
        return 0;
    }
    return 1;
}

/* A method, else a field. */
static int l_index(lua_State *L)
{
    lua_pushvalue(L, 2);                /* box name name */
    lua_rawget(L, lua_upvalueindex(1)); /* box name method */
    if (!lua_isnil(L, -1)) return 1;
    return push_field(L, live(L), luaL_checkstring(L, 2));
}

void lua_request_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"header", l_header},
        {"header_count", l_header_count},
        {"headers_with", l_headers_with},
        {"coming", l_coming},
        {"take_document", l_take_document},
        {"take_bytes", l_take_bytes},
        {"take_form", l_take_form},
        {"respond", l_respond},
        {"begin", l_begin},
        {"push", l_push},
        {"crowded", l_crowded},
        {"finish", l_finish},
        {NULL, NULL},
    };

    luaL_newmetatable(L, REQUEST); /* meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L); /* meta methods */
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_index, 1); /* meta methods index */
    lua_setfield(L, -3, "__index");  /* meta methods */
    lua_remove(L, -2);               /* methods */
}
