#include "lua_relay.h"

#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "client.h"
#include "lua_context.h"
#include "lua_request.h"
#include "lua_upstream.h"
#include "server.h"

enum { UNREAD = 1 << 20 }; /* bytes for a reader that is gone, while its task goes on */

/* ---- the queue ---- */

void lua_relay_note(struct upstream_box *box)
{
    struct upstream_box **first = &box->context->relays;

    if (box->relay.prev) return;
    box->relay.next = *first;
    box->relay.prev = first;
    if (*first) (*first)->relay.prev = &box->relay.next;
    *first = box;
}

void lua_relay_forget(struct upstream_box *box)
{
    if (!box->relay.prev) return;
    *box->relay.prev = box->relay.next;
    if (box->relay.next) box->relay.next->relay.prev = box->relay.prev;
    box->relay.next = NULL;
    box->relay.prev = NULL;
}

/* ---- marks ---- */

static bool followed_by_null(const char *at, size_t left)
{
    while (left && *at == ' ') {
        at++;
        left--;
    }
    return left >= 4 && memcmp(at, "null", 4) == 0;
}

static bool holds_mark(const char *data, size_t len, const struct relay *relay)
{
    const char *end = data + len;

    for (size_t i = 0; i < relay->marks; i++) {
        const char *at = data;
        while ((at = memmem(at, (size_t)(end - at), relay->mark[i], relay->mark_len[i]))) {
            at += relay->mark_len[i];
            if (!followed_by_null(at, (size_t)(end - at))) return true;
        }
    }
    return false;
}

static void read_marks(lua_State *L, int index, struct relay *relay)
{
    luaL_checktype(L, index, LUA_TTABLE);
    relay->marks = lua_objlen(L, index);
    if (relay->marks > RELAY_MARKS) luaL_error(L, "more than %d marks", RELAY_MARKS);
    for (size_t i = 0; i < relay->marks; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        relay->mark[i] = luaL_checklstring(L, -1, &relay->mark_len[i]);
        lua_pop(L, 1); /* the table keeps it */
    }
}

/* ---- passing ---- */

/* All whole events in the buffer that hold no mark leave as one chunk, byte for byte; no more
 * than until the reader has enough. SSE_EVENT: one stands at the front that the task must see:
 * it has a mark, or the stream ended before it did, so that it may be cut, and what follows
 * would be read as a part of it. */
static enum sse_result pass(struct upstream_box *box, struct request *client)
{
    struct buf *bytes = upstream_bytes(box->up);
    bool ended = upstream_state(box->up) == UPSTREAM_ENDED;
    size_t size = 0, events = 0, unsent = request_unsent(client);
    enum sse_result found = SSE_MORE;
    struct sse_event event;

    while ((size < bytes->len || ended) && unsent + size <= REQUEST_CROWDED) {
        found = sse_next(&box->sse, bytes->data + size, bytes->len - size, ended, &event);
        if (found != SSE_EVENT || event.lacks[0] ||
            holds_mark(event.data, event.data_len, &box->relay)) {
            break;
        }
        size += event.size;
        events++;
        found = SSE_MORE;
    }
    if (events == 0) return found;
    /* A reader that is gone loses them; its task hears of that at the next wait. */
    if (request_send(client, bytes->data, size)) {
        box->passed_events += (lua_Number)events;
        box->passed_bytes += (lua_Number)size;
    } else {
        box->unread += size;
        if (box->unread > UNREAD) task_impatient(box->task);
    }
    upstream_consume(box->up, size);
    upstream_progress(box->up);
    return found;
}

/* The reader takes less than comes: nothing more is passed, so the upstream fills and pauses.
 */
static bool is_crowded(const struct request *client)
{
    return !request_is_gone(client) && request_unsent(client) > REQUEST_CROWDED;
}

/* False: the task has to look. */
static bool advance(struct upstream_box *box)
{
    struct request *client = box->relay.client;

    if (upstream_state(box->up) != UPSTREAM_OPEN || request_is_gone(client)) return false;
    if (is_crowded(client)) { /* the reader wakes the task when it has room */
        upstream_progress(box->up);
        return true;
    }
    if (pass(box, client) != SSE_MORE) return false;
    if (is_crowded(client)) return true; /* there is enough here */
    upstream_consume(box->up, 0); /* what is here is not enough, even if it fills the buffer */
    return true;
}

void lua_relays_run(struct lua_context *context)
{
    while (context->relays) {
        struct upstream_box *box = context->relays;
        lua_relay_forget(box);
        if (!advance(box)) task_ready(box->task);
    }
}

int lua_relay_next_marked(lua_State *L)
{
    struct upstream_box *box = lua_upstream_live(L);
    struct request *client = lua_request_at(L, 2);
    struct sse_event event;

    if (!client) return luaL_error(L, "the request is over");
    box->relay.client = NULL;
    read_marks(L, 3, &box->relay);
    enum sse_result found = is_crowded(client) ? SSE_MORE : pass(box, client);
    if (found == SSE_EVENT && lua_stream_find_event(box, &event) == SSE_EVENT) {
        return lua_stream_push_event(L, box, &event);
    }
    if (found == SSE_TOO_LONG || found == SSE_NO_MEMORY) return lua_stream_fail(L, found);
    if (is_crowded(client)) {
        lua_pushboolean(L, 0); /* the answer may have ended, but not for this reader */
        return 1;
    }
    box->relay.client = client; /* from here on without the task */
    return lua_stream_not_yet(L, box);
}
