-- Streams: errors in them, ends that are none, bytes cut anywhere, counts that are odd.

local fire = require "support.fire"
local helper = require "helper"

local script = helper.script
local send = script.send
local STREAM = '"stream":true'

describe("a provider's stream", function()
  local world = fire.world()
  local up = world.up

  local LANES = {
    "error1", "error2", "ends", "cut", "lines", "comments", "fields", "bom", "tail", "done",
    "usage", "line", "small", "pieces", "finish", "overloaded", "limited", "refusing", "native",
  }

  setup(function()
    fire.start(world, { lanes = LANES, routes = function(at)
      local function dep(lane)
        return fire.deployment(lane, at:url(lane) .. "/v1")
      end
      return fire.model("spare", { dep "spare" })
        .. fire.model("then", { dep "first" }, 'retries = 0, fallback = { "spare" }')
        .. ([[
model "claude" {
  provider "anthropic" { name = "claude", base_url = %q, api_key = env.FIRE_PROVIDER } {
    "claude-sonnet-4-5", price = { input = 1, output = 2 } },
  retries = 0,
}
model "claude-then" {
  provider "anthropic" { name = "claude2", base_url = %q, api_key = env.FIRE_PROVIDER } {
    "claude-sonnet-4-5", price = { input = 1, output = 2 } },
  retries = 0, fallback = { "spare" },
}
]]):format(at:url "claude", at:url "claude2")
    end })
  end)
  teardown(function() world:stop() end)

  local chunk, piece = helper.chunk, helper.piece
  local USAGE = '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}'
  local WHOLE = helper.stream("one ", "two ", "three")

  -- How the client gets a text that the provider sends as these bytes.
  local function through(lane, bytes, after, more)
    up:reply(lane, { body = bytes, stream = "whole", after = after })
    return world:chat(lane, STREAM .. (more and "," .. more or ""))
  end

  local function data_of(response)
    assert.equal(200, response.status, response.body)
    return helper.http.events(response.body)
  end

  local function text_of(response)
    local parts = {}
    for _, data in ipairs(data_of(response)) do
      if data ~= "[DONE]" then
        local choice = (helper.json.decode(data).choices or {})[1]
        parts[#parts + 1] = choice and choice.delta.content
      end
    end
    return table.concat(parts)
  end

  local function broken(response, code, text)
    local events = data_of(response)
    assert.is_nil(response.body:find("[DONE]", 1, true))
    local last = helper.json.decode(events[#events])
    assert.equal(code, last.error and last.error.code, events[#events])
    if text then assert.is_truthy(response.body:find(text, 1, true), response.body) end
    assert.equal("close", response.headers.connection or "close")
  end

  -- Errors --------------------------------------------------------------------------------

  local FIRST = {
    overloaded = { "overloaded_error", 503, "overloaded" },
    limited = { "rate_limit_error", 429, "upstream_rate_limited" },
    refusing = { "server_error", 502, "upstream_error" },
  }
  for lane, case in pairs(FIRST) do
    world:row("U-38: an error as the first event is the answer's status: " .. case[1], {},
      function()
        local response = through(lane,
          ('data: {"error":{"message":"no","type":%q}}\n\n'):format(case[1]))
        assert.equal(case[2], response.status, response.body)
        assert.equal(case[3], response.json.error.code)
        assert.equal("application/json", response.headers["content-type"])
      end)
  end

  world:row("U-38: an error as the first event: the fallback", { hits = 2 }, function()
    up:reply("first", { stream = "whole",
      body = 'data: {"error":{"message":"no","type":"server_error"}}\n\n' })
    up:reply("spare", { body = WHOLE, stream = "whole" })
    assert.equal("one two three", text_of(world:chat("then", STREAM)))
  end)

  local OVERLOADED = 'event: error\ndata: {"type":"error","error":'
    .. '{"type":"overloaded_error","message":"Overloaded"}}\n\n'

  -- Anthropic's stream as far as its first token.
  local CLAUDE_SOME = 'event: message_start\ndata: {"type":"message_start","message":{"id":"m",'
    .. '"type":"message","role":"assistant","content":[],"model":"claude-sonnet-4-5",'
    .. '"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    .. 'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    .. '"content_block":{"type":"text","text":""}}\n\n'
    .. 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    .. '"delta":{"type":"text_delta","text":"some"}}\n\n'

  world:row("U-38: Anthropic's error as the first event, for both dialects", { hits = 4 },
    function()
      assert.equal(503, through("claude", OVERLOADED).status)
      up:reply("claude2", { body = OVERLOADED, stream = "whole" })
      up:reply("spare", { body = WHOLE, stream = "whole" })
      assert.equal("one two three", text_of(world:chat("claude-then", STREAM)))
      local response = world:chat("claude", nil, { path = "/v1/messages",
        body = fire.ask("claude", STREAM .. ',"max_tokens":5') })
      assert.equal(529, response.status, response.body)
      assert.equal("overloaded_error", response.json.error.type)
    end)

  world:row("U-39: an error after tokens is passed on, and ends the stream", {}, function()
    local bytes = piece "some" .. 'data: {"error":{"message":"no","type":"server_error"}}\n\n'
    broken(through("error1", bytes .. piece "more"), "upstream_error", "some")
    local row = world:last_row()
    assert.is_true(row.estimated)
    assert.is_true(row.tokens.input > 0 and row.tokens.output > 0)
  end)

  world:row("U-39: Anthropic's error after tokens, in the client's dialect", { hits = 2 },
    function()
      local bytes = CLAUDE_SOME .. OVERLOADED
      broken(through("claude", bytes), "overloaded", "some")
      local response = world:chat("claude", nil, { path = "/v1/messages",
        body = fire.ask("claude", STREAM .. ',"max_tokens":5') })
      assert.is_truthy(response.body:find("event: error\n", 1, true), response.body)
      assert.is_nil(response.body:find("message_stop", 1, true))
      assert.equal(9, world:last_row().tokens.input)
    end)

  for _, how in ipairs { "fin", "rst" } do
    world:row("U-40: " .. how .. " in mid-stream", {}, function()
      broken(through("ends", piece "some", "wait 50\n" .. how .. "\n"), "upstream_truncated",
        "some")
    end)
  end

  world:row("U-40: a proper end without a reason to finish", {}, function()
    broken(through("ends", piece "some"), "upstream_truncated", "some")
  end)

  -- Cuts ----------------------------------------------------------------------------------

  local SHORT = piece "h\195\169 \240\159\152\128 \\u00e9"
    .. chunk("{}", '"stop"') .. chunk(nil, nil, USAGE) .. "data: [DONE]\n\n"
  SHORT = SHORT:gsub('"id":"chatcmpl%-1","object":"chat.completion.chunk","created":1700000000,'
    .. '"model":"gpt%-4o%-mini%-2024%-07%-18",', "")

  local function answer_bytes(body)
    return script.stream_head() .. script.chunk(body) .. "0\r\n\r\n"
  end

  local function same_as_whole(step)
    up:script("cut", step, 1)
    local response = world:chat("cut", STREAM)
    assert.equal("h\195\169 \240\159\152\128 \\u00e9", text_of(response))
    return response.body
  end

  world:row("U-41: cut at every byte, in every byte, and at random", {}, function()
    local bytes = answer_bytes(SHORT)
    local whole = same_as_whole(send(bytes))
    for at = 1, #bytes - 1 do
      assert.equal(whole, same_as_whole(("split %d %d\n%s"):format(at, #bytes, bytes)))
    end
    assert.equal(whole, same_as_whole(("every 1 %d\n%s"):format(#bytes, bytes)))
    for seed = 1, 20 do
      assert.equal(whole, same_as_whole(("random %d %d\n%s"):format(seed, #bytes, bytes)))
    end
    for _, line in ipairs(world.gw:journal()) do
      if line.type == "usage" and line.model == "cut" then
        assert.same({ 10, 5 }, { line.tokens.input, line.tokens.output })
      end
    end
  end)

  for name, ending in pairs { LF = "\n", CRLF = "\r\n", CR = "\r", mixed = "" } do
    world:row("U-42: lines that end in " .. name, {}, function()
      local n = 0
      local bytes = WHOLE:gsub("\n\n", function()
        n = n + 1
        return (ending ~= "" and ending or ({ "\n", "\r\n", "\r" })[n % 3 + 1]):rep(2)
      end)
      up:reply("lines", { body = bytes, stream = "drip" }, 1)
      local response = world:chat("lines", STREAM)
      assert.equal(200, response.status)
      local body = response.body:gsub("\r\n?", "\n")
      assert.equal("one two three", text_of({ status = 200, body = body }))
      assert.equal(5, world:last_row().tokens.output)
    end)
  end

  world:row("U-43: comments and blank lines are no tokens, and pass", {}, function()
    local bytes = ": hello\n\n:\n\n" .. ("\n"):rep(1000) .. "event: nothing\n\n"
      .. piece "one" .. ": between\n\n" .. chunk("{}", '"stop"') .. chunk(nil, nil, USAGE)
      .. "data: [DONE]\n\n"
    local response = through("comments", bytes)
    assert.equal("one", text_of(response))
    assert.is_truthy(response.body:find(": between", 1, true))
  end)

  world:row("U-43: comments are dropped where a stream is translated", {}, function()
    up:reply("comments", { body = ": hello\n\n" .. WHOLE, stream = "whole" })
    local response = world:chat("comments", nil, { path = "/v1/messages",
      body = fire.ask("comments", STREAM .. ',"max_tokens":5') })
    assert.equal(200, response.status)
    assert.is_nil(response.body:find("hello", 1, true))
  end)

  world:row("U-44: events as they may be", {}, function()
    local one = piece("one: two"):gsub("^data: (.-),\"choices\"", 'data: %1,\ndata:"choices"')
    local bytes = "id: 7\nretry: 5\nunknown: x\nevent: message\n" .. one
      .. piece("three"):gsub("^data: ", "data:") .. "data\n\n" .. chunk("{}", '"stop"')
      .. chunk(nil, nil, USAGE) .. "data: [DONE]\n\n"
    assert.equal("one: twothree", text_of(through("fields", bytes)))
  end)

  world:row("U-45: a byte order mark first is none of it; a later one is", {}, function()
    local mark = "\239\187\191"
    assert.equal("one two three", text_of(through("bom", mark .. WHOLE)))
    assert.equal(mark .. "one", text_of(through("bom", helper.stream(mark .. "one"))))
  end)

  world:row("U-46: the last event may lack its blank line", {}, function()
    local bytes = piece "one" .. chunk("{}", '"stop"') .. chunk(nil, nil, USAGE):sub(1, -2)
    local response = through("tail", bytes)
    assert.equal("one", text_of(response))
    assert.same({ 10, 5, false }, { world:last_row().tokens.input,
      world:last_row().tokens.output, world:last_row().estimated })
  end)

  world:row("U-46: it is an event by itself for the client, too", {}, function()
    local finish = chunk("{}", '"stop"')
    for _, cut in ipairs { 1, 2 } do
      local events = data_of(through("tail", piece "one" .. finish:sub(1, -1 - cut)))
      assert.equal("[DONE]", events[#events])
      assert.equal("stop", helper.json.decode(events[#events - 1]).choices[1].finish_reason)
    end
  end)

  world:row("U-47: a finished stream gets the [DONE] that it lacks", {}, function()
    local response = through("done", piece "one" .. chunk("{}", '"stop"'))
    local events = data_of(response)
    assert.equal("[DONE]", events[#events])
    assert.equal("ok", world:last_row().outcome)
  end)

  world:row("U-48: what comes behind [DONE] is nobody's", {}, function()
    for _, more in ipairs { "data: [DONE]\n\n", piece "late", "data: {\n\n" } do
      local response = through("done", WHOLE .. more)
      assert.equal("one two three", text_of(response))
      local _, n = response.body:gsub("%[DONE%]", "")
      assert.equal(1, n)
      assert.same({ "ok", 5 }, { world:last_row().outcome, world:last_row().tokens.output })
    end
  end)

  -- Counts --------------------------------------------------------------------------------

  local function counted(usages)
    local bytes = piece "one two three" .. chunk("{}", '"stop"')
    for _, usage in ipairs(usages) do bytes = bytes .. chunk(nil, nil, usage) end
    assert.equal(200, through("usage", bytes .. "data: [DONE]\n\n").status)
    return world:last_row()
  end

  world:row("U-49: no usage, though it was asked for: estimated, and said so", {}, function()
    local before = world.gw:metric "moongate_usage_estimated_total" or 0
    local row = counted {}
    assert.is_true(row.estimated)
    assert.is_true(row.tokens.input > 0 and row.tokens.output > 0)
    assert.equal(before + 1, world.gw:metric "moongate_usage_estimated_total")
    assert.is_truthy(up:last "usage".body:find('"include_usage":true', 1, true))
  end)

  world:row("U-50: usage said again and again: the last of each", {}, function()
    local row = counted { '{"prompt_tokens":10,"completion_tokens":1}',
      '{"prompt_tokens":10,"completion_tokens":3}',
      '{"prompt_tokens":10,"completion_tokens":4}' }
    assert.same({ 10, 4, false }, { row.tokens.input, row.tokens.output, row.estimated })
  end)

  world:row("U-50: message_start, then message_delta: the last of each field", {}, function()
    local bytes = CLAUDE_SOME
      .. 'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
      .. 'event: message_delta\ndata: {"type":"message_delta",'
      .. '"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n'
      .. 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert.equal("some", text_of(through("claude", bytes)))
    assert.same({ 9, 7 }, { world:last_row().tokens.input, world:last_row().tokens.output })
  end)

  world:row("U-51: usage of zero is zero", {}, function()
    local row = counted { '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}' }
    assert.same({ 0, 0, 0, false },
      { row.tokens.input, row.tokens.output, row.cost_nano, row.estimated })
  end)

  for name, usage in pairs {
    negative = '{"prompt_tokens":-5,"completion_tokens":-1}',
    text = '{"prompt_tokens":"ten","completion_tokens":"5"}',
    null = '{"prompt_tokens":null,"completion_tokens":null}',
    fractions = '{"prompt_tokens":1.5,"completion_tokens":2.5}',
    huge = '{"prompt_tokens":1e30,"completion_tokens":1e30}',
    ["more thought than said"] = '{"prompt_tokens":5,"completion_tokens":5,'
      .. '"completion_tokens_details":{"reasoning_tokens":500}}',
  } do
    world:row("U-52: usage that cannot be: " .. name, {}, function()
      local row = counted { usage }
      for kind, n in pairs(row.tokens) do
        assert.is_true(n >= 0 and n < 2 ^ 53 and n == math.floor(n), kind .. " " .. n)
      end
      assert.is_true(row.tokens.cache_read <= row.tokens.input)
      assert.is_true(row.tokens.reasoning <= row.tokens.output)
      assert.is_true(row.estimated or row.odd_usage, "flagged")
      assert.is_true(name == "null" or world.gw:metric "moongate_usage_odd_total" > 0, name)
    end)
  end

  world:row("U-52: more cached than read is what some count beside the prompt", {}, function()
    local row = counted { '{"prompt_tokens":5,"completion_tokens":5,'
      .. '"prompt_tokens_details":{"cached_tokens":500}}' }
    assert.same({ 505, 500 }, { row.tokens.input, row.tokens.cache_read })
  end)

  -- Too much ------------------------------------------------------------------------------

  world:row("U-53: sixteen megabytes without a line's end", { hits = 2, memory = 20 * 1024 },
    function()
      local mib = ("x"):rep(2 ^ 20)
      local endless = ("repeat 16 %d\n%s"):format(#mib, mib)
      local head = script.head(200, { ["content-type"] = "text/event-stream" })
      up:script("line", send(head .. "data: ") .. endless .. "fin\n")
      local response = world:chat("line", STREAM)
      assert.equal(502, response.status, response.body)
      assert.equal("upstream_invalid_response", response.json.error.code)
      up:script("line", send(head .. piece "some" .. "data: ") .. endless .. "fin\n")
      broken(world:chat("line", STREAM), "upstream_invalid_response", "some")
    end)

  -- Wholeness -----------------------------------------------------------------------------

  world:row("U-68: characters and tool calls in pieces come out as they went in", {}, function()
    local call = '{"tool_calls":[{"index":0%s,"function":{%s"arguments":%s}}]}'
    local args = '{"city":"K\195\182ln \240\159\152\128","n":1.0}'
    local bytes = chunk(call:format(',"id":"c1","type":"function"', '"name":"f",', '""'))
    for at = 1, #args, 3 do
      -- A piece may end within a character: JSON text then holds it as it can.
      local part = args:sub(at, at + 2)
      if part:find "[\128-\255]" then part = nil end
      bytes = bytes .. (part and chunk(call:format("", "", helper.json.encode(part))) or "")
    end
    bytes = bytes .. chunk(call:format("", "", '"\\ud83d\\ude00\\u00f6"'))
      .. chunk("{}", '"tool_calls"') .. chunk(nil, nil, USAGE) .. "data: [DONE]\n\n"
    up:reply("pieces", { body = bytes, stream = "drip" })
    local response = world:chat("pieces", STREAM .. ',"stream_options":{"include_usage":true}')
    assert.equal(bytes, response.body)
  end)

  local REASONS = { "length", "content_filter", "tool_calls", "stop", "function_call" }
  for _, reason in ipairs(REASONS) do
    world:row("U-74: it finished by " .. reason .. ": passed on, and billed", {}, function()
      local bytes = piece "one" .. chunk("{}", '"' .. reason .. '"') .. chunk(nil, nil, USAGE)
        .. "data: [DONE]\n\n"
      local response = through("finish", bytes)
      assert.is_truthy(response.body:find('"finish_reason":"' .. reason .. '"', 1, true))
      assert.same({ reason, 20000 }, { world:last_row().finish, world:last_row().cost_nano })
    end)
  end

  world:row("U-74: a refusal is passed on, and billed", {}, function()
    local bytes = chunk '{"refusal":"I cannot"}' .. chunk("{}", '"stop"')
      .. chunk(nil, nil, USAGE) .. "data: [DONE]\n\n"
    local response = through("finish", bytes)
    assert.is_truthy(response.body:find('"refusal":"I cannot"', 1, true))
    assert.equal(20000, world:last_row().cost_nano)
  end)
end)
