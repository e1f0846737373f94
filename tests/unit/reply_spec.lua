-- The verbs, and what OpenAI's dialect makes of them; faults, usage and tokens.

local world = require "unit.world"
local json = require "engine.json"

describe("reply", function()
  local replies, sent

  before_each(function()
    world.new [[ model "m" { provider "mock" {} "mock" } ]]
    replies, sent = require "lib.reply", {}
  end)

  local function client()
    return {
      begin = function(_, status, headers) sent.status, sent.headers = status, headers end,
      send = function(_, bytes) sent[#sent + 1] = bytes end,
      finish = function(_, clean) sent.clean = clean end,
      respond = function(_, status, headers, body)
        sent.status, sent.headers, sent.body = status, headers, body
      end,
    }
  end

  local function new(stream, more)
    local call = {
      id = "u1", attempts = { {} }, dropped = {}, stream = stream, model = "asked",
      request = client(), dep = { name = "d/m", model = "upstream-model" },
    }
    for name, value in pairs(more or {}) do call[name] = value end
    return replies.new(call, require "dialects.openai_writer")
  end

  local function whole(say)
    local reply = new(false)
    say(reply)
    reply:close()
    return json.decode(sent.body), reply
  end

  local function streamed(say, more)
    local reply = new(true, more)
    say(reply)
    reply:close()
    local events = {}
    for data in table.concat(sent):gmatch("data: ({[^\n]*})\n\n") do
      events[#events + 1] = json.decode(data)
    end
    return events, reply
  end

  local function deltas(events)
    local out = {}
    for i, event in ipairs(events) do out[i] = event.choices[1] and event.choices[1].delta end
    return out
  end

  it("puts a whole answer together, in OpenAI's order", function()
    whole(function(reply)
      reply:start { id = "msg_1", model = "claude-x" }
      reply:text "Hel"
      reply:text "lo"
      reply:finish "stop"
      reply:usage { input_tokens = 100, output_tokens = 5, cache_read_tokens = 90 }
    end)
    assert.is_truthy(sent.body:find('^{"id":"chatcmpl%-u1","object":"chat.completion",'
      .. '"created":%d+,"model":"claude%-x","choices":%[{"index":0,"message":{'
      .. '"role":"assistant","content":"Hello","refusal":null},"logprobs":null,'
      .. '"finish_reason":"stop"}%],"usage":{"prompt_tokens":100,"completion_tokens":5,'
      .. '"total_tokens":105,"prompt_tokens_details":{"cached_tokens":90},'
      .. '"completion_tokens_details":{"reasoning_tokens":0}}}$'))
    assert.equal(200, sent.status)
  end)

  it("gathers tool calls from their pieces, parallel ones apart", function()
    local body = whole(function(reply)
      reply:tool_call { id = "t1", name = "weather" }
      reply:tool_call { arguments = '{"city":' }
      reply:tool_call { arguments = '"Oslo"}' }
      reply:tool_call { id = "t2", name = "time", arguments = "{}" }
      reply:finish "tool_calls"
    end)
    local calls = body.choices[1].message.tool_calls
    assert.equal(2, #calls)
    assert.same({ "t1", "function", "weather", '{"city":"Oslo"}' },
      { calls[1].id, calls[1].type, calls[1]["function"].name, calls[1]["function"].arguments })
    assert.equal("{}", calls[2]["function"].arguments)
    assert.equal(json.null, body.choices[1].message.content)
  end)

  it("keeps pieces of parallel calls apart by index", function()
    local body = whole(function(reply)
      reply:tool_call { index = 0, id = "a", name = "f" }
      reply:tool_call { index = 1, id = "b", name = "g" }
      reply:tool_call { index = 0, arguments = "1" }
      reply:tool_call { index = 1, arguments = "2" }
      reply:finish "tool_calls"
    end)
    local calls = body.choices[1].message.tool_calls
    assert.same({ "1", "2" },
      { calls[1]["function"].arguments, calls[2]["function"].arguments })
  end)

  it("writes chunks: role first, then pieces, the reason, and usage where asked for", function()
    local events = streamed(function(reply)
      reply:start { model = "claude-x" }
      reply:reasoning "Hm."
      reply:text 'say "hi"\n'
      reply:tool_call { id = "t1", name = "f" }
      reply:tool_call { arguments = "{}" }
      reply:refusal "no"
      reply:finish "tool_calls"
      reply:usage { input_tokens = 1, output_tokens = 2 }
    end, { include_usage = true })
    local got = deltas(events)
    assert.equal("assistant", got[1].role)
    assert.equal("Hm.", got[2].reasoning_content)
    assert.equal('say "hi"\n', got[3].content)
    local first = got[4].tool_calls[1]
    assert.same({ 0, "t1", "function", "f", "" }, {
      first.index, first.id, first.type, first["function"].name, first["function"].arguments,
    })
    local second = got[5].tool_calls[1]
    assert.same({ 0, "{}" }, { second.index, second["function"].arguments })
    assert.is_nil(second.id)
    assert.equal("no", got[6].refusal)
    assert.equal("tool_calls", events[7].choices[1].finish_reason)
    assert.equal(3, events[8].usage.total_tokens)
    assert.equal(json.null, events[7].usage)
    assert.equal("data: [DONE]\n\n", sent[#sent]:sub(-14))
    assert.is_true(sent.clean)
  end)

  it("sends nothing before something is said", function()
    local reply = new(true)
    reply:start { id = "x" }
    reply:text ""
    reply:usage { input_tokens = 1 }
    assert.is_nil(sent.status)
    assert.is_false(reply.committed)
    reply:text "a"
    assert.equal(200, sent.status)
    assert.is_true(reply.committed)
  end)

  it("forgets what was not sent", function()
    local reply = new(false)
    reply:start { id = "x", model = "first" }
    reply:text "wrong"
    reply:usage { input_tokens = 5 }
    reply:finish "length"
    reply:abandon()
    assert.is_true(reply:is_empty())
    reply:text "right"
    reply:finish "stop"
    reply:close()
    local body = json.decode(sent.body)
    assert.same({ "right", "upstream-model" }, { body.choices[1].message.content, body.model })
    assert.is_nil(reply.usage_total.input_tokens)
  end)

  it("gives signed thoughts back as blocks", function()
    local body = whole(function(reply)
      reply:reasoning "first "
      reply:reasoning("half", { signature = "s1" })
      reply:reasoning("second", { signature = "s2" })
      reply:reasoning(nil, { redacted = "zzz" })
      reply:text "done"
      reply:finish "stop"
    end)
    local message = body.choices[1].message
    assert.equal("first halfsecond", message.reasoning_content)
    local blocks = message.thinking_blocks
    assert.same({ "first half", "s1" }, { blocks[1].thinking, blocks[1].signature })
    assert.same({ "second", "s2" }, { blocks[2].thinking, blocks[2].signature })
    assert.same({ "redacted_thinking", "zzz" }, { blocks[3].type, blocks[3].data })
  end)

  it("names what was dropped, and passes the provider's limits on", function()
    local reply = new(false, {
      dropped = { "seed", "user" }, provider_headers = { ["x-ratelimit-limit-requests"] = "9" },
    })
    reply:text "a"
    reply:finish "stop"
    reply.cost = "0.00123"
    reply:close()
    assert.equal("seed,user", sent.headers["x-moongate-dropped"])
    assert.equal("9", sent.headers["x-ratelimit-limit-requests"])
    assert.equal("0.00123", sent.headers["x-moongate-cost"])
    assert.equal("d/m", sent.headers["x-moongate-deployment"])
  end)

  it("says in an error what a client may do about it", function()
    local fault = require "lib.fault"
    local rows = {
      { fault.new("rate_limit", "x", { retry_after = 1.2 }), "true", "2" },
      { fault.new("rate_limit", "x", { exhausted = true, retry_after = 5 }), "false" },
      { fault.new("overloaded", "x"), "true", "1" },
      { fault.new("unavailable", "x"), "true", "1" },
      { fault.new("server_error", "x"), "false" }, { fault.new("bad_request", "x"), "false" },
      { fault.new("internal"), "false" }, { fault.new("timeout", "x"), "false" },
    }
    for _, row in ipairs(rows) do
      sent = {}
      new(false):close(row[1])
      assert.equal(row[2], sent.headers["x-should-retry"])
      assert.equal(row[3], sent.headers["retry-after"])
      local err = json.decode(sent.body).error
      assert.same({ row[1].type, row[1].code, json.null }, { err.type, err.code, err.param })
    end
  end)

  it("passes a chunk on as its bytes, and takes it apart for a whole answer", function()
    local events = world.stream("Hel", "lo").events
    local function say(reply)
      for i = 1, #events - 1 do
        reply:chunk(json.decode(events[i]:match "data: (.*)\n\n"), events[i])
      end
    end
    local _, reply = streamed(say)
    assert.equal(table.concat(events, "", 1, #events - 2) .. "data: [DONE]\n\n",
      table.concat(sent))
    assert.equal(15, reply.usage_total.input_tokens + reply.usage_total.output_tokens)
    sent = {}
    local body = whole(say)
    assert.same({ "Hello", "stop" },
      { body.choices[1].message.content, body.choices[1].finish_reason })
  end)

  it("hands a document on without touching it", function()
    local text = '{ "id":"x","choices":[{"message":'
      .. '{"content":"a \\"finish_reason\\": \\"no\\""},"finish_reason" : "length"}],'
      .. '"usage":{"prompt_tokens":1,"completion_tokens":2},"y":[]}'
    local reply = new(false)
    local doc = json.index(text)
    reply:completion(doc)
    reply:close()
    assert.equal(text, sent.body:bytes())
    assert.same({ "length", 2 }, { reply.finish_reason, reply.usage_total.output_tokens })
  end)
end)

describe("usage", function()
  local usage = require "lib.usage"

  it("lets the last word on each kind stand", function()
    local total = usage.merge({}, { input_tokens = 10, output_tokens = 1 })
    usage.merge(total, { output_tokens = 17 })
    assert.same({ input_tokens = 10, output_tokens = 17 }, total)
  end)

  for i, value in ipairs { 1.5, 1e30 } do
    it("clamps and marks what is no count, " .. i, function()
      local total = usage.merge({}, usage.from_openai { prompt_tokens = value })
      assert.is_true(total.odd)
      assert.is_true(total.input_tokens >= 0 and total.input_tokens <= 2 ^ 40)
    end)
  end

  -- A provider that writes its counts as text must not make its answers free.
  for i, value in ipairs { -1, 0 / 0, "12", {} } do
    it("takes what is no count at all as not said, and marks it, " .. i, function()
      local said = { prompt_tokens = value, completion_tokens = 3 }
      assert.same({ output_tokens = 3, odd = true }, usage.merge({}, usage.from_openai(said)))
      local total = usage.merge({ input_tokens = 7 }, usage.from_openai(said))
      assert.same({ input_tokens = 7, output_tokens = 3, odd = true }, total)
    end)
  end

  it("reads OpenAI's shape and its cousins'", function()
    local got = usage.from_openai {
      prompt_tokens = 20, completion_tokens = 9, total_tokens = 29,
      prompt_tokens_details = { cached_tokens = 16, cache_write_tokens = 2 },
      completion_tokens_details = { reasoning_tokens = 4 },
    }
    assert.same({ 20, 9, 16, 2, 4 }, {
      got.input_tokens, got.output_tokens, got.cache_read_tokens, got.cache_write_tokens,
      got.reasoning_tokens,
    })
    assert.equal(7, usage.from_openai({ prompt_cache_hit_tokens = 7 }).cache_read_tokens)
    local beside = usage.from_openai {
      prompt_tokens = 10, completion_tokens = 5, total_tokens = 45,
      completion_tokens_details = { reasoning_tokens = 30 },
    }
    assert.equal(35, beside.output_tokens)
    assert.same({}, usage.from_openai { prompt_tokens = json.null })
  end)
end)

describe("fault", function()
  local fault = require "lib.fault"

  it("takes the engine's words for a broken call", function()
    local err = fault.of { kind = "closed", message = "10.0.0.1: reset", sent = true }
    assert.same({ "connect", 502, "upstream_unreachable", true, "same" },
      { err.kind, err.status, err.code, err.sent, err.again })
    assert.equal("10.0.0.1: reset", err.detail)
    assert.is_nil(err.message:find("10.0.0.1", 1, true))
  end)

  it("makes a plain 500 of a bug", function()
    local err = fault.of "lib/x.lua:1: attempt to index a nil value"
    assert.same({ "internal", 500 }, { err.kind, err.status })
    assert.is_nil(err.message:find("nil", 1, true))
    assert.equal(err, fault.of(err))
  end)

  it("knows no kind that is not on its list", function()
    assert.has_error(function() fault.new "whatever" end)
    assert.is_true(fault.is_kind "context_window")
    assert.is_false(fault.is_kind "whatever")
  end)
end)

describe("a provider's error", function()
  local provider_error = require "lib.provider_error"

  local KINDS = {
    [400] = "bad_request", [401] = "auth", [403] = "auth", [404] = "model_missing",
    [408] = "overloaded", [409] = "overloaded", [413] = "bad_request", [422] = "bad_request",
    [425] = "overloaded", [429] = "rate_limit", [500] = "server_error", [502] = "server_error",
    [503] = "overloaded", [504] = "timeout", [520] = "server_error", [529] = "overloaded",
  }
  for status, kind in pairs(KINDS) do
    it(("%d is %s"):format(status, kind), function()
      assert.equal(kind, provider_error.fault(status, nil, nil, nil, {}).kind)
    end)
  end

  it("believes the status before a word that goes with any", function()
    assert.equal("model_missing", provider_error.fault(404, nil, "bad_request", nil, {}).kind)
    assert.equal("bad_request", provider_error.fault(400, nil, "bad_request", nil, {}).kind)
    assert.equal("context_window",
      provider_error.fault(400, nil, "context_window", nil, {}).kind)
  end)

  it("keeps the client's own status and code where it is about the request", function()
    local body = { error = { message = "too long", code = "context_length_exceeded" } }
    local err = provider_error.fault(400, body, "context_window", nil, {})
    assert.same({ 400, "context_length_exceeded" }, { err.status, err.code })
    err = provider_error.fault(422, { error = { message = "m", param = "x" } }, nil, nil, {})
    assert.same({ 422, "x" }, { err.status, err.param })
  end)

  it("shows no secret, no markup and no control bytes", function()
    local text = "key sk-abc123 and <b>mg-xyz</b> and Bearer abc.def and s3cret-value\27[0m"
    local clean = provider_error.clean(text, { "s3cret-value" })
    for _, word in ipairs { "abc123", "xyz", "abc.def", "s3cret", "<b>", "\27" } do
      assert.is_nil(clean:find(word, 1, true))
    end
    assert.is_true(#provider_error.clean(("\195\169"):rep(5000)) < 1010)
  end)
end)

describe("tokens", function()
  local tokens = require "lib.tokens"

  it("counts text, not the bytes of images", function()
    local text = { { role = "user", content = ("word "):rep(100) } }
    local n = tokens.count_messages({ messages = text }, "gpt-4o")
    assert.is_true(n > 50 and n < 250)
    local image = { type = "image_url", image_url = { url = "data:" .. ("x"):rep(1e5) } }
    local with = tokens.count_messages({
      messages = { { role = "user", content = { { type = "text", text = "hi" }, image } } },
    }, "gpt-4o")
    assert.is_true(with > 500 and with < 2000)
  end)

  it("guesses an answer's length from its limit", function()
    local function call(text) return { doc = json.index(text) } end
    assert.equal(50, tokens.output(call '{"max_tokens":50}', {}))
    assert.equal(120, tokens.output(call '{"max_completion_tokens":40,"n":3}', {}))
    assert.equal(7, tokens.output(call "{}", { max_tokens = 7 }))
    assert.equal(1024, tokens.output(call "{}", {}))
  end)
end)
