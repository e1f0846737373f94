-- What becomes of shared limits when Redis, a real one, says no, or nothing that makes sense.

local cluster = require "support.cluster"
local helper = require "helper"
local proxy = require "support.proxy"
local redis = require "support.redis"
local socket = require "socket"

describe("a cluster with a Redis that says no", function()
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

  -- Make Redis say no in one of its ways, see it told, make it fine again.
  local function trouble(gw, name, say_no, say_yes)
    say_no()
    helper.wait_until(function()
      local told = gw:log "cluster_away"
      return #told > 0 and told[#told].message:find(name, 1, true)
    end, 15, "the reason " .. name)
    assert.equal(200, cluster.ask(gw, "-free").status)
    say_yes()
    cluster.wait_up(gw)
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
    cluster.wait_up(gw)
    assert.same({}, cluster.troubles(gw))
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
      cluster.wait_up(gw)
      cluster.must(gw)
    end
    between:stop()
  end)
end)
