-- The whole pipeline against providers that fail in every way: who is asked, in which order,
-- what the client gets, and what is written down.

local world = require "unit.world"
local json = require "engine.json"

local ROUTES = [[
local function at(name)
  return provider "openai_compatible" {
    name = name, base_url = "http://" .. name .. "/v1", api_key = "provider-secret-" .. name,
  }
end
local a, b, c = at "a", at "b", at "c"
defaults { retries = 2, backoff = "250ms", cooldown = { allowed_fails = 3, time = "30s" } }
model "one" { a { "gpt-4o-mini", price = { input = 1, output = 2 } } }
model "two" { a { "gpt-4o", weight = 1e9 }, b { "gpt-4o", weight = 0 } }
model "pair" { a { "m", weight = 1e9 }, b { "m", weight = 0 }, fallback = { "last" } }
model "last" { c { "m3" } }
model "single" { a { "m4" }, fallback = { "last" } }
model "none" { a { "m5" }, retries = 0 }
model "kinds" {
  a { "m6" }, fallback = { "last", context_window = "one", content_policy = false },
}
virtual_key "me" { token = "secret-key", tags = { team = "red" } }
]]

local REFUSED = { error = { kind = "connect", message = "refused", sent = false } }

describe("dispatch", function()
  local w
  local function start(more) w = world.new(ROUTES .. (more or "")) end

  local function assert_error(request, status, code)
    assert.equal(status, request.status)
    assert.equal(code, request.json.error.code)
  end

  before_each(function() start() end)

  after_each(function() -- nothing stays held, nothing stays open
    assert.equal(0, w.engine.shared.get("requests:active") or 0)
    assert.equal(0, w.engine.shared.get("streams:open") or 0)
    for _, upstream in ipairs(w.upstreams) do assert.is_true(upstream.closed) end
  end)

  it("answers at the first try, as received", function()
    local answer = world.completion "hi"
    w.answers.a = { answer }
    local request = w:chat "one"
    assert.equal(200, request.status)
    assert.equal(answer.body, request.answer)
    local headers = request.sent_headers
    assert.equal("a/gpt-4o-mini", headers["x-moongate-deployment"])
    assert.equal("1", headers["x-moongate-attempts"])
    assert.equal("0.00002", headers["x-moongate-cost"])
    assert.equal(headers["x-request-id"], headers["x-moongate-request-id"])
    assert.equal("intent", w.journal[1].type)
    local usage, n = w:usage()
    assert.equal(1, n)
    assert.equal(20000, usage.cost_nano)
    assert.same({ "me", "one", "ok", 200 },
      { usage.key, usage.group, usage.outcome, usage.status })
    assert.equal("red", usage.tags.team)
    assert.equal(10, usage.tokens.input)
    assert.equal(1, #w:logged "request")
  end)

  it("asks another deployment at once", function()
    w.answers.a, w.answers.b = { world.failure(500) }, { world.completion "hi" }
    local request = w:chat "two"
    assert.equal(200, request.status)
    assert.same({ "a", "b" }, w:hosts())
    assert.same({}, w.sleeps)
    assert.equal("2", request.sent_headers["x-moongate-attempts"])
    local usage = w:usage()
    assert.equal(2, #usage.attempts)
    assert.equal("server_error", usage.attempts[1].reason)
    assert.equal(1, w.metrics["moongate_retries_total{reason=server_error}"])
  end)

  it("falls back once both are down, without asking one twice while it waits", function()
    w.answers.a, w.answers.b = { world.failure(500) }, { world.failure(502) }
    w.answers.c = { world.completion "hi" }
    local request = w:chat "pair"
    assert.equal(200, request.status)
    local hosts = w:hosts()
    assert.same({ "a", "b" }, { hosts[1], hosts[2] })
    assert.equal("c", hosts[#hosts])
    assert.equal("c/m3", request.sent_headers["x-moongate-deployment"])
    local moved = "moongate_fallbacks_total{from=pair,reason=server_error,to=last}"
    assert.equal(1, w.metrics[moved])
  end)

  it("rests a deployment for its Retry-After and asks another one at once", function()
    w.answers.a = { world.failure(429, nil, { retry_after = 20 }) }
    w.answers.b = { world.completion "hi" }
    assert.equal(200, w:chat("two").status)
    assert.same({}, w.sleeps)
    assert.equal(200, w:chat("two").status)
    assert.same({ "a", "b", "b" }, w:hosts()) -- a rests
    w.clock = w.clock + 21
    w.answers.a = { world.completion "back" }
    w:chat "two"
    assert.equal("a", w:hosts()[4])
  end)

  it("prefers the fallback to waiting for a Retry-After", function()
    w.answers.a = { world.failure(429, nil, { retry_after = 2 }) }
    w.answers.c = { world.completion "hi" }
    assert.equal(200, w:chat("single").status)
    assert.same({ "a", "c" }, w:hosts())
    assert.same({}, w.sleeps)
  end)

  it("waits for a Retry-After where nobody else is left", function()
    w.answers.a = { world.failure(429, nil, { retry_after = 2 }), world.completion "hi" }
    assert.equal(200, w:chat("one").status)
    assert.same({ 2 }, w.sleeps)
  end)

  it("gives up with the provider's limit, told as such", function()
    w.answers.a = { world.failure(429, nil, { retry_after = 2 }) }
    local request = w:chat "one"
    assert_error(request, 429, "upstream_rate_limited")
    assert.equal("true", request.sent_headers["x-should-retry"])
    assert.equal("2", request.sent_headers["retry-after"])
    assert.equal(3, #w.calls) -- retries = 2
    local usage = w:usage()
    assert.same({ "rate_limited", 0 }, { usage.outcome, usage.tokens.input })
    assert.equal(json.null, usage.cost_nano)
  end)

  it("says so where nobody can be reached", function()
    w.answers.a = { REFUSED }
    local request = w:chat "one"
    assert_error(request, 502, "upstream_unreachable")
    assert.equal("false", request.sent_headers["x-should-retry"])
    assert.equal(3, #w.calls)
    assert.equal(2, #w.sleeps) -- and none after the last
    assert.is_true(w.sleeps[1] <= 0.25 and w.sleeps[2] <= 0.5)
  end)

  it("tells each broken call by its own code", function()
    local codes = {
      dns = "upstream_dns_failure", tls = "upstream_tls_error", timeout = "upstream_timeout",
      connect_timeout = "upstream_connect_timeout", truncated = "upstream_truncated",
      first_token_timeout = "upstream_first_token_timeout",
      invalid = "upstream_invalid_response",
    }
    for kind, code in pairs(codes) do
      start()
      w.answers.a = { { error = { kind = kind, message = kind, sent = kind ~= "dns" } } }
      assert.equal(code, w:chat("none").json.error.code)
    end
  end)

  it("passes a 400 on, as received, and asks nobody else", function()
    local failure = world.failure(400, "bad_thing")
    w.answers.a = { failure }
    local request = w:chat "two"
    assert_error(request, 400, "bad_thing")
    assert.equal(failure.body, request.answer)
    assert.equal(1, #w.calls)
    assert.same({ "client_error", "bad_request" },
      { w:usage().outcome, w:usage().attempts[1].reason })
  end)

  it("passes 413 and 422 with their status", function()
    for _, status in ipairs { 413, 422 } do
      start()
      w.answers.a = { world.failure(status, "x") }
      assert.equal(status, w:chat("one").status)
    end
  end)

  it("never shows a provider's 401 as the client's", function()
    w.answers.a, w.answers.b = { world.failure(401) }, { world.failure(401) }
    local request = w:chat "two"
    assert_error(request, 502, "upstream_auth_error")
    assert.same({ "a", "b" }, w:hosts())
    assert.is_nil(request.answer:find("it says", 1, true))
  end)

  it("asks another deployment about a model nobody knows, and then stops", function()
    w.answers.a, w.answers.b = { world.failure(404) }, { world.failure(404) }
    assert_error(w:chat "two", 502, "upstream_model_not_found")
    assert.same({ "a", "b" }, w:hosts())
  end)

  it("follows the fallback of a kind, and none where it is false", function()
    w.answers.a = { world.failure(400, "context_length_exceeded"), world.completion "long" }
    local request = w:chat "kinds"
    assert.equal(200, request.status)
    assert.equal("a/gpt-4o-mini", request.sent_headers["x-moongate-deployment"])
    start()
    w.answers.a, w.answers.c = { world.failure(400, "content_filter") }, { world.completion "" }
    assert_error(w:chat "kinds", 400, "content_filter")
    assert.equal(1, #w.calls)
  end)

  it("treats an error inside a 200 by its type", function()
    w.answers.a = { { body = '{"error":{"type":"overloaded_error","message":"busy"}}' } }
    assert_error(w:chat "none", 503, "overloaded")
  end)

  it("refuses empty, useless and redirecting answers", function()
    for body, code in pairs {
      [""] = "upstream_invalid_response", ["<html>no</html>"] = "upstream_invalid_response",
      ["{}"] = "upstream_invalid_response",
    } do
      start()
      w.answers.a = { { body = body } }
      local request = w:chat "none"
      assert_error(request, 502, code)
      assert.is_nil(request.answer:find("<html>", 1, true))
    end
    start()
    w.answers.a = { { status = 302, headers = { location = "http://evil/" } } }
    assert_error(w:chat "none", 502, "upstream_redirect")
    start()
    w.answers.a = { { status = 204 } }
    assert_error(w:chat "none", 502, "upstream_invalid_response")
  end)

  it("rests a deployment that keeps failing, then lets one request probe it", function()
    w.answers.a = { world.failure(500) }
    for _ = 1, 4 do w:chat "none" end
    assert.equal(4, #w.calls)
    local request = w:chat "none"
    assert_error(request, 503, "no_healthy_upstream")
    assert.equal("true", request.sent_headers["x-should-retry"])
    assert.equal(4, #w.calls)
    assert.equal(1,
      w.metrics["moongate_deployment_cooldowns_total{deployment=a/m5,reason=server_error}"])
    w.clock = w.clock + 31
    w.answers.a = { { error = { kind = "connect", sent = false }, meanwhile = function()
      assert_error(w:chat "none", 503, "no_healthy_upstream") -- the probe is under way
    end } }
    assert_error(w:chat "none", 502, "upstream_unreachable")
    w.clock = w.clock + 31
    w.answers.a = { world.completion "back" }
    assert.equal(200, w:chat("none").status)
    assert.equal(200, w:chat("none").status)
    assert.equal(1, #w:logged "recovered")
  end)

  it("counts all tries of a request as one failure, and says why and until when", function()
    w.answers.a = { world.failure(500) }
    for _ = 1, 3 do assert_error(w:chat "one", 502, "upstream_error") end
    assert.equal(9, #w.calls)
    w.clock = math.ceil(w.clock)
    assert_error(w:chat "one", 502, "upstream_error")
    assert.equal(10, #w.calls)
    local request = w:chat "one"
    assert_error(request, 503, "no_healthy_upstream")
    assert.equal("Every deployment of this model rests, after failures or as its provider "
      .. "asked; the first may be asked again in 30 s.", request.json.error.message)
    assert.equal("30", request.sent_headers["retry-after"])
    local lines = w:logged "request"
    assert.equal("one has no deployment to take this: a/gpt-4o-mini is resting, 30 s more",
      lines[#lines].fields.error.detail)
    assert.equal(10, #w.calls)
  end)

  local TRIES = [[
model "tries" {
  a { "m8" }, b { "m8" }, retries = 0,
  cooldown = { allowed_fails = 1, when_all_rest = "try" },
}
model "falls" {
  a { "m7" }, retries = 0, fallback = { "last" },
  cooldown = { allowed_fails = 1, when_all_rest = "try" },
}]]

  it("tries who recovers first, once, where all rest and the model says so", function()
    start(TRIES)
    w.answers.a, w.answers.b = { world.failure(500) }, { world.failure(500) }
    repeat
      w:chat "tries"
      w.clock = w.clock + 1
      local rests = #w:logged "cooldown"
    until rests == 2
    local before = #w.calls
    local first = w:logged("cooldown")[1].fields.deployment
    assert_error(w:chat "tries", 502, "upstream_error")
    assert.equal(before + 1, #w.calls)
    assert.equal(first, w.calls[before + 1].host .. "/m8")
    w.answers.a, w.answers.b = { world.completion "back" }, { world.completion "back" }
    assert.equal(200, w:chat("tries").status)
    assert.equal(1, #w:logged "recovered")
  end)

  it("asks nobody who asked to be left alone, and no resting one before a fallback", function()
    start(TRIES)
    local busy = world.failure(429, nil, { retry_after = 40 })
    w.answers.a, w.answers.b, w.answers.c = { busy }, { busy }, { world.completion "hi" }
    for _ = 1, 4 do w:chat "tries" end
    assert.equal(2, #w.calls)
    assert_error(w:chat "tries", 503, "no_healthy_upstream")
    w.answers.a = { world.failure(500) }
    for _ = 1, 4 do assert.equal(200, w:chat("falls").status) end
    assert.same({ "a", "c", "a", "c", "c", "c" }, { unpack(w:hosts(), 3) })
  end)

  it("keeps one deadline over all attempts", function()
    start [[ model "slow" { a { "m9" }, b { "m9" }, c { "m9" }, timeout = { total = "10s" } } ]]
    for _, host in ipairs { "a", "b", "c" } do
      w.answers[host] = { { error = { kind = "timeout", sent = true }, takes = 6 } }
    end
    assert_error(w:chat "slow", 504, "upstream_timeout")
    assert.equal(2, #w.calls)
    assert.is_true(w.calls[2].request.timeout.total <= 4)
  end)

  it("ends after eight attempts, whatever a hook says", function()
    start [[ on_error(function() return retry() end) ]]
    w.answers.a = { REFUSED }
    w.cfg.groups.one.cooldown.allowed_fails = 100
    assert_error(w:chat "one", 502, "upstream_unreachable")
    assert.equal(8, #w.calls)
  end)

  it("does what on_error says", function()
    local said = {
      ['fallback "last"'] = function() assert.same({ "a", "c" }, w:hosts()) end,
      ['fail "No, thanks."'] = function(request)
        assert_error(request, 400, "bad_thing")
        assert.equal("No, thanks.", request.json.error.message)
      end,
      ["wait(1)"] = function() assert.same({ 1, 1, 1, 1, 1, 1, 1 }, w.sleeps) end,
      ["nil"] = function(request) assert_error(request, 400, "bad_thing") end,
      ['"nonsense"'] = function(request) assert_error(request, 500, "script_error") end,
      ["nothing.here"] = function(request) assert_error(request, 500, "script_error") end,
    }
    for text, check in pairs(said) do
      start(('on_error(function(err) local nothing; if err.kind == "bad_request" then '
        .. "return %s end end)"):format(text))
      w.answers.a, w.answers.c = { world.failure(400, "bad_thing") }, { world.completion "hi" }
      check(w:chat "none")
    end
  end)

  it("charges a timed-out attempt to nobody, but says it may have cost", function()
    w.answers.a = { { error = { kind = "timeout", message = "slow", sent = true } } }
    w.answers.b = { world.completion "hi" }
    w:chat "two"
    local usage = w:usage()
    assert.equal(10, usage.tokens.input)
    assert.is_true(usage.attempts[1].suspected_extra.input > 0)
    assert.is_nil(usage.attempts[2].suspected_extra)
  end)

  it("records a bug as one, and shows it to nobody", function()
    w.cfg.groups.one.deployments[1].provider.adapter = setmetatable({
      encode = function(call) return call.nothing.here end,
    }, { __index = w.cfg.groups.one.deployments[1].provider.adapter })
    local request = w:chat "one"
    assert_error(request, 500, "internal_error")
    assert.is_nil(request.answer:find("nothing", 1, true))
    local line = w:logged("request")[1]
    assert.equal("error", line.level)
    assert.is_truthy(line.fields.error.detail:find("nothing", 1, true))
    assert.equal(1, select(2, w:usage()))
  end)

  it("calls nobody when the journal cannot be written", function()
    w.journal_fails = true
    assert_error(w:chat "one", 503, "ledger_unavailable")
    assert.equal(0, #w.calls)
  end)

  it("ends quietly when the client leaves before the answer", function()
    w.answers.a = { {
      meanwhile = function() error({ kind = "cancelled", message = "gone" }, 0) end,
    } }
    local request = w:chat "pair"
    assert.is_nil(request.status)
    assert.same({ "a" }, w:hosts())
    local usage = w:usage()
    assert.same({ 499, "cancelled", true }, { usage.status, usage.outcome, usage.estimated })
    assert.is_true(usage.tokens.input > 0)
  end)

  it("keeps retries within a fifth of what is under way", function()
    w.answers.a, w.answers.b = { world.failure(500) }, { world.completion "hi" }
    w.engine.shared.add("requests:retrying", 3)
    assert.equal(502, w:chat("two").status)
    w.engine.shared.add("requests:active", 20)
    assert.equal(200, w:chat("two").status)
    w.engine.shared.add("requests:active", -20)
  end)

  it("takes a deployment over its own limit out of the pick", function()
    start [[ model "limited" { a { "m8", weight = 1e9, rpm = 1 }, b { "m8", weight = 0 } } ]]
    w.answers.a, w.answers.b = { world.completion "a" }, { world.completion "b" }
    w:chat "limited"
    w:chat "limited"
    assert.same({ "a", "b" }, w:hosts())
    assert.equal(1, w.metrics["moongate_ratelimited_total{limit=rpm,scope=deployment}"])
  end)
end)
