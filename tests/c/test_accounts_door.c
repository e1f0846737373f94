/* What scripts see of accounts; a reservation ends with its task. */
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "accounts.h"
#include "check.h"
#include "lua_context.h"
#include "lua_engine.h"
#include "lua_task.h"
#include "moment.h"
#include "shared.h"

/* In place of lua_vm.c and lua_task.c: one context, and one task that the tests end at will. */
static struct lua_context context;
static struct task_owned *owned_first;

struct lua_context *lua_context_of(lua_State *L)
{
    (void)L;
    return &context;
}

void task_own(lua_State *L, struct task_owned *owned)
{
    (void)L;
    owned->next = owned_first;
    owned->prev = &owned_first;
    if (owned_first) owned_first->prev = &owned->next;
    owned_first = owned;
}

void task_disown(struct task_owned *owned)
{
    if (!owned->prev) return;
    *owned->prev = owned->next;
    if (owned->next) owned->next->prev = owned->prev;
    owned->next = NULL;
    owned->prev = NULL;
}

static int l_end_task(lua_State *L)
{
    (void)L;
    while (owned_first) {
        struct task_owned *owned = owned_first;
        task_disown(owned);
        owned->release(owned);
    }
    return 0;
}

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_engine_accounts);
    lua_call(L, 0, 1);
    lua_setglobal(L, "accounts");
    lua_pushcfunction(L, luaopen_engine_shared);
    lua_call(L, 0, 1);
    lua_setglobal(L, "shared");
    lua_register(L, "end_task", l_end_task);
    return L;
}

/* A chunk whose asserts must hold. */
static bool run(lua_State *L, const char *chunk)
{
    bool fine = luaL_dostring(L, chunk) == 0;

    if (!fine) fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_settop(L, 0);
    return fine;
}

static void test_reserve(lua_State *L)
{
    CHECK(run(L, "plan = accounts.plan {\n"
                 "  { name = 'key:a', rpm = 3, tpm = 1000, parallel = 2 },\n"
                 "  { name = 'org', budgets = { { window = 'year', nano = 500 } },\n"
                 "    soft = { { window = 'year', nano = 100 } } } }\n"
                 "res = assert(plan:reserve(400, 200))\n"
                 "assert(res.admitted > 1.7e12 and res.admitted % 1 == 0)\n"
                 "assert(res.tokens == 400 and res.nano == 200 and res.other == nil)\n"
                 "local none, name, limit, retry, left = plan:reserve(1, 301)\n"
                 "assert(none == nil and name == 'org' and limit == 'budget:year')\n"
                 "assert(retry > 0 and left == 300)\n"
                 "local raised, who, what, wait, more = res:raise(1001, 0)\n"
                 "assert(raised == true)\n"
                 "local raised, who, what, wait, more = res:raise(0, 501)\n"
                 "assert(raised == false and who == 'org' and what == 'budget:year')\n"
                 "assert(more == 300 and res.nano == 200 and res.tokens == 1001)"));
    CHECK(run(L, "local crossed = res:settle(100, 150)\n"
                 "assert(#crossed == 1 and crossed[1].name == 'org')\n"
                 "assert(crossed[1].window == 'year' and crossed[1].nano == 150)\n"
                 "assert(crossed[1].soft == 100)\n"
                 "assert(res:settle(100, 150) == nil and res:refund() == nil)\n"
                 "assert(res:raise(5, 5) == true)\n"
                 "local other = plan:reserve() other:refund()\n"
                 "assert(accounts.spent('org').year.spent == 150)"));
    CHECK(run(L, "local a, b = plan:reserve(1), plan:reserve(1)\n"
                 "local none, name, limit, retry, left = plan:reserve(1)\n"
                 "assert(none == nil and name == 'key:a' and limit == 'rpm' and left == 0)\n"
                 "assert(retry > 19 and retry <= 20)\n"
                 "a:refund()\n"
                 "assert(b:settle(1) == nil)"));
}

