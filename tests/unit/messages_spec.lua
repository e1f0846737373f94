-- Anthropic's Messages as a door: bodies as chats, answers as messages, and what passes.

require "engine"

local json = require "engine.json"
local request = require "lib.messages_request"
local world = require "unit.world"

local function decode(text)
  if type(text) == "table" then text = json.encode(text) end
  local body, notes = request.decode(assert(json.index(text)))
  return json.decode(json.encode(body)), notes
end

local function with(members)
  return decode('{"model":"m","max_tokens":9,' .. members .. "}")
end

local HELLO = '"messages":[{"role":"user","content":"hello"}]'

local function refused(members, param)
  local ok, err = pcall(with, members)
  assert.is_false(ok, members)
  assert.equal("table", type(err), tostring(err))
  assert.equal("invalid_type", err.kind)
  assert.equal(param, err.param)
end

-- Turns of a conversation in Anthropic's words, and the chat's messages they become.
local TURNS = {
  { "text",
    '[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text",'
      .. '"text":"a"}]}]',
    '[{"role":"user","content":"hi"},{"role":"assistant","content":"a"}]' },
  { "system in the middle",
    '[{"role":"user","content":"hi"},{"role":"system","content":[{"type":"text","text":"s"}]}]',
    '[{"role":"user","content":"hi"},{"role":"system","content":"s"}]' },
  { "several texts",
    '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]',
    '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]' },
  { "empty texts",
    '[{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b"}]}]',
    '[{"role":"user","content":"b"}]' },
  { "images inside and elsewhere",
    '[{"role":"user","content":[{"type":"image","source":{"type":"base64",'
      .. '"media_type":"image/png","data":"AA=="}},{"type":"image","source":{"type":"url",'
      .. '"url":"https://x/y.png"}}]}]',
    '[{"role":"user","content":[{"type":"image_url","image_url":{"url":'
      .. '"data:image/png;base64,AA=="}},{"type":"image_url","image_url":{"url":'
      .. '"https://x/y.png"}}]}]' },
  { "documents",
    '[{"role":"user","content":[{"type":"document","title":"t.pdf","source":{"type":"base64",'
      .. '"media_type":"application/pdf","data":"AA=="}},{"type":"document","title":"n",'
      .. '"source":{"type":"text","media_type":"text/plain","data":"words"}}]}]',
    '[{"role":"user","content":[{"type":"file","file":{"filename":"t.pdf","file_data":'
      .. '"data:application/pdf;base64,AA=="}},{"type":"text","text":'
      .. '"<document title=\\"n\\">\\nwords\\n</document>"}]}]' },
  { "parallel tools, a failed one, an image as a result",
    '[{"role":"assistant","content":[{"type":"text","text":"so"},{"type":"tool_use","id":"t1",'
      .. '"name":"f","input":{"b":1.0,"a":[]}},{"type":"tool_use","id":"t2","name":"g",'
      .. '"input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1",'
      .. '"content":"no","is_error":true},{"type":"tool_result","tool_use_id":"t2","content":'
      .. '[{"type":"image","source":{"type":"url","url":"https://x"}}]},'
      .. '{"type":"text","text":"go on"}]}]',
    '[{"role":"assistant","content":"so","tool_calls":[{"id":"t1","type":"function","function":'
      .. '{"name":"f","arguments":"{\\"b\\":1.0,\\"a\\":[]}"}},{"id":"t2","type":"function",'
      .. '"function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"no",'
      .. '"tool_call_id":"t1","is_error":true},{"role":"tool","content":[{"type":"image_url",'
      .. '"image_url":{"url":"https://x"}}],"tool_call_id":"t2"},'
      .. '{"role":"user","content":"go on"}]' },
  { "thoughts, signed, unsigned and redacted",
    '[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"S"},'
      .. '{"type":"redacted_thinking","data":"D"},{"type":"thinking","thinking":"!",'
      .. '"signature":""},{"type":"text","text":"a"}]}]',
    '[{"role":"assistant","content":"a","reasoning_content":"hm!","thinking_blocks":['
      .. '{"type":"thinking","thinking":"hm","signature":"S"},'
      .. '{"type":"redacted_thinking","data":"D"}]}]' },
  { "a signature of another provider",
    '[{"role":"assistant","content":[{"type":"redacted_thinking","data":'
      .. '"moongate:google:call:1:U2ln"},{"type":"tool_use","id":"call:1","name":"f",'
      .. '"input":{}}]}]',
    '[{"role":"assistant","content":null,"tool_calls":[{"id":"call:1","type":"function",'
      .. '"function":{"name":"f","arguments":"{}"},"extra_content":{"google":'
      .. '{"thought_signature":"U2ln"}}}]}]' },
  { "a document of blocks",
    '[{"role":"user","content":[{"type":"document","source":{"type":"content","content":'
      .. '[{"type":"text","text":"w"},{"type":"image","source":{"type":"url","url":'
      .. '"https://x"}}]}}]}]',
    '[{"role":"user","content":[{"type":"text","text":"<document>\\nw\\n</document>"},'
      .. '{"type":"image_url","image_url":{"url":"https://x"}}]}]' },
}

