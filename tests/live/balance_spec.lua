-- Who is picked, and who rests: strategies, a deployment's own limits, probes, the deadline.

local helper = require "helper"
local socket = require "socket"

describe("the pick", function()
  local up, gw

  local function start(routes, want)
    want = want or {}
    want.routes = routes
    gw = helper.gateway(want)
  end

  -- A deployment in a lane, as a piece of routes.lua.
  local function dep(lane, more)
    return ('provider "openai_compatible" { name = %q, base_url = %q } { "m", %s }')
      :format(lane, up:url(lane) .. "/v1", more or "")
  end

  local function model(deps, more)
    return ('model "m" { %s, %s }'):format(table.concat(deps, ", "), more or "")
  end

  local function good(lane) up:reply(lane, { body = helper.completion(lane) }) end

  -- Answers only once `gate` opens.
  local function gated(lane, gate)
    up:script(lane, "gate " .. gate .. "\n"
      .. helper.script.script { body = helper.completion(lane) })
  end

  -- How many of n requests each lane answered.
  local function spread(n)
    local seen = {}
    for _ = 1, n do
      local response = gw:chat(helper.ask "m")
      assert.equal(200, response.status, response.body)
      local lane = response.json.choices[1].message.content
      seen[lane] = (seen[lane] or 0) + 1
    end
    return seen
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() up:reset() end)
  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  it("goes to the least busy, in all workers", function()
    gated("a", "go")
    gated("b", "go")
    start(model({ dep "a", dep "b" }, 'balance = "least_busy"'), { workers = 2 })
    local open = {}
    for i = 1, 6 do
      open[i] = gw:chat_open(helper.ask "m")
      helper.wait_until(function() return (up:stats()) == i end, 5, "request " .. i)
    end
    assert.equal(3, #up:requests "a")
    assert.equal(3, #up:requests "b")
    up:open "go"
    for _, connection in ipairs(open) do
      assert.equal(200, connection:response().status)
      connection:close()
    end
  end)

  it("goes to the quickest, once it knows who that is", function()
    for lane, ms in pairs { a = 1000, b = 0 } do
      up:script(lane, ("gate go\nwait %d\n"):format(ms)
        .. helper.script.script { body = helper.completion(lane) })
    end
    start(model({ dep "a", dep "b" }, 'balance = "lowest_latency"'))
    local open = {}
    for i = 1, 20 do open[i] = gw:chat_open(helper.ask "m") end
    helper.wait_until(function() return (up:stats()) == 20 end, 10, "both asked")
    up:open "go"
    for _, connection in ipairs(open) do
      assert.equal(200, connection:response().status)
      connection:close()
    end
    assert.same({ b = 20 }, spread(20))
  end)

  it("goes to the cheapest; an unknown price is the dearest", function()
    for _, lane in ipairs { "a", "b", "c" } do good(lane) end
    start(model({ dep "a", dep("b", "price = { input = 5, output = 1 }"),
      dep("c", "price = { input = 1, output = 1 }") }, 'balance = "lowest_cost"'))
    assert.same({ c = 8 }, spread(8))
  end)

  it("goes where a function says, which may refuse", function()
    good "a"
    good "b"
    start(model({ dep "a", dep "b" }, [[balance = function(deployments, call)
      if call.user == "nobody" then return nil end
      return best(deployments, function(d) return d.name == "b/m" and 1 or 0 end)
    end]]))
    assert.same({ b = 5 }, spread(5))
    local response = gw:chat(helper.ask("m", '"user":"nobody"'))
    assert.equal(503, response.status, response.body)
    assert.equal("no_healthy_upstream", response.json.error.code)
  end)

  it("leaves out a deployment whose tokens a minute are taken", function()
    good "a"
    good "b"
    start(model({ dep("a", "tpm = 100, max_tokens = 60, weight = 1000"),
      dep("b", "weight = 0.001") }))
    assert.same({ a = 1, b = 3 }, spread(4))
    assert.equal(3, gw:metric("moongate_ratelimited_total", { limit = "tpm" }))
  end)

  it("says so when all are at their limits", function()
    good "a"
    start(model { dep("a", "rpm = 1") })
    assert.same({ a = 1 }, spread(1))
    local response = gw:chat(helper.ask "m")
    assert.equal(503, response.status, response.body)
    local wait = tonumber(response.headers["retry-after"]) -- a sliding minute: up to two
    assert.is_true(wait > 5 and wait <= 120, wait)
    assert.equal("true", response.headers["x-should-retry"])
    assert.equal(1, #up:requests "a")
  end)

  it("after a rest lets one request try, whose success lets all in", function()
    up:reply("a", { status = 500, body = "{}" }, 2)
    gated("a", "go")
    start(model({ dep "a" }, 'retries = 0, '
      .. 'cooldown = { allowed_fails = 1, within = "10s", time = "2s" }'), { workers = 2 })
    assert.equal(502, gw:chat(helper.ask "m").status)
    assert.equal(502, gw:chat(helper.ask "m").status)
    assert.equal(503, gw:chat(helper.ask "m").status)
    socket.sleep(2.05)
    local probe = gw:chat_open(helper.ask "m")
    up:wait_for("a", 3)
    for _ = 1, 4 do assert.equal(503, gw:chat(helper.ask "m").status) end
    assert.equal(3, #up:requests "a")
    up:open "go"
    assert.equal(200, probe:response().status)
    probe:close()
    assert.same({ a = 4 }, spread(4))
    assert.equal(1, gw:metric("moongate_deployment_up", { deployment = "a/m" }))
  end)

  it("begins no wait that would pass the deadline", function()
    up:reply("a", { status = 503, body = "{}", headers = { ["retry-after"] = "2" } })
    start(model({ dep "a" }, 'retries = 5, timeout = { total = "3500ms" }, '
      .. 'cooldown = { allowed_fails = 100, within = "10s", time = "1s" }'))
    local from = helper.now()
    local response = gw:chat(helper.ask "m")
    assert.is_true(helper.now() - from > 1.9)
    -- The provider's own words: whoever waits on meets the deadline, which is another answer.
    assert.equal(503, response.status, response.body)
    assert.equal("2", response.headers["x-moongate-attempts"])
    assert.equal(2, #up:requests "a")
  end)

  it("ends a stream that has had its time, with an error", function()
    local s = helper.script
    local steps = {}
    for i = 1, 300 do steps[i] = "wait 100\n" .. s.send(s.chunk(helper.piece("y" .. i))) end
    up:reply("a", { stream = "whole", body = helper.piece "x", after = table.concat(steps) })
    start(model({ dep "a" }, 'retries = 0, timeout = { total = "500ms" }'))
    local response = gw:chat(helper.ask("m", '"stream":true'))
    assert.is_falsy(response.body:find '"y300"') -- it would come after half a minute
    assert.is_truthy(response.body:find '"upstream_timeout"', response.body)
    assert.is_falsy(response.body:find "%[DONE%]")
  end)
end)
