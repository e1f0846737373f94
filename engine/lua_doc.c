#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "buf.h"
#include "json.h"
#include "lua_json.h"

enum { PARTS = 2 };

/* An object inside a document. */
struct part {
    struct json_index index; /* owned */
    uint32_t at;             /* where it stands; 0: nowhere */
};

/* An indexed JSON object. Its bytes are C's, so that bodies never become Lua strings unasked.
 */
struct doc {
    char *bytes; /* owned; NULL once taken */
    size_t len;
    struct json_index index;  /* owned */
    struct part parts[PARTS]; /* of the objects that at() looked into last, by depth */
    bool indexed;             /* a splice is indexed when somebody looks into it */
    bool lent;                /* lua_doc_bytes() gave the bytes away; they must stay */
};

enum { WORTH_A_STEP = 16 << 10 }; /* bytes */

static const char DOC_META = 'd'; /* registry key: its address */

/* ---- life ---------------------------------------------------------------------------------
 */

static struct doc *doc_of(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    lua_pushlightuserdata(L, (void *)&DOC_META);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool is_doc = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_doc ? lua_touserdata(L, index) : NULL;
}

static struct doc *check_doc(lua_State *L)
{
    struct doc *doc = doc_of(L, 1);
    if (doc && doc->bytes) return doc;
    if (doc) luaL_error(L, "the document was handed over");
    luaL_typerror(L, 1, "document");
    return NULL;
}

/* The same, with its index. */
static struct doc *check_indexed(lua_State *L)
{
    struct doc *doc = check_doc(L);
    struct json_error error;
    if (doc->indexed) return doc;
    if (!json_index(&doc->index, doc->bytes, doc->len, &json_answer_limits, &error))
        luaL_error(L, "the spliced document: %s", error.message);
    doc->indexed = true;
    return doc;
}

/* Push an empty document: the owner that must exist before there is something to own. */
static struct doc *push_doc(lua_State *L)
{
    struct doc *doc = lua_newuserdata(L, sizeof(*doc));
    *doc = (struct doc){0};
    lua_pushlightuserdata(L, (void *)&DOC_META);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
    return doc;
}

/* The collector does not see bytes outside Lua; without this, large dead documents would pile
 * up. A step begins a collection where none is due: small ones are left to the usual pace. */
static void tell_collector(lua_State *L, size_t len)
{
    if (len >= WORTH_A_STEP) lua_gc(L, LUA_GCSTEP, (int)(len >> 10));
}

static void drop(struct doc *doc)
{
    free(doc->bytes);
    json_index_free(&doc->index);
    for (size_t i = 0; i < PARTS; i++) {
        json_index_free(&doc->parts[i].index);
    }
    *doc = (struct doc){0};
}

static int doc_gc(lua_State *L)
{
    drop(lua_touserdata(L, 1));
    return 0;
}

static bool push_checked(lua_State *L, struct buf *bytes, const struct json_limits *limits,
                         struct json_error *error)
{
    struct doc *doc = push_doc(L); /* doc */
    const char *text = bytes->data ? bytes->data : "";
    doc->indexed = json_index(&doc->index, text, bytes->len, limits, error);
    if (!doc->indexed) {
        lua_pop(L, 1);
        return false;
    }
    doc->bytes = buf_take(bytes, &doc->len);
    tell_collector(L, doc->len);
    return true;
}

bool lua_doc_push(lua_State *L, struct buf *bytes, struct json_error *error)
{
    return push_checked(L, bytes, &json_client_limits, error);
}

bool lua_doc_push_answer(lua_State *L, struct buf *bytes, struct json_error *error)
{
    return push_checked(L, bytes, &json_answer_limits, error);
}

bool lua_doc_take(lua_State *L, int index, char **bytes, size_t *len)
{
    struct doc *doc = doc_of(L, index);
    if (!doc || !doc->bytes) return false;
    *len = doc->len;
    if (doc->lent) {
        *bytes = malloc(doc->len);
        if (*bytes) memcpy(*bytes, doc->bytes, doc->len);
        return *bytes != NULL;
    }
    *bytes = doc->bytes;
    doc->bytes = NULL;
    drop(doc);
    return true;
}

