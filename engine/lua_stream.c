/* The answer to an upstream call, read piece by piece; events passed on without a look. */
#include "lua_upstream.h"

#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "client.h"
#include "eventstream.h"
#include "json.h"
#include "lua_json.h"
#include "lua_relay.h"

enum {
    MAX_LINE = 4 << 20, /* MATRICES.md T13, of lines and messages as of events */
    EVENTS_A_TURN = 64, /* then others get their turn */
    PIECE = 64 << 10,
};

/* ---- read: false means not yet, nil the end ---- */

int lua_stream_not_yet(lua_State *L, struct upstream_box *box)
{
    box->turn = 0;
    if (upstream_state(box->up) >= UPSTREAM_ENDED) return 0;
    upstream_consume(box->up, 0); /* what is here is not enough, even if it fills the buffer */
    lua_pushboolean(L, 0);
    return 1;
}

/* After this many the others get their turn: the task is ready again at once. */
static bool turn_is_over(struct upstream_box *box)
{
    if (++box->turn <= EVENTS_A_TURN) return false;
    box->turn = 0;
    task_ready(box->task);
    return true;
}

/* Not now, although more may be here and the answer may have ended. */
static int others_first(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

/* The data of an event: decoded when it is JSON's object or array, else as it stands. */
static void push_data(lua_State *L, const char *data, size_t len)
{
    if (len && (data[0] == '{' || data[0] == '[') && lua_json_decode(L, data, len)) return;
    lua_pushlstring(L, data, len);
}

int lua_stream_push_event(lua_State *L, struct upstream_box *box, const struct sse_event *event)
{
    struct buf *bytes = upstream_bytes(box->up);

    lua_pushlstring(L, event->name, event->name_len);
    push_data(L, event->data, event->data_len);
    lua_pushlstring(L, bytes->data, event->size);
    if (event->lacks[0]) {
        lua_pushstring(L, event->lacks); /* name data bytes lacks */
        lua_concat(L, 2);
    }
    upstream_consume(box->up, event->size);
    upstream_progress(box->up);
    return 3;
}

enum sse_result lua_stream_find_event(struct upstream_box *box, struct sse_event *event)
{
    struct buf *bytes = upstream_bytes(box->up);

    for (;;) {
        bool ended = upstream_state(box->up) == UPSTREAM_ENDED;
        enum sse_result found = sse_next(&box->sse, bytes->data, bytes->len, ended, event);
        if (found != SSE_EVENT || event->has_data) return found;
        upstream_consume(box->up, event->size); /* a name without data is no event */
    }
}

int lua_stream_fail(lua_State *L, enum sse_result found)
{
    if (found == SSE_NO_MEMORY) return luaL_error(L, "out of memory");
    lua_upstream_failure(L, "too_large", "an event of the stream is larger than 4 MiB", true);
    return lua_error(L);
}

/* name, data, bytes | false | nil = next_event() */
static int l_next_event(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    struct sse_event event;

    if (turn_is_over(box)) return others_first(L);
    enum sse_result found = lua_stream_find_event(box, &event);
    if (found == SSE_MORE) return lua_stream_not_yet(L, box);
    if (found != SSE_EVENT) return lua_stream_fail(L, found);
    return lua_stream_push_event(L, box, &event);
}

/* data, bytes | false | nil = next_line() */
static int l_next_line(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    struct buf *bytes = upstream_bytes(box->up);

    if (turn_is_over(box)) return others_first(L);
    const char *end = bytes->len ? memchr(bytes->data, '\n', bytes->len) : NULL;
    size_t size = end ? (size_t)(end - bytes->data) + 1 : bytes->len;
    if (!end && (upstream_state(box->up) != UPSTREAM_ENDED || size == 0)) {
        if (bytes->len > MAX_LINE) return lua_stream_fail(L, SSE_TOO_LONG);
        return lua_stream_not_yet(L, box);
    }
    size_t len = end ? size - 1 : size;
    while (len && (bytes->data[len - 1] == '\r' || bytes->data[len - 1] == ' '))
        len--;
    push_data(L, bytes->data, len);
    lua_pushlstring(L, bytes->data, size);
    upstream_consume(box->up, size);
    upstream_progress(box->up);
    return 2;
}

/* What is wrong with a stream of messages; 0 where nothing is. */
static int fail_message(lua_State *L, struct upstream_box *box, enum eventstream_result found)
{
    bool ended = upstream_state(box->up) == UPSTREAM_ENDED;

    if (found == EVENTSTREAM_TOO_LONG) return lua_stream_fail(L, SSE_TOO_LONG);
    if (found == EVENTSTREAM_BROKEN) {
        lua_upstream_failure(L, "invalid", "the stream holds what is no message", true);
        return lua_error(L);
    }
    if (found == EVENTSTREAM_MORE && ended && upstream_bytes(box->up)->len) {
        lua_upstream_failure(L, "truncated", "the stream ended inside a message", true);
        return lua_error(L);
    }
    return 0;
}

static void push_text(lua_State *L, const struct eventstream_text *text)
{
    lua_pushlstring(L, text->bytes ? text->bytes : "", text->len);
}

/* name, data, kind | false | nil = next_message() */
static int l_next_message(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    struct buf *bytes = upstream_bytes(box->up);
    struct eventstream_message message;

    if (turn_is_over(box)) return others_first(L);
    enum eventstream_result found =
        eventstream_next(bytes->data, bytes->len, MAX_LINE, &message);
    if (found != EVENTSTREAM_MESSAGE) {
        fail_message(L, box, found);
        return lua_stream_not_yet(L, box);
    }
    push_text(L, &message.name);
    if (message.payload.len) {
        push_data(L, message.payload.bytes, message.payload.len);
    } else {
        push_text(L, &message.why);
    }
    push_text(L, &message.kind);
    upstream_consume(box->up, message.size);
    upstream_progress(box->up);
    return 3;
}

/* bytes | false | nil = next_bytes() */
static int l_next_bytes(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    struct buf *bytes = upstream_bytes(box->up);

    if (bytes->len == 0) return lua_stream_not_yet(L, box);
    if (turn_is_over(box)) return others_first(L);
    size_t size = bytes->len < PIECE ? bytes->len : PIECE;
    lua_pushlstring(L, bytes->data, size);
    upstream_consume(box->up, size);
    upstream_progress(box->up);
    return 1;
}

void lua_stream_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"next_event", l_next_event},           {"next_line", l_next_line},
        {"next_message", l_next_message},       {"next_bytes", l_next_bytes},
        {"next_marked", lua_relay_next_marked}, {NULL, NULL},
    };

    luaL_register(L, NULL, methods);
}
