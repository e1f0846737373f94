-- Reserve, then settle: who is let in, what is set aside, and what becomes of it on every path.

local world = require "unit.world"
local json = require "engine.json"

local PROVIDERS = [[
local a = provider "openai_compatible" { name = "a", base_url = "http://a/v1" }
local b = provider "openai_compatible" { name = "b", base_url = "http://b/v1" }
model "one" { a { "m", price = { input = 1, output = 2 }, max_tokens = 100 }, retries = 0 }
model "dear" { b { "n", price = { input = 10, output = 20 }, max_tokens = 100 }, retries = 0 }
model "safe" {
  a { "m", name = "s", price = { input = 1, output = 2 }, max_tokens = 100 },
  retries = 0, fallback = { "dear" },
}
model "free" { a { "f", name = "f", price = { input = 0, output = 0 } } }
model "hoping" { b { "v", name = "v" }, fallback = { "one" } }
model "unknown" { a { "u", name = "u" } }
model "mixed" {
  a { "m", name = "m1", price = { input = 1, output = 2 }, max_tokens = 100 },
  b { "u", name = "u1" },
}
]]

describe("limits", function()
  local w

  local function start(key, more)
    w = world.new(PROVIDERS .. ('virtual_key "k" { token = env.KEY, team = "red", %s }\n')
      :format(key or "") .. (more or ""), { KEY = "secret-key" })
    w.answers.a, w.answers.b = { world.completion "hi" }, { world.completion "hi" }
  end

  -- Nothing is set aside any more, whoever paid.
  local function at_rest()
    for name, at in pairs(w.accounts) do
      assert.same({ 0, 0 }, { at.reserved, at.running }, name)
    end
    assert.equal(0, w.engine.shared.get "requests:active" or 0)
  end

  after_each(at_rest)

  local function spent(name) return w.accounts[name].spent end

  it("charge the key, its team and the organisation with what the answer cost", function()
    start()
    assert.equal(200, w:chat("one").status)
    local cost = 10 * 1000 + 5 * 2000
    assert.same({ cost, cost, cost },
      { spent "key:k", spent "team:red", spent "org" })
    assert.equal(15, w.accounts.org.tokens)
    assert.equal(w:usage().cost_nano, spent "org")
  end)

  it("C-16: refuse whom a budget limits while the spool must keep room", function()
    start 'budget = "$1/day"'
    w.journal_crowded = true
    local refused = w:chat "one"
    assert.equal(503, refused.status)
    assert.equal("ledger_unavailable", refused.json.error.code)
    assert.equal(0, #w.calls)
    start()
    w.journal_crowded = true
    assert.equal(200, w:chat("one").status)
  end)

  it("set aside what the dearest deployment may cost at most", function()
    start()
    w.answers.a = { { body = world.completion("hi").body, meanwhile = function()
      local at = w.accounts["key:k"]
      assert.equal(1, at.running)
      assert.equal(w.journal[1].reserve.nano, at.reserved)
      assert.equal(w.journal[1].reserve.tokens, at.tokens)
    end } }
    w:chat("one", { max_tokens = 7 })
    local reserve = w.journal[1].reserve
    assert.equal((reserve.tokens - 7) * 1000 + 7 * 2000, reserve.nano)
    w:chat("one", { max_tokens = 7, n = 3 })
    assert.equal((w.journal[3].reserve.tokens - 21) * 1000 + 21 * 2000,
      w.journal[3].reserve.nano)
  end)

  it("B-28: refuse the n-th with the time to come back, and take nothing for it", function()
    start "rpm = 2"
    assert.equal(200, w:chat("one").status)
    assert.equal(200, w:chat("one").status)
    local refused = w:chat "one"
    assert.equal(429, refused.status)
    assert.equal("rate_limit_exceeded", refused.json.error.code)
    assert.equal("rate_limit_error", refused.json.error.type)
    assert.equal("true", refused.sent_headers["x-should-retry"])
    assert.equal("7", refused.sent_headers["retry-after"])
    assert.equal(2, w.accounts.org.requests)
    assert.equal(2, #w.calls)
    assert.equal(2, select(2, w:usage()))
    assert.equal(1, w.metrics["moongate_ratelimited_total{limit=rpm,scope=key}"])
    assert.equal("rate_limited", w:logged("request")[3].fields.outcome)
  end)

  it("wait for room that the cluster is asked for, 60 ms in all", function()
    start "rpm = 5"
    w:chat "one"
    local Plan = getmetatable(w.cfg.runtime.plans[w.cfg.keys.list[1]].plan.handle)
    local reserve, asked = Plan.reserve, 0
    local function granted_at(n)
      asked, w.sleeps = 0, {}
      function Plan:reserve(...)
        asked = asked + 1
        if asked >= n then return reserve(self, ...) end
        return nil, "key:k", "tpm", 1, 0, true
      end
      return w:chat("one").status
    end
    assert.equal(200, granted_at(10))
    assert.equal(8, #w.sleeps)
    assert.equal(429, granted_at(math.huge))
    local waited = 0
    for _, seconds in ipairs(w.sleeps) do waited = waited + seconds end
    assert.is_true(waited > 0.05 and waited < 0.07, waited)
    Plan.reserve = reserve
  end)

  it("tell a key how much room it has", function()
    start "rpm = 5"
    local headers = w:chat("one").sent_headers
    assert.same({ "5", "4", "30s" }, {
      headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"],
      headers["x-ratelimit-reset-requests"],
    })
    assert.is_nil(headers["x-ratelimit-limit-tokens"])
  end)

  it("refuse for a budget without inviting to try again", function()
    start 'budget = "$0.0001/month"'
    assert.equal(200, w:chat("one", { max_tokens = 5 }).status)
    local refused = w:chat("one", { max_tokens = 50 })
    assert.equal(429, refused.status)
    assert.equal("budget_exceeded", refused.json.error.code)
    assert.equal("insufficient_quota", refused.json.error.type)
    assert.equal("false", refused.sent_headers["x-should-retry"])
    assert.is_nil(refused.sent_headers["retry-after"])
    assert.truthy(refused.json.error.message:find("The month's budget of this key", 1, true))
    assert.equal(1, #w.calls)
    assert.equal("budget", w:logged("request")[2].fields.outcome)
    local n = w.metrics["moongate_requests_total{dialect=openai,group=one,model=one,"
      .. "outcome=budget}"]
    assert.equal(1, n)
  end)

  it("count what the size of a body refused", function()
    start 'budget = "$0.0001/month"'
    -- 2,000 spaces would cost $0.002; they are some 500 tokens by the stub's count
    local body = { messages = { { role = "user", content = (" "):rep(40) } }, max_tokens = 5 }
    assert.equal(200, w:chat("one", body).status)
    assert.is_true(w.journal[1].reserve.nano <= 100000)
  end)

  it("hold limits of teams, tags, end users and all together", function()
    local cases = {
      { 'org = { rpm = 1 }', "org" }, { 'team = { red = { rpm = 1 } }', "team" },
      { 'tag = { ["tier=batch"] = { rpm = 1 } }', "tag" }, { "user = { rpm = 1 }", "user" },
    }
    for _, case in ipairs(cases) do
      start('tags = { tier = "batch" }', "limits { " .. case[1] .. " }")
      assert.equal(200, w:chat("one", { user = "u" }).status)
      assert.equal(429, w:chat("one", { user = "u" }).status, case[1])
      assert.equal(1, w.metrics["moongate_ratelimited_total{limit=rpm,scope="
        .. case[2] .. "}"])
      assert.equal(case[2] == "user" and 200 or 429, w:chat("one", { user = "v" }).status)
      at_rest()
    end
  end)

  it("know an end user by the configured header, the body's user, or its metadata", function()
    start("", 'limits { user = { rpm = 9, header = "X-End-User" } }')
    w:chat("one", { user = "by-body" }, { headers = { ["x-end-user"] = "by-header" } })
    w:chat("one", { user = "by-body" })
    w:chat("one", { safety_identifier = "by-safety" })
    w:chat("one", { metadata = { user_id = "by-metadata" } })
    w:chat("one", { user = ("x"):rep(100) })
    w:chat("one")
    local users = {}
    for _, line in ipairs(w.journal) do
      if line.type == "usage" then
        users[#users + 1] = tostring(line.user) .. " " .. tostring(line.accounts[4])
      end
    end
    assert.same({
      "by-header user:by-header", "by-body user:by-body", "by-safety user:by-safety",
      "by-metadata user:by-metadata",
    }, { unpack(users, 1, 4) })
    assert.truthy(users[5]:find("user:#%x+$"))
    assert.equal(tostring(json.null) .. " nil", users[6])
  end)

  it("allow a team the models that it may use, and tell nobody of the others", function()
    start("", 'limits { team = { red = { models = { "one" } } } }')
    assert.equal(200, w:chat("one").status)
    local refused, missing = w:chat "dear", w:chat "nothing"
    assert.same({ 404, "model_not_found" }, { refused.status, refused.json.error.code })
    assert.equal((missing.json.error.message:gsub("nothing", "dear")),
      refused.json.error.message)
  end)

  it("S-33: no name, number or missing limit gets a call past its budget", function()
    start('budget = "$0.0008/month"', 'alias { cheap = "dear" }')
    local cases = {
      { "dear", {} }, { "cheap", {} }, { "cheap", { max_tokens = 90, stream = true } },
      { "dear", { n = 3, max_tokens = 20 } }, { "dear", { max_tokens = 2 ^ 31 } },
      { "one", { n = 128 } },
    }
    for i, case in ipairs(cases) do
      assert.equal(429, w:chat(case[1], case[2]).status, i)
    end
    for _, bad in ipairs {
      { n = -1 }, { n = 1.5 }, { n = 1e300 }, { max_tokens = -5 }, { max_tokens = 0 },
      { max_tokens = 2 ^ 53 }, { max_completion_tokens = "9" },
    } do
      assert.equal(400, w:chat("one", bad).status)
    end
    assert.equal(0, #w.calls)
    assert.same({ 0, 0 }, { w.accounts["key:k"].requests, w.accounts["key:k"].spent })
  end)

  it("B-08: a model without a price is nobody's who has a budget", function()
    start 'budget = "$1/month"'
    local refused = w:chat "unknown"
    assert.same({ 403, "model_unpriced" }, { refused.status, refused.json.error.code })
    assert.equal(0, #w.calls)
    for _ = 1, 5 do assert.equal(200, w:chat("mixed").status) end
    assert.same({ "a" }, { w:hosts()[1] })
    for _, host in ipairs(w:hosts()) do assert.equal("a", host) end
    assert.equal("one", w:chat("hoping").status == 200 and w:usage().group)
    start()
    assert.equal(200, w:chat("unknown").status)
    assert.is_nil(w:usage().cost_nano ~= json.null and w:usage().cost_nano or nil)
  end)

  it("B-08: a free model answers where the budget is used up", function()
    start 'budget = "$0.00002/month"'
    w:chat "free"
    w.accounts["key:k"].spent = 30000
    assert.equal(429, w:chat("one").status)
    assert.equal(200, w:chat("free").status)
    assert.equal(0, w:usage().cost_nano)
  end)

  it("B-10: bill a retry once", function()
    start()
    w.answers.a = { world.failure(500), world.completion "hi" }
    w.cfg.groups.one.retries = 1
    assert.equal(200, w:chat("one").status)
    assert.equal(2, #w:usage().attempts)
    assert.equal(20000, spent "org")
  end)

  it("B-12: a fallback that is dearer sets more aside, and costs its own price", function()
    start 'budget = "$0.01/month"'
    w.answers.a = { world.failure(500) }
    assert.equal(200, w:chat("safe").status)
    local first, second = w.journal[1].reserve, w.journal[2].reserve
    assert.is_true(second.nano > first.nano)
    assert.equal(10 * 10000 + 5 * 20000, spent "key:k")
  end)

  it("B-12: a fallback that the budget does not reach is passed over", function()
    start 'budget = "$0.0005/month"'
    w.answers.a = { world.failure(500) }
    local answer = w:chat("safe", { max_tokens = 20 })
    assert.equal(502, answer.status)
    assert.same({ "a" }, w:hosts())
    assert.equal(0, spent "key:k")
  end)

  it("shorten an answer to what is left, where the key says so", function()
    start 'budget = "$0.0001/month", on_low_budget = "clamp"'
    local answer = w:chat("one", { max_tokens = 5000 })
    assert.equal(200, answer.status)
    local most = tonumber(answer.sent_headers["x-moongate-clamped"])
    local sent = json.decode(w.calls[1].request.body:bytes())
    assert.equal(most, sent.max_tokens)
    assert.is_true(most > 1 and most < 100)
    assert.is_true(w.journal[1].reserve.nano <= 100000)
    assert.is_true(w.journal[1].reserve.nano > 100000 - 2000)
    w.accounts["key:k"].spent = 99999
    assert.equal(429, w:chat("one").status)
  end)

  it("give everything back where no provider saw the request", function()
    start "rpm = 1"
    w.answers.a = { { error = { kind = "connect", message = "refused", sent = false } } }
    for _ = 1, 3 do assert.equal(502, w:chat("one").status) end
    assert.equal(0, w.accounts["key:k"].requests)
    assert.equal(0, w.accounts["key:k"].tokens)
  end)

  it("keep the request, and give back the rest, where a provider refused it", function()
    start()
    w.answers.a = { world.failure(400) }
    assert.equal(400, w:chat("one").status)
    assert.same({ 1, 0, 0 },
      { w.accounts.org.requests, w.accounts.org.tokens, w.accounts.org.spent })
  end)

  it("B-14: bill what was seen when the client leaves in the middle", function()
    for after = 0, 3 do
      start()
      w.answers.a = { world.stream("aaaa", "bbbb", "cccc") }
      local request = { body = {
        model = "one", stream = true, messages = { { role = "user", content = "hello" } },
      }, leaves_at = after }
      w:serve(request)
      local usage = w:usage()
      assert.equal("cancelled", usage.outcome)
      assert.is_true(usage.estimated)
      assert.is_true(usage.cost_nano > 0)
      assert.equal(usage.cost_nano, spent "key:k")
      at_rest()
    end
  end)

  it("B-16: bill the prompt when the client leaves while the provider works", function()
    start()
    w.answers.a = { {
      error = { kind = "cancelled", message = "the client hung up", sent = true },
    } }
    w:chat "one"
    local usage = w:usage()
    assert.is_true(usage.cost_nano > 0 and usage.estimated)
    assert.equal(usage.cost_nano, spent "org")
  end)

  it("bill nothing when the client leaves after a provider refused", function()
    start()
    w.answers.a = { world.failure(500) }
    w.cfg.groups.one.retries = 1
    w.engine.time.sleep = function() error({ kind = "cancelled", message = "gone" }, 0) end
    w:chat "one"
    assert.equal("cancelled", w:usage().outcome)
    assert.equal(0, spent "org")
  end)

  it("B-17: bill what was seen when the provider breaks off", function()
    start()
    local broken = world.stream("aaaa", "bbbb")
    broken.events[#broken.events], broken.events[#broken.events - 1] = nil, nil
    broken.breaks = { kind = "truncated", message = "cut", sent = true }
    w.answers.a = { broken }
    w:chat("one", { stream = true })
    local usage = w:usage()
    assert.equal("upstream_error", usage.outcome)
    assert.is_true(usage.estimated and usage.cost_nano > 0)
    assert.equal(usage.cost_nano, spent "team:red")
  end)

  it("B-19: bill an answer that a script of ours then failed on", function()
    start()
    w.cfg.runtime.operator.openai_compatible = true
    local adapter = w.cfg.groups.one.deployments[1].provider.adapter
    w.engine.guard.run = function(fn, doc, reply)
      if fn == adapter.decode then
        fn(doc, reply)
        error("a mistake in the adapter", 0)
      end
      return fn(doc, reply)
    end
    assert.equal(500, w:chat("one").status)
    assert.equal(20000, w:usage().cost_nano)
    assert.equal(20000, spent "org")
  end)

  it("B-19: bill an answer whose last byte did not reach the client", function()
    start()
    w.answers.a = { world.stream("aaaa", "bbbb") }
    local want = { body = {
      model = "one", stream = true, messages = { { role = "user", content = "hello" } },
    } }
    want.leaves_at = #w:serve(want).pieces - 1
    assert.equal(20000, spent "org")
    pcall(w.serve, w, want) -- what waits at the very end may raise
    assert.equal("ok", w:usage().outcome)
    assert.equal(40000, spent "org")
  end)

  it("B-24: come back from every function of the operator that fails", function()
    for _, more in ipairs {
      "on_error(function() error 'x' end)", "on_usage(function() error 'x' end)",
      "route(function() error 'x' end)", "on_error(function() return 5 end)",
      'model "odd" { a { "o", name = "o", price = { input = 1, output = 1 } }, '
        .. "a { 'p', name = 'p' }, balance = function() error 'x' end }",
    } do
      start('budget = "$1/month"', more)
      w.answers.a = { world.failure(500) }
      for _, model in ipairs { "one", "odd" } do
        w:chat(model)
        assert.equal(0, w.accounts["key:k"] and w.accounts["key:k"].spent or 0)
      end
      at_rest()
    end
  end)

  it("charge what was set aside where counts make no sense", function()
    start 'budget = "$1/month"'
    w.answers.a = { world.completion("hi", { prompt_tokens = 1e12, completion_tokens = 5 }) }
    assert.equal(200, w:chat("one").status)
    local usage = w:usage()
    assert.equal(w.journal[1].reserve.nano, usage.cost_nano)
    assert.is_true(usage.estimated)
    assert.equal(usage.cost_nano, spent "key:k")
  end)
end)
