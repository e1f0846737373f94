-- Limits and budgets in the real gateway: what is refused, what is told, and that whatever
-- becomes of a request, nothing stays set aside and nothing is spent twice.

local admin_of = require "support.admin"
local helper = require "helper"

local KEY = "mg-test-budgets-0123456789abcdef"
local COST = 10 * 1000 + 5 * 2000 -- nano-dollars of one answer of the test provider

describe("budgets", function()
  local up, gw

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)

  local function start(key, more, options)
    options = options or {}
    options.env = { KEY = KEY, OTHER = KEY .. "x" }
    options.routes = helper.routes(up, { "one", "two" },
      ('virtual_key "k" { token = env.KEY, team = "red", %s }\n'):format(key or "")
      .. (more or ""))
    gw = helper.gateway(options)
    up:reply("one", { body = helper.completion "hi" })
  end

  before_each(function() up:reset() end)

  local function ask(more) return gw:chat(helper.ask("one", more), { key = KEY }) end

  local function own()
    local response = gw:request {
      method = "GET", path = "/v1/usage", headers = { authorization = "Bearer " .. KEY },
    }
    return helper.json.decode(response.body)
  end

  local function usage_lines()
    local out, nano = {}, 0
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" and line.key == "k" then
        out[#out + 1] = line
        nano = nano + (line.cost_nano ~= helper.json.null and line.cost_nano or 0)
      end
    end
    return out, nano
  end

  -- B-24: nothing is set aside, nobody counts as running, and the rows' sum is what was spent.
  local function at_rest()
    gw:assert_silent()
    local state = own()
    for _, account in ipairs(state.limits) do
      for _, budget in ipairs(account.budgets) do assert.equal("0", budget.reserved_usd) end
      if account.parallel ~= helper.json.null then
        assert.equal(account.parallel.limit, account.parallel.remaining)
      end
    end
    local _, nano = usage_lines()
    assert.equal(("%.9f"):format(nano / 1e9), ("%.9f"):format(state.spend_usd.year))
    local _, _, open = up:stats()
    return state, nano, open
  end

  after_each(function()
    at_rest()
    gw:stop()
  end)

  it("tells a key what it spent and what is left", function()
    start('rpm = 10, tpm = 100000, parallel = 4, budget = { "$1/day", "$5/month" }')
    local response = ask '"max_tokens":5'
    assert.equal(200, response.status)
    assert.equal("10", response.headers["x-ratelimit-limit-requests"])
    assert.equal("9", response.headers["x-ratelimit-remaining-requests"])
    assert.is_truthy(response.headers["x-ratelimit-reset-requests"]:match "^%d+s$")
    assert.equal("100000", response.headers["x-ratelimit-limit-tokens"])
    local state = own()
    assert.same({ "usage", "k", "red" }, { state.object, state.key, state.team })
    assert.equal("0.00002", state.spend_usd.day)
    local mine = state.limits[1]
    assert.same({ "key", "k", 10, 9 },
      { mine.scope, mine.name, mine.requests.limit, mine.requests.remaining })
    local left = mine.tokens.remaining -- which grows by the second
    assert.is_true(left >= 99985 and left <= 100000, left)
    local month = mine.budgets[2]
    assert.same({ "month", "5", "0.00002", "0", "4.99998" }, {
      month.window, month.limit_usd, month.spent_usd, month.reserved_usd, month.remaining_usd,
    })
    assert.is_truthy(month.resets_at:match "^%d%d%d%d%-%d%d%-01T00:00:00")
  end)

  it("B-28: refuses exactly the n-th, says when, and takes nothing for it", function()
    start "rpm = 3"
    for _ = 1, 3 do assert.equal(200, ask().status) end
    for _ = 1, 3 do
      local refused = ask()
      assert.equal(429, refused.status)
      assert.equal("rate_limit_exceeded", refused.json.error.code)
      assert.equal("true", refused.headers["x-should-retry"])
      local seconds = tonumber(refused.headers["retry-after"])
      assert.is_true(seconds >= 1 and seconds <= 20, seconds)
      assert.equal("0", refused.headers["x-ratelimit-remaining-requests"])
    end
    assert.equal(3, #up:requests "one")
    assert.equal(3, #usage_lines())
    assert.equal(3, gw:metric("moongate_ratelimited_total", { scope = "key", limit = "rpm" }))
    assert.equal(3, gw:metric("moongate_requests_total", { outcome = "rate_limited" }))
  end)

  it("B-28: counts those running, and gives a place back", function()
    start "parallel = 2"
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "hi" })
    local first = gw:chat_open(helper.ask "one", { key = KEY })
    local second = gw:chat_open(helper.ask "one", { key = KEY })
    up:wait_for("one", 2)
    local refused = ask()
    assert.equal(429, refused.status)
    assert.is_truthy(refused.json.error.message:find("requests at once", 1, true))
    up:open "go"
    assert.equal(200, first:response().status)
    assert.equal(200, second:response().status)
    first:close()
    second:close()
    assert.equal(200, ask().status)
  end)

  it("B-28: gives unused tokens back", function()
    start "tpm = 3000"
    for _ = 1, 10 do assert.equal(200, ask('"max_tokens":1000').status) end
    local left = own().limits[1].tokens.remaining
    assert.is_true(left >= 3000 - 150 and left <= 3000, left)
  end)

  it("two keys race for the last dollar of their team: exactly one wins", function()
    start("", 'virtual_key "l" { token = env.OTHER, team = "red" }\n'
      .. 'limits { team = { red = { budget = "$0.0003/month" } } }')
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "hi" })
    local body = helper.ask("one", '"max_tokens":100')
    local connections = {
      gw:chat_open(body, { key = KEY }), gw:chat_open(body, { key = KEY .. "x" }),
    }
    up:wait_for("one", 1)
    helper.wait_until(function()
      return gw:metric("moongate_requests_total", { outcome = "budget" }) == 1
    end, 10, "one that lost")
    up:open "go"
    local statuses = {}
    for i, connection in ipairs(connections) do
      statuses[i] = connection:response().status
      connection:close()
    end
    table.sort(statuses)
    assert.same({ 200, 429 }, statuses)
    assert.equal(1, #up:requests "one")
    assert.equal(1, gw:metric("moongate_requests_total", { outcome = "budget" }))
    assert.equal(1, gw:metric("moongate_ratelimited_total", { scope = "team",
      limit = "budget" }))
  end)

  it("says that a budget is used up, and invites nobody to try again", function()
    start 'budget = "$0.00003/month"'
    assert.equal(200, ask('"max_tokens":5').status)
    local refused = ask '"max_tokens":5'
    assert.equal(429, refused.status)
    assert.equal("budget_exceeded", refused.json.error.code)
    assert.equal("insufficient_quota", refused.json.error.type)
    assert.equal("false", refused.headers["x-should-retry"])
    assert.is_nil(refused.headers["retry-after"])
    assert.equal("0.00002", own().spend_usd.month)
  end)

  it("tells of a soft budget once, in a metric, the log, and a call of the webhook", function()
    start('soft_budget = "$0.00005/month"',
      ('limits { webhook = %q }'):format(up:url "hook"))
    up:reply("hook", { body = "{}" })
    for _ = 1, 5 do assert.equal(200, ask().status) end
    up:wait_for("hook", 1)
    assert.equal(1, #up:requests "hook")
    local told = helper.json.decode(up:last("hook").body)
    assert.same({ "soft_budget_exceeded", "key:k", "month", "0.00005" },
      { told.event, told.account, told.window, told.soft_budget_usd })
    assert.equal(3 * COST, told.spent_nano)
    assert.equal(1, gw:metric("moongate_soft_budget_exceeded_total", { scope = "key" }))
    assert.equal(1, #gw:log "soft_budget")
  end)

  it("says once that a webhook fails, and serves on", function()
    start('soft_budget = { "$0.00001/month", "$0.00001/day" }',
      ('limits { webhook = "http://127.0.0.1:%d/" }'):format(helper.free_port()))
    assert.equal(200, ask().status)
    helper.wait_until(function()
      return gw:metric "moongate_webhook_failures_total" == 2
    end, 5, "two failures")
    assert.equal(1, #gw:log "webhook")
  end)

  it("says what a team may still spend", function()
    start("", 'limits { team = { red = { budget = { "$1/month", "$2/day" } } } }')
    assert.equal(200, ask().status)
    assert.equal(1 - 0.00002, gw:metric("moongate_budget_remaining_usd", { team = "red" }))
  end)

  it("shows the budgets of end users page by page, however many there are", function()
    start("", 'limits { user = { budget = { "$1/month", "$2/day" } }, '
      .. 'team = { red = { budget = "$9/day" } } }')
    for i = 1, 30 do assert.equal(200, ask(('"user":"u%02d"'):format(i)).status) end
    local function listed(query)
      local page = gw:admin("GET", "/admin/budgets?" .. query)
      assert.equal(200, page.status, page.body)
      return helper.json.decode(page.body)
    end
    local query, seen, pages = "limit=7", {}, 0
    repeat
      local page = listed(query)
      for _, row in ipairs(page.data) do
        seen[#seen + 1] = row.account .. " " .. row.window
        if row.account:find "^user:" then assert.equal("0.00002", row.spent_usd) end
      end
      pages = pages + 1
      query = page.next ~= helper.json.null
        and "limit=7&after=" .. page.next:gsub(":", "%%3A")
    until not query
    local want = { "team:red day" }
    for i = 1, 30 do
      want[#want + 1] = ("user:u%02d month"):format(i)
      want[#want + 1] = ("user:u%02d day"):format(i)
    end
    assert.same(want, seen)
    assert.is_true(pages >= 8)
    local one = listed("account=user%3Au07").data
    assert.same({ 2, "user:u07" }, { #one, one[1].account })
    assert.same({}, listed("account=user%3Anobody").data)
  end)

  it("holds what the ledger says of keys and teams, as it changes (B-27)", function()
    start()
    local admin = admin_of(gw)
    admin:team { name = "blue", budget = "$0.0001/month", rpm = 100 }
    local one = admin:key { name = "one", team = "blue", budget = "$0.00003/month" }
    local two = admin:key { name = "two", team = "blue" }
    local function try(key)
      local response = gw:chat(helper.ask("one", '"max_tokens":5'), { key = key.key })
      return response.status == 200 and 200 or response.json.error.message
    end
    local function refused(key, text)
      local message = try(key)
      assert.is_truthy(tostring(message):find(text, 1, true), message)
    end
    assert.equal(200, try(one))
    local mine = helper.json.decode(gw:request({
      method = "GET", path = "/v1/usage", headers = { authorization = "Bearer " .. one.key },
    }).body)
    assert.same({ "one", "key", "one" },
      { mine.key, mine.limits[1].scope, mine.limits[1].name })
    refused(one, "budget of this key has $0.00001 left, and this request may cost $0.000018. "
      .. "The next one begins at ")
    admin:must("PATCH", "/admin/keys/" .. one.id, { budget = "$0.00008/month" })
    assert.equal(200, try(one))
    assert.equal(200, try(two))
    admin:must("PATCH", "/admin/teams/blue", { budget = "$0.00006/month" })
    refused(two, "budget of this key's team is used up")
    admin:must("PATCH", "/admin/teams/blue", { budget = helper.json.null, rpm = 3 })
    refused(two, "requests a minute of this key's team")
    admin:must("PATCH", "/admin/teams/blue", { rpm = helper.json.null })
    assert.equal(200, try(two))
  end)

  it("holds a key of routes.lua to what the ledger says of its team", function()
    start()
    local admin = admin_of(gw)
    admin:team { name = "red", models = { "two" }, rpm = 2 }
    local refused = ask()
    assert.same({ 404, "model_not_found" }, { refused.status, refused.json.error.code })
    admin:must("PATCH", "/admin/teams/red", { models = { "one", "two" } })
    assert.equal(200, ask().status)
    assert.equal(200, ask().status)
    assert.equal(429, ask().status)
    admin:must("POST", "/admin/teams/red/disable")
    assert.equal(404, ask().status)
  end)

  it("B-11: says what tries that broke may have cost, by what their providers said", function()
    start 'budget = "$1/month"'
    local said = helper.chunk(nil, nil, '{"prompt_tokens":1000,"completion_tokens":500}')
    local broken = {
      { { stream = "whole", body = said }, '"stream":true', 1000, 1000 * 1000 + 500 * 2000 },
      { { body = "no JSON at all" }, nil, nil, nil },
    }
    for i, case in ipairs(broken) do
      up:reset()
      up:reply("one", case[1])
      assert.equal(502, ask(case[2]).status)
      local lines = usage_lines()
      assert.equal(i, #lines)
      assert.equal(helper.json.null, lines[i].cost_nano)
      local extra = lines[i].attempts[1].suspected_extra
      assert.is_true(extra.input > 0 and extra.nano >= extra.input * 1000)
      assert.same({ case[3] or extra.input, case[4] or extra.nano },
        { extra.input, extra.nano })
    end
  end)

  it("B-26: keeps what was spent, and what is running, over a reload", function()
    start 'budget = "$1/month", parallel = 5'
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "hi" })
    local connection = gw:chat_open(helper.ask "one", { key = KEY })
    up:wait_for("one", 1)
    gw:reload(helper.routes(up, { "one" },
      'virtual_key "k" { token = env.KEY, team = "red", budget = "$2/month", parallel = 5 }'))
    assert.equal(4, own().limits[1].parallel.remaining)
    assert.equal("2", own().limits[1].budgets[1].limit_usd)
    up:open "go"
    assert.equal(200, connection:response().status)
    connection:close()
    assert.equal("0.00002", own().spend_usd.month)
  end)
end)
