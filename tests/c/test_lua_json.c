/* Memory that ends in the middle: whatever Lua raises, nothing leaks (the sanitizer looks) and
 * the state goes on working. Also what the C side of documents promises the other bindings. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "buf.h"
#include "check.h"
#include "lua_engine.h"
#include "lua_json.h"

/* How many allocations may still succeed; negative: all. */
static long left = -1;

static void *allocate(void *ctx, void *ptr, size_t old, size_t size)
{
    (void)ctx;
    (void)old;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (left == 0 && (!ptr || size > old)) return NULL; /* shrinking never fails */
    if (left > 0) left--;
    return realloc(ptr, size);
}

static lua_State *new_state(void)
{
    lua_State *L = lua_newstate(allocate, NULL);
    if (!L) return NULL;
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_engine_json);
    lua_call(L, 0, 1);
    lua_setglobal(L, "json");
    return L;
}

static const char script[] =
    "local text = '{\"a\":[1,{\"b\":\"\\\\n\"}],\"p\":{\"z\":[]},\"n\":1e999,\"s\":\"'\n"
    "  .. (\"\\\\\\\\u00e9\"):rep(500) .. '\"}'\n"
    "local value = assert(json.decode(text, { ordered = true, raw = { p = true } }))\n"
    "local doc = assert(json.index(text))\n"
    "local made = doc:splice { [\"o.k\"] = value, a = json.array { 1 }, n = json.remove }\n"
    "assert(json.index(made:bytes()):get \"o\".k.a[2].b == \"\\n\")\n"
    "assert(#json.encode { value, doc, made, json.object({ \"y\", \"x\" }, { x = 1, y = {} }) "
    "})\n"
    "assert(not json.decode(text:sub(1, -2)))\n"
    "assert(not json.index(text:sub(1, -2)))\n";

static void survives_every_failure(void)
{
    lua_State *L = new_state();
    if (!CHECK(L && luaL_loadstring(L, script) == 0)) return;
    int status = LUA_ERRMEM;
    long n = 0;
    for (; status && n < 5000; n++) {
        lua_pushvalue(L, -1);
        left = n;
        status = lua_pcall(L, 0, 0, 0);
        left = -1;
        if (status && !CHECK(status == LUA_ERRMEM || strstr(lua_tostring(L, -1), "memory")))
            fprintf(stderr, "  at %ld: %s\n", n, lua_tostring(L, -1));
        if (status) lua_pop(L, 1);
        lua_gc(L, LUA_GCCOLLECT, 0);
    }
    CHECK(n > 50 && status == 0);
    lua_close(L);
}

static void push(lua_State *L, const char *text)
{
    struct buf bytes;
    struct json_error error;
    buf_init(&bytes, 1000);
    CHECK(buf_append(&bytes, text, strlen(text)));
    CHECK(lua_doc_push(L, &bytes, &error));
    CHECK(bytes.data == NULL);
}

static void hands_over_bytes(void)
{
    lua_State *L = new_state();
    char *taken = NULL;
    size_t len = 0;
    if (!CHECK(L != NULL)) return;

    push(L, "{\"a\":1}");
    CHECK(lua_doc_take(L, -1, &taken, &len));
    CHECK_TEXT(taken, len, "{\"a\":1}");
    free(taken);
    CHECK(!lua_doc_take(L, -1, &taken, &len) && !lua_doc_bytes(L, -1, &len));
    lua_setglobal(L, "doc");
    CHECK(luaL_dostring(L, "return doc:get 'a'") != 0);
    CHECK(strstr(lua_tostring(L, -1), "handed over") != NULL);

    push(L, "{\"b\":2}"); /* lent: a copy is taken */
    const char *lent = lua_doc_bytes(L, -1, &len);
    CHECK_TEXT(lent, len, "{\"b\":2}");
    CHECK(lua_doc_take(L, -1, &taken, &len) && taken != lent);
    CHECK_TEXT(taken, len, "{\"b\":2}");
    CHECK_TEXT(lent, len, "{\"b\":2}");
    free(taken);

    lua_newuserdata(L, 8);
    CHECK(!lua_doc_bytes(L, -1, &len) && !lua_doc_take(L, -1, &taken, &len));
    lua_pushliteral(L, "{}");
    CHECK(!lua_doc_bytes(L, -1, &len));
    lua_close(L);
}

static void keeps_refused_bytes(void)
{
    lua_State *L = new_state();
    struct buf bytes;
    struct json_error error;
    if (!CHECK(L != NULL)) return;
    int top = lua_gettop(L);
    buf_init(&bytes, 1000);
    CHECK(!lua_doc_push(L, &bytes, &error) && error.code == JSON_INVALID);
    CHECK(buf_append(&bytes, "{\"a\":1,\"a\":2}", 13));
    CHECK(!lua_doc_push(L, &bytes, &error) && error.code == JSON_DUPLICATE);
    CHECK_TEXT(bytes.data, bytes.len, "{\"a\":1,\"a\":2}");
    CHECK(!lua_json_decode(L, "[1,", 3));
    CHECK(lua_gettop(L) == top);
    CHECK(lua_json_decode(L, "[1]", 3) && lua_istable(L, -1));
    buf_free(&bytes);
    lua_close(L);
}

static void logs_anything(void)
{
    lua_State *L = new_state();
    size_t len;
    if (!CHECK(L != NULL)) return;
    CHECK(luaL_dostring(L,
                        "local loop = {} loop.loop = loop "
                        "return { nan = 0/0, inf = { 1/0, -1/0 }, s = 'a\\127\\226\\128\\168', "
                        "mixed = { 1, [true] = 2 }, bad = '\\255', z = json.null }, "
                        "{ print, loop, coroutine.create(print), json.remove }") == 0);
    const char *text = lua_json_encode_log(L, -2, &len);
    CHECK_TEXT(
        text, len,
        "{\"bad\":\"\\ufffd\",\"inf\":[\"inf\",\"-inf\"],\"mixed\":{\"1\":1,\"boolean\":2},"
        "\"nan\":\"nan\",\"s\":\"a\\u007f\\u2028\",\"z\":null}");
    struct json_error error;
    text = lua_json_encode_log(L, -1, &len);
    CHECK(json_check(text, len, &(struct json_limits){64, 1000, 1000}, &error) ||
          error.code == JSON_TOO_DEEP);
    CHECK(strstr(text, "function: ") && strstr(text, "too deep"));
    lua_close(L);
}

int main(void)
{
    survives_every_failure();
    hands_over_bytes();
    keeps_refused_bytes();
    logs_anything();
    return check_report();
}
