/* engine.cli: a blocking request to a gateway's admin listener. For a command's state alone: on
 * a worker's thread it would hold up everybody. */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "buf.h"
#include "cli_http.h"
#include "lua_cli.h"

enum { MAX_ANSWER = 256 << 20, SECONDS = 60 };

static const char BOX[] = "moongate.cli_answer";

/* Lua may raise at any push: the answer is freed with its box. */
struct answer_box {
    struct buf bytes;
};

static int l_gc(lua_State *L)
{
    struct answer_box *box = lua_touserdata(L, 1);

    buf_free(&box->bytes);
    return 0;
}

static struct buf *push_box(lua_State *L)
{
    struct answer_box *box = lua_newuserdata(L, sizeof(*box)); /* box */

    buf_init(&box->bytes, MAX_ANSWER);
    if (luaL_newmetatable(L, BOX)) { /* box meta */
        lua_pushcfunction(L, l_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2); /* box */
    return &box->bytes;
}

/* A text of the table at 1, which stays on the stack. */
static const char *field(lua_State *L, const char *name, size_t *len)
{
    lua_getfield(L, 1, name);
    return lua_tolstring(L, -1, len);
}

static int push_failure(lua_State *L, const char *kind, const char *message)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 2); /* nil err */
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    return 2;
}

/* status, body | nil, err = http { address, target, token, body } */
static int l_http(lua_State *L)
{
    struct cli_request request = {.seconds = SECONDS};
    size_t len;

    luaL_checktype(L, 1, LUA_TTABLE);
    request.address = field(L, "address", NULL);
    request.target = field(L, "target", NULL);
    request.token = field(L, "token", NULL);
    request.body = field(L, "body", &request.body_len);
    luaL_argcheck(L, request.address && request.target, 1, "address and target expected");
    if (!request.body) request.body_len = 0;
    struct buf *answer = push_box(L);
    switch (cli_http(&request, answer)) {
    case CLI_UNREACHABLE: return push_failure(L, "unreachable", strerror(errno));
    case CLI_SILENT: return push_failure(L, "silent", "no answer came in time");
    case CLI_BROKEN: return push_failure(L, "broken", "the answer was cut off");
    case CLI_ANSWERED: break;
    }
    const char *body = cli_http_body(answer, &len);
    lua_pushinteger(L, cli_http_status(answer));
    lua_pushlstring(L, body, len);
    return 2;
}

void lua_cli_http_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"http", l_http}, {NULL, NULL}};

    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded"); /* package loaded */
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_setfield(L, -2, "engine.cli");
    lua_pop(L, 2);
}
