/* What an upstream userdata holds; between lua_http.c, which opens and looks, and lua_stream.c,
 * which reads piece by piece. */
#ifndef MOONGATE_LUA_UPSTREAM_H
#define MOONGATE_LUA_UPSTREAM_H

#include <stdbool.h>

#include <lua.h>

#include "lua_task.h"
#include "sse.h"

struct lua_context;
struct request;
struct task;
struct upstream;

enum { RELAY_MARKS = 8 };

/* Where events go by themselves, and which ones stop. */
struct relay {
    struct request *client;            /* borrowed; NULL: the task reads by itself */
    struct upstream_box *next, **prev; /* in context->relays: something came */
    const char *mark[RELAY_MARKS];     /* kept alive by the relay() call that waits */
    size_t mark_len[RELAY_MARKS], marks;
};

/* `up` is owned, and NULL once closed. */
struct upstream_box {
    struct task_owned owned;
    struct upstream *up;
    struct task *task;           /* borrowed: who waits; outlives `up` by task_own() */
    struct lua_context *context; /* borrowed: the thread's */
    struct relay relay;
    struct sse sse;                         /* where the reader stands */
    int body_ref;                           /* keeps the bytes that are being sent */
    unsigned turn;                          /* events handed over since the last wait */
    lua_Number passed_events, passed_bytes; /* by relay */
    size_t unread;                          /* bytes that relay found nobody for */
};

/* The box at index 1; raises when it is closed. */
struct upstream_box *lua_upstream_live(lua_State *L);
/* Push an err table: kind, message, sent. */
int lua_upstream_failure(lua_State *L, const char *kind, const char *message, bool sent);

/* Between lua_stream.c and lua_relay.c: the answers of a method that does not wait. */
int lua_stream_not_yet(lua_State *L, struct upstream_box *box);
int lua_stream_push_event(lua_State *L, struct upstream_box *box,
                          const struct sse_event *event);
int lua_stream_fail(lua_State *L, enum sse_result found);
/* The first whole event with data; it stands at the front of the buffer. */
enum sse_result lua_stream_find_event(struct upstream_box *box, struct sse_event *event);

/* Add next_event, next_line, next_bytes and next_marked to the methods' table on top. */
void lua_stream_open(lua_State *L);

#endif
