/* engine.metric: by name, or by a handle where every nanosecond counts. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua_context.h"
#include "lua_engine.h"
#include "metrics.h"

enum { MAX_LABELS = 10, MAX_BUCKETS = 32 };

static const char *const KINDS[] = {"counter", "gauge", "histogram", NULL};
static const char *const HANDLES[] = {"moongate.counter", "moongate.gauge",
                                      "moongate.histogram"};

/* A series, looked up once. */
struct handle {
    struct metrics *metrics; /* borrowed; NULL where nothing is counted */
    unsigned worker;         /* whose slots add() uses */
    unsigned id;
};

/* Labels of the call at hand; the strings stay on the Lua stack. */
struct labels {
    struct metric_label list[MAX_LABELS];
    size_t n;
};

/* Raises on what is no table of scalars. Leaves the values it had to convert on the stack. */
static void read_labels(lua_State *L, int index, struct labels *labels)
{
    labels->n = 0;
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, MAX_LABELS + 4, "labels");
    lua_pushnil(L);
    while (lua_next(L, index)) { /* … key value */
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, index, "labels have names");
        luaL_argcheck(L, labels->n < MAX_LABELS, index, "at most 10 labels");
        if (lua_isboolean(L, -1)) {
            lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
            lua_replace(L, -2);
        }
        const char *value = lua_tostring(L, -1);
        luaL_argcheck(L, value != NULL, index, "labels are strings, numbers or booleans");
        labels->list[labels->n++] = (struct metric_label){lua_tostring(L, -2), value};
        lua_insert(L, -2); /* … value key: the value stays */
    }
}

static struct handle find(lua_State *L, enum metric_kind kind)
{
    const char *name = luaL_checkstring(L, 1);
    struct lua_context *context = lua_context_of(L);
    struct handle handle = {context->metrics, context->worker, 0};
    struct labels labels;

    read_labels(L, 2, &labels);
    if (handle.metrics)
        handle.id = metrics_series(handle.metrics, name, kind, labels.list, labels.n);
    return handle;
}

static void add(const struct handle *handle, double n)
{
    if (handle->metrics) metrics_add(handle->metrics, handle->worker, handle->id, n);
}

/* One value for all workers: the last one set stands. */
static void set(const struct handle *handle, double value)
{
    if (handle->metrics)
        metrics_set(handle->metrics, metrics_workers(handle->metrics), handle->id, value);
}

static void observe(const struct handle *handle, double value)
{
    if (handle->metrics) metrics_observe(handle->metrics, handle->worker, handle->id, value);
}

/* ---- by name ------------------------------------------------------------------------------
 */

/* add(name, labels | nil, n): a counter, or a gauge if it was described as one. */
static int l_add(lua_State *L)
{
    double n = luaL_optnumber(L, 3, 1);
    struct handle handle = find(L, METRIC_COUNTER);

    if (handle.id == 0) handle = find(L, METRIC_GAUGE);
    add(&handle, n);
    return 0;
}

/* set(name, labels | nil, value) */
static int l_set(lua_State *L)
{
    double value = luaL_checknumber(L, 3);
    struct handle handle = find(L, METRIC_GAUGE);

    set(&handle, value);
    return 0;
}

/* observe(name, labels | nil, value) */
static int l_observe(lua_State *L)
{
    double value = luaL_checknumber(L, 3);
    struct handle handle = find(L, METRIC_HISTOGRAM);

    observe(&handle, value);
    return 0;
}

/* describe(name, kind, help [, buckets]): before the first use. */
static int l_describe(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct metric_about about = {(enum metric_kind)luaL_checkoption(L, 2, NULL, KINDS),
                                 luaL_checkstring(L, 3), NULL, 0};
    struct metrics *metrics = lua_context_of(L)->metrics;
    double buckets[MAX_BUCKETS];

    if (!lua_isnoneornil(L, 4)) {
        luaL_checktype(L, 4, LUA_TTABLE);
        about.n = lua_objlen(L, 4);
        luaL_argcheck(L, about.n > 0 && about.n <= MAX_BUCKETS, 4, "1 to 32 buckets");
        about.buckets = buckets;
    }
    for (size_t i = 0; i < about.n; i++) {
        lua_rawgeti(L, 4, (int)i + 1);
        luaL_argcheck(L, lua_isnumber(L, -1), 4, "buckets are numbers");
        buckets[i] = lua_tonumber(L, -1);
        luaL_argcheck(L, i == 0 || buckets[i] > buckets[i - 1], 4, "buckets rise");
        lua_pop(L, 1);
    }
    if (metrics) metrics_describe(metrics, name, &about);
    return 0;
}

/* ---- by handle ----------------------------------------------------------------------------
 */

static int push_handle(lua_State *L, enum metric_kind kind)
{
    struct handle found = find(L, kind);
    struct handle *handle = lua_newuserdata(L, sizeof(*handle)); /* … handle */

    *handle = found;
    luaL_getmetatable(L, HANDLES[kind]);
    lua_setmetatable(L, -2);
    return 1;
}

static int l_counter(lua_State *L)
{
    return push_handle(L, METRIC_COUNTER);
}

static int l_gauge(lua_State *L)
{
    return push_handle(L, METRIC_GAUGE);
}

static int l_histogram(lua_State *L)
{
    return push_handle(L, METRIC_HISTOGRAM);
}

/* The method's metatable is its upvalue: no name is looked up. */
static const struct handle *self(lua_State *L)
{
    const struct handle *handle = lua_touserdata(L, 1);

    if (!handle || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(1)))
        luaL_argerror(L, 1, "a metric of this kind expected");
    lua_pop(L, 1);
    return handle;
}

static int l_handle_add(lua_State *L)
{
    add(self(L), luaL_optnumber(L, 2, 1));
    return 0;
}

static int l_handle_set(lua_State *L)
{
    set(self(L), luaL_checknumber(L, 2));
    return 0;
}

static int l_handle_observe(lua_State *L)
{
    observe(self(L), luaL_checknumber(L, 2));
    return 0;
}

static void make_kind(lua_State *L, enum metric_kind kind, const luaL_Reg *methods)
{
    luaL_newmetatable(L, HANDLES[kind]); /* meta */
    lua_newtable(L);                     /* meta methods */
    for (; methods->name; methods++) {
        lua_pushvalue(L, -2);
        lua_pushcclosure(L, methods->func, 1);
        lua_setfield(L, -2, methods->name);
    }
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int luaopen_engine_metric(lua_State *L)
{
    static const luaL_Reg counter[] = {{"add", l_handle_add}, {NULL, NULL}};
    static const luaL_Reg gauge[] = {
        {"add", l_handle_add}, {"set", l_handle_set}, {NULL, NULL}};
    static const luaL_Reg histogram[] = {{"observe", l_handle_observe}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"add", l_add},
        {"set", l_set},
        {"observe", l_observe},
        {"describe", l_describe},
        {"counter", l_counter},
        {"gauge", l_gauge},
        {"histogram", l_histogram},
        {NULL, NULL},
    };

    make_kind(L, METRIC_COUNTER, counter);
    make_kind(L, METRIC_GAUGE, gauge);
    make_kind(L, METRIC_HISTOGRAM, histogram);
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
