-- Several gateways before one Redis, a real one: what they spend together, also when it dies.

local cluster = require "support.cluster"
local helper = require "helper"
local redis = require "support.redis"
local socket = require "socket"

local KEY, COST = cluster.KEY, cluster.COST

describe("a cluster", function()
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

  it("B-22: four gateways spend one budget, and not a nano-dollar more", function()
    local budget = 200 * COST
    for _ = 1, 4 do cluster.wait_up(all:join(cluster.budget(200))) end
    local seen = {}
    for _ = 1, 12 do
      for status, n in pairs(all:volley(40)) do seen[status] = (seen[status] or 0) + n end
    end
    assert.is_true(all:spent() <= budget, "spent " .. all:spent() / COST)
    all:exhaust(budget * 0.85)
    assert.is_true(all:spent() <= budget)
    assert.equal(480, (seen[200] or 0) + (seen[429] or 0))
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
  end)

  it("B-22: a gateway that is idle gives its part back", function()
    local budget = 100 * COST
    all:join(cluster.budget(100))
    all:join(cluster.budget(100))
    cluster.must(all.gws[1])
    local idle = table.remove(all.gws, 1)
    all:exhaust(budget * 0.9)
    table.insert(all.gws, idle)
    assert.is_true(all:spent() <= budget)
  end)

  it("B-22: a gateway that stops gives its part back at once", function()
    local gw = all:join(cluster.budget(100) .. ", parallel = 5")
    cluster.wait_up(gw)
    cluster.must(gw)
    all:stop()
    for _, key in ipairs(server:tell("KEYS", "*:key:k")) do
      local held, spent
      helper.wait_until(function() -- Redis has read it, if not yet done it
        held, spent = server:tell("HGETALL", key)[2]:match "^(%d+) (%d+)"
        return spent == held
      end, 3, function() return ("%s: %s held, %s spent"):format(key, held, spent) end)
    end
  end)

  it("B-23: Redis dies in the middle: leases are spent, and no more", function()
    local budget = 400 * COST
    local lease = budget / 100
    all:join(cluster.budget(400))
    all:join(cluster.budget(400))
    all:volley(40)
    socket.sleep(1.5)
    server:kill()
    for _, gw in ipairs(all.gws) do cluster.wait_down(gw) end
    local before = all:spent()
    local answered = cluster.spend(all.gws[1], 100) + cluster.spend(all.gws[2], 100)
    assert.is_true(answered <= 30, "answered " .. answered) -- leases, not what is left
    assert.equal(before + answered * COST, all:spent())
    assert.is_true(all:spent() <= budget + 2 * lease)
    local refused = cluster.ask(all.gws[1])
    assert.equal(429, refused.status)
    assert.equal(200, cluster.ask(all.gws[1], "-free").status)
    assert.equal(20, cluster.spend(all.gws[1], 20, "-open")) -- its key says so
    server:start()
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
    all:wait_told() -- it had forgotten
    all:exhaust(budget * 0.9)
    assert.is_true(all:spent() <= budget + 2 * lease)
  end)

  it("shares requests a minute and requests at once", function()
    all:join "rpm = 20"
    all:join "rpm = 20"
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
    local from, answered = server:now(), 0
    helper.wait_until(function()
      -- Who waits 60 ms for a grant is refused; what was granted is there for the next.
      answered = answered + (all:volley(60)[200] or 0)
      return answered >= 18
    end, 20, function() return "18 answers; there were " .. answered end)
    local most = 20 + (server:now() - from) / 60 * 20 -- by the clock of who grants
    assert.is_true(answered <= most, ("%d answers, at most %.1f"):format(answered, most))
    local refused = cluster.ask(all.gws[1])
    assert.equal(429, refused.status)
    assert.is_truthy(tonumber(refused.headers["retry-after"]))
  end)

  -- A request that its provider sees, as the nth; on a busy machine a grant may come too late,
  -- and then it is refused first.
  local function take_place(gw, nth)
    local connection
    helper.wait_until(function()
      connection = connection or gw:chat_open(cluster.BODY, { key = KEY })
      if #up:requests "one" >= nth then return true end
      if #socket.select({ connection.sock }, nil, 0) == 0 then return false end
      assert.equal(429, connection:response().status)
      connection:close()
      connection = nil
    end, 20, "a place for each")
    return connection
  end

  it("shares places among the running", function()
    all:join "parallel = 3"
    all:join "parallel = 3"
    up:reset()
    up:script("one", "gate gate\n" .. helper.script.script { body = helper.completion "hi" })
    local running = {}
    for _, gw in ipairs(all.gws) do cluster.wait_up(gw) end
    for i = 1, 3 do running[i] = take_place(all.gws[i % 2 + 1], i) end
    assert.equal(429, cluster.ask(all.gws[1]).status)
    assert.equal(429, cluster.ask(all.gws[2]).status)
    up:open "gate"
    for i = 1, 3 do
      assert.equal(200, assert(running[i]:response()).status)
      running[i]:close()
    end
    cluster.must(all.gws[2])
  end)

  it("needs no more rights in Redis than its manual says", function()
    local rights = helper.process.read "docs/cluster.md":match "A user needs `([^`]+)`"
    local words = { "ACL", "SETUSER", "gate", "on", ">open-sesame" }
    for word in rights:gmatch "%S+" do words[#words + 1] = word end
    assert(server:tell(unpack(words)))
    local gw = all:join('budget = "$5/day", rpm = 100, parallel = 5',
      "redis://gate:open-sesame@localhost:" .. server.port .. "/0")
    cluster.wait_up(gw)
    for _ = 1, 5 do cluster.must(gw) end
    assert.same({}, cluster.troubles(gw))
    assert.is_nil(gw:log_text():find("open-sesame", 1, true))
    server:tell("ACL", "DELUSER", "gate")
  end)

  it("S-21: Redis knows no token, no prompt and no end user", function()
    local gw = all:join 'budget = "$5/day", rpm = 100'
    cluster.wait_up(gw)
    local body = '{"model":"one","messages":[{"role":"user","content":"canary-prompt"}],'
      .. '"user":"canary-user"}'
    helper.wait_until(function() return gw:chat(body, { key = KEY }).status == 200 end, 15,
      "an answer")
    socket.sleep(0.5)
    helper.wait_until(function() return server:tell("KEYS", "*:key:k")[1] end, 10, "its budget")
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