-- Members of the body, and what they are in a chat.
local MEMBERS = {
  { '"system":"be brief"', "messages",
    '[{"role":"system","content":"be brief"},{"role":"user","content":"hello"}]' },
  { '"stop_sequences":["a","b"]', "stop", '["a","b"]' },
  { '"temperature":0.5', "temperature", "0.5" },
  { '"top_k":4', "top_k", "4" },
  { '"metadata":{"user_id":"u"}', "user", '"u"' },
  { '"tools":[{"name":"f","description":"d","input_schema":{"$schema":"x","type":"object"}}]',
    "tools", '[{"type":"function","function":{"name":"f","description":"d","parameters":'
      .. '{"$schema":"x","type":"object"}}}]' },
  { '"tool_choice":{"type":"auto"}', "tool_choice", '"auto"' },
  { '"tool_choice":{"type":"any"}', "tool_choice", '"required"' },
  { '"tool_choice":{"type":"none"}', "tool_choice", '"none"' },
  { '"tool_choice":{"type":"tool","name":"f"}', "tool_choice",
    '{"type":"function","function":{"name":"f"}}' },
  { '"tool_choice":{"type":"auto","disable_parallel_tool_use":true}', "parallel_tool_calls",
    "false" },
  { '"thinking":{"type":"enabled","budget_tokens":1024}', "reasoning_effort", '"low"' },
  { '"thinking":{"type":"enabled","budget_tokens":4000}', "reasoning_effort", '"medium"' },
  { '"thinking":{"type":"enabled","budget_tokens":32000}', "reasoning_effort", '"high"' },
  { '"thinking":{"type":"adaptive"}', "reasoning_effort", nil },
  { '"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}', "reasoning_effort",
    '"low"' },
  { '"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}',
    "response_format", '{"type":"json_schema","json_schema":{"name":"answer","schema":'
      .. '{"type":"object"},"strict":true}}' },
}

describe("a body of Messages as a chat", function()
  for _, case in ipairs(TURNS) do
    it(case[1], function()
      assert.same(json.decode(case[3]), with('"messages":' .. case[2]).messages)
    end)
  end

  for _, case in ipairs(MEMBERS) do
    it(case[1], function()
      local want
      if case[3] then want = json.decode(case[3]) end -- which may be false
      assert.same(want, with(case[1] .. "," .. HELLO)[case[2]])
    end)
  end

  it("names what need not be told, and what cannot be", function()
    local _, notes = with('"service_tier":"auto","context_management":{"edits":[1]},'
      .. '"system":[{"type":"text","text":"x-anthropic-billing-header: a"}],'
      .. '"container":"c","mcp_servers":[],"tools":[{"type":"web_search_20250305",'
      .. '"name":"w"},{"name":"f","input_schema":{},"defer_loading":true}],' .. HELLO)
    assert.same({
      "context_management", "service_tier", "system.0", "tools.defer_loading",
    }, notes.hints)
    assert.same({ "container", "tools.0" }, { notes.unfit[1].field, notes.unfit[2].field })
  end)

  it("says where a client has to mend its body", function()
    refused('"messages":[1]', "messages.0")
    refused('"messages":[{"role":"tool","content":"x"}]', "messages.0.role")
    refused('"messages":[{"role":"user","content":7}]', "messages.0.content")
    refused('"messages":[{"role":"user","content":[null]}]', "messages.0.content.0")
    refused('"messages":[{"role":"user","content":[{"type":"text"}]}]',
      "messages.0.content.0.text")
    refused('"messages":[{"role":"user","content":[{"type":"image"}]}]',
      "messages.0.content.0.source")
    refused('"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a",'
      .. '"name":"f","input":"{}"}]}]', "messages.0.content.0.input")
    refused('"tools":{},' .. HELLO, "tools")
    refused('"tool_choice":"auto",' .. HELLO, "tool_choice")
    refused('"tool_choice":{"type":"tool"},' .. HELLO, "tool_choice.type")
  end)
end)

