-- Several gateways before one Redis, a real one: what they spend together, and what becomes of
-- it when Redis dies, forgets, is slow or says no.

local helper = require "helper"
local proxy = require "support.proxy"
local redis = require "support.redis"
local socket = require "socket"

local KEY = "mg-test-cluster-0123456789abcdef"
local COST = 10 * 1000 + 5 * 2000 -- nano-dollars of one answer of the test provider

describe("a cluster", function()
  if redis.missing() then
    pending(redis.missing())
    return
  end

  local up, server, gws

  setup(function()
    up = helper.upstream()
    server = redis.start()
  end)

  teardown(function()
    up:stop()
    server:stop()
  end)

  before_each(function()
    gws = {}
    up:reset()
    up:reply("one", { body = helper.completion "hi" })
    if server.process:status() then server:start() end
    server:tell "FLUSHALL"
  end)

  after_each(function()
    for _, gw in ipairs(gws) do
      gw:assert_silent()
      gw:stop()
    end
  end)

  -- Another gateway, whose key has these limits.
  local function join(limits, options)
    options = options or {}
    options.env = {
      KEY = KEY, OPEN = KEY .. "-open", FREE = KEY .. "-free",
      MOONGATE_REDIS_URL = options.url or server.url,
    }
    options.routes = helper.routes(up, { "one" }, ([[
virtual_key "k" { token = env.KEY, %s }
virtual_key "o" { token = env.OPEN, without_cluster = "open", %s }
virtual_key "f" { token = env.FREE }
]]):format(limits, limits))
    local gw = helper.gateway(options)
    gws[#gws + 1] = gw
    return gw
  end

  local BODY = helper.ask("one", '"max_tokens":5')

  local function ask(gw, key) return gw:chat(BODY, { key = key or KEY }) end

  -- `n` requests at once, spread over the gateways: how many answers of each status.
  local function volley(n, key)
    local connections, seen = {}, {}
    for i = 1, n do
      connections[i] = gws[(i - 1) % #gws + 1]:chat_open(BODY, { key = key or KEY })
    end
    for i = 1, n do
      local response = assert(connections[i]:response())
      seen[response.status] = (seen[response.status] or 0) + 1
      connections[i]:close()
    end
    return seen
  end

  -- What all gateways' journals say was spent by a key.
  local function spent(key)
    local nano = 0
    for _, gw in ipairs(gws) do
      for _, line in ipairs(gw:journal()) do
        local mine = line.type == "usage" and line.key == (key or "k")
        if mine and type(line.cost_nano) == "number" then nano = nano + line.cost_nano end
      end
    end
    return nano
  end

  local function is_up(gw) return gw:metric "moongate_cluster_up" == 1 end

  local function wait_up(gw, seconds)
    helper.wait_until(function() return is_up(gw) end, seconds or 5, "contact with Redis")
  end

  local function wait_down(gw)
    helper.wait_until(function() return not is_up(gw) end, 5, "no contact with Redis")
  end

  local function milliseconds(run, ...)
    local from = socket.gettime()
    local result = run(...)
    return (socket.gettime() - from) * 1000, result
  end

  -- Ask until the budget refuses, at most n times: how many were answered.
  local function spend_all(gw, n, key)
    for i = 1, n do
      if ask(gw, key).status ~= 200 then return i - 1 end
    end
    return n
  end

  it("B-22: four gateways spend one budget, and not a nano-dollar more", function()
    local budget = 200 * COST
    for _ = 1, 4 do join(('budget = "$%.6f/day"'):format(budget / 1e9)) end
    local seen = {}
    for _ = 1, 12 do
      for status, n in pairs(volley(40)) do seen[status] = (seen[status] or 0) + n end
    end
    assert.is_true(spent() <= budget)
    socket.sleep(1.5) -- what is held for requests that cost less comes back
    for _, gw in ipairs(gws) do spend_all(gw, 200) end
    assert.is_true(spent() <= budget)
    assert.is_true(spent() >= budget * 0.85, "spent " .. spent())
    assert.equal(480, (seen[200] or 0) + (seen[429] or 0))
    for _, gw in ipairs(gws) do wait_up(gw) end
  end)

  it("B-22: a gateway that is idle gives its part back", function()
    local budget = 100 * COST
    join(('budget = "$%.6f/day"'):format(budget / 1e9))
    join(('budget = "$%.6f/day"'):format(budget / 1e9))
    assert.equal(200, ask(gws[1]).status)
    socket.sleep(1.6)
    assert.is_true(spend_all(gws[2], 110) >= 90)
    assert.is_true(spent() <= budget)
  end)

  it("B-23: Redis dies in the middle: leases are spent, and no more", function()
    local budget = 400 * COST
    local lease = budget / 100
    join(('budget = "$%.6f/day"'):format(budget / 1e9))
    join(('budget = "$%.6f/day"'):format(budget / 1e9))
    volley(40)
    socket.sleep(1.5)
    server:kill()
    for _, gw in ipairs(gws) do wait_down(gw) end
    local before = spent()
    local answered = spend_all(gws[1], 100) + spend_all(gws[2], 100)
    assert.is_true(answered <= 30, "answered " .. answered) -- leases, not what is left
    assert.equal(before + answered * COST, spent())
    assert.is_true(spent() <= budget + 2 * lease)
    local refused = ask(gws[1])
    assert.equal(429, refused.status)
    assert.equal(200, ask(gws[1], KEY .. "-free").status)
    assert.equal(20, spend_all(gws[1], 20, KEY .. "-open")) -- its key says so
    server:start()
    for _, gw in ipairs(gws) do wait_up(gw) end
    helper.wait_until(function() return ask(gws[1]).status == 200 end, 5, "room again")
    spend_all(gws[1], 500)
    spend_all(gws[2], 500)
    assert.is_true(spent() <= budget + 2 * lease)
    assert.is_true(spent() >= budget * 0.9)
  end)

  it("C-22: Redis is not there at the start, and comes", function()
    server:kill()
    local budget = 400 * COST
    join(('budget = "$%.6f/day"'):format(budget / 1e9))
    assert.equal(0, gws[1]:metric "moongate_cluster_up")
    assert.equal(1, gws[1]:metric "moongate_cluster_breaker_open")
    local alone = spend_all(gws[1], 20)
    assert.is_true(alone >= 1 and alone * COST <= budget / 100, "alone " .. alone)
    server:start()
    wait_up(gws[1], 5.5)
    assert.equal(0, gws[1]:metric "moongate_cluster_breaker_open")
    helper.wait_until(function() return ask(gws[1]).status == 200 end, 2, "room")
  end)

  it("C-22: a gateway that is killed again and again gets one lease, not many", function()
    server:kill()
    local budget = 400 * COST
    local gw = join(('budget = "$%.6f/day"'):format(budget / 1e9))
    gw.loud = true -- its log tells of the restarts
    for _ = 1, 3 do
      spend_all(gw, 20)
      local child = gw:child()
      assert(helper.process.run { "kill", "-9", tostring(child) } == 0)
      helper.wait_until(function()
        local ok, response = pcall(gw.request, gw, { path = "/healthz" })
        return gw:child() ~= child and ok and response and response.status == 200
      end, 10, "a new process")
    end
    spend_all(gw, 20)
    assert.is_true(spent() <= budget / 100)
  end)

  it("C-23: Redis takes calls and answers late: five slow calls, then none", function()
    local between = proxy.start(server.port)
    local gw = join('budget = "$5/day"', { url = "redis://127.0.0.1:" .. between.port })
    wait_up(gw)
    assert.equal(200, ask(gw).status)
    between:mode "hold"
    wait_down(gw)
    assert.is_true(gw:metric("moongate_cluster_calls_total", { result = "slow" }) <= 5)
    for _ = 1, 20 do
      local ms, response = milliseconds(ask, gw)
      assert.equal(200, response.status)
      assert.is_true(ms < 40, "took " .. ms)
    end
    assert.equal(1, gw:metric "moongate_cluster_breaker_open")
    between:mode "pass"
    wait_up(gw, 6)
    between:stop()
    wait_down(gw)
  end)

  it("C-24: FLUSHALL: what was spent is not forgotten", function()
    local budget = 200 * COST
    local limits = ('budget = "$%.6f/day"'):format(budget / 1e9)
    join(limits)
    join(limits)
    join(limits)
    volley(60)
    socket.sleep(1.5)
    local before = spent()
    table.remove(gws):stop() -- it will not tell again: the others know what it spent
    before = before - spent()
    server:tell "FLUSHALL"
    socket.sleep(2.5)
    spend_all(gws[1], 300)
    spend_all(gws[2], 300)
    local all = spent() + before
    assert.is_true(all <= budget + 3 * budget / 100, "spent " .. all / COST)
    assert.is_true(all >= budget * 0.85, "spent " .. all / COST)
  end)

  it("C-24: Redis comes back with an old dump", function()
    local budget = 200 * COST
    local limits = ('budget = "$%.6f/day"'):format(budget / 1e9)
    join(limits)
    join(limits)
    volley(20)
    socket.sleep(0.5)
    server:dump()
    volley(100)
    server:kill()
    server:start() -- it reads the dump
    socket.sleep(0.2)
    for _, gw in ipairs(gws) do wait_up(gw, 6) end
    spend_all(gws[1], 300)
    spend_all(gws[2], 300)
    assert.is_true(spent() <= budget + 2 * budget / 100, "spent " .. spent() / COST)
    assert.is_true(spent() >= budget * 0.85, "spent " .. spent() / COST)
    os.remove(server.dir .. "/dump.rdb")
  end)

  -- Make Redis say no in one of its ways, see it told, make it fine again.
  local function trouble(gw, name, say_no, say_yes)
    say_no()
    helper.wait_until(function()
      local told = gw:log "cluster_away"
      return #told > 0 and told[#told].message:find(name, 1, true)
    end, 5, "the reason " .. name)
    assert.equal(200, ask(gw, KEY .. "-free").status)
    say_yes()
    wait_up(gw, 6)
    assert.equal(200, ask(gw).status)
  end

  it("C-25: errors of Redis's own are told, and over when they are over", function()
    local gw = join 'budget = "$5/day"'
    wait_up(gw)
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
    local gw = join 'budget = "$5/day", rpm = 1000'
    wait_up(gw)
    assert.equal(200, ask(gw).status)
    for _, key in ipairs(server:tell("KEYS", "*")) do
      server:tell("DEL", key)
      server:tell("LPUSH", key, "not", "yours")
    end
    for _ = 1, 20 do assert.equal(200, ask(gw).status) end
    socket.sleep(0.6)
    assert.is_true(is_up(gw))
  end)

  it("C-25: answers that are no answers", function()
    local between = proxy.start(server.port)
    local gw = join('budget = "$5/day"', { url = "redis://127.0.0.1:" .. between.port })
    wait_up(gw)
    for _, bytes in ipairs {
      "-MOVED 3999 127.0.0.1:6381\\r\\n", "$900000000\\r\\n" .. ("x"):rep(3e6), "!what\\r\\n",
      "*2000000000\\r\\n", "+OK\\r\\n", "*4\\r\\n:1\\r\\n:2\\r\\n$1\\r\\nx\\r\\n:4\\r\\n",
    } do
      between:mode("say", bytes)
      wait_down(gw)
      assert.equal(200, ask(gw, KEY .. "-free").status)
      between:mode "pass"
      wait_up(gw, 6)
      assert.equal(200, ask(gw).status)
    end
    between:stop()
  end)

  it("shares requests a minute and requests at once", function()
    join "rpm = 20"
    join "rpm = 20"
    local seen = volley(60)
    assert.is_true(seen[200] >= 18 and seen[200] <= 21, "answered " .. seen[200])
    local refused = ask(gws[1])
    assert.equal(429, refused.status)
    assert.is_truthy(tonumber(refused.headers["retry-after"]))
  end)

  it("shares places among the running", function()
    join "parallel = 3"
    join "parallel = 3"
    up:reset()
    up:script("one", "gate gate\n" .. helper.script.script { body = helper.completion "hi" })
    local running = {}
    for i = 1, 3 do
      running[i] = gws[i % 2 + 1]:chat_open(BODY, { key = KEY })
      up:wait_for("one", i)
    end
    assert.equal(429, ask(gws[1]).status)
    assert.equal(429, ask(gws[2]).status)
    up:open "gate"
    for i = 1, 3 do
      assert.equal(200, assert(running[i]:response()).status)
      running[i]:close()
    end
    helper.wait_until(function() return ask(gws[2]).status == 200 end, 3, "a place")
  end)

  it("S-21: Redis knows no token, no prompt and no end user", function()
    local gw = join 'budget = "$5/day", rpm = 100'
    gw:chat('{"model":"one","messages":[{"role":"user","content":"canary-prompt"}],'
      .. '"user":"canary-user"}', { key = KEY })
    socket.sleep(0.5)
    local dump = server:dump()
    os.remove(server.dir .. "/dump.rdb")
    assert.is_truthy(dump:find("key:k", 1, true))
    for _, secret in ipairs { KEY, "canary", "upstream-key", "0123456789abcdef" } do
      assert.is_nil(dump:find(secret, 1, true), secret)
    end
  end)

  it("refuses to start with an address it cannot use, and does not repeat it", function()
    for url, says in pairs {
      ["rediss://:open-sesame@h"] = "TLS", ["redis://:open-sesame@h:port"] = "port",
      ["http://open-sesame"] = "redis://",
    } do
      local dir = helper.process.temp_dir()
      local status, out, err = helper.process.run({
        helper.binary, "serve", "--data", dir .. "/data", "--listen",
        "127.0.0.1:" .. helper.free_port(), "--admin", "off",
      }, { env = { MOONGATE_REDIS_URL = url } })
      helper.remove_tree(dir)
      assert.equal(3, status)
      assert.is_truthy((out .. err):find("MOONGATE_REDIS_URL", 1, true))
      assert.is_truthy((out .. err):find(says, 1, true))
      assert.is_nil((out .. err):find("open-sesame", 1, true))
    end
  end)
end)
