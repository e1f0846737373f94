/* engine.tokens: exact counts where there is a vocabulary, estimates where not. Also built into
 * the tests, where there is no context. */
#include <math.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "learned.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_guard.h"
#include "lua_json.h"
#include "lua_outline.h"
#include "lua_vm.h"
#include "metrics.h"
#include "moment.h"
#include "shelf.h"
#include "tokens_body.h"

enum {
    STEP = 4096,       /* bytes between two looks at the clock */
    SHARE = 30,        /* percent of the tokens in a script: then it is the text's */
    TURN_US = 1500,    /* then others have theirs */
    GUARDED_US = 20000 /* where nothing may wait: what is left is then estimated */
};

static const char BODY[] = "moongate.tokens_body";
static const char context_key = 0; /* its address: the registry's key of the context */
static const char spare_key = 0;   /* and that of a body not in use */

static const struct outline plain; /* of a text */

static const struct lua_context *context_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&context_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    const struct lua_context *context = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return context;
}

/* ---- a body that is counted ------------------------------------------------------------- */

static int body_gc(lua_State *L)
{
    tokens_body_free(lua_touserdata(L, 1));
    return 0;
}

/* Push the one that is not in use, or make it. */
static struct tokens_body *push_spare(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&spare_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct tokens_body *body = lua_touserdata(L, -1);
    if (body) return body;
    lua_pop(L, 1);
    body = lua_newuserdata(L, sizeof(*body)); /* body */
    tokens_body_init(body);
    luaL_getmetatable(L, BODY);
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, (void *)&spare_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return body;
}

/* The body on top of the stack is in use for longer, with the document (or text) and the
 * outline at `doc` and behind it. */