-- The door --------------------------------------------------------------------------------

local ROUTES = [[
model "gpt" { provider "openai" { base_url = "http://o/v1", api_key = "k" } "gpt-4o" }
model "loose" {
  provider "openai" { name = "l", base_url = "http://o/v1", api_key = "k" } {
    "gpt-4o", drop_unsupported = true },
}
model "claude" {
  provider "anthropic" { base_url = "http://a/v1", api_key = "sk-provider" } "claude-x" }
virtual_key "me" { token = "secret-key" }
]]

local BODY = {
  model = "gpt", max_tokens = 9, messages = { { role = "user", content = "hi" } },
}

describe("the door of Messages", function()
  local w

  before_each(function() w = world.new(ROUTES) end)

  local function ask(changes, headers)
    local body = {}
    for name, value in pairs(BODY) do body[name] = value end
    for name, value in pairs(changes or {}) do body[name] = value end
    return w:serve { body = body, path = "/v1/messages", query = "beta=true",
      headers = headers }
  end

  it("answers in its own shape from a provider of another", function()
    w.answers.o = { world.completion("hello", {
      prompt_tokens = 10, completion_tokens = 5, total_tokens = 15,
      prompt_tokens_details = { cached_tokens = 4 },
    }) }
    local answer = ask()
    assert.equal(200, answer.status)
    assert.equal("message", answer.json.type)
    assert.equal("msg_", answer.json.id:sub(1, 4))
    assert.same({ { type = "text", text = "hello" } }, answer.json.content)
    assert.equal("end_turn", answer.json.stop_reason)
    assert.equal(6, answer.json.usage.input_tokens)
    assert.equal(4, answer.json.usage.cache_read_input_tokens)
    assert.equal(5, answer.json.usage.output_tokens)
    local sent = json.decode(w.calls[1].request.body:bytes())
    assert.same({ model = "gpt-4o", max_completion_tokens = 9,
      messages = { { role = "user", content = "hi" } } }, sent)
    local row = w:usage()
    assert.equal("anthropic", row.dialect)
    assert.equal(10, row.tokens.input)
  end)

  it("streams its own events", function()
    w.answers.o = { world.stream("Hel", "lo") }
    local answer = ask { stream = true }
    local names = {}
    for name, data in answer.answer:gmatch "event: ([%w_]+)\ndata: ([^\n]+)\n\n" do
      names[#names + 1] = name
      assert.equal(name, json.decode(data).type)
    end
    assert.same({ "message_start", "content_block_start", "content_block_delta",
      "content_block_delta", "content_block_stop", "message_delta", "message_stop" }, names)
    assert.is_truthy(answer.answer:find('"stop_reason":"end_turn"', 1, true))
    assert.is_truthy(answer.answer:find('"input_tokens":10', 1, true))
  end)

  it("passes what a provider of the same dialect is asked and says, byte for byte", function()
    local said = '{"type":"message","id":"msg_1","model":"claude-x", "new":1.0,'
      .. '"content":[{"type":"future"}],"stop_reason":"end_turn","usage":{"input_tokens":3,'
      .. '"cache_read_input_tokens":2,"output_tokens":1}}'
    w.answers.a = { { body = said } }
    local asked = '{"model":"claude", "max_tokens": 1.0e1,"messages":[null],"new":[]}'
    local answer = w:serve { body = asked, path = "/v1/messages", headers = {
      ["anthropic-beta"] = "b1", ["anthropic-version"] = "2026-10-21", ["x-app"] = "cli",
    } }
    assert.equal(said, answer.answer)
    local sent = w.calls[1].request
    assert.equal('{"model":"claude-x", "max_tokens": 1.0e1,"messages":[null],"new":[]}',
      sent.body:bytes())
    assert.equal("b1", sent.headers["anthropic-beta"])
    assert.equal("2026-10-21", sent.headers["anthropic-version"])
    assert.equal("sk-provider", sent.headers["x-api-key"])
    assert.is_nil(sent.headers["x-app"])
    local row = w:usage()
    assert.equal(5, row.tokens.input)
    assert.equal(2, row.tokens.cache_read)
  end)

  it("asks no model for more than it writes", function()
    w.answers.o = { world.completion "hello" }
    ask { max_tokens = 128000 }
    assert.equal(16384, w.calls[1].request.body:get "max_completion_tokens")
  end)

  it("refuses what another provider cannot be told, or drops it where it may", function()
    local tools = json.array { { type = "web_search_20250305", name = "web_search" } }
    local answer = ask { tools = tools }
    assert.equal(400, answer.status)
    assert.equal("invalid_request_error", answer.json.error.type)
    assert.is_truthy(answer.json.error.message:find("tools.0", 1, true))
    w.answers.o = { world.completion "hello" }
    answer = ask { tools = tools, model = "loose" }
    assert.equal(200, answer.status)
    assert.equal("tools.0", answer.sent_headers["x-moongate-dropped"])
  end)

  it("calls a refusal one", function()
    local said = world.completion ""
    said.body = said.body:gsub('"content":""', '"content":null,"refusal":"I will not."')
    w.answers.o = { said }
    local answer = ask()
    assert.equal("refusal", answer.json.stop_reason)
    assert.equal("I will not.", answer.json.content[1].text)
    w.answers.o = { {
      events = {
        world.chunk '{"role":"assistant","content":"","refusal":null}',
        world.chunk '{"refusal":"I will"}', world.chunk '{"refusal":" not."}',
        world.chunk("{}", "stop"), "data: [DONE]\n\n",
      }, headers = { ["content-type"] = "text/event-stream" },
    } }
    local stream = ask { stream = true }
    assert.is_truthy(stream.answer:find('"stop_reason":"refusal"', 1, true))
  end)

  it("speaks of errors in its own words", function()
    local cases = {
      { world.failure(429, "rate_limit_exceeded"), 429, "rate_limit_error" },
      { world.failure(503, "x"), 529, "overloaded_error" },
      { world.failure(500, "x"), 502, "api_error" },
      { world.failure(401, "x"), 502, "api_error" },
      { world.failure(400, "x"), 400, "invalid_request_error" },
    }
    for _, case in ipairs(cases) do
      w = world.new(ROUTES)
      w.answers.o = { case[1] }
      local answer = ask()
      assert.equal(case[2], answer.status)
      assert.equal("error", answer.json.type)
      assert.equal(case[3], answer.json.error.type)
      assert.equal(answer.sent_headers["request-id"], answer.json.request_id)
    end
    local unknown = ask { model = "nobody" }
    assert.equal("not_found_error", unknown.json.error.type)
    local keyless = ask(nil, { authorization = false, ["x-api-key"] = "wrong" })
    assert.equal("authentication_error", keyless.json.error.type)
  end)

  it("passes a provider's own words on what the client did wrong", function()
    local said = '{"type":"error", "error":{"type":"invalid_request_error",'
      .. '"message":"thinking"}}'
    w.answers.a = { { status = 400, body = said } }
    assert.equal(said, ask({ model = "claude" }).answer)
  end)

  it("counts tokens without asking anybody", function()
    local answer = w:serve { path = "/v1/messages/count_tokens", query = "beta=true",
      body = '{"model":"gpt","messages":[{"role":"user","content":"hello"}]}' }
    assert.equal(200, answer.status)
    assert.is_true(answer.json.input_tokens > 0)
    assert.equal(0, #w.calls)
    assert.equal(0, #w.journal)
  end)

  it("lists models in pages, for clients that know them", function()
    local function ids(query, headers)
      local answer = w:serve {
        path = "/v1/models", method = "GET", query = query,
        headers = headers or { ["anthropic-version"] = "2023-06-01" },
      }
      local out = {}
      for i, model in ipairs(answer.json.data) do out[i] = model.id end
      return table.concat(out, " "), answer.json.has_more, answer.json.last_id
    end
    assert.same({ "gpt loose claude", false, "claude" }, { ids "" })
    assert.same({ "gpt loose claude", false, "claude" }, { ids "limit=1000" })
    assert.same({ "gpt loose", true, "loose" }, { ids "limit=2" })
    assert.same({ "claude", false, "claude" }, { ids "limit=2&after_id=loose" })
    assert.same({ "loose", true, "loose" }, { ids "limit=1&before_id=claude" })
    assert.same({ "", false, json.null }, { ids "after_id=claude" })
    assert.same({ "gpt loose claude", false, "claude" }, { ids("limit=1", {}) })
    assert.same({ "gpt loose claude", false, "claude" }, { ids "limit=x&after_id=%6eone" })
  end)

  it("keeps the first event until there is more, and so can ask again", function()
    local start = 'event: message_start\ndata: {"type":"message_start","message":{"id":"a",'
      .. '"model":"claude-x","usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    local ping = 'event: ping\ndata: {"type": "ping"}\n\n'
    local stream = { ["content-type"] = "text/event-stream" }
    local busy = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
      .. '"message":"Overloaded"}}\n\n'
    local rest = {
      start, ping,
      'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        .. '"content_block":{"type":"text","text":""}}\n\n',
      ping,
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        .. '{"type":"text_delta","text":"say \\"usage\\": 1"}}\n\n',
      'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
      'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        .. '"usage":{"output_tokens":7}}\n\n',
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    }
    w.answers.a = {
      { events = { start, ping, busy }, headers = stream }, { events = rest, headers = stream },
    }
    local answer = ask { model = "claude", stream = true }
    assert.equal(200, answer.status)
    assert.equal(table.concat(rest), answer.answer)
    assert.equal(2, #w.calls)
    local row = w:usage()
    assert.equal(9, row.tokens.input)
    assert.equal(7, row.tokens.output)
    assert.equal("stop", row.finish)

    w.answers.a = { { events = { rest[1], rest[3], busy }, headers = stream } }
    answer = ask { model = "claude", stream = true }
    assert.is_truthy(answer.answer:find('event: error\ndata: {"type":"error","error":'
      .. '{"type":"overloaded_error","message":"Overloaded"}', 1, true))
  end)

  it("reads a whole answer where a stream was asked for, and the other way round", function()
    local whole = '{"type":"message","id":"a","model":"c","content":[{"type":"text",'
      .. '"text":"t"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}'
    w.answers.a = { { body = whole } }
    local answer = ask { model = "claude", stream = true }
    assert.is_truthy(answer.answer:find('"text_delta","text":"t"', 1, true))
    assert.is_truthy(answer.answer:find("event: message_stop\n", 1, true))

    w.answers.a = { {
      headers = { ["content-type"] = "text/event-stream" },
      body = 'event: message_start\ndata: {"type":"message_start","message":{"id":"a","model":'
        .. '"c","usage":{"input_tokens":3}}}\n\nevent: content_block_start\ndata: {"type":'
        .. '"content_block_start","index":0,"content_block":{"type":"text","text":"t"}}\n\n'
        .. 'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":'
        .. '"end_turn"},"usage":{"output_tokens":1}}\n\n',
    } }
    answer = ask { model = "claude" }
    assert.equal("t", answer.json.content[1].text)
    assert.equal(3, answer.json.usage.input_tokens)
  end)

  it("gives back no thoughts that were the gateway's own", function()
    w.answers.a = { { body = '{"type":"message","content":[],"stop_reason":"end_turn"}' } }
    w:serve { path = "/v1/messages", body = '{"model":"claude","max_tokens":9,"messages":['
      .. '{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking",'
      .. '"thinking":"h","signature":""},{"type":"redacted_thinking","data":'
      .. '"moongate:google:a:b"},{"type":"tool_use","id":"a","name":"f","input":{"z":1,"a":[]}}'
      .. "]}]}" }
    assert.is_truthy(w.calls[1].request.body:bytes():find('"content":[{"type":"tool_use","id":'
      .. '"a","name":"f","input":{"z":1,"a":[]}}]', 1, true))
  end)

  it("gives the next provider a call of its own", function()
    w = world.new(ROUTES .. [[
model "both" {
  provider "anthropic" { name = "a2", base_url = "http://a/v1", api_key = "k" } "claude-x",
  retries = 0, fallback = { "gpt" } }
]])
    w.answers.a, w.answers.o = { world.failure(500, "x") }, { world.completion "hello" }
    local answer = ask { model = "both", context_management = { edits = json.array {} } }
    assert.equal(200, answer.status)
    assert.equal("hello", answer.json.content[1].text)
    assert.equal("context_management", answer.sent_headers["x-moongate-dropped"])
  end)

  it("holds to a key's limits, and says so in its own words", function()
    w = world.new(ROUTES .. 'virtual_key "slow" { token = "slow-key", rpm = 1 }')
    w.answers.o = { world.completion "hello" }
    local headers = { authorization = false, ["x-api-key"] = "slow-key" }
    assert.equal(200, ask(nil, headers).status)
    local answer = ask(nil, headers)
    assert.equal(429, answer.status)
    assert.equal("rate_limit_error", answer.json.error.type)
  end)

  it("is there for who only knocks", function()
    assert.equal(200, w:serve({ path = "/", method = "HEAD" }).status)
    assert.equal(200, w:serve({ path = "/api/hello", method = "HEAD" }).status)
    assert.equal(404, w:serve({ path = "/", method = "GET" }).status)
  end)
end)
