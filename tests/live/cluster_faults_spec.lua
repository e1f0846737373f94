-- What becomes of shared limits when Redis, a real one, dies, forgets, is slow or says no.

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

  local function milliseconds(run, ...)
    local from = socket.gettime()
    local result = run(...)
    return (socket.gettime() - from) * 1000, result
  end

  it("C-22: Redis is not there at the start, and comes", function()
    server:kill()
    local budget = 400 * COST
    all:join(cluster.budget(400))
    assert.equal(0, all.gws[1]:metric "moongate_cluster_up")
    assert.equal(1, all.gws[1]:metric "moongate_cluster_breaker_open")
    local alone = cluster.spend(all.gws[1], 20)
    assert.is_true(alone >= 1 and alone * COST <= budget / 100, "alone " .. alone)
    server:start()
    cluster.wait_up(all.gws[1], 5.5)
    assert.equal(0, all.gws[1]:metric "moongate_cluster_breaker_open")
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
    between:mode "hold"
    cluster.wait_down(gw)
    assert.is_true(gw:metric("moongate_cluster_calls_total", { result = "slow" }) <= 5)
    local took = {}
    for i = 1, 21 do
      local ms, response = milliseconds(cluster.ask, gw)
      assert.equal(200, response.status)
      took[i] = ms
    end
    table.sort(took)
    assert.is_true(took[11] < 30, "half took more than " .. took[11])
    assert.equal(1, gw:metric "moongate_cluster_breaker_open")
    between:mode "pass"
    cluster.wait_up(gw, 6)
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
    socket.sleep(1.5)
    local before = all:spent()
    table.remove(all.gws):stop() -- it will not tell again: the others know what it spent
    before = before - all:spent()
    server:tell "FLUSHALL"
    cluster.spend(all.gws[1], 100) -- at once: there is little
    socket.sleep(4.2)
    cluster.spend(all.gws[1], 300)
    cluster.spend(all.gws[2], 300)
    local sum = all:spent() + before
    assert.is_true(sum <= budget + 3 * budget / 100, "spent " .. sum / COST)
    assert.is_true(sum >= budget * 0.85, "spent " .. sum / COST)
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
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw, 6) end
    cluster.spend(all.gws[1], 100)
    socket.sleep(3.2)
    cluster.spend(all.gws[1], 300)
    cluster.spend(all.gws[2], 300)
    assert.is_true(all:spent() <= budget + 2 * budget / 100, "spent " .. all:spent() / COST)
    assert.is_true(all:spent() >= budget * 0.85, "spent " .. all:spent() / COST)
    os.remove(server.dir .. "/dump.rdb")
  end)

  -- Make Redis say no in one of its ways, see it told, make it fine again.
  local function trouble(gw, name, say_no, say_yes)
    say_no()
    helper.wait_until(function()
      local told = gw:log "cluster_away"
      return #told > 0 and told[#told].message:find(name, 1, true)
    end, 5, "the reason " .. name)
    assert.equal(200, cluster.ask(gw, "-free").status)
    say_yes()
    cluster.wait_up(gw, 6)
    cluster.must(gw)
  end

  it("C-25: errors of Redis's own are told, and over when they are over", function()
    local gw = all:join 'budget = "$5/day"'
    cluster.wait_up(gw)
    trouble(gw, "READONLY", function() server:tell("REPLICAOF", "127.0.0.1", "1") end,
      function() server:tell("REPLICAOF", "NO", "ONE") end)
    trouble(gw, "NOAUTH", function()
      server:tell("CONFIG", "SET", "requirepass", "hush-hush")
      server.password = "hush-hush"
      server:tell("CLIENT", "KILL", "TYPE", "normal")
    end, function()
      server:tell("CONFIG", "SET", "requirepass", "")
      server.password = nil
    end)
    trouble(gw, "OOM", function() server:tell("CONFIG", "SET", "maxmemory", "1") end,
      function() server:tell("CONFIG", "SET", "maxmemory", "0") end)
  end)

  it("C-25: keys of a wrong type give way", function()
    local gw = all:join 'budget = "$5/day", rpm = 1000'
    cluster.wait_up(gw)
    cluster.must(gw)
    for _, key in ipairs(server:tell("KEYS", "*")) do
      server:tell("DEL", key)
      server:tell("LPUSH", key, "not", "yours")
    end
    for _ = 1, 20 do cluster.must(gw) end
    socket.sleep(0.6)
    assert.is_true(cluster.is_up(gw))
  end)

  it("C-25: answers that are no answers", function()
    local between = proxy.start(server.port)
    local gw = all:join('budget = "$5/day"', "redis://127.0.0.1:" .. between.port)
    cluster.wait_up(gw)
    for _, bytes in ipairs {
      "-MOVED 3999 127.0.0.1:6381\\r\\n", "$900000000\\r\\n" .. ("x"):rep(3e6),
      "*2000000000\\r\\n", "*4\\r\\n:1\\r\\n:2\\r\\n$1\\r\\nx\\r\\n:4\\r\\n",
    } do
      between:mode("say", bytes)
      cluster.wait_down(gw)
      assert.equal(200, cluster.ask(gw, "-free").status)
      between:mode "pass"
      cluster.wait_up(gw, 6)
      cluster.must(gw)
    end
    between:stop()
  end)
end)