const char *lua_doc_peek(lua_State *L, int index, size_t *len)
{
    struct doc *doc = doc_of(L, index);
    if (!doc || !doc->bytes) return NULL;
    *len = doc->len;
    return doc->bytes;
}

const char *lua_doc_bytes(lua_State *L, int index, size_t *len)
{
    struct doc *doc = doc_of(L, index);
    if (!doc || !doc->bytes) return NULL;
    doc->lent = true;
    *len = doc->len;
    return doc->bytes;
}

/* doc | nil, err = json.index(text) */
int lua_json_index(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct json_error error;
    struct doc *doc = push_doc(L); /* doc */
    doc->bytes = malloc(len ? len : 1);
    if (!doc->bytes) return luaL_error(L, "not enough memory");
    memcpy(doc->bytes, text, len);
    doc->len = len;
    doc->indexed = json_index(&doc->index, doc->bytes, len, &json_client_limits, &error);
    tell_collector(L, len);
    if (doc->indexed) return 1;
    lua_pushnil(L);
    lua_json_push_error(L, &error);
    return 2;
}

/* ---- looking ------------------------------------------------------------------------------
 */

/* The member that a method's arguments name: (doc, name [, child]). NULL: absent. */
static const struct json_member *find(lua_State *L, const struct doc *doc,
                                      struct json_member *space)
{
    size_t len, child_len;
    const char *name = luaL_checklstring(L, 2, &len);
    const char *child = luaL_optlstring(L, 3, NULL, &child_len);
    const struct json_member *found = json_index_find(&doc->index, doc->bytes, name, len);
    if (!found || !child) return found;
    return json_find(doc->bytes, found, child, child_len, space) ? space : NULL;
}

static int absent(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

/* Push the decoded text, or nil and why not. */
static int push_value(lua_State *L, const char *text, size_t len, int options)
{
    struct json_error error;
    if (lua_json_read(L, text, len, options, &error)) return 1;
    lua_pushnil(L);
    lua_json_push_error(L, &error);
    return 2;
}

/* value | nil = doc:get(name [, child]) */
static int doc_get(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    struct json_member space;
    const struct json_member *member = find(L, doc, &space);
    if (!member) return absent(L);
    return push_value(L, doc->bytes + member->value, member->value_len, 0);
}

/* text | nil = doc:raw(name [, child]) */
static int doc_raw(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    struct json_member space;
    const struct json_member *member = find(L, doc, &space);
    if (!member) return absent(L);
    lua_pushlstring(L, doc->bytes + member->value, member->value_len);
    return 1;
}

/* digits | nil = doc:number_text(name [, child]) */
static int doc_number_text(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    struct json_member space;
    const struct json_member *member = find(L, doc, &space);
    if (!member || member->type != JSON_NUMBER) return absent(L);
    lua_pushlstring(L, doc->bytes + member->value, member->value_len);
    return 1;
}

/* word | nil = doc:type(name [, child]) */
static int doc_type(lua_State *L)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string",
        [JSON_NUMBER] = "number", [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean",
        [JSON_NULL] = "null"};
    struct doc *doc = check_indexed(L);
    struct json_member space;
    const struct json_member *member = find(L, doc, &space);
    if (!member) return absent(L);
    lua_pushstring(L, words[member->type]);
    return 1;
}

/* table | nil, err = doc:decode([options]) */
static int doc_decode(lua_State *L)
{
    struct doc *doc = check_doc(L);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    return push_value(L, doc->bytes, doc->len, lua_istable(L, 2) ? 2 : 0);
}

static int doc_bytes(lua_State *L)
{
    struct doc *doc = check_doc(L);
    lua_pushlstring(L, doc->bytes, doc->len);
    return 1;
}

/* The first element of the array that `at` is. Its length is not looked for: what reads on from
 * an object's brace stops at the other. */
