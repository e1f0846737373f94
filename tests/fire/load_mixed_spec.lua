-- Tenants, prompts and scripts that take more than their share, overload, and all at once for a
-- while. Small numbers; MOONGATE_FULL=1 takes the matrix' own.

local helper = require "helper"
local load = require "support.load"
local socket = require "socket"
local swarm = require "support.swarm"

local right, size = load.right, swarm.size

-- A model whose choice takes the worker about a millisecond: no script of an operator's, which
-- would be stopped where the machine is slow.
local MANY = [[
local many = provider "openai_compatible" { name = "many", base_url = %q, api_key = "k" }
local list = { retries = 0 }
for i = 1, 2000 do list[i] = many { "m" .. i, price = { input = 1, output = 2 } } end
model "many" (list)
]]

-- A route that works for a millisecond or two: more, and a slow machine would stop it.
local BUSY = [[
route(function(r)
  if r.model ~= "busy" then return r.model end
  local t = {}
  for i = 1, 10000 do t[i % 64] = ("x"):rep(64) .. i end
  return "one"
end)
]]

describe("load", function()
  local source, gw, start, ask = load.each()

  it("L-11: ten times what it can do: some are served, the rest hear so, then all", function()
    start { more = MANY:format(source:url()), args = { "--queue", "50" } }
    local file = ask("", { model = "many" })
    local alone = swarm.run(gw.port, file, { loop = 4, seconds_ms = 1000 })
    right(alone)
    local report = swarm.run(gw.port, file, {
      rate = math.min(10 * alone.ok, 8000), seconds_ms = size(3000, 300000), most = 3000,
      linger_ms = 30000,
    })
    local said = right(report)
    assert.is_true(report.ok > 0, said)
    assert.is_true(report.status["503"] > 0, said)
    assert.equal(report.sent, report.ok + report.status["503"], said)
    assert.equal(report.status["503"], gw:metric("moongate_shed_total", { reason = "queue" }))
    -- Who was refused cost no provider anything.
    local seen = source:stats().requests
    assert.is_true(seen >= alone.ok + report.ok and seen <= alone.sent + report.ok, seen)
    socket.sleep(1)
    local calm = swarm.run(gw.port, file, { loop = 2, seconds_ms = 500 })
    assert.equal(calm.status["200"], calm.ok, right(calm))
    assert.is_nil(calm.status["503"])
  end)

  it("L-14, L-15: a while of everything: faults, leavers, streams, reloads", function()
    start { workers = 2, more = 'defaults { cooldown = { allowed_fails = 1000000 } }' }
    local files = {
      ask("faults=50", { name = "whole" }), ask("delay=20 faults=20", { name = "later" }),
      ask("events=5 gap=5 faults=20", { name = "stream", stream = true }),
    }
    local function everything(ms)
      return swarm.start(gw.port, files, { loop = 32, seconds_ms = ms, leave = 4, share = 10 })
    end
    everything(1000):finish()
    local memory, descriptors = gw:memory_kib(), swarm.descriptors(gw:child())
    local run = everything(size(2500, 120000))
    for _ = 1, size(3, 120) do
      socket.sleep(0.7)
      assert.equal(200, gw:admin("POST", "/admin/reload").status)
    end
    local report = run:finish(200)
    assert.equal(0, report.wrong, helper.json.encode(report))
    assert.is_true(report.ok > 0)
    helper.wait_until(function()
      return gw:metric "moongate_requests_in_flight" == 0
    end, 10, "all at rest")
    assert.is_true(swarm.descriptors(gw:child()) <= descriptors + 64)
    if helper.shows "memory" then
      local grown = gw:memory_kib() - memory
      assert.is_true(grown < 24 * 1024, grown .. " KiB more")
    end
  end)

  it("L-16: scripts that leave a megabyte each leave no growth", function()
    start { more = [[
route(function(r)
  local t = {}
  for i = 1, 256 do t[i] = ("x"):rep(4096) .. i end
  return #t == 256 and r.model or "none"
end)]] }
    right(swarm.run(gw.port, ask(), { loop = 8, seconds_ms = 500 }))
    local before = gw:memory_kib()
    right(swarm.run(gw.port, ask(), { loop = 8, seconds_ms = size(1200, 60000) }))
    assert.is_true(gw:metric "moongate_lua_memory_bytes" < 64 * 2 ^ 20)
    if not helper.shows "memory" then return end
    local grown = gw:memory_kib() - before
    assert.is_true(grown < 24 * 1024, grown .. " KiB more")
  end)

  it("L-17: one far over its limit hears 429, and others nothing of it", function()
    start { env = { LOUD = "mg-loud-0123456789abcdef", CALM = "mg-calm-0123456789abcdef" },
      more = [[
virtual_key "loud" { token = env.LOUD, models = { "*" }, rpm = 60 }
virtual_key "calm" { token = env.CALM, models = { "*" }, rpm = 1e6 }]] }
    local loud = ask("", { name = "loud", key = "mg-loud-0123456789abcdef" })
    local calm = ask("", { name = "calm", key = "mg-calm-0123456789abcdef" })
    local noise = swarm.start(gw.port, loud, { loop = 64, seconds_ms = 1500 })
    local report = swarm.run(gw.port, calm, { rate = 200, seconds_ms = 1000 })
    assert.equal(report.sent, report.ok, right(report))
    local heard = noise:finish()
    right(heard)
    assert.is_true(heard.ok <= 62, heard.ok)
    assert.equal(heard.ok, heard.status["200"])
    assert.is_true(heard.status["429"] > 100, heard.status["429"])
    assert.equal(source:stats().requests, report.ok + heard.ok)
  end)

  it("L-18: prompts of a kilobyte and of megabytes, mixed, are all answered", function()
    start { args = { "--in-flight", "1000" } }
    local files = {}
    for i, bytes in ipairs { 1000, 1000, 1000, 1000, 100000, 100000, size(2e6, 2e7) } do
      files[i] = ask("", { name = "prompt" .. i, padding = bytes })
    end
    local run = swarm.start(gw.port, files, { loop = 6, seconds_ms = 60000 })
    helper.wait_until(function() return source:stats().requests >= size(60, 600) end, 60,
      "a number of them")
    local report = run:enough()
    assert.is_true(report.ok > 20, right(report))
    assert.equal(report.ok, report.status["200"])
  end)

  it("L-19: a script that holds up one worker is seen, and the others serve on", function()
    start { workers = 2, more = BUSY, loud = true }
    local held = swarm.start(gw.port, ask("", { name = "held", model = "busy" }),
      { loop = 1, seconds_ms = 1500 })
    local report =
      swarm.run(gw.port, ask("", { name = "free" }), { loop = 8, seconds_ms = 1000 })
    assert.is_true(report.ok > 20, right(report))
    assert.equal(report.ok, report.status["200"])
    local slow = held:finish()
    assert.equal(slow.ok, slow.status["200"], right(slow))
    assert.is_true(slow.ok > 0)
    assert.is_true(gw:metric("moongate_lua_calls_total", { hook = "route" }) >= slow.ok)
    assert.is_true(gw:metric("moongate_lua_duration_seconds_sum", { hook = "route" })
      > slow.ok * 1e-4)
  end)

  it("L-22: metrics are read while much is asked for, and stay a bounded list", function()
    local n, keys = size(300, 20000), {}
    for i = 1, n do
      keys[i] = ('virtual_key "k%d" { token = "mg-many-%016d", models = { "*" } }'):format(i, i)
    end
    start { more = table.concat(keys, "\n") }
    local files = {}
    for i = 1, 60 do
      files[i] = ask("", { name = "of" .. i, key = ("mg-many-%016d"):format(i * n / 60) })
    end
    local run = swarm.start(gw.port, files, { loop = 8, seconds_ms = 2000 })
    for _ = 1, 10 do
      local response = gw:admin("GET", "/metrics")
      assert.equal(200, response.status)
      local series = select(2, response.body:gsub("\nmoongate_requests_total{", ""))
      assert.is_true(series <= 1000, series)
      assert.is_true(#response.body < 2 ^ 20, #response.body)
      socket.sleep(0.1)
    end
    assert.is_true(run:finish().ok > 100)
  end)
end)
