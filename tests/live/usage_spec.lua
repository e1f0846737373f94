-- What a request costs and leaves behind: headers, journal, log, and the usage verb.

local helper = require "helper"
local pair = require "support.pair"
local promise = require "support.promise"

local KEY = "mg-test-usage-0123456789abcdef"

describe("usage", function()
  local up, gw = pair.each(function(up)
    return {
      env = { KEY = KEY },
      routes = helper.routes(up, { "one", "two" }, [[
model "spare" {
  provider "openai_compatible" { name = "down", base_url = "http://127.0.0.1:]]
        .. helper.free_port() .. [[/v1" } "m",
  retries = 0, fallback = { "one" },
}
virtual_key "me" { token = env.KEY, tags = { team = "red", service = "search" } }]]),
    }
  end)

  local function chat(model, more) return gw:chat(helper.ask(model, more), { key = KEY }) end

  local function usage(by)
    local args = { "usage", "--data", gw.data, "--json" }
    if by then args[4], args[5], args[6] = "--by", by, "--json" end
    local status, out, err = gw:run(args)
    assert.equal(0, status, out .. err)
    return helper.json.decode(out)
  end

  -- The row of a usage answer that has this value somewhere, whatever its members are called.
  local function row_of(answer, value)
    local rows = answer.rows or answer
    for _, row in ipairs(rows) do
      for _, member in pairs(row) do
        if member == value then return row end
      end
    end
    error("no row for " .. value .. " in " .. helper.json.encode(answer))
  end

  it("writes an intent before the call and one usage line before the answer", function()
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "hi" })
    local connection = gw:chat_open(helper.ask "one", { key = KEY })
    up:wait_for("one", 1)
    assert.equal(1, #gw:journal(), "the intent is not on file though the provider was called")
    up:open "go"
    local response = connection:response()
    connection:close()
    local lines = gw:journal()
    assert.equal(2, #lines, "the usage line is not on file though the answer is here")
    assert.equal("intent", lines[1].type)
    assert.equal("usage", lines[2].type)
    local id = response.headers["x-moongate-request-id"]
    assert.equal(id, lines[1].id)
    assert.equal(id, lines[2].id)
  end)

  it("writes what the request was", function()
    up:reply("one", { body = (helper.completion("hi"):gsub('"prompt_tokens":10',
      '"prompt_tokens":1000,"prompt_tokens_details":{"cached_tokens":400}')) })
    assert.equal(200, chat("spare").status)
    local line = gw:last_row()
    assert.equal("me", line.key)
    assert.same({ team = "red", service = "search" }, line.tags)
    assert.equal("spare", line.model)
    assert.equal("one/gpt-4o-mini", line.deployment)
    assert.equal("one", line.provider)
    assert.equal("ok", line.outcome)
    assert.equal(2, #line.attempts)
    assert.equal(1000, line.tokens.input)
    assert.equal(400, line.tokens.cache_read)
    assert.equal(5, line.tokens.output)
  end)

  it("costs what the price says, exactly", function()
    up:reply("one", { body = helper.completion "hi" })
    assert.equal("0.00002", chat("one").headers["x-moongate-cost"])
    local lines = gw:journal()
    assert.equal(20000, lines[#lines].cost_nano)
    assert.equal(0.00002, gw:metric("moongate_cost_usd_total", { group = "one" }))
  end)

  -- 100 fresh, 250,000 read, 400 written for minutes, 600 for an hour; above 200k:
  -- $6, $0.60, $7.50, $12, and $22.50 for 10 written.
  it("costs what each kind of token does, above the threshold, whoever counts how", function()
    local spare = helper.gateway { routes = ([[
local anthropic = provider "anthropic" { api_key = "k", base_url = %q }
local openai = provider "openai" { api_key = "k", base_url = %q }
local gemini = provider "gemini" { api_key = "k", base_url = %q }
model "a" { anthropic "claude-sonnet-4-5" }
model "o" { openai "gpt-5" }
model "g" { gemini "gemini-2.5-pro" }]]):format(up:url "a", up:url "o", up:url "g") }
    up:reply("a", { body = '{"id":"m","type":"message","role":"assistant",'
      .. '"model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"x"}],'
      .. '"stop_reason":"end_turn","usage":{"input_tokens":100,"output_tokens":10,'
      .. '"cache_read_input_tokens":250000,"cache_creation_input_tokens":1000,'
      .. '"cache_creation":{"ephemeral_5m_input_tokens":400,'
      .. '"ephemeral_1h_input_tokens":600}}}' })
    up:reply("o", { body = '{"id":"x","object":"chat.completion","model":"gpt-5-2025-08-07",'
      .. '"choices":[{"index":0,"message":{"role":"assistant","content":"x"},'
      .. '"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,'
      .. '"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":600},'
      .. '"completion_tokens_details":{"reasoning_tokens":64}}}' })
    up:reply("g", { body = '{"candidates":[{"content":{"role":"model","parts":[{"text":"x"}]},'
      .. '"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":250000,'
      .. '"candidatesTokenCount":10,"thoughtsTokenCount":90,"cachedContentTokenCount":1000,'
      .. '"totalTokenCount":250100}}' })
    for model, dollars in pairs { a = "0.161025", o = "0.001575", g = "0.62425" } do
      local response = spare:chat(helper.ask(model))
      assert.equal(200, response.status, response.body)
      assert.equal(dollars, response.headers["x-moongate-cost"], model)
    end
    for _, line in ipairs(spare:journal()) do
      if line.type == "usage" and line.model == "a" then
        assert.equal(161025000, line.cost_nano)
        assert.same({ 251100, 250000, 1000, 600 }, { line.tokens.input, line.tokens.cache_read,
          line.tokens.cache_write, line.tokens.cache_write_1h })
      end
    end
    spare:assert_silent()
    spare:stop()
  end)

  it("B-13: counts a stream that the client did not ask usage of", function()
    up:reply("one", { stream = "whole", body = helper.stream("a", "b") })
    assert.equal(200, chat("one", '"stream":true').status)
    helper.wait_until(function() return #gw:journal() == 2 end, 5, "a usage line")
    local line = gw:journal()[2]
    assert.equal(10, line.tokens.input)
    assert.equal(20000, line.cost_nano)
  end)

  it("B-36: the same request twice, of one id, is two requests with two rows", function()
    up:reply("one", { body = helper.completion "one" })
    local headers = { ["x-request-id"] = "mine", ["idempotency-key"] = "once" }
    local same = { key = KEY, headers = headers }
    for _ = 1, 2 do assert.equal(200, gw:chat(helper.ask "one", same).status) end
    helper.wait_until(function() return #gw:journal() == 4 end, 5, "two usage lines")
    local lines = gw:journal()
    assert.is_not.equal(lines[2].id, lines[4].id)
    assert.equal(2, #up:requests "one")
  end)

  it("leaves a line for a failed request, and none for a refused one", function()
    up:reply("one", { status = 500, body = "{}" })
    assert.equal(502, chat("one").status)
    assert.equal(404, chat("nothing").status)
    assert.equal(401, gw:chat(helper.ask "one", { key = "wrong" }).status)
    local kinds = {}
    for i, line in ipairs(gw:journal()) do kinds[i] = line.type end
    assert.same({ "intent", "usage" }, kinds)
    gw.loud = true
  end)

  it("logs one line per request, with what happened", function()
    up:reply("one", { body = helper.completion "hi" })
    chat("spare")
    gw:chat(helper.ask "none", { key = KEY })
    helper.wait_until(function() return #gw:log "request" >= 2 end, 5, "two log lines")
    local lines = gw:log "request"
    assert.equal(2, #lines)
    local line = lines[1]
    assert.equal(200, line.status)
    assert.equal("one/gpt-4o-mini", line.deployment)
    assert.equal("spare", line.requested_model)
    assert.equal(2, #line.attempts)
    assert.equal(404, lines[2].status)
  end)

  it("logs who asked, as far as the client says, and nothing else of its headers", function()
    up:reply("one", { body = helper.completion "hi" })
    local trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    gw:chat(helper.ask("one", '"user":"u-1"'), { key = KEY, headers = {
      ["x-session-id"] = "s-1", traceparent = "00-" .. trace .. "-00f067aa0ba902b7-01",
      ["user-agent"] = "probe/1.0", ["x-other"] = "not-to-be-seen",
    } })
    gw:chat(helper.ask "one", { key = KEY, headers = { traceparent = "nonsense" } })
    helper.wait_until(function() return #gw:log "request" >= 2 end, 5, "two log lines")
    local lines = gw:log "request"
    local line = lines[1]
    assert.same({ "u-1", "s-1", trace, "probe/1.0" },
      { line.user, line.session, line.trace_id, line.client })
    assert.is_truthy(line.request_id and line.bytes_in > 0 and line.key_id and line.peer)
    local null = helper.json.null
    assert.same({ null, null, null }, { lines[2].user, lines[2].session, lines[2].trace_id })
    assert.is_falsy(gw:log_text():find("not-to-be-seen", 1, true))
  end)

  for _, by in ipairs { "key", "model", "provider", "deployment", "day", "tag:team" } do
    it("sums by " .. by, function()
      up:reply("one", { body = helper.completion "hi" })
      up:reply("two", { body = helper.completion "hi" })
      for _ = 1, 3 do chat "one" end
      chat "two"
      local expect = {
        key = { "me", 4 }, model = { "one", 3 }, provider = { "one", 3 },
        deployment = { "one/gpt-4o-mini", 3 }, day = { os.date "!%Y-%m-%d", 4 },
        ["tag:team"] = { "red", 4 },
      }
      local row = row_of(usage(by), expect[by][1])
      assert.equal(expect[by][2], row.requests)
    end)
  end

  it("prints a table for people, with dollars", function()
    up:reply("one", { body = helper.completion "hi" })
    chat "one"
    local status, out = gw:run { "usage", "--data", gw.data, "--by", "model" }
    assert.equal(0, status)
    assert.is_truthy(out:find("one", 1, true))
    assert.is_truthy(out:find("0.00002", 1, true), out)
  end)

  it("reads the journal with no gateway running", function()
    up:reply("one", { body = helper.completion "hi" })
    chat "one"
    gw.process:stop()
    assert.equal(1, row_of(usage "key", "me").requests)
    gw:stop()
    promise.keep(gw, helper.gateway { routes = helper.routes(up, { "one" }) }) -- for after_each
  end)
end)
