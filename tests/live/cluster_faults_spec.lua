-- What becomes of shared limits when Redis, a real one, dies, forgets or is slow.

local cluster = require "support.cluster"
local helper = require "helper"
local proxy = require "support.proxy"
local redis = require "support.redis"
local socket = require "socket"

local COST = cluster.COST

describe("a cluster with a Redis that fails", function()
  if redis.missing() then
    pending(redis.missing())
    return
  end

  local up, server, all

  setup(function()
    up = helper.upstream()
    server = redis.start()
    all = cluster.new(up, server)
  end)

  teardown(function()
    up:stop()
    server:stop()
  end)

  before_each(function()
    up:reset()
    up:reply("one", { body = helper.completion "hi" })
    if server.process:status() then server:start() end
    server:tell "FLUSHALL"
  end)

  after_each(function() all:stop() end)

  -- It is told at the end of a turn.
  local function wait_breaker(gw, want)
    helper.wait_until(function() return gw:metric "moongate_cluster_breaker_open" == want end,
      5, "the breaker at " .. want)
  end

  local function slow_calls(gw)
    return gw:metric("moongate_cluster_calls_total", { result = "slow" }) or 0
  end

  it("C-22: Redis is not there at the start, and comes", function()
    server:kill()
    local budget = 400 * COST
    all:join(cluster.budget(400))
    wait_breaker(all.gws[1], 1)
    assert.equal(0, all.gws[1]:metric "moongate_cluster_up")
    local alone = cluster.spend(all.gws[1], 20)
    assert.is_true(alone >= 1 and alone * COST <= budget / 100, "alone " .. alone)
    server:start()
    cluster.wait_up(all.gws[1])
    wait_breaker(all.gws[1], 0)
    cluster.must(all.gws[1])
  end)

  it("C-22: a gateway that is killed again and again gets one lease, not many", function()
    server:kill()
    local budget = 400 * COST
    local gw = all:join(cluster.budget(400))
    gw.loud = true -- its log tells of the restarts
    for _ = 1, 3 do
      cluster.spend(gw, 20)
      local child = gw:child()
      assert(helper.process.run { "kill", "-9", tostring(child) } == 0)
      helper.wait_until(function()
        local ok, response = pcall(gw.request, gw, { path = "/healthz" })
        return gw:child() ~= child and ok and response and response.status == 200
      end, 10, "a new process")
    end
    cluster.spend(gw, 20)
    assert.is_true(all:spent() <= budget / 100)
  end)

  it("C-23: Redis takes calls and answers late: five slow calls, then none", function()
    local between = proxy.start(server.port)
    local gw = all:join('budget = "$5/day"', "redis://127.0.0.1:" .. between.port)
    cluster.wait_up(gw)
    cluster.must(gw)
    local before = slow_calls(gw)
    between:mode "hold"
    cluster.wait_down(gw)
    assert.is_true(slow_calls(gw) - before <= 5)
    local asked = gw:metric "moongate_cluster_calls_total"
    for _ = 1, 21 do assert.equal(200, cluster.ask(gw).status) end
    assert.equal(asked, gw:metric "moongate_cluster_calls_total") -- nobody waited for it
    assert.equal(1, gw:metric "moongate_cluster_breaker_open")
    between:mode "pass"
    cluster.wait_up(gw)
    between:stop()
    cluster.wait_down(gw)
  end)

  it("C-24: FLUSHALL: what was spent is not forgotten", function()
    local budget = 200 * COST
    local limits = cluster.budget(200)
    all:join(limits)
    all:join(limits)
    all:join(limits)
    all:volley(60)
    all:wait_reported()
    for i = 1, 2 do cluster.must(all.gws[i]) end -- who reports hears what the others spent
    all:wait_reported()
    for i = 1, 2 do all.gws[i]:turns_end() end
    local before = all:spent()
    table.remove(all.gws):stop() -- it will not tell again: the others know what it spent
    before = before - all:spent()
    server:tell "FLUSHALL"
    cluster.spend(all.gws[1], 100) -- at once: there is little
    all:wait_told()
    all:exhaust(budget * 0.85 - before)
    local sum = all:spent() + before
    assert.is_true(sum <= budget + 3 * budget / 100, "spent " .. sum / COST)
  end)

  it("C-24: Redis comes back with an old dump", function()
    local budget = 200 * COST
    local limits = cluster.budget(200)
    all:join(limits)
    all:join(limits)
    all:volley(20)
    socket.sleep(0.5)
    server:dump()
    all:volley(100)
    server:kill()
    server:start() -- it reads the dump
    socket.sleep(0.2)
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
    cluster.spend(all.gws[1], 100)
    all:wait_told()
    all:exhaust(budget * 0.85)
    assert.is_true(all:spent() <= budget + 2 * budget / 100, "spent " .. all:spent() / COST)
    os.remove(server.dir .. "/dump.rdb")
  end)
end)
