-- Refusals of providers: what is waited for, who rests, who is asked, what clients hear.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

local STATUSES = { 408, 409, 425, 503, 529 }

describe("a provider that refuses", function()
  local world = fire.world()
  local up = world.up

  local function routes(at)
    local function dep(lane, more)
      return fire.deployment(lane, at:url(lane) .. "/v1", more)
    end
    local first, out = "weight = 1000000", {}
    local function model(...) out[#out + 1] = fire.model(...) end
    for _, status in ipairs(STATUSES) do
      model("then" .. status, { dep("first" .. status) }, 'retries = 0, fallback = { "spare" }')
    end
    for _, status in ipairs { 401, 403 } do
      model("key" .. status, { dep("wrong" .. status, first), dep("right" .. status) },
        'retries = 2, backoff = "1ms"')
      model("alone" .. status, { dep("lonely" .. status) }, 'retries = 2, backoff = "1ms"')
    end
    model("spare", { dep "spare" })
    model("waits", { dep "patient" }, "retries = 1")
    model("short", { dep "hasty" }, 'retries = 1, timeout = { total = "20s" }')
    model("pair", { dep("one", first), dep "two" }, "retries = 1")
    model("falls", { dep "limited" }, 'retries = 1, fallback = { "spare" }')
    model("backs", { dep "wordless" }, 'retries = 3, backoff = "500ms"')
    model("quota", { dep("spent", first), dep "unspent" }, "retries = 1")
    model("gone", { dep "nomodel" }, 'retries = 2, fallback = { "spare" }')
    model("unlike", { dep("strict", first), dep "strict2" }, "retries = 2")
    model("larger", { dep "small" }, 'retries = 0, fallback = { context_window = "spare" }')
    return table.concat(out)
  end

  local LANES = {
    "a429", "ahead", "behind", "now", "past", "cap", "minus", "soon", "digits", "long", "ms",
    "reset", "resettokens", "nomodel2", "reached", "window", "filter", "large", "odd",
  }
  for _, status in ipairs(STATUSES) do LANES[#LANES + 1] = "busy" .. status end

  setup(function()
    fire.start(world, { scale = 0.1, lanes = LANES, routes = routes })
  end)
  teardown(function() world:stop() end)

  -- want: headers, type, code
  local function say(lane, status, want, times)
    want = want or {}
    up:reply(lane, { status = status, headers = want.headers, body = helper.json.encode {
      error = { message = "no", type = want.type or "server_error", param = helper.json.null,
        code = want.code or helper.json.null },
    } }, times)
  end
  local function good(lane) up:reply(lane, { body = helper.completion(lane) }) end

  local function text_of(response)
    assert.equal(200, response.status, response.body)
    return response.json.choices[1].message.content
  end
  local function rests(name)
    return world.gw:metric("moongate_deployment_cooldowns_total",
      { deployment = name .. "/gpt-4o-mini" }) or 0
  end
  local AFTER_2 = { headers = { ["retry-after"] = "2" } }
  local AFTER_25 = { headers = { ["retry-after"] = "25" } }

  world:row("U-23: 429 with a time: another deployment at once, and the first one rests",
    { hits = 3 }, function()
      say("one", 429, AFTER_25)
      good "two"
      assert.equal("two", text_of(world:chat "pair"))
      assert.equal("two", text_of(world:chat "pair"))
      assert.equal(1, #up:requests "one")
      assert.equal(1, rests "one")
    end)

  world:row("U-23: 429 with a time: else the fallback, at once", { hits = 2 }, function()
    say("limited", 429, AFTER_2)
    good "spare"
    assert.equal("spare", text_of(world:chat "falls"))
  end)

  world:row("U-23: 429 with a time: with neither, that time and another try", { hits = 2 },
    function()
      say("patient", 429, AFTER_2, 1)
      good "patient"
      assert.equal("patient", text_of(world:chat "waits"))
      assert.is_true(world:last_row().duration_ms >= 1990)
    end)

  world:row("U-23: 429 with a time: none is left for it", { hits = 1 }, function()
    say("hasty", 429, AFTER_25)
    local response = refused(world:chat "short", 429, "upstream_rate_limited")
    assert.equal("25", response.headers["retry-after"])
    assert.equal("true", response.headers["x-should-retry"])
  end)

  local NOW = os.time()
  local function date(seconds) return os.date("!%a, %d %b %Y %H:%M:%S GMT", NOW + seconds) end
  for lane, case in pairs {
    ahead = { 600, 602, "2" }, behind = { -600, -598, "2" }, now = { 0, 2, "2" },
    past = { 0, -30, "1" },
  } do
    world:row("U-24: the time as a date, by a clock that is " .. lane, {}, function()
      say(lane, 429, { headers = { date = date(case[1]), ["retry-after"] = date(case[2]) } })
      local response = refused(world:chat(lane), 429, "upstream_rate_limited")
      assert.equal(case[3], response.headers["retry-after"])
    end)
  end

  world:row("U-25: 429 without a word of when: tried again, each time after a pause",
    { hits = 4 }, function()
      say("wordless", 429)
      refused(world:chat "backs", 429, "upstream_rate_limited")
      assert.equal(4, #world:last_row().attempts)
    end)

  for lane, case in pairs {
    cap = { { ["retry-after"] = "99999999" }, "60" },
    minus = { { ["retry-after"] = "-5" }, "1" },
    soon = { { ["retry-after"] = "soon" }, "1" },
    digits = { { ["retry-after"] = ("9"):rep(10000) }, "60" },
    ms = { { ["retry-after-ms"] = "1500", ["retry-after"] = "9" }, "2" },
    reset = { { ["x-ratelimit-remaining-requests"] = "0",
      ["x-ratelimit-reset-requests"] = "6.2s" }, "7" },
    resettokens = { { ["x-ratelimit-remaining-requests"] = "9",
      ["x-ratelimit-reset-requests"] = "1h", ["x-ratelimit-remaining-tokens"] = "0",
      ["x-ratelimit-reset-tokens"] = "1m2s300ms" }, "60" },
  } do
    world:row("U-26: a time to wait of all kinds: " .. lane, {}, function()
      say(lane, 429, { headers = case[1] })
      local response = refused(world:chat(lane), 429, "upstream_rate_limited")
      assert.equal(case[2], response.headers["retry-after"])
    end)
  end

  world:row("U-26: a time to wait of more digits than a head may have", {}, function()
    say("long", 429, { headers = { ["retry-after"] = ("9"):rep(100000) } })
    refused(world:chat "long", 502, "upstream_invalid_response")
  end)

  world:row("U-27: a quota used up: the key rests for long, another one answers", { hits = 3 },
    function()
      say("spent", 429, { type = "insufficient_quota", code = "insufficient_quota" })
      good "unspent"
      assert.equal("unspent", text_of(world:chat "quota"))
      assert.equal("unspent", text_of(world:chat "quota"))
      assert.equal(1, #up:requests "spent")
      local said
      for _, line in ipairs(world.gw:log "cooldown") do
        if line.deployment == "spent/gpt-4o-mini" then said = line end
      end
      assert.equal(600, said.seconds)
      assert.equal("warn", said.level)
    end)

  for _, status in ipairs(STATUSES) do
    world:row("U-28: " .. status .. " is overload: the fallback, else 503", { hits = 3 },
      function()
        say("first" .. status, status)
        good "spare"
        assert.equal("spare", text_of(world:chat("then" .. status)))
        say("busy" .. status, status)
        local response = refused(world:chat("busy" .. status), 503, "overloaded")
        assert.is_truthy(tonumber(response.headers["retry-after"]))
      end)
  end

  world:row("U-28: Anthropic's clients hear of overload as theirs do: 529", {}, function()
    say("busy503", 503, { type = "overloaded_error" })
    local response = world:chat("busy503", nil, { path = "/v1/messages",
      body = fire.ask("busy503", '"max_tokens":5') })
    assert.equal(529, response.status, response.body)
    assert.equal("overloaded_error", response.json.error.type)
  end)

  for _, status in ipairs { 401, 403 } do
    world:row("U-29: " .. status .. ": our key rests, another one answers", { hits = 3 },
      function()
        say("wrong" .. status, status, { type = "invalid_request_error" })
        good("right" .. status)
        assert.equal("right" .. status, text_of(world:chat("key" .. status)))
        assert.equal("right" .. status, text_of(world:chat("key" .. status)))
        assert.equal(1, rests("wrong" .. status))
      end)

    world:row("U-29: " .. status .. ": never the client's fault", { hits = 1 }, function()
      say("lonely" .. status, status, { type = "invalid_request_error" })
      local response = refused(world:chat("alone" .. status), 502, "upstream_auth_error")
      assert.equal("upstream_error", response.json.error.type)
      assert.equal("503", tostring(world:chat("alone" .. status).status))
    end)
  end

  world:row("U-30: the provider lacks the model: said so, or the fallback", { hits = 3 },
    function()
      say("nomodel2", 404, { type = "invalid_request_error", code = "model_not_found" })
      refused(world:chat "nomodel2", 502, "upstream_model_not_found")
      say("nomodel", 404, { type = "invalid_request_error", code = "model_not_found" })
      good "spare"
      assert.equal("spare", text_of(world:chat "gone"))
    end)

  for lane, case in pairs {
    window = { 400, "context_length_exceeded" }, filter = { 400, "content_filter" },
    large = { 413, "too_large" }, odd = { 422, "unprocessable" },
  } do
    world:row("U-31: passed on, and never tried again: " .. case[1] .. " " .. case[2], {},
      function()
        say(lane, case[1], { type = "invalid_request_error", code = case[2] })
        local response = refused(world:chat(lane), case[1], case[2])
        assert.equal("no", response.json.error.message)
        assert.equal(1, #world:last_row().attempts)
      end)
  end

  world:row("U-31: no other deployment is asked, but a larger window may be", { hits = 3 },
    function()
      local want = { type = "invalid_request_error", code = "context_length_exceeded" }
      say("strict", 400, want)
      refused(world:chat "unlike", 400, "context_length_exceeded")
      say("small", 400, want)
      good "spare"
      assert.equal("spare", text_of(world:chat "larger"))
    end)
end)
