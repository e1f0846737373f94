/* Usage as providers say it, and what it costs: lib/usage.lua and lib/money.lua against sums in
 * 128 bits. The input: ten prices and a threshold (three bytes each), then a usage object.
 *
 * Oracles: what is understood is whole numbers of at least nothing, no part more than the
 * whole; the bill is that of the reference to the nano-dollar, or unknown where the reference
 * has none; the bound of so many tokens is never below the bill. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int luaopen_engine(lua_State *L);
const char *__asan_default_options(void);

#define MUST(expr)                                  \
    do {                                            \
        if (!(expr)) {                              \
            fprintf(stderr, "not so: %s\n", #expr); \
            abort();                                \
        }                                           \
    } while (0)

enum { PRICES = 10, PRICE_BYTES = 3, HEAD = (PRICES + 1) * PRICE_BYTES };

/* Of rates (rates.TOKENS) and of usage, in the order in which this file has them. */
enum { INPUT, OUTPUT, READ, WRITE, WRITE_1H, THOUGHT, HEARD, SAID, SEEN, DRAWN };

__extension__ typedef __int128 wide;

static const char script[] =
    "package.path = './scripts/?.lua;./?.lua;' .. package.path\n"
    "local json, usage = require 'engine.json', require 'lib.usage'\n"
    "local money = require 'lib.money'\n"
    "local PRICES = { 'input', 'output', 'cache_read', 'cache_write', 'cache_write_1h',\n"
    "  'reasoning', 'audio_input', 'audio_output', 'image_input', 'image_output' }\n"
    "local FIELDS = { 'input_tokens', 'output_tokens', 'cache_read_tokens',\n"
    "  'cache_write_tokens', 'cache_write_1h_tokens', 'reasoning_tokens',\n"
    "  'audio_input_tokens', 'audio_output_tokens', 'image_input_tokens',\n"
    "  'image_output_tokens' }\n"
    "-- A member that is there twice may be read either way.\n"
    "local function is_clear(text)\n"
    "  local seen = {}\n"
    "  for name in text:gmatch '\"([%w_]+)\"%s*:' do\n"
    "    if seen[name] and name ~= 'audio_tokens' then return false end\n"
    "    seen[name] = true\n"
    "  end\n"
    "  return not text:find('\\\\', 1, true)\n"
    "end\n"
    "return function(text, ...)\n"
    "  local doc = json.index('{\"usage\":' .. text .. '}')\n"
    "  local said = json.decode(text)\n"
    "  if not doc or type(said) ~= 'table' then return nil end\n"
    "  local total = usage.merge({}, usage.safe(usage.from_doc(doc) or {}))\n"
    "  local other = usage.merge({}, usage.from_openai(said))\n"
    "  for _, name in ipairs(FIELDS) do\n"
    "    if is_clear(text) and not name:find 'audio' then\n"
    "      assert(total[name] == other[name], name .. ' is read in two ways')\n"
    "    end\n"
    "  end\n"
    "  usage.check(total)\n"
    "  local at = {}\n"
    "  for i, name in ipairs(PRICES) do at[name] = select(i, ...) end\n"
    "  local out = { money.cost(at, total) or -1 }\n"
    "  for i, name in ipairs(FIELDS) do out[i + 1] = total[name] or -1 end\n"
    "  local bound = total.input_tokens and total.output_tokens\n"
    "    and money.bound(at, total.input_tokens, total.output_tokens)\n"
    "  out[#FIELDS + 2] = bound or -1\n"
    "  return unpack(out, 1, #FIELDS + 2)\n"
    "end\n";

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    MUST(L);
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_engine);
    lua_call(L, 0, 0);
    if (luaL_dostring(L, script) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    return L; /* … the function on top */
}

/* LuaJIT keeps its heap where the leak finder does not look for pointers. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* ---- the reference ------------------------------------------------------------------------
 */

struct bill {
    double price[PRICES]; /* nano-dollars per million; below 0: none */
    double count[PRICES]; /* tokens; below 0: not said */
};

