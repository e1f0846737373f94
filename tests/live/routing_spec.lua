-- Retries, fallbacks, cooldowns, and answers that fail half way, through real sockets.

local helper = require "helper"

local function seconds_of(fn)
  local from = helper.now()
  fn()
  return helper.now() - from
end

describe("routing", function()
  local up, gw

  local function start(routes, want)
    want = want or {}
    want.routes = routes
    gw = helper.gateway(want)
  end

  -- A deployment in a lane, as a line of routes.lua.
  local function dep(lane, more)
    return ('provider "openai_compatible" { name = %q, base_url = %q } { "m"%s }')
      :format(lane, up:url(lane) .. "/v1", more and ", " .. more or "")
  end

  local function model(name, lanes, more)
    local deps = {}
    for i, lane in ipairs(lanes) do deps[i] = dep(lane) end
    return ("model %q { %s, %s }\n"):format(name, table.concat(deps, ", "), more or "")
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() up:reset() end)
  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local ERROR = '{"error":{"message":"no","type":"server_error","param":null,"code":null}}'

  local function good(lane, text) up:reply(lane, { body = helper.completion(text or lane) }) end
  local OURS = (ERROR:gsub("server_error", "invalid_request_error"))
  local function bad(lane, status, times, headers)
    local body = status < 500 and status ~= 429 and OURS or ERROR
    up:reply(lane, { status = status, body = body, headers = headers }, times)
  end

  local function text_of(response)
    assert.equal(200, response.status, response.body)
    return response.json.choices[1].message.content
  end

  it("retries a 500 on another deployment at once", function()
    start(model("m", { "a", "b" }, 'retries = 1, backoff = "9s"'))
    bad("a", 500)
    bad("b", 500)
    good "c"
    local response = gw:chat(helper.ask "m")
    assert.equal(502, response.status)
    assert.equal(2, #up:requests())
    assert.is_not.equal(up:requests()[1].lane, up:requests()[2].lane)
  end)

  it("retries in place after a wait, and says how many attempts it took", function()
    start(model("m", { "a" }, 'retries = 2, backoff = "20ms"'))
    bad("a", 500, 2)
    good "a"
    local response = gw:chat(helper.ask "m")
    assert.equal("a", text_of(response))
    assert.equal("3", response.headers["x-moongate-attempts"])
    assert.equal("a/m", response.headers["x-moongate-deployment"])
  end)

  it("gives up after its retries, with the last error", function()
    start(model("m", { "a" }, 'retries = 1, backoff = "10ms"'))
    bad("a", 500)
    local response = gw:chat(helper.ask "m")
    assert.equal(502, response.status)
    assert.equal("upstream_error", response.json.error.code)
    assert.equal("2", response.headers["x-moongate-attempts"])
    assert.equal(2, #up:requests "a")
  end)

  for _, status in ipairs { 400, 413, 422 } do
    it("never retries a " .. status .. ", and hands it on as received", function()
      start(model("m", { "a", "b" }, "retries = 2"))
      bad("a", status)
      bad("b", status)
      local response = gw:chat(helper.ask "m")
      assert.equal(status, response.status)
      assert.equal(OURS, response.body)
      assert.equal(1, #up:requests())
    end)
  end

  for what, body in pairs {
    ["Mistral's"] = '{"object":"error","message":"too bright","type":"invalid_request"}',
    ["FastAPI's"] = '{"detail":[{"loc":["body","n"],"msg":"too bright","type":"value_error"}]}',
  } do
    it("puts " .. what .. " refusal into OpenAI's shape, where its clients look", function()
      start(model("m", { "a" }, "retries = 0"))
      up:reply("a", { status = 400, body = body })
      local response = gw:chat(helper.ask "m")
      assert.equal(400, response.status)
      assert.is_truthy(response.json.error.message:find("too bright", 1, true))
      assert.equal("invalid_request_error", response.json.error.type)
    end)
  end

  for _, status in ipairs { 401, 403, 404 } do
    it("asks another deployment after a " .. status .. ", not the same", function()
      start(model("m", { "a" }, 'retries = 2, backoff = "10ms"'))
      bad("a", status)
      local response = gw:chat(helper.ask "m")
      assert.equal(502, response.status)
      assert.equal(1, #up:requests())
    end)
  end

  it("takes the fallbacks in order", function()
    start(model("m", { "a" }, 'retries = 0, fallback = { "n", "o" }')
      .. model("n", { "b" }, "retries = 0") .. model("o", { "c" }, "retries = 0"))
    bad("a", 500)
    bad("b", 503)
    good "c"
    local response = gw:chat(helper.ask "m")
    assert.equal("c", text_of(response))
    assert.equal("3", response.headers["x-moongate-attempts"])
    local lanes = {}
    for i, request in ipairs(up:requests()) do lanes[i] = request.lane end
    assert.same({ "a", "b", "c" }, lanes)
  end)

  it("does not follow a fallback's own fallbacks", function()
    start(model("m", { "a" }, 'retries = 0, fallback = { "n" }')
      .. model("n", { "b" }, 'retries = 0, fallback = { "o" }')
      .. model("o", { "c" }, "retries = 0"))
    bad("a", 500)
    bad("b", 500)
    good "c"
    assert.equal(502, gw:chat(helper.ask "m").status)
    assert.equal(0, #up:requests "c")
  end)

  it("goes where the kind of failure says", function()
    start(model("m", { "a" }, 'retries = 0, fallback = { "n", context_window = "o" }')
      .. model("n", { "b" }, "") .. model("o", { "c" }, ""))
    up:reply("a", { status = 400, body = [[{"error":{"message":"This model's maximum context ]]
      .. [[length is 10 tokens.","type":"invalid_request_error","param":"messages",]]
      .. [["code":"context_length_exceeded"}}]] })
    good "b"
    good "c"
    assert.equal("c", text_of(gw:chat(helper.ask "m")))
  end)

  it("falls back when nobody listens", function()
    start(('model "m" { provider "openai_compatible" { name = "x", base_url = '
      .. '"http://127.0.0.1:%d/v1" } "m", retries = 0, fallback = { "n" } }\n')
      :format(helper.free_port()) .. model("n", { "b" }, ""))
    good "b"
    assert.equal("b", text_of(gw:chat(helper.ask "m")))
  end)

  it("says so when nobody listens and nobody else is left", function()
    start(('model "m" { provider "openai_compatible" { name = "x", base_url = '
      .. '"http://127.0.0.1:%d/v1" } "m", retries = 0 }'):format(helper.free_port()))
    local response = gw:chat(helper.ask "m")
    assert.equal(502, response.status)
    assert.equal("upstream_unreachable", response.json.error.code)
  end)

  local BREAKS = {
    ["a reset before the head"] = "rst\n",
    ["a close before the head"] = "fin\n",
    ["a close inside the head"] = helper.script.send "HTTP/1.1 200 OK\r\ncontent-" .. "fin\n",
    ["a short body"] = helper.script.send
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
      .. "fin\n",
    ["a body that is not JSON"] = helper.script.script { body = "<html>" },
    ["an empty body"] = helper.script.script { body = "" },
  }
  for name, steps in pairs(BREAKS) do
    it("falls back after " .. name, function()
      start(model("m", { "a" }, 'retries = 0, fallback = { "n" }') .. model("n", { "b" }, ""))
      up:script("a", steps)
      good "b"
      assert.equal("b", text_of(gw:chat(helper.ask "m")))
      assert.equal(1, #up:requests "a")
    end)
  end

  it("waits what a 429 asks for when there is nobody else", function()
    start(model("m", { "a" }, "retries = 1"))
    bad("a", 429, 1, { ["retry-after"] = "1" })
    good "a"
    local took = seconds_of(function() assert.equal("a", text_of(gw:chat(helper.ask "m"))) end)
    assert.is_true(took >= 0.9, "waited only " .. took)
  end)

  it("does not wait when a 429's group has a fallback", function()
    start(model("m", { "a" }, 'retries = 1, fallback = { "n" }') .. model("n", { "b" }, ""))
    bad("a", 429, nil, { ["retry-after"] = "30" })
    good "b"
    assert.equal("b", text_of(gw:chat(helper.ask "m")))
    assert.equal(1, #up:requests "a")
  end)

  it("leaves a deployment alone for as long as its 429 says", function()
    start(model("m", { "a", "b" }, "retries = 1"), { workers = 2 })
    bad("a", 429, nil, { ["retry-after"] = "30" })
    good "b"
    for _ = 1, 20 do assert.equal("b", text_of(gw:chat(helper.ask "m"))) end
    assert.equal(1, #up:requests "a")
  end)

  it("rests a deployment that fails too often, in all workers at once", function()
    start(model("m", { "a", "b" },
      'retries = 1, cooldown = { allowed_fails = 2, within = "1m", time = "1m" }'),
      { workers = 2 })
    bad("a", 500)
    good "b"
    for _ = 1, 40 do assert.equal("b", text_of(gw:chat(helper.ask "m"))) end
    local asked = #up:requests "a"
    assert.is_true(asked >= 2 and asked <= 3, "asked " .. asked .. " times")
    assert.is_true(gw:metric("moongate_deployment_cooldowns_total") >= 1)
  end)

  it("answers 503 at once when all that is left is resting", function()
    start(model("m", { "a" },
      'retries = 0, cooldown = { allowed_fails = 1, within = "1m", time = "1m" }'))
    bad("a", 500)
    for _ = 1, 3 do gw:chat(helper.ask "m") end
    local asked = #up:requests "a"
    local response = gw:chat(helper.ask "m")
    assert.equal(503, response.status)
    assert.equal("no_healthy_upstream", response.json.error.code)
    assert.is_truthy(response.headers["retry-after"])
    assert.equal(asked, #up:requests "a")
    assert.is_true(asked <= 2)
  end)

  it("asks who rests, once, where the model says so", function()
    start(model("m", { "a" }, 'retries = 2, backoff = "1ms", '
      .. 'cooldown = { allowed_fails = 1, time = "1m", when_all_rest = "try" }'))
    bad("a", 500)
    for _ = 1, 2 do assert.equal(502, gw:chat(helper.ask "m").status) end
    assert.equal(4, #up:requests "a") -- three tries, and the one after which it rests
    assert.equal(502, gw:chat(helper.ask "m").status)
    assert.equal(5, #up:requests "a")
    good "a"
    assert.equal("a", text_of(gw:chat(helper.ask "m")))
    helper.wait_until(function() return #gw:log "recovered" > 0 end, 5, "a line in the log")
    assert.equal(1, #gw:log "recovered")
  end)

  it("spreads by weight", function()
    start(('model "m" { %s, %s }'):format(dep("a", "weight = 3"), dep("b", "weight = 1")))
    good "a"
    good "b"
    for _ = 1, 80 do text_of(gw:chat(helper.ask "m")) end
    local a = #up:requests "a"
    assert.is_true(a > 40 and a < 78, a .. " of 80 at three quarters")
  end)

  it("does not ask a deployment beyond its rpm", function()
    start(('model "m" { %s, %s }'):format(dep("a", "rpm = 2"), dep "b"))
    good "a"
    good "b"
    for _ = 1, 30 do text_of(gw:chat(helper.ask "m")) end
    assert.is_true(#up:requests "a" <= 4) -- two a minute, and a minute may turn
  end)

  it("times out for the first token, and falls back", function()
    start(model("m", { "a" },
      'retries = 0, fallback = { "n" }, timeout = { first_token = "200ms" }')
      .. model("n", { "b" }, ""))
    up:reply("a", { stream = "whole", body = ": still here\n\n", after = "halt\n" })
    up:reply("b", { stream = "whole", body = helper.stream("from", "b") })
    local response = gw:chat(helper.ask("m", '"stream":true'))
    assert.equal(200, response.status)
    assert.is_truthy(response.body:find('"content":"from"', 1, true))
  end)

  it("times out in total", function()
    start(model("m", { "a" }, 'retries = 0, timeout = { total = "300ms" }'))
    up:script("a", "halt\n")
    local response = gw:chat(helper.ask "m")
    assert.equal(504, response.status)
    assert.equal("upstream_timeout", response.json.error.code)
  end)

  -- Streams ----------------------------------------------------------------------------------

  local function stream(text) return gw:chat(helper.ask(text or "m", '"stream":true')) end

  it("falls back when a stream of a 200 begins with an error", function()
    start(model("m", { "a" }, 'retries = 0, fallback = { "n" }') .. model("n", { "b" }, ""))
    up:reply("a", { stream = "whole", body = 'data: {"error":{"message":"overloaded",'
      .. '"type":"server_error","code":"overloaded"}}\n\n' })
    up:reply("b", { stream = "whole", body = helper.stream("from", "b") })
    local response = stream()
    assert.equal(200, response.status)
    assert.is_truthy(response.body:find('"content":"from"', 1, true))
    assert.is_nil(response.body:find("overloaded", 1, true))
    assert.equal("b/m", response.headers["x-moongate-deployment"])
  end)

  it("gives a real status to a stream that begins with an error and has no fallback", function()
    start(model("m", { "a" }, "retries = 0"))
    up:reply("a", { stream = "whole", body = 'data: {"error":{"message":"busy",'
      .. '"type":"server_error","code":"overloaded"}}\n\n' })
    local response = stream()
    assert.is_true(response.status >= 500, response.status)
    assert.is_table(response.json.error)
  end)

  it("falls back when a stream ends before its first event", function()
    start(model("m", { "a" }, 'retries = 0, fallback = { "n" }') .. model("n", { "b" }, ""))
    up:reply("a", { stream = "whole", body = ": hello\n\n", after = "rst\n" })
    up:reply("b", { stream = "whole", body = helper.stream("from", "b") })
    assert.is_truthy(stream().body:find('"content":"from"', 1, true))
  end)

  local function assert_broken(response)
    assert.equal(200, response.status)
    local events = helper.http.events(response.body)
    local last = helper.json.decode(events[#events])
    assert.is_table(last.error, "the last event is no error: " .. events[#events])
    assert.equal("string", type(last.error.message))
    assert.is_nil(response.body:find("[DONE]", 1, true))
    return last.error, events
  end

  for name, after in pairs { ["is reset"] = "rst\n", ["is closed"] = "fin\n" } do
    it("ends a stream that " .. name .. " with an error, and tries no other", function()
      start(model("m", { "a" }, 'retries = 2, fallback = { "n" }') .. model("n", { "b" }, ""))
      up:reply("a",
        { stream = "whole", body = helper.piece "half a", after = "gate on\n" .. after })
      good "b"
      local connection = gw:chat_open(helper.ask("m", '"stream":true'))
      local response = connection:head()
      local first = assert(connection:chunk())
      up:open "on"
      connection:body(response)
      response.body = first .. response.body
      connection:close()
      local err = assert_broken(response)
      assert.equal("upstream_truncated", err.code)
      assert.is_truthy(response.body:find("half a", 1, true))
      assert.is_true(response.cut, "the connection was kept as if all were well")
      assert.equal(1, #up:requests())
    end)
  end

  it("ends a stream that stops without finish_reason with an error", function()
    start(model("m", { "a" }, "retries = 0"))
    up:reply("a", { stream = "whole", body = helper.piece "half" })
    assert_broken(stream())
  end)

  it("ends a stream that stalls with an error", function()
    start(model("m", { "a" }, 'retries = 0, timeout = { idle = "200ms" }'))
    up:reply("a", { stream = "whole", body = helper.piece "half", after = "halt\n" })
    assert.equal("upstream_stalled", assert_broken(stream()).code)
  end)

  it("passes on an error inside a stream, and ends it", function()
    start(model("m", { "a" }, 'retries = 2, fallback = { "n" }') .. model("n", { "b" }, ""))
    up:reply("a", { stream = "whole", body = helper.piece "half"
      .. 'data: {"error":{"message":"It broke.","type":"server_error","code":null}}\n\n' })
    good "b"
    local err = assert_broken(stream())
    assert.is_truthy(err.message:find("It broke.", 1, true))
    assert.equal(1, #up:requests())
  end)

  it("adds a [DONE] that a clean stream lacks", function()
    start(model("m", { "a" }, "retries = 0"))
    up:reply("a", { stream = "whole",
      body = (helper.stream("all", "here"):gsub("data: %[DONE%]\n\n$", "")) })
    local events = helper.http.events(stream().body)
    assert.equal("[DONE]", events[#events])
  end)

  it("ends at eight attempts, whatever the hook says", function()
    start(model("m", { "a" }, 'retries = 7, backoff = "1ms"')
      .. "on_error(function() return retry() end)")
    bad("a", 500)
    assert.equal(502, gw:chat(helper.ask "m").status)
    assert.is_true(#up:requests "a" >= 2 and #up:requests "a" <= 8)
  end)

  it("lets on_error choose", function()
    start(model("m", { "a" }, "retries = 0") .. model("n", { "b" }, "") .. [[
on_error(function(err)
  if err.kind == "server_error" then return fallback "n" end
  if err.kind == "rate_limit" then return fail "Come back tomorrow." end
end)]])
    bad("a", 500, 1)
    bad("a", 429)
    good "b"
    assert.equal("b", text_of(gw:chat(helper.ask "m")))
    local response = gw:chat(helper.ask "m")
    assert.equal("Come back tomorrow.", response.json.error.message)
  end)

  it("lets route choose, and a percentage stay with its user", function()
    start(model("m", { "a" }, "") .. model("n", { "b" }, "") .. [[
route(function(call)
  if call.model == "m" and call:percent() < 50 then return "n" end
end)]])
    good "a"
    good "b"
    local seen = {}
    for user = 1, 20 do
      local ask = helper.ask("m", ('"user":"u%d"'):format(user))
      local first = text_of(gw:chat(ask))
      for _ = 1, 3 do assert.equal(first, text_of(gw:chat(ask))) end
      seen[first] = true
    end
    assert.is_true(seen.a and seen.b)
  end)
end)