static bool first_element(const char *text, struct json_member *at, bool whole)
{
    const char *from = text + at->value, *end = from + at->value_len;
    struct json_reader reader;

    json_begin(&reader, from, at->value_len, &json_answer_limits);
    (void)json_next(&reader);
    enum json_token token = json_next(&reader);
    if (token == JSON_CLOSE || token == JSON_BAD) return false;
    bool quoted = token == JSON_STRING;
    bool nested = token == JSON_OBJECT || token == JSON_ARRAY;
    from = reader.from - quoted;
    if (!nested) end = reader.to + quoted;
    if (nested && whole) {
        if (json_skip(&reader) != JSON_CLOSE) return false;
        end = reader.at;
    }
    at->value = (uint32_t)(from - text);
    at->value_len = (uint32_t)(end - from);
    at->type = (unsigned char)token;
    return true;
}

/* One step down a path: the member or first element called `name` of what `at` is, `depth`
 * steps below the top. Objects are indexed once for all the paths that lead through them. */
static bool step(struct doc *doc, const char *name, size_t depth, struct json_member *at)
{
    size_t len = strcspn(name, ".");
    struct part *part = &doc->parts[depth < PARTS ? depth : PARTS - 1];

    if (at->type == JSON_ARRAY) {
        return len == 1 && *name == '0' && first_element(doc->bytes, at, name[len] == '\0');
    }
    if (at->type != JSON_OBJECT) return false;
    if (part->at != at->value) {
        json_index_free(&part->index);
        part->at = 0;
        if (!json_index_member(&part->index, doc->bytes, at)) return false;
        part->at = at->value;
    }
    const struct json_member *found = json_index_find(&part->index, doc->bytes, name, len);
    if (found) *at = *found;
    return found != NULL;
}

/* Follow a path from the top. False: there is nothing. */
static bool follow(struct doc *doc, const char *path, struct json_member *at)
{
    const char *dot = strchrnul(path, '.');
    const struct json_member *top =
        json_index_find(&doc->index, doc->bytes, path, (size_t)(dot - path));
    bool found = top != NULL;

    if (found) *at = *top;
    for (size_t depth = 0; found && *dot; depth++) {
        found = step(doc, dot + 1, depth, at);
        dot = strchrnul(dot + 1, '.');
    }
    return found;
}

/* Scalars without a reader: that is what paths are asked for. */
static void push_at(lua_State *L, const char *text, const struct json_member *at)
{
    const char *value = text + at->value;
    double number;

    if (at->type == JSON_NUMBER && json_number(value, at->value_len, &number)) {
        lua_pushnumber(L, number);
    } else if (at->type == JSON_STRING && !memchr(value, '\\', at->value_len)) {
        lua_pushlstring(L, value + 1, at->value_len - 2);
    } else if (push_value(L, value, at->value_len, 0) == 2) {
        lua_pop(L, 1);
    }
}

/* value | nil, … = doc:at(path, …): what stands at "usage.prompt_tokens" or
 * "choices.0.finish_reason" (0 is the only element it knows), without the tables on the way. */
static int doc_at(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    int paths = lua_gettop(L);
    struct json_member at = {0};

    luaL_checkstack(L, paths, "too many paths");
    for (int i = 2; i <= paths; i++) {
        if (follow(doc, luaL_checkstring(L, i), &at)) {
            push_at(L, doc->bytes, &at);
        } else {
            lua_pushnil(L);
        }
    }
    return paths - 1;
}

/* bool = doc:is_empty(name): [] or {} */
static int doc_is_empty(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    struct json_member space;
    const struct json_member *member = find(L, doc, &space);
    struct json_reader reader;

    if (!member || (member->type != JSON_ARRAY && member->type != JSON_OBJECT)) return 0;
    json_begin(&reader, doc->bytes + member->value, member->value_len, &json_answer_limits);
    (void)json_next(&reader);
    lua_pushboolean(L, json_next(&reader) == JSON_CLOSE);
    return 1;
}

static int doc_alike(lua_State *L)
{
    const struct doc *doc = check_indexed(L);
    int arg = lua_gettop(L);

    for (size_t len; arg > 1; arg--) {
        const char *name = luaL_checklstring(L, arg, &len);
        if (json_index_alike(&doc->index, doc->bytes, name, len)) break;
    }
    lua_settop(L, arg);
    return arg > 1;
}

