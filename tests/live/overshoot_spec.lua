-- Many clients race for the last dollar: budgets hold to the nano-dollar.
--
-- MOONGATE_ROUNDS says how many races are run (20); each has a budget of its own.

local helper = require "helper"
local http = require "support.http"

local KEY = "mg-test-overshoot-0123456789abcdef"
local ROUNDS = tonumber(os.getenv "MOONGATE_ROUNDS") or 20
local CLIENTS = 64
local COST = 5 * 2000 -- nano-dollars: input is free here, so that no bound is above the truth

describe("the last dollar", function()
  local up, gw

  local ROUTES = [[
model "exact" {
  provider "openai_compatible" { name = "exact", base_url = %q, api_key = "k" } {
    "gpt-4o-mini", price = { input = 0, output = 2 },
  },
  retries = 0,
}
model "capped" {
  provider "openai_compatible" { name = "capped", base_url = %q, api_key = "k" } {
    "gpt-4o-mini", price = { input = 0, output = 2 }, max_tokens = 4,
  },
  retries = 0,
}
virtual_key "k" { token = env.KEY }
limits { user = { budget = "$%s/month" } }
]]

  local function start(budget)
    up = helper.upstream()
    gw = helper.gateway {
      env = { KEY = KEY }, workers = 2,
      routes = ROUTES:format(up:url "one" .. "/v1", up:url "one" .. "/v1", budget),
    }
    up:reply("one", { body = helper.completion "hi" })
  end

  after_each(function()
    gw:assert_silent()
    gw:stop()
    up:stop()
  end)

  local function connect(n)
    local out = {}
    for i = 1, n do out[i] = http.connect(gw.port) end
    return out
  end

  local function bytes(model, user, more)
    local body = helper.ask(model, ('"user":"%s"%s'):format(user, more or ""))
    return http.format {
      method = "POST", path = "/v1/chat/completions", body = body,
      headers = { ["content-type"] = "application/json", authorization = "Bearer " .. KEY },
    }
  end

  -- All at once; how many of each status.
  local function race(connections, request)
    local statuses = {}
    for _, connection in ipairs(connections) do connection:send(request) end
    for _, connection in ipairs(connections) do
      local status = connection:response().status
      statuses[status] = (statuses[status] or 0) + 1
    end
    return statuses
  end

  -- What the journal says each end user spent, and in how many rows.
  local function spent()
    local nano, rows = {}, {}
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" then
        nano[line.user] = (nano[line.user] or 0) + line.cost_nano
        rows[line.user] = (rows[line.user] or 0) + 1
      end
    end
    return nano, rows
  end

  it("B-20: is spent once, and to the last nano-dollar, " .. ROUNDS .. " times", function()
    start "0.0002" -- twenty answers
    local connections = connect(CLIENTS)
    for round = 1, ROUNDS do
      local statuses = race(connections, bytes("exact", "u" .. round, ',"max_tokens":5'))
      assert.same({ [200] = 20, [429] = CLIENTS - 20 }, statuses)
    end
    local nano, rows = spent()
    for round = 1, ROUNDS do
      assert.same({ 20 * COST, 20 }, { nano["u" .. round], rows["u" .. round] })
    end
    assert.equal(20 * ROUNDS, (up:stats()))
    assert.is_nil(gw:metric "moongate_cost_above_reserved_usd_total")
    for _, connection in ipairs(connections) do connection:close() end
  end)

  it("B-20: lets about a hundred of a thousand through", function()
    start "0.001"
    local connections = connect(200)
    local through = 0
    for _ = 1, 5 do
      through = through + (race(connections, bytes("exact", "u", ',"max_tokens":5'))[200] or 0)
    end
    assert.equal(100, through)
    assert.equal(1000000, spent().u)
    for _, connection in ipairs(connections) do connection:close() end
  end)

  it("B-21: without max_tokens, is overspent by no more than the caps were too low", function()
    start "0.00008" -- ten answers of four tokens; the provider writes five
    local connections = connect(CLIENTS)
    local statuses = race(connections, bytes("capped", "u"))
    assert.is_true(statuses[200] >= 8 and statuses[200] <= 10)
    local over = statuses[200] * (5 - 4) * 2000
    assert.is_true(spent().u <= 80000 + over)
    assert.equal(over / 1e9, gw:metric "moongate_cost_above_reserved_usd_total")
    for _, connection in ipairs(connections) do connection:close() end
  end)
end)
