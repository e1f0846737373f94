/* engine.http: an upstream call, as scripts see it. prelude.lua adds what waits. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <lauxlib.h>

#include "buf.h"
#include "client.h"
#include "json.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_form.h"
#include "lua_headers.h"
#include "lua_json.h"
#include "lua_relay.h"
#include "lua_task.h"
#include "lua_upstream.h"
#include "server.h"
#include "sse.h"

enum {
    MAX_EVENT = 4 << 20,   /* MATRICES.md T13 */
    MAX_ANSWER = 64 << 20, /* MATRICES.md 3.4 */
    SHOWN = 4096,          /* bytes of an answer that is no JSON */
};

static const char UPSTREAM[] = "moongate.upstream";

static void box_close(struct upstream_box *box)
{
    if (!box->up) return;
    lua_relay_forget(box);
    upstream_close(box->up);
    box->up = NULL;
    sse_free(&box->sse);
}

static void box_release(struct task_owned *owned)
{
    box_close((struct upstream_box *)owned);
}

static void on_ready(void *owner)
{
    struct upstream_box *box = owner;

    if (box->relay.client) {
        lua_relay_note(box);
    } else {
        task_ready(box->task);
    }
}

static struct upstream_box *box_at(lua_State *L)
{
    return luaL_checkudata(L, 1, UPSTREAM);
}

struct upstream_box *lua_upstream_live(lua_State *L)
{
    struct upstream_box *box = box_at(L);

    if (!box->up) luaL_error(L, "the upstream call is closed");
    return box;
}

/* ---- open ---- */

/* 0: no limit. Rounded up: what is left of a deadline may not end before it, and less than a
 * millisecond, or nothing, is the shortest limit, and not none. */
static int64_t milliseconds(lua_State *L, int index, const char *name)
{
    int64_t limit = 0;

    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1)) {
        lua_Number ms = luaL_checknumber(L, -1) * 1000.0;
        limit = ms > 1.0 ? (int64_t)ms : 1;
        if ((lua_Number)limit < ms) limit++;
    }
    lua_pop(L, 1);
    return limit;
}

static void read_timeouts(lua_State *L, int index, struct client_timeouts *timeouts)
{
    lua_getfield(L, index, "timeout"); /* … timeout */
    if (lua_istable(L, -1)) {
        int at = lua_gettop(L);
        timeouts->connect_ms = milliseconds(L, at, "connect");
        timeouts->first_event_ms = milliseconds(L, at, "first_event");
        timeouts->idle_ms = milliseconds(L, at, "idle");
        timeouts->event_ms = milliseconds(L, at, "event");
        timeouts->total_ms = milliseconds(L, at, "total");
    }
    lua_pop(L, 1);
}

/* Push the body's owner (string, document or nil) and fill in its bytes. */
static void read_body(lua_State *L, int index, struct client_request *want)
{
    lua_getfield(L, index, "body"); /* … body */
    if (lua_isnil(L, -1)) return;
    if (lua_type(L, -1) == LUA_TSTRING) {
        want->body = lua_tolstring(L, -1, &want->body_len);
    } else {
        want->body = lua_doc_bytes(L, lua_gettop(L), &want->body_len);
        if (!want->body) want->body = lua_form_bytes(L, lua_gettop(L), &want->body_len);
        if (!want->body) luaL_error(L, "http.open: body must be text, a document or a form");
    }
}

int lua_upstream_failure(lua_State *L, const char *kind, const char *message, bool sent)
{
    lua_createtable(L, 0, 3); /* err */
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, sent);
    lua_setfield(L, -2, "sent");
    return 1;
}

static struct upstream_box *box_new(lua_State *L)
{
    struct upstream_box *box = lua_newuserdata(L, sizeof(*box)); /* … box */

    memset(box, 0, sizeof(*box));
    box->body_ref = LUA_NOREF;
    box->owned.release = box_release;
    luaL_getmetatable(L, UPSTREAM);
    lua_setmetatable(L, -2); /* … box */
    return box;
}

