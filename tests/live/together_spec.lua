-- Two gateways, one Redis, one PostgreSQL, all of them real: each is killed and comes back, and
-- in the end budgets have held and every row is there, once.

local cluster = require "support.cluster"
local helper = require "helper"
local lfs = require "lfs"
local postgres = require "support.postgres"
local process = require "support.process"
local redis = require "support.redis"
local socket = require "socket"
local sql = require "support.sql"

local COST = cluster.COST
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local SHIM = (TOOLS:sub(1, 1) == "/" and "" or lfs.currentdir() .. "/") .. TOOLS .. "/disk.so"

describe("two gateways, Redis and PostgreSQL", function()
  local missing = redis.missing() or postgres.missing()
  if missing then
    pending(missing)
    return
  end

  local up, server, store, all

  setup(function()
    up = helper.upstream()
    server, store = redis.start(), postgres.start()
  end)

  teardown(function()
    up:stop()
    server:stop()
    store:stop()
  end)

  before_each(function()
    up:reset()
    up:reply("one", { body = helper.completion "hi" })
    server:tell "FLUSHALL"
    store:sql "DROP TABLE IF EXISTS moongate_requests, moongate_attempts"
    all = cluster.new(up, server)
  end)

  after_each(function() all:stop() end)

  local function join(name, limits, env)
    env = env or {}
    env.MOONGATE_NODE, env.MOONGATE_POSTGRES_URL = name, store.url
    local gw = all:join(limits, nil, env)
    cluster.wait_up(gw)
    return gw
  end

  local function wait_rows(table, n)
    helper.wait_until(function()
      local ok, count = pcall(store.sql, store, "SELECT count(*) FROM moongate_" .. table)
      return ok and tonumber(count) >= n
    end, 60, ("%d %s in PostgreSQL"):format(n, table))
  end

  -- Every request that is in a journal is in PostgreSQL; so are its attempts, which go last.
  local function wait_through()
    local seen, n, attempts = {}, 0, 0
    for _, gw in ipairs(all.gws) do
      for _, line in ipairs(gw:journal()) do
        if not seen[line.id] then seen[line.id], n = true, n + 1 end
      end
    end
    wait_rows("requests", n)
    for _, gw in ipairs(all.gws) do
      attempts = attempts + sql.value(gw.data .. "/ledger.db", "SELECT count(*) FROM attempts")
    end
    wait_rows("attempts", attempts)
    for _, gw in ipairs(all.gws) do
      helper.wait_until(function() return gw:metric "moongate_outbox_backlog_rows" == 0 end, 20,
        "an empty backlog")
    end
  end

  -- PostgreSQL's and the ledgers' sums, which end the gateways.
  local function sums()
    wait_through()
    local there = store:sql [[SELECT (SELECT count(*) FROM moongate_requests),
      (SELECT coalesce(sum(cost_nano), 0) FROM moongate_requests),
      (SELECT count(*) FROM moongate_attempts)]]
    local here = cluster.in_ledgers(all.gws)
    all.gws = {}
    return there, here
  end

  it("B-22, B-23, B-31: each killed in its turn", function()
    local budget = 400 * COST
    local a = join("a", cluster.budget(400))
    local b = join("b", cluster.budget(400))
    all:volley(40)
    server:kill()
    all:volley(40)
    server:start()
    cluster.crash(a)
    store:kill()
    all:volley(40)
    cluster.crash(b)
    store:start()
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
    all:volley(40)
    all:wait_told()
    all:exhaust(budget * 0.8)
    local there, here = sums()
    assert.equal(here, there)
    local nano = tonumber(here:match "|(%d+)|")
    assert.is_true(nano <= budget + 2 * budget / 100, here)
    assert.is_true(nano >= budget * 0.8, here)
  end)

  it("C-28: both are away and the disk fails: budgets are closed, other keys as they say",
    function()
      local control = os.tmpname()
      os.remove(control)
      local gw = join("a", cluster.budget(400), {
        LD_PRELOAD = SHIM, MOONGATE_TEST_DISK = control,
      })
      gw.loud = true -- the ledger's trouble is an error
      cluster.must(gw)
      socket.sleep(1.5)
      server:kill()
      store:kill()
      process.write(control, "fail 28 " .. gw.data)
      cluster.wait_down(gw)
      assert.is_true(cluster.spend(gw, 100) <= 10) -- leases
      assert.equal(429, cluster.ask(gw).status)
      assert.equal(20, cluster.spend(gw, 20, "-free"))
      assert.equal(20, cluster.spend(gw, 20, "-open"))
      os.remove(control)
      server:start()
      store:start()
      cluster.wait_up(gw)
      cluster.must(gw)
      helper.wait_until(function() return gw:metric "moongate_ledger_degraded" == 0 end, 30,
        "a ledger that is well")
      local there, here = sums()
      assert.equal(here, there)
    end)
end)
