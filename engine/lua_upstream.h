/* What an upstream userdata holds; between lua_http.c, which opens and looks, and lua_stream.c,
 * which reads piece by piece. */
#ifndef MOONGATE_LUA_UPSTREAM_H
#define MOONGATE_LUA_UPSTREAM_H

#include <stdbool.h>

#include <lua.h>

#include "lua_task.h"
#include "sse.h"

struct task;
struct upstream;

/* `up` is owned, and NULL once closed. */
struct upstream_box {
    struct task_owned owned;
    struct upstream *up;
    struct task *task; /* borrowed: who waits; outlives `up` by task_own() */
    struct sse sse;    /* where the reader stands */
    int body_ref;      /* keeps the bytes that are being sent */
    unsigned turn;     /* events handed over since the last wait */
    lua_Number passed_events, passed_bytes; /* by relay */
};

/* The box at index 1; raises when it is closed. */
struct upstream_box *lua_upstream_live(lua_State *L);
/* Push an err table: kind, message, sent. */
int lua_upstream_failure(lua_State *L, const char *kind, const char *message, bool sent);
/* Add next_event, next_line, next_bytes and next_marked to the methods' table on top. */
void lua_stream_open(lua_State *L);

#endif