/* upstream | nil, err = http_start(request)
 *
 * Everything that can raise comes first. Once client_open() has succeeded nothing here may
 * raise, and the transfer already has an owner: the box, whose __gc closes it. */
static int l_start(lua_State *L)
{
    struct client_request want = {
        .method = "POST", .max_body = MAX_ANSWER, .on_ready = on_ready};
    struct http_header headers[HEADERS_MAX];

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "url"); /* req url */
    want.url = luaL_checkstring(L, 2);
    lua_getfield(L, 1, "method"); /* req url method */
    if (!lua_isnil(L, 3)) want.method = luaL_checkstring(L, 3);
    lua_getfield(L, 1, "stream");
    want.stream = lua_toboolean(L, -1);
    lua_getfield(L, 1, "private");
    want.private = lua_toboolean(L, -1);
    lua_getfield(L, 1, "max_body");
    if (!lua_isnil(L, -1)) want.max_body = (size_t)luaL_checknumber(L, -1);
    lua_getfield(L, 1, "max_event");
    size_t max_event = lua_isnil(L, -1) ? MAX_EVENT : (size_t)luaL_checknumber(L, -1);
    lua_settop(L, 3);
    read_timeouts(L, 1, &want.timeouts);
    lua_getfield(L, 1, "headers"); /* req url method headers */
    want.headers = headers;
    want.header_count = lua_headers_read(L, 4, headers);
    read_body(L, 1, &want); /* req url method headers body */

    struct upstream_box *box = box_new(L); /* req url method headers body box */
    box->task = task_current(L);
    box->context = lua_context_of(L);
    if (!box->task) return luaL_error(L, "no call can be made while files load");
    lua_pushvalue(L, 5);
    box->body_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    sse_init(&box->sse, max_event);
    want.owner = box;
    box->up = client_open(box->context->client, &want);
    if (!box->up) {
        lua_pushnil(L);
        lua_upstream_failure(L, "invalid",
                             "the request cannot be sent: its URL or a header is not valid",
                             false);
        return 2;
    }
    task_own(L, &box->owned);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct upstream_box *box = lua_touserdata(L, 1);

    task_disown(&box->owned);
    box_close(box);
    luaL_unref(L, LUA_REGISTRYINDEX, box->body_ref);
    box->body_ref = LUA_NOREF;
    return 0;
}

/* ---- look ---- */

/* bool = waiting(): no status line yet */
static int l_waiting(lua_State *L)
{
    lua_pushboolean(L, upstream_state(lua_upstream_live(L)->up) == UPSTREAM_WAITING);
    return 1;
}

/* bool = running(): the answer is not whole. Whoever waits for all of it wants what comes, even
 * of a stream, which otherwise stops where nobody consumes. */
static int l_running(lua_State *L)
{
    struct upstream *up = lua_upstream_live(L)->up;
    bool running = upstream_state(up) < UPSTREAM_ENDED;

    if (running) upstream_consume(up, 0);
    lua_pushboolean(L, running);
    return 1;
}

/* err | nil = failure() */
static int l_failure(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    const struct upstream_failure *failure = upstream_failure(box->up);

    if (!failure) return 0;
    return lua_upstream_failure(L, failure->kind, failure->message, failure->sent);
}

static int l_header(lua_State *L)
{
    lua_pushstring(L, upstream_header(lua_upstream_live(L)->up, luaL_checkstring(L, 2)));
    return 1;
}

/* doc | nil, err = take_document() of a whole answer */
static int l_take_document(lua_State *L)
{
    struct buf *bytes = upstream_bytes(lua_upstream_live(L)->up);
    struct json_error error;

    if (lua_doc_push_answer(L, bytes, &error)) return 1;
    /* The bytes are still here: what came instead, for the log. */
    lua_pushnil(L);
    lua_upstream_failure(L, "invalid", error.message, true); /* nil err */
    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->len < SHOWN ? bytes->len : SHOWN);
    lua_setfield(L, -2, "text");
    return 2;
}

