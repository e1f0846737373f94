-- The knob by which tests wait less: MOONGATE_TIME_SCALE.

local helper = require "helper"

describe("time, scaled", function()
  local up, gateway

  lazy_setup(function()
    up = helper.upstream()
    local routes = helper.routes(up, { "slow", "wild" }, [[
route(function(r)
  if r.model == "wild" then
    local sum = 0
    for n = 1, 2e5 do sum = sum + n end
  end
  return r.model
end)]])
    routes = routes:gsub("retries = 0", 'retries = 0, timeout = { total = "2m" }', 1)
    -- A head has its ten seconds, 200 ms of the machine: who asks needs some of them.
    gateway = helper.gateway { scale = 0.02, routes = routes }
    up:script("slow", "halt\n")
    up:reply("wild", { body = helper.completion "x" })
  end)
  lazy_teardown(function()
    gateway:stop()
    up:stop()
  end)

  it("ends a request of two minutes after some seconds", function()
    local answer = gateway:chat(helper.ask "slow")
    assert.equal(504, answer.status)
    assert.equal("upstream_timeout", answer.json.error.code)
  end)

  it("closes a head that takes ten seconds", function()
    local slow = gateway:raw "GET /v1/mod"
    assert.is_true(slow:closed(9))
    slow:close()
  end)

  it("gives a hook of some milliseconds its time", function()
    assert.equal(200, gateway:chat(helper.ask "wild").status)
  end)
end)
