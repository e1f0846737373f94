/* F6. Usage as providers say it, and what it costs: lib/usage.lua, its kin, and lib/money.lua.
 * The input: ten prices and a threshold (three bytes each), then a letter for the dialect
 * (tests/fuzz/usage/read.lua) and a usage object.
 *
 * Oracles: what is understood is what a reader of its own understands (usage/reference.lua),
 * whole numbers of at least nothing; the bill is that of sums in 128 bits, to the nano-dollar,
 * at the prices of the tier that was reached or served, or unknown where that has none; the
 * bound of so many tokens is never below the bill. */
#include "fuzz.h"
#include "luajit.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_engine(lua_State *L);

enum { PRICES = 10, PRICE_BYTES = 3, HEAD = (PRICES + 1) * PRICE_BYTES };

/* Of rates (rates.TOKENS) and of usage, in the order in which this file has them. */
enum { INPUT, OUTPUT, READ, WRITE, WRITE_1H, THOUGHT, HEARD, SAID, SEEN, DRAWN };

__extension__ typedef __int128 wide;

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    MUST(L);
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_engine);
    lua_call(L, 0, 0);
    if (luaL_dofile(L, "tests/fuzz/usage/read.lua") != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    return L; /* … the function on top */
}

/* ---- the reference ------------------------------------------------------------------------
 */

struct bill {
    double price[PRICES];     /* nano-dollars per million; below 0: none */
    double other[PRICES];     /* above the threshold, and of tiers of service */
    double threshold, search; /* below 0: none */
    double count[PRICES];     /* tokens; below 0: not said */
    double searches;          /* -1: none; -2: nobody can say how many */
    bool served;              /* by a tier of service */
};

/* Tokens of one kind out of those left, at a price or the usual one. */
static wide part(const double *prices, int kind, double count, wide *left, int usual)
{
    double price = prices[kind] >= 0 ? prices[kind] : prices[usual];
    wide n = count > 0 ? (wide)count : 0;

    if (n > *left) n = *left;
    *left -= n;
    return n * (wide)price;
}

static bool is_count(double count)
{
    return count < 0 || count <= 1e9;
}

static wide prompt(const struct bill *bill, const double *prices)
{
    const double *count = bill->count;
    double all = count[WRITE], hour = count[WRITE_1H];
    wide left = count[INPUT] > 0 ? (wide)count[INPUT] : 0;
    wide sum = part(prices, READ, count[READ], &left, INPUT);

    if (all >= 0) {
        if (all > (double)left) all = (double)left;
        if (hour < 0) hour = 0;
        if (hour > all) hour = all;
        int written = prices[WRITE] >= 0 ? WRITE : INPUT;
        sum += part(prices, WRITE_1H, hour, &left, written);
        sum += part(prices, WRITE, all - hour, &left, INPUT);
    }
    sum += part(prices, HEARD, count[HEARD], &left, INPUT);
    sum += part(prices, SEEN, count[SEEN], &left, INPUT);
    return sum + left * (wide)prices[INPUT];
}

static wide answer(const struct bill *bill, const double *prices)
{
    wide left = bill->count[OUTPUT] > 0 ? (wide)bill->count[OUTPUT] : 0;
    wide sum = part(prices, THOUGHT, bill->count[THOUGHT], &left, OUTPUT);

    sum += part(prices, SAID, bill->count[SAID], &left, OUTPUT);
    sum += part(prices, DRAWN, bill->count[DRAWN], &left, OUTPUT);
    return sum + left * (wide)prices[OUTPUT];
}

/* Nano-dollars, -1 where nobody can know. */
static wide reference(const struct bill *bill)
{
    const double *count = bill->count;
    bool above = bill->threshold >= 0 && count[INPUT] > bill->threshold;
    const double *prices = bill->served || above ? bill->other : bill->price;

    if (count[INPUT] < 0 && count[OUTPUT] < 0) return -1;
    for (int i = 0; i < PRICES; i++)
        if (!is_count(count[i])) return -1;
    wide sum = prompt(bill, prices) + answer(bill, prices);
    if (bill->searches < -1 || (bill->searches > 0 && bill->search < 0)) return -1;
    if (bill->searches > 0) sum += (wide)bill->searches * (wide)bill->search;

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

/* The other prices are the usual ones, each of another class: none is missed where it is the
 * wrong one that is taken. */
static void read_prices(struct bill *bill, const uint8_t *bytes)
{
    for (int i = 0; i < PRICES; i++)
        bill->price[i] = price_of(bytes + (size_t)i * PRICE_BYTES, i <= OUTPUT);
    for (int i = 0; i < PRICES; i++)
        bill->other[i] =
            bill->price[i <= OUTPUT ? 1 - i : READ + (i - READ + 1) % (PRICES - READ)];
    bill->threshold = price_of(bytes + (size_t)PRICES * PRICE_BYTES, false);
    bill->search = bill->price[DRAWN];
}

static void push_price(lua_State *L, double price)
{
    if (price >= 0)
        lua_pushnumber(L, price);
    else
        lua_pushboolean(L, 0);
}

/* What Lua has returned above `from`. */
static void check(lua_State *L, int from, struct bill *bill)
{
    double cost = lua_tonumber(L, from), bound = lua_tonumber(L, from + 1);

    bill->served = lua_tonumber(L, from + 2) > 0;
    bill->searches = lua_tonumber(L, from + 3);
    for (int i = 0; i < PRICES; i++) {
        double n = bill->count[i] = lua_tonumber(L, from + 4 + i);
        MUST(n >= -1 && n == (double)(int64_t)n);
    }
    double want = (double)reference(bill);
    if (cost != want) fprintf(stderr, "%.0f, not %.0f\n", cost, want);
    MUST(cost == want);
    MUST(bound < 0 || cost < 0 || bound >= cost);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static lua_State *L;
    struct bill bill;

    if (size < HEAD || size > 4096 + HEAD) return 0;
    if (!L) L = open_state();
    read_prices(&bill, input);
    lua_pushvalue(L, -1); /* fn fn */
    lua_pushlstring(L, (const char *)input + HEAD, size - HEAD);
    push_price(L, bill.threshold);
    push_price(L, bill.search);
    for (int i = 0; i < PRICES; i++)
        push_price(L, bill.price[i]);
    for (int i = 0; i < PRICES; i++)
        push_price(L, bill.other[i]);
    if (lua_pcall(L, 3 + 2 * PRICES, LUA_MULTRET, 0) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    if (lua_gettop(L) > 2) check(L, 2, &bill);
    lua_settop(L, 1);
    return 0;
}