/* bytes = take_bytes() of a whole answer */
static int l_take_bytes(lua_State *L)
{
    struct buf *bytes = upstream_bytes(lua_upstream_live(L)->up);

    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->len);
    return 1;
}

/* ---- fields ---- */

/* Seconds an HTTP date lies ahead of the answer's own Date, so that our clock does not matter
 * (MATRICES.md U-24). */
static bool seconds_until(const char *date, const char *now_date, lua_Number *seconds)
{
    struct tm then = {0}, now = {0};

    if (!strptime(date, "%a, %d %b %Y %H:%M:%S", &then)) return false;
    bool dated = now_date && strptime(now_date, "%a, %d %b %Y %H:%M:%S", &now);
    *seconds = difftime(timegm(&then), dated ? timegm(&now) : time(NULL));
    if (*seconds < 0) *seconds = 0;
    return true;
}

/* retry-after-ms, then retry-after as seconds or a date. Nonsense is ignored. */
static int push_retry_after(lua_State *L, struct upstream *up)
{
    const char *ms = upstream_header(up, "retry-after-ms");
    const char *after = upstream_header(up, "retry-after");
    const char *text = ms ? ms : after;
    lua_Number seconds;
    char *end;

    if (!text) return 0;
    seconds = strtod(text, &end);
    if (end != text && *end == '\0' && seconds >= 0) {
        lua_pushnumber(L, ms ? seconds / 1000.0 : seconds);
        return 1;
    }
    if (!after || !seconds_until(after, upstream_header(up, "date"), &seconds)) return 0;
    lua_pushnumber(L, seconds);
    return 1;
}

static int push_passed(lua_State *L, const struct upstream_box *box)
{
    lua_createtable(L, 0, 2);
    lua_pushnumber(L, box->passed_events);
    lua_setfield(L, -2, "events");
    lua_pushnumber(L, box->passed_bytes);
    lua_setfield(L, -2, "bytes");
    return 1;
}

static int push_field(lua_State *L, struct upstream_box *box, const char *name)
{
    if (strcmp(name, "passed") == 0) return push_passed(L, box);
    if (!box->up) return 0;
    if (strcmp(name, "status") == 0) {
        lua_pushinteger(L, upstream_status(box->up));
        return 1;
    }
    if (strcmp(name, "retry_after") == 0) return push_retry_after(L, box->up);
    if (strcmp(name, "first_byte") == 0) {
        lua_pushnumber(L, (lua_Number)upstream_first_byte_ms(box->up) / 1000.0);
        return 1;
    }
    return 0;
}

/* A method, else a field. */
static int l_index(lua_State *L)
{
    lua_pushvalue(L, 2);                /* box name name */
    lua_rawget(L, lua_upvalueindex(1)); /* box name method */
    if (!lua_isnil(L, -1)) return 1;
    return push_field(L, box_at(L), luaL_checkstring(L, 2));
}

static int l_close(lua_State *L)
{
    struct upstream_box *box = box_at(L);

    task_disown(&box->owned);
    box_close(box);
    return 0;
}

void lua_upstream_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"waiting", l_waiting},
        {"running", l_running},
        {"failure", l_failure},
        {"header", l_header},
        {"take_document", l_take_document},
        {"take_bytes", l_take_bytes},
        {"close", l_close},
        {NULL, NULL},
    };

    lua_pushcfunction(L, l_start); /* raw start */
    lua_setfield(L, -2, "http_start");
    luaL_newmetatable(L, UPSTREAM); /* raw meta */
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L); /* raw meta methods */
    luaL_register(L, NULL, methods);
    lua_stream_open(L);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -3, "__index"); /* raw meta methods */
    lua_remove(L, -2);              /* raw methods */
}