/* Tokens of one kind out of those left, at a price or the usual one. */
static wide part(const struct bill *bill, int kind, double count, wide *left, int usual)
{
    double price = bill->price[kind] >= 0 ? bill->price[kind] : bill->price[usual];
    wide n = count > 0 ? (wide)count : 0;

    if (n > *left) n = *left;
    *left -= n;
    return n * (wide)price;
}

static bool is_count(double count)
{
    return count < 0 || count <= 1e9;
}

/* Nano-dollars, -1 where nobody can know. */
static wide reference(const struct bill *bill)
{
    const double *count = bill->count;
    double all = count[WRITE], hour = count[WRITE_1H];

    if (count[INPUT] < 0 && count[OUTPUT] < 0) return -1;
    for (int i = 0; i < PRICES; i++)
        if (!is_count(count[i])) return -1;
    wide left = count[INPUT] > 0 ? (wide)count[INPUT] : 0;
    wide sum = part(bill, READ, count[READ], &left, INPUT);
    if (all >= 0) {
        if (all > (double)left) all = (double)left;
        if (hour < 0) hour = 0;
        if (hour > all) hour = all;
        int written = bill->price[WRITE] >= 0 ? WRITE : INPUT;
        sum += part(bill, WRITE_1H, hour, &left, written);
        sum += part(bill, WRITE, all - hour, &left, INPUT);
    }
    sum += part(bill, HEARD, count[HEARD], &left, INPUT);
    sum += part(bill, SEEN, count[SEEN], &left, INPUT);
    sum += left * (wide)bill->price[INPUT];
    left = count[OUTPUT] > 0 ? (wide)count[OUTPUT] : 0;
    sum += part(bill, THOUGHT, count[THOUGHT], &left, OUTPUT);
    sum += part(bill, SAID, count[SAID], &left, OUTPUT);
    sum += part(bill, DRAWN, count[DRAWN], &left, OUTPUT);
    sum += left * (wide)bill->price[OUTPUT];

    wide whole = sum / 1000000, rest = sum % 1000000; /* half to even */
    if (rest > 500000 || (rest == 500000 && whole % 2 == 1)) whole++;
    return whole < (wide)1 << 53 ? whole : -1;
}

/* ---- the run ------------------------------------------------------------------------------
 */

/* Three bytes: a mantissa, and by how many bits it is shifted; the highest bit: no price. */
static double price_of(const uint8_t *bytes, bool needed)
{
    if (!needed && bytes[2] & 0x80) return -1;
    return (double)((uint64_t)(bytes[0] | bytes[1] << 8) << bytes[2] % 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static lua_State *L;
    struct bill bill;

    if (size < HEAD || size > 4096 + HEAD) return 0;
    if (!L) L = open_state();
    lua_pushvalue(L, -1); /* fn fn */
    lua_pushlstring(L, (const char *)input + HEAD, size - HEAD);
    for (int i = 0; i < PRICES; i++) {
        bill.price[i] = price_of(input + (size_t)i * PRICE_BYTES, i <= OUTPUT);
        if (bill.price[i] >= 0)
            lua_pushnumber(L, bill.price[i]);
        else
            lua_pushnil(L);
    }
    if (lua_pcall(L, 1 + PRICES, LUA_MULTRET, 0) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    if (lua_gettop(L) >= PRICES + 2 && !lua_isnil(L, 2)) {
        double cost = lua_tonumber(L, 2);
        for (int i = 0; i < PRICES; i++) {
            bill.count[i] = lua_tonumber(L, 3 + i);
            MUST(bill.count[i] == (double)(int64_t)bill.count[i] && bill.count[i] >= -1);
        }
        wide want = reference(&bill);
        if (cost != (double)want) fprintf(stderr, "%.0f, not %.0f\n", cost, (double)want);
        MUST(cost == (double)want);
        double bound = lua_tonumber(L, 3 + PRICES);
        if (bound >= 0 && cost >= 0) MUST(bound >= cost);
    }
    lua_settop(L, 1);
    return 0;
}