static int doc_len(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)check_doc(L)->len);
    return 1;
}

/* ---- splice -------------------------------------------------------------------------------
 */

static int compare_edits(const void *left, const void *right)
{
    const struct json_edit *a = left, *b = right; /* names are whole paths while sorting */
    int order = memcmp(a->name, b->name, a->name_len < b->name_len ? a->name_len : b->name_len);
    return order ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* Gather the table at 2 as edits, with whole paths for names, and their values' text in the
 * state's buffer: `value` is NULL for a removal and else not set yet, `child_len` is where the
 * text begins. */
static struct buf *gather(lua_State *L, struct json_edit *edits)
{
    struct buf *values = lua_json_buffer(L);
    size_t n = 0;
    lua_pushnil(L);
    for (; lua_next(L, 2); lua_pop(L, 1)) { /* path value */
        struct json_edit *edit = &edits[n++];
        *edit = (struct json_edit){0};
        edit->name = lua_tolstring(L, -2, &edit->name_len);
        if (lua_json_is_remove(L, -1)) continue;
        edit->child_len = values->len;
        lua_json_write(L, -1);
        edit->value_len = values->len - edit->child_len;
        edit->value = edit->name; /* not NULL; set by split() */
    }
    return values;
}

/* Turn a path into name and child, and point to the value's text, which no longer moves. */
static void split(lua_State *L, struct json_edit *edit, const struct buf *values)
{
    const char *dot = memchr(edit->name, '.', edit->name_len);
    if (edit->value) edit->value = values->data + edit->child_len;
    edit->child_len = 0;
    if (!dot) return;
    edit->child = dot + 1;
    edit->child_len = edit->name_len - (size_t)(dot + 1 - edit->name);
    edit->name_len = (size_t)(dot - edit->name);
    lua_pushlstring(L, edit->name, edit->name_len); /* … parent */
    lua_pushvalue(L, -1);
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1))
        luaL_error(L, "splice: %s is edited both as a whole and inside", lua_tostring(L, -2));
    lua_pop(L, 2);
}

/* doc = doc:splice { [path] = value | json.remove } */
static int doc_splice(lua_State *L)
{
    struct doc *doc = check_indexed(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    size_t n = 0;
    lua_pushnil(L);
    for (; lua_next(L, 2); lua_pop(L, 1)) {
        n++;
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 2, "the paths must be strings");
    }
    struct json_edit *edits = lua_newuserdata(L, (n + 1) * sizeof(*edits)); /* doc t edits */
    const struct buf *values = gather(L, edits);
    qsort(edits, n, sizeof(*edits), compare_edits);
    for (size_t i = 0; i < n; i++) {
        split(L, &edits[i], values);
    }
    struct doc *made = push_doc(L); /* doc t edits made */
    struct buf out;
    buf_init(&out, UINT32_MAX - 1);
    if (!json_splice(&doc->index, doc->bytes, edits, n, &out))
        return luaL_error(L, "not enough memory");
    made->bytes = buf_take(&out, &made->len);
    tell_collector(L, made->len);
    return 1;
}

/* ---- the metatable ------------------------------------------------------------------------
 */

void lua_doc_open(lua_State *L)
{
    static const luaL_Reg more[] = {{"alike", doc_alike}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"at", doc_at},         {"bytes", doc_bytes},
                                       {"decode", doc_decode}, {"is_empty", doc_is_empty},
                                       {"get", doc_get},       {"number_text", doc_number_text},
                                       {"raw", doc_raw},       {"splice", doc_splice},
                                       {"type", doc_type},     {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", doc_gc}, {"__len", doc_len}, {NULL, NULL}};
    lua_pushlightuserdata(L, (void *)&DOC_META);
    lua_newtable(L); /* key meta */
    luaL_register(L, NULL, meta);
    lua_newtable(L); /* key meta methods */
    luaL_register(L, NULL, methods);
    luaL_register(L, NULL, more);
    lua_setfield(L, -2, "__index");
    lua_rawset(L, LUA_REGISTRYINDEX);
}
