-- What servers that speak OpenAI's dialect do otherwise: lib/quirks.lua,
-- finish.lua and spoken.lua.

require "engine"

local chat_errors = require "lib.chat_errors"
local finish = require "lib.finish"
local json = require "engine.json"
local spoken = require "lib.spoken"
local stub = require "tools.stub"
local world = require "unit.world"

local base = require "providers.openai_compatible"

local function sent(text, quirks, more)
  local call = stub.call(text)
  local dep = stub.deployment("openai_compatible", call.model, more)
  dep.provider.adapter = base:with { quirks = quirks }
  return stub.encoded(call, dep), call.dropped
end

local function ask(more, messages)
  return ('{ "model":"m", "messages":%s%s}'):format(messages or '[{"role":"user"}]', more or "")
end

describe("quirks of requests", function()
  local ALL = {
    rename = { max_completion_tokens = "max_tokens", seed = "random_seed" },
    drop = { "store", "user" }, stream_options = "refused", call_ids = 9,
    roles = { developer = "system" },
    message = { reasoning_content = "reasoning", name = false },
  }

  it("leave every byte where nothing is odd", function()
    local text = ask(' ,"max_tokens" : 5, "big":12345678901234567890',
      '[ {"role":"system"},\n{"role":"assistant","tool_calls":[{"id":"abcDEF123"}]} ]')
    assert.equal(text, (sent(text, ALL)))
  end)

  it("rename members, with what they hold", function()
    local out = json.decode((sent(ask ',"max_completion_tokens":5,"seed":null', ALL)))
    assert.same({ 5, nil, nil, nil },
      { out.max_tokens, out.max_completion_tokens, out.seed, out.random_seed })
    local text = sent(ask ',"seed":12345678901234567890', ALL)
    assert.truthy(text:find('"random_seed":12345678901234567890', 1, true))
  end)

  it("never rename onto a member that is there", function()
    local out = json.decode((sent(ask ',"seed":1,"random_seed":2', ALL)))
    assert.same({ nil, 2 }, { out.seed, out.random_seed })
  end)

  it("rename what the ceiling lowered, and set it where nothing was asked", function()
    local cap = { max_tokens = 3 }
    local out = json.decode((sent(ask ',"max_completion_tokens":5', ALL, cap)))
    assert.same({ 3, nil }, { out.max_tokens, out.max_completion_tokens })
    assert.equal(3, json.decode((sent(ask "", ALL, cap))).max_tokens)
  end)

  it("drop hints and say so, unless they are null", function()
    local text, dropped = sent(ask ',"store":true,"user":null', ALL)
    assert.same({ nil, nil }, { json.decode(text).store, json.decode(text).user })
    assert.same({ "store" }, dropped)
  end)

  it("neither add stream_options nor pass them where they are refused", function()
    assert.falsy(sent(ask ',"stream":true', ALL):find "stream_options")
    local text = ask ',"stream":true,"stream_options":{"include_usage":true}'
    assert.falsy(sent(text, ALL):find "stream_options")
    assert.equal(text, (sent(text, { stream_options = "unasked" })))
    assert.falsy(sent(ask ',"stream":true', { stream_options = "unasked" }):find "options")
  end)

  it("rename and drop members of messages, and nothing of what users say", function()
    local said = [[{"role":"user","content":"the \"developer\" \"name\" reasoning_content"}]]
    local text, dropped = sent(ask("", "[" .. said .. [[,{"role":"developer","name":"x"},
      {"role":"assistant","reasoning_content":"hm","content":null},
      {"role":"assistant","reasoning_content":null}, null, 5, {"role":[]}]
    ]]), ALL)
    assert.equal(said .. ',{"role":"system"},'
      .. '{"role":"assistant","content":null,"reasoning":"hm"},'
      .. '{"role":"assistant"},null,5,{"role":[]}]', text:match("%[(.*)%s*}$"):gsub("%s+$", ""))
    assert.same({ "messages.name" }, dropped)
  end)

  it("say a refusal as the content that it was in place of", function()
    local own = { message = { refusal = "content" } }
    assert.equal(ask("", '[{"content":"no"},{"content":"yes"},{"content":"b"}]'),
      (sent(ask("", '[{"content":null,"refusal":"no"},{"content":"yes","refusal":null},'
        .. '{"content":"b","refusal":"a"}]'), own)))
  end)

  it("shorten ids of tool calls alike wherever they stand", function()
    local out = json.decode((sent(ask("", [[
      [{"role":"assistant","tool_calls":[{"id":"call_1"},{"id":"abcDEF123"},7]},
       {"role":"tool","tool_call_id":"call_1"},{"role":"tool","tool_call_id":"abcDEF123"}]
    ]]), ALL))).messages
    local calls = out[1].tool_calls
    assert.truthy(calls[1].id:find "^%w%w%w%w%w%w%w%w%w$")
    assert.same({ calls[1].id, "abcDEF123", "abcDEF123" },
      { out[2].tool_call_id, calls[2].id, out[3].tool_call_id })
  end)