static void test_views(lua_State *L)
{
    CHECK(run(L, "local state = plan:state()\n"
                 "assert(#state == 2 and state[1].name == 'key:a' and state[2].name == 'org')\n"
                 "assert(state[1].rpm.limit == 3 and state[1].rpm.left == 1)\n"
                 "assert(state[1].rpm.reset > 39 and state[1].rpm.reset <= 40)\n"
                 "assert(state[1].parallel.limit == 2 and state[1].parallel.left == 2)\n"
                 "assert(state[2].rpm == nil and #state[1].budgets == 0)\n"
                 "local budget = state[2].budgets[1]\n"
                 "assert(budget.window == 'year' and budget.limit == 500)\n"
                 "assert(budget.spent == 150 and budget.reserved == 0)\n"
                 "assert(budget.resets_at > os.time())\n"
                 "local a, b, c, d, e, f = plan:room()\n"
                 "assert(a == 3 and b == 1 and c > 0 and d == 1000 and e < 900 and f > 0)"));
    CHECK(run(L, "local list = accounts.each('or')\n"
                 "assert(#list == 1 and list[1].name == 'org')\n"
                 "assert(list[1].year.spent == 150 and list[1].day.start % 86400 == 0)\n"
                 "assert(#accounts.each() == 2 and accounts.spent('nobody') == nil)\n"
                 "assert(accounts.spent('key:a').minute.reserved == 0)"));
}

/* Page by page, all of those that begin so, in order, and none twice. */
static void test_names(lua_State *L)
{
    CHECK(run(L, "assert(#accounts.names('k', nil, 5) == 1)\n"
                 "assert(#accounts.names('', nil, 0) == 0)\n"
                 "assert(accounts.names('', '', 5)[2] == 'org')\n"
                 "assert(#accounts.names('', 'key:a', 5) == 1)\n"
                 "assert(not pcall(accounts.names, '', nil, -1))\n"
                 "assert(not pcall(accounts.names, '', nil, 10001))"));
    CHECK(run(L, "for i = 1, 300 do\n"
                 "  accounts.plan { { name = 'user:' .. i * 7919 % 1009 } }\n"
                 "end\n"
                 "local after, all = nil, {}\n"
                 "repeat\n"
                 "  local page = accounts.names('user:', after, 37)\n"
                 "  for _, name in ipairs(page) do\n"
                 "    assert(name:find '^user:' and (not after or name > after))\n"
                 "    all[#all + 1], after = name, name\n"
                 "  end\n"
                 "until #page < 37\n"
                 "assert(#all == 300 and #accounts.each 'user:' == 300)"));
}

/* A task that dies, or a script that forgets, has spent what was set aside. */
static void test_ends(lua_State *L)
{
    CHECK(run(L, "plan = accounts.plan { { name = 'key:b', parallel = 1,\n"
                 "  soft = { { window = 'day', nano = 5 } } }, hold = 'running' }\n"
                 "assert(plan:reserve(10, 7) and shared.get('running') == 1)\n"
                 "end_task()\n"
                 "assert(shared.get('running') == 0)\n"
                 "local sum = accounts.spent('key:b').day\n"
                 "assert(sum.spent == 7 and sum.reserved == 0)\n"
                 "res = plan:reserve(10, 3)\n"
                 "plan = nil collectgarbage() collectgarbage()\n"
                 "assert(shared.get('running') == 1)\n"
                 "assert(res:settle(1, 1)[1].nano == 8)\n" /* nobody had told of it */
                 "assert(shared.get('running') == 0)\n"
                 "assert(accounts.spent('key:b').day.spent == 8)"));
    CHECK(run(L, "local plan = accounts.plan { { name = 'key:b' }, hold = 'running' }\n"
                 "plan:reserve(10, 100) plan = nil collectgarbage() collectgarbage()\n"
                 "assert(shared.get('running') == 0)\n"
                 "assert(accounts.spent('key:b').day.spent == 108)\n"
                 "kept = accounts.plan({ { name = 'key:b' } }):reserve(0, 1)"));
}

