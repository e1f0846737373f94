-- More than the gateway can take on: refused at once, in the words of who asks, while what runs
-- runs on; and over as soon as there is room.

local helper = require "helper"

local MODEL = [[
model "slow" {
  provider "openai_compatible" { name = "slow", base_url = "%s/v1", api_key = "k" } {
    "gpt-4o-mini",
  },
  retries = 0,
}
]]

describe("L-11: a gateway with no room", function()
  local up, gw, held

  local function start(args, more)
    gw = helper.gateway { routes = MODEL:format(up:url "slow") .. (more or ""), args = args }
    up:script("slow", helper.script.script { stream = "whole", body = helper.piece "first",
      after = "gate on\n" .. helper.script.send(helper.script.chunk(helper.stream "last")
        .. helper.script.chunk "") })
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function()
    up:reset()
    held = {}
  end)

  after_each(function()
    up:open "on"
    for _, connection in ipairs(held) do connection:close() end
    gw:assert_silent()
    gw:stop()
  end)

  local function hold(n)
    for _ = 1, n do
      local connection = gw:chat_open(helper.ask("slow", '"stream":true'))
      assert.equal(200, connection:head().status)
      held[#held + 1] = connection
    end
  end

  local DOORS = {
    ["/v1/chat/completions"] = { 503, "server_error", "overloaded" },
    ["/v1/responses"] = { 503, "server_error", "overloaded" },
    ["/v1/messages"] = { 529, "overloaded_error" },
    ["/v1/models/slow:generateContent"] = { 503, 503, "UNAVAILABLE" },
    ["/v1beta/models/slow:streamGenerateContent"] = { 503, 503, "UNAVAILABLE" },
    ["/nowhere"] = { 503, "server_error", "overloaded" },
  }

  local function code_of(json)
    local err = json.error
    return err.type or err.code, err.status or err.code
  end

  it("A-57: says so in every dialect, for now, and goes on with what it has", function()
    start { "--in-flight", "2" }
    hold(2)
    local seen = up:stats()
    for path, want in pairs(DOORS) do
      local response = gw:chat(helper.ask "slow", { path = path })
      assert.equal(want[1], response.status, path)
      local kind, code = code_of(response.json)
      assert.equal(want[2], kind, path)
      if want[3] then assert.equal(want[3], code, path) end
      assert.equal("application/json", response.headers["content-type"])
      assert.equal("1", response.headers["retry-after"])
      assert.equal("true", response.headers["x-should-retry"])
      assert.truthy(response.headers["x-request-id"]:find "^%x+%-%x+%-7")
      assert.equal(response.headers["x-request-id"],
        response.headers["x-moongate-request-id"])
    end
    assert.equal(200, gw:request { path = "/healthz" }.status)
    assert.equal(200, gw:admin("GET", "/metrics").status)
    assert.equal(seen, up:stats())
    assert.equal(6, gw:metric("moongate_shed_total", { reason = "in_flight" }))
    up:open "on"
    for _, connection in ipairs(held) do
      local events = {}
      for event in function() return connection:event() end do events[#events + 1] = event end
      assert.equal("data: [DONE]\n\n", events[#events])
    end
    assert.equal(200, gw:chat(helper.ask("slow", '"stream":true')).status)
    helper.wait_until(function() return #gw:log "overload" > 0 end, 5, "a line in the log")
    helper.wait_until(function()
      return gw:metric("moongate_shedding", { reason = "in_flight" }) == 0
    end, 5, "the gauge at rest")
  end)

  it("keeps the connection of who asked in one go, and reads no large body", function()
    start { "--in-flight", "1" }
    hold(1)
    local body = helper.ask "slow"
    local request = helper.http.format { method = "POST", path = "/v1/chat/completions",
      body = body, headers = { ["content-type"] = "application/json" } }
    local connection = gw:raw(request)
    assert.equal(503, connection:response().status)
    connection:send(request)
    assert.equal(503, connection:response().status)
    connection:close()
    connection = gw:raw("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
      .. "content-type: application/json\r\ncontent-length: 20000000\r\n\r\n{")
    local response = connection:response()
    assert.equal(503, response.status)
    assert.equal("close", response.headers.connection)
    connection:close()
  end)
end)