end)

describe("addresses", function()
  it("hold fields of the provider", function()
    local adapter = base:with { base_url = "https://x/{account}/v1" }
    assert.equal("https://x/a%2Fb/v1", adapter.base_url { provider = { account = "a/b" } })
    assert.equal("https://x/h.example:8/v1",
      adapter.base_url { provider = { account = "https://h.example:8/" } })
    local ok, err = pcall(adapter.base_url, { name = "cf/m", provider = {} })
    assert.same({ false, "cf/m has no account" }, { ok, err.detail })
  end)
end)

describe("finish reasons", function()
  it("are told in OpenAI's words", function()
    for from, to in pairs {
      eos = "stop", model_length = "length", tool_use = "tool_calls", stop = "stop",
      odd = "odd",
    } do
      assert.equal(to, finish.of(from))
    end
    assert.is_nil(finish.of(nil))
    assert.equal("overloaded", finish.failure "insufficient_system_resource")
    assert.is_nil(finish.failure "length")
  end)
end)

describe("what is said", function()
  it("is found where servers put it", function()
    assert.equal("a", spoken.thought { reasoning_content = "a", reasoning = "b" })
    assert.equal("b", spoken.thought { reasoning = "b" })
    assert.equal("cd", spoken.thought { reasoning_details = {
      { type = "reasoning.text", text = "c" }, { type = "reasoning.encrypted", data = "x" },
      { type = "reasoning.text", text = "d" },
    } })
    local mistral = { content = json.decode [[ [
      {"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"yes"}
    ] ]] }
    assert.same({ "hm", "yes" }, { spoken.thought(mistral), spoken.text(mistral) })
    assert.equal("ef", spoken.thought { content = { { type = "reasoning", summary = {
      { type = "summary_text", text = "e" }, { type = "summary_text", text = "f" },
    } } } })
    assert.equal('{"title":"x"}', spoken.text { content = json.decode '{"title":"x"}' })
    assert.same({}, { spoken.text { content = json.null }, spoken.thought { content = "x" } })
  end)
end)

-- What another dialect's client is told of a stream: the verbs, as that dialect's writer sees
-- them.
describe("a stream for clients of other dialects", function()
  local openai_writer = require "dialects.openai_writer"

  local function told(...)
    local call = stub.call(ask ',"stream":true')
    local reply = stub.reply(call, stub.deployment("ollama", "m"))
    reply.writer = setmetatable({ dialect = "other" }, { __index = openai_writer })
    local events = {}
    for i, choice in ipairs { ... } do
      events[i] = ('data: {"choices":[%s]}\n\n'):format(choice)
    end
    base.stream(stub.upstream(table.concat(events)), reply)
    return reply
  end

  it("keeps calls apart that are all counted as the first", function()
    local function piece(id, name)
      return ('{"delta":{"tool_calls":[{"index":0,"id":"%s","function":{"name":"%s",'
        .. '"arguments":"{}"}}]}}'):format(id, name)
    end
    local reply = told(piece("c1", "one"), piece("c2", "two"),
      '{"delta":{"tool_calls":[{"index":0,"function":{"arguments":" "}}]}}',
      '{"delta":{},"finish_reason":"stop"}')
    assert.equal(2, #reply.tool_calls)
    assert.same({ "{}" }, reply.tool_calls[1].pieces)
    assert.same({ "{}", " " }, reply.tool_calls[2].pieces)
    assert.equal("tool_calls", reply.finish_reason)
  end)

  it("takes one call apart whose id comes with every piece", function()
    local piece = '{"delta":{"tool_calls":[{"index":0,"id":"c1",'
      .. '"function":{"name":"one","arguments":"{"}}]}}'
    assert.equal(1, #told(piece, piece, '{"delta":{},"finish_reason":"tool_calls"}').tool_calls)
  end)

  it("says the first of several answers, in whatever order they end", function()
    local reply = told('{"index":0,"delta":{"content":"a"}}',
      '{"index":1,"delta":{"content":"b"}}', '{"index":1,"delta":{},"finish_reason":"length"}',
      '{"index":0,"delta":{},"finish_reason":"stop"}')
    assert.same({ 1, "stop" }, { reply.seen, reply.finish_reason })
  end)

  it("ends in OpenAI's words, and fails where they say so", function()
    assert.equal("length", told '{"delta":{"content":"x"},"finish_reason":"model_length"}'
      .finish_reason)
    local ok, err = pcall(told, '{"delta":{"content":"x"}}',
      '{"delta":{},"finish_reason":"error"}')
    assert.same({ false, "server_error" }, { ok, err.kind })
  end)
end)

describe("words of an error", function()
  local function message(text) return chat_errors.problem(json.decode(text)).message end

  it("are found wherever they stand", function()
    for text, expected in pairs {
      ['{"error":"gone"}'] = "gone",
      ['{"error":["gone","too"]}'] = "gone",
      ['{"detail":"Invalid API Key"}'] = "Invalid API Key",
      ['{"detail":[{"loc":["body","n"],"msg":"bad"},{"loc":[],"msg":"worse"}]}'] =
        "n: bad; worse",
      ['{"message":{"detail":[{"loc":["body","n"],"msg":"bad"}]}}'] = "n: bad",
      ['{"errors":[{"message":"no","code":7}],"success":false}'] = "no",
      ['{"status":404,"title":"Not Found","detail":"who?"}'] = "who?",
      ['{"error":{"message":"Provider returned error","metadata":{"raw":"why"}}}'] =
        "Provider returned error: why",
      ['{"error":{"message":"no","metadata":{"raw":"why"}}}'] = "no",
    } do
      assert.equal(expected, message(text))
    end
  end)

  it("in a finished answer are its failure", function()
    for kind, choice in pairs {
      server_error = '{"finish_reason":"stop","error":{"message":"x","code":502}}',
      overloaded = '{"finish_reason":"insufficient_system_resource"}',
    } do
      local doc = assert(json.index('{"choices":[' .. choice .. "]}"))
      local ok, err = pcall(base.decode, doc, stub.recorder())
      assert.same({ false, kind }, { ok, err.kind })
    end
  end)
end)

describe("a cost that the provider reports", function()
  local function served(answer, more, more_wanted)
    local w = world.new(([[
      local o = provider "openrouter" { api_key = "k", base_url = "http://a/v1" }
      model "m" { o { "m"%s } }
    ]]):format(more or ""))
    w.answers.a = { answer }
    return w:chat("m", more_wanted), w
  end

  local USAGE = '"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":%s}}'

  local function whole(cost)
    return { body = '{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],'
      .. USAGE:format(cost) }
  end

  local function chunk(reason, tail)
    return ('data: {"choices":[{"delta":{"content":"hi"},"finish_reason":%s}]%s\n\n'):format(
      reason, tail)
  end

  it("is what the request cost", function()
    local r, w = served(whole "0.00000123")
    assert.equal(200, r.status)
    assert.equal("0.00000123", r.sent_headers["x-moongate-cost"])
    local row = w:usage()
    assert.same({ 1230, "reported" }, { row.cost_nano, row.prices })
  end)

  it("is the last one that a stream says, and none of one that broke off", function()
    local stream = { headers = { ["content-type"] = "text/event-stream" }, events = {
      chunk("null", "," .. USAGE:format "0"), chunk('"stop"', "," .. USAGE:format "0.5"),
      "data: [DONE]\n\n",
    } }
    local r, w = served(stream, nil, { stream = true })
    assert.equal(200, r.status)
    assert.same({ 5e8, "reported" }, { w:usage().cost_nano, w:usage().prices })
    stream.events = { chunk("null", "," .. USAGE:format "0"), chunk("null", "}") }
    w = select(2, served(stream, nil, { stream = true }))
    assert.same({ true, json.null }, { w:usage().estimated, w:usage().prices })
  end)

  it("gives way to the operator's own price", function()
    local r = served(whole "9", ", price = { input = 1, output = 1 }")
    assert.equal("0.000007", r.sent_headers["x-moongate-cost"])
  end)

  it("is believed only where it is one", function()
    for _, odd in ipairs { '"9"', "-1", "null", "{}", "1e300" } do
      local r = served(whole(odd))
      assert.equal("unknown", r.sent_headers["x-moongate-cost"])
    end
  end)
end)