static void test_arguments(lua_State *L)
{
    CHECK(run(
        L, "local bad = {\n"
           "  function() accounts.plan() end,\n"
           "  function() accounts.plan { 1 } end,\n"
           "  function() accounts.plan { {} } end,\n"
           "  function() accounts.plan { { name = '' } } end,\n"
           "  function() accounts.plan { { name = ('x'):rep(1025) } } end,\n"
           "  function() accounts.plan { { name = 'x', rpm = -1 } } end,\n"
           "  function() accounts.plan { { name = 'x', tpm = '5' } } end,\n"
           "  function() accounts.plan { { name = 'x', parallel = 0 / 0 } } end,\n"
           "  function() accounts.plan { { name = 'x', budgets = { 5 } } } end,\n"
           "  function() accounts.plan { { name = 'x', budgets = { { window = 5, nano = 5 } } "
           "} } end,\n"
           "  function() accounts.plan { { name = 'x', soft = { { window = 'day' } } } } end,\n"
           "  function() accounts.plan { hold = 5 } end,\n"
           "  function() plan.reserve(5) end,\n"
           "  function() plan.reserve(res, 1) end,\n"
           "  function() res.settle(plan, 1) end,\n"
           "  function() plan:reserve(-1) end,\n"
           "  function() plan:reserve(0 / 0) end,\n"
           "  function() plan:reserve(1, 'x') end,\n"
           "}\n"
           "plan = accounts.plan {}\n"
           "res = plan:reserve(1, 1)\n"
           "for i, f in ipairs(bad) do assert(not pcall(f), i) end\n"
           "local many = {}\n"
           "for i = 1, 17 do many[i] = { name = 'n' .. i } end\n"
           "assert(not pcall(accounts.plan, many))\n"
           "assert(accounts.spent('n1') == nil)\n"
           "assert(getmetatable(plan) == false and getmetatable(res) == false)"));
    CHECK(run(L, "local plan = accounts.plan { { name = 'twice', rpm = 5 },\n"
                 "  { name = 'twice', rpm = 2, parallel = 9 } }\n"
                 "local state = plan:state()\n"
                 "assert(#state == 1 and state[1].rpm.limit == 2)\n"
                 "assert(state[1].parallel.left == 9)"));
    CHECK(run(L,
              "local plan = accounts.plan { { name = 'once', budgets = { { nano = 5 } } } }\n"
              "local none, _, limit, retry, left, soon = plan:reserve(0, 6)\n"
              "assert(none == nil and limit == 'budget:ever' and left == 5 and retry > 1e9)\n"
              "assert(soon == nil and plan:state()[1].budgets[1].window == 'ever')\n"
              "assert(plan:state()[1].budgets[1].resets_at == nil)"));
}

/* In a state that only checks a file everything passes; in a full table nothing new does. */
static void test_without_room(lua_State *L)
{
    struct accounts *roomy = context.accounts;

    context.accounts = accounts_new(&(struct accounts_options){.max_accounts = 1});
    CHECK(run(L,
              "assert(accounts.plan { { name = 'one' } })\n"
              "local plan, err = accounts.plan { { name = 'two' } }\n"
              "assert(plan == nil and err.kind == 'unavailable' and err.message:find 'full')\n"
              "collectgarbage() collectgarbage()"));
    accounts_free(context.accounts);
    context.accounts = NULL;
    CHECK(run(L, "local plan = accounts.plan { { name = 'x', rpm = 0 } }\n"
                 "local res = assert(plan:reserve(1, 1))\n"
                 "assert(res:raise(5, 5) and res:settle(1, 1) == nil)\n"
                 "assert(#plan:state() == 0 and plan:room() == nil)\n"
                 "assert(accounts.spent('x') == nil and #accounts.each() == 0)"));
    context.accounts = roomy;
}

/* Not a bound, a figure: what a request pays for its limits. */
static void test_speed(lua_State *L)
{
    enum { TURNS = 200000 };
    int64_t begin = moment_monotonic_us();

    CHECK(run(L, "local plan = accounts.plan { hold = 'running',\n"
                 "  { name = 'key:fast', rpm = 1e9, tpm = 1e10, parallel = 100,\n"
                 "    budgets = { { window = 'day', nano = 1e15 },\n"
                 "      { window = 'month', nano = 1e15 } } },\n"
                 "  { name = 'team:fast', tpm = 1e10, budgets = { { window = 'month', nano = "
                 "1e15 } } },\n"
                 "  { name = 'org:fast' } }\n"
                 "for i = 1, 200000 do\n"
                 "  local res = plan:reserve(500, 1000)\n"
                 "  local admitted = res.admitted\n"
                 "  res:settle(100, 200)\n"
                 "end\n"
                 "assert(accounts.spent('org:fast').year.spent == 200000 * 200)"));
    printf("reserve + settle of 3 accounts: %.0f ns\n",
           (double)(moment_monotonic_us() - begin) * 1000 / TURNS);
}

int main(void)
{
    context.shared = shared_new(0);
    context.accounts = accounts_new(NULL);
    lua_State *L = open_state();
    test_reserve(L);
    test_views(L);
    test_names(L);
    test_ends(L);
    test_arguments(L);
    test_without_room(L);
    test_speed(L);
    lua_close(L);
    CHECK(owned_first == NULL);
    accounts_free(context.accounts);
    shared_free(context.shared);
    return check_report();
}