static void keep(lua_State *L, int doc)
{
    size_t len;

    lua_pushlightuserdata(L, (void *)&spare_key);
    lua_pushnil(L);
    lua_rawset(L, LUA_REGISTRYINDEX); /* the next call makes another */
    (void)lua_doc_bytes(L, doc, &len);
    lua_createtable(L, 2, 0); /* body holds */
    for (int i = 0; i < 2; i++) {
        lua_pushvalue(L, doc + i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfenv(L, -2);
}

/* Counts until done or out of time. True: done. */
static bool work(struct tokens_body *body, int64_t us)
{
    int64_t end_us = 0;

    while (!tokens_body_step(body, STEP)) {
        int64_t now_us = moment_unhurried_us();
        if (end_us == 0) end_us = now_us + us; /* most are done in one step */
        if (now_us >= end_us) return false;
    }
    return true;
}

/* Where nothing may wait it is a guarded call, or a command, which has all the time. */
static bool may_wait(lua_State *L, const struct lua_context *context)
{
    return context->guard && !context->guard->running && vm_of(L)->running;
}

static uint64_t limit_at(lua_State *L, int index)
{
    lua_Number limit = luaL_optnumber(L, index, HUGE_VAL);

    luaL_argcheck(L, limit >= 0, index, "a limit is not negative");
    return limit < 9e15 ? (uint64_t)limit : TOKENS_NO_LIMIT;
}

/* The body on top of the stack is set up: count it. True: it is counted, as far as may be. */
static bool count_body(lua_State *L, const struct lua_context *context, int doc, bool now)
{
    struct tokens_body *body = lua_touserdata(L, -1);
    bool waits = context && may_wait(L, context);
    int64_t us = waits || now ? TURN_US : GUARDED_US;
    if (!waits && !now && context && context->cli) us = INT64_MAX / 2;

    if (work(body, us)) return true;
    if (!waits || now) {
        tokens_body_cut(body);
        return true;
    }
    keep(L, doc);
    return false;
}

static void prepare(struct tokens_body *body, const struct lua_context *context,
                    const char *encoding, uint64_t limit)
{
    bool able = context && context->tokens_work;

    body->tokens = able ? shelf_find(context->shelf, encoding) : NULL;
    body->work = able ? context->tokens_work : NULL;
    body->limit = limit;
}

/* ---- what it came to -------------------------------------------------------------------- */

/* What a text mostly is: 1 Latin, 2 code, 3 Greek or Cyrillic, 4 Chinese or Japanese, 5 Korean.
 */
static int script_of(const struct tokens_tally *tally)
{
    const uint64_t *n = tally->tokens;
    uint64_t all = 0;

    for (size_t i = 0; i < TALLY_KINDS; i++) {
        all += n[i];
    }
    all = all * SHARE / 100;
    if (n[TALLY_HANGUL] > all) return 5;
    if (n[TALLY_HAN] + n[TALLY_KANA] > all) return 4;
    if (n[TALLY_GREEK] + n[TALLY_CYRILLIC] > all) return 3;
    return n[TALLY_SIGNS] + n[TALLY_DIGITS] + n[TALLY_BLANKS] + n[TALLY_LINES] > all ? 2 : 1;
}

/* Push a list of { kind, width, height, bytes, detail }, or nil. */
static void push_pictures(lua_State *L, const struct buf *pictures)
{
    static const char *const kinds[] = {[IMAGE_ELSEWHERE] = "elsewhere",
                                        [IMAGE_SIZED] = "sized",
                                        [IMAGE_UNSIZED] = "unsized",
                                        [IMAGE_PDF] = "pdf"};
    static const char *const details[DETAILS] = {"auto", "low", "high", "original"};
    const struct tokens_picture *one = (const void *)pictures->data;
    size_t many = pictures->len / sizeof(*one);

    if (many == 0) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, (int)many, 0);
    for (size_t i = 0; i < many; i++, one++) {
        lua_createtable(L, 0, 5); /* list picture */
        lua_pushstring(L, kinds[one->image.kind]);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, details[one->detail]);
        lua_setfield(L, -2, "detail");
        lua_pushnumber(L, one->image.width);
        lua_setfield(L, -2, "width");
        lua_pushnumber(L, one->image.height);
        lua_setfield(L, -2, "height");
        lua_pushnumber(L, (lua_Number)one->image.bytes);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static int push_body(lua_State *L, const struct tokens_body *body)
{
    lua_pushnumber(L, outline_weigh(body->outline, &body->tally, body->texts));
    lua_pushboolean(L, body->tokens && !body->rough);
    lua_pushnumber(L, body->frames);
    lua_pushnumber(L, body->outline->weighted ? script_of(&body->tally) : 0);
    lua_pushboolean(L, body->ruled);
    push_pictures(L, &body->pictures);
    return 6;
}

/* n, exact = count(text [, encoding [, limit]]); or nil, run: call tokens_go_on(run) in a later
 * turn. A text of more than `limit` tokens has limit + 1. */
static int l_count(lua_State *L)
{
    const struct lua_context *context = context_of(L);
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *encoding = luaL_optstring(L, 2, "");
    uint64_t limit = limit_at(L, 3);

    lua_settop(L, 2);
    struct tokens_body *body = push_spare(L); /* text encoding body */
    prepare(body, context, encoding, limit);
    tokens_body_begin_text(body, &plain, text, len);
    if (count_body(L, context, 1, false)) {
        push_body(L, body);
        lua_pop(L, 4);
        return 2;
    }
    lua_pushnil(L);
    lua_insert(L, -2); /* … nil body */
    return 2;
}

/* texts, exact, frames, script, ruled, pictures = body(doc or text, outline, encoding [,
 * limit]); or nil, run, as above. */
static int l_body(lua_State *L)
{
    const struct lua_context *context = context_of(L);
    const struct outline *outline = lua_outline_check(L, 2);
    const char *encoding = luaL_checkstring(L, 3);
    uint64_t limit = limit_at(L, 4);
    bool now = lua_toboolean(L, 5);
    size_t len;
    const char *bytes = lua_doc_peek(L, 1, &len);
    const char *text = bytes ? bytes : luaL_checklstring(L, 1, &len);

    lua_settop(L, 3);
    struct tokens_body *body = push_spare(L); /* doc outline encoding body */
    prepare(body, context, encoding, limit);
    if (bytes) {
        tokens_body_begin(body, outline, bytes, len);
    } else {
        tokens_body_begin_text(body, outline, text, len);
    }
    if (count_body(L, context, 1, now)) return push_body(L, body);
    lua_pushnil(L);
    lua_insert(L, -2); /* … nil body */
    return 2;
}

/* The six of body = tokens_go_on(run); nil: not yet. */
static int l_go_on(lua_State *L)
{
    struct tokens_body *body = luaL_checkudata(L, 1, BODY);

    if (work(body, TURN_US)) return push_body(L, body);
    lua_pushnil(L);
    return 1;
}

/* exact = has(encoding): is its vocabulary here? */
static int l_has(lua_State *L)
{
    const char *encoding = luaL_checkstring(L, 1);

    const struct lua_context *context = context_of(L);
    lua_pushboolean(L, context && shelf_find(context->shelf, encoding));
    return 1;
}

/* text = complaint(): why vocabularies are missing; "" where none is. */
static int l_complaint(lua_State *L)
{
    const struct lua_context *context = context_of(L);

    lua_pushstring(L, context && context->shelf ? shelf_complaint(context->shelf) : "");
    return 1;
}

static int push_lesson(lua_State *L, struct lesson lesson)
{
    if (lesson.count == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushnumber(L, lesson.mean);
    lua_pushnumber(L, lesson.deviation);
    lua_pushnumber(L, (lua_Number)lesson.count);
    return 3;
}

static unsigned kind_at(lua_State *L, int index)
{
    lua_Number kind = luaL_checknumber(L, index);

    luaL_argcheck(L, kind >= 0 && kind < LEARNED_KINDS, index, "no such kind");
    return (unsigned)kind;
}

/* mean, deviation, count | nil = learn(name, kind, ratio): what it is now. */
static int l_learn(lua_State *L)
{
    const struct lua_context *context = context_of(L);
    const char *name = luaL_checkstring(L, 1);
    unsigned kind = kind_at(L, 2);
    double ratio = luaL_checknumber(L, 3);
    struct lesson lesson = {0};

    if (context && context->learned) lesson = learned_add(context->learned, name, kind, ratio);
    return push_lesson(L, lesson);
}

/* mean, deviation, count | nil = learned(name, kind) */
static int l_learned(lua_State *L)
{
    const struct lua_context *context = context_of(L);
    const char *name = luaL_checkstring(L, 1);
    unsigned kind = kind_at(L, 2);
    struct lesson lesson = {0};

    if (context && context->learned) lesson = learned_get(context->learned, name, kind);
    return push_lesson(L, lesson);
}

/* drift(model, ratio): what a gauge says, one for all workers. */
static int l_drift(lua_State *L)
{
    const struct lua_context *context = context_of(L);
    struct metric_label label = {"model", luaL_checkstring(L, 1)};
    double ratio = luaL_checknumber(L, 2);
    struct metrics *metrics = context ? context->metrics : NULL;

    if (!metrics) return 0;
    unsigned id =
        metrics_series(metrics, "moongate_token_drift_ratio", METRIC_GAUGE, &label, 1);
    metrics_set(metrics, metrics_workers(metrics), id, ratio);
    return 0;
}

enum { MAX_MARKS = 32 };

struct mark {
    const char *text; /* borrowed from the stack; two bytes at least */
    size_t len;
};

/* The marks among the arguments from the second on, and what they begin with. */
static int read_marks(lua_State *L, struct mark *marks, bool *begins, bool *goes_on)
{
    int count = lua_gettop(L) - 1;

    luaL_argcheck(L, count <= MAX_MARKS, MAX_MARKS + 2, "too many texts");
    for (int i = 0; i < count; i++) {
        marks[i].text = luaL_checklstring(L, i + 2, &marks[i].len);
        luaL_argcheck(L, marks[i].len >= 2, i + 2, "a text of two bytes at least");
        begins[(unsigned char)marks[i].text[0]] = true;
        goes_on[(unsigned char)marks[i].text[1]] = true;
    }
    return count;
}

static bool stands_here(const char *at, size_t left, const struct mark *marks, int count)
{
    for (int i = 0; i < count; i++) {
        if (marks[i].text[1] != at[1] || marks[i].len > left) continue;
        if (memcmp(at, marks[i].text, marks[i].len) == 0) return true;
    }
    return false;
}

/* bool = mentions(doc, text, …): do the document's bytes hold one of these? One pass. */
static int l_mentions(lua_State *L)
{
    size_t len;
    const char *bytes = lua_doc_peek(L, 1, &len);
    struct mark marks[MAX_MARKS];
    bool begins[256] = {false}, goes_on[256] = {false}, found = false;

    if (!bytes) return luaL_typerror(L, 1, "document");
    int count = read_marks(L, marks, begins, goes_on);
    for (size_t at = 0; at + 1 < len && !found; at++) {
        if (!begins[(unsigned char)bytes[at]] || !goes_on[(unsigned char)bytes[at + 1]])
            continue;
        found = stands_here(bytes + at, len - at, marks, count);
    }
    lua_pushboolean(L, found);
    return 1;
}

int luaopen_engine_tokens(lua_State *L)
{
    static const luaL_Reg functions[] = {{"body", l_body},
                                         {"count", l_count},
                                         {"complaint", l_complaint},
                                         {"drift", l_drift},
                                         {"has", l_has},
                                         {"learn", l_learn},
                                         {"learned", l_learned},
                                         {"mentions", l_mentions},
                                         {"outline", lua_outline_make},
                                         {NULL, NULL}};

    lua_outline_open(L);
    luaL_newmetatable(L, BODY);
    lua_pushcfunction(L, body_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}

void lua_tokens_use(lua_State *L, const struct lua_context *context)
{
    lua_pushlightuserdata(L, (void *)&context_key);
    lua_pushlightuserdata(L, (void *)context);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void lua_tokens_open(lua_State *L)
{
    lua_tokens_use(L, lua_context_of(L)); /* raw */
    lua_pushcfunction(L, l_go_on);
    lua_setfield(L, -2, "tokens_go_on");
}
