-- OpenAI's Responses as a door: what is checked, what passes, what is kept where, and what a
-- client hears when something fails.

require "engine"

local json = require "engine.json"
local request = require "lib.responses_request"
local world = require "unit.world"

local function with(members)
  local body, notes = request.decode(assert(json.index('{"model":"m",' .. members .. "}")))
  return json.decode(json.encode(body)), notes
end

local function refused(members, param)
  local ok, err = pcall(with, members)
  assert.is_false(ok, members)
  assert.equal("table", type(err), tostring(err))
  assert.equal(param, err.param)
  assert.equal(400, err.status)
end

describe("a body of Responses as a chat", function()
  it("makes one message of what an assistant said and called in a row", function()
    local body = with('"input":[{"role":"assistant","content":"a"},{"type":"function_call",'
      .. '"call_id":"c1","name":"f","arguments":""},{"type":"function_call","call_id":"c2",'
      .. '"namespace":"n","name":"g","arguments":"{}"},{"type":"function_call_output",'
      .. '"call_id":"c1","output":"x"},{"type":"function_call_output","call_id":"c2",'
      .. '"output":[]}]')
    assert.same({ "assistant", "tool", "tool" }, {
      body.messages[1].role, body.messages[2].role, body.messages[3].role,
    })
    assert.equal("{}", body.messages[1].tool_calls[1]["function"].arguments)
    assert.equal("n__g", body.messages[1].tool_calls[2]["function"].name)
    assert.equal("", body.messages[3].content)
  end)

  it("names what need not be told, and what cannot be", function()
    local _, notes = with('"input":"x","metadata":{"a":"b"},"store":true,"truncation":"auto",'
      .. '"text":{"verbosity":"low"},"prompt":{"id":"p"},"top_logprobs":2,"reasoning":'
      .. '{"effort":"low","summary":"auto"},"tools":[{"type":"web_search"},{"type":"computer",'
      .. '"name":"c"}]')
    assert.same({ "metadata", "store", "truncation", "text.verbosity" }, notes.hints)
    local fields = {}
    for i, one in ipairs(notes.unfit) do fields[i] = one.field end
    assert.same({ "prompt", "top_logprobs", "tools[0]", "tools[1]" }, fields)
  end)

  it("says where a client has to mend its body", function()
    refused('"input":[1]', "input[0]")
    refused('"input":[{"role":"tool","content":"x"}]', "input[0].role")
    refused('"input":[{"role":"user","content":7}]', "input[0].content")
    refused('"input":[{"role":"user","content":[null]}]', "input[0].content[0]")
    refused('"input":[{"type":"function_call","name":"f"}]', "input[0].call_id")
    refused('"input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}}]',
      "input[0].arguments")
    refused('"input":"x","tools":{}', "tools")
    refused('"input":"x","tools":[{"type":"function"}]', "tools[0].name")
    refused('"input":"x","tool_choice":"any"', "tool_choice")
    refused('"input":"x","text":{"format":{"type":"xml"}}', "text.format.type")
    refused('"input":[]', "input")
  end)
end)

local ROUTES = [[
local o = provider "openai" { base_url = "http://o/v1", api_key = "k" }
local p = provider "openai" { name = "p", base_url = "http://p/v1", api_key = "k" }
local c = provider "openai_compatible" { name = "c", base_url = "http://c/v1" }
model "native" { o "gpt-4o" }
model "chat" { c "m" }
model "mixed" { c { "n", weight = 1000000 }, o "gpt-4.1" }
model "two" { o "gpt-4o-mini", p "gpt-4o-mini" }
virtual_key "me" { token = "secret-key" }
]]

local SAID = '{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o", '
  .. '"new":1.0,"output":[{"type":"future"}],"usage":{"input_tokens":5,"input_tokens_details":'
  .. '{"cached_tokens":2},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":3}}}'

local function event(name, rest)
  return ('event: %s\ndata: {"type":"%s"%s}\n\n'):format(name, name, rest)
end

local function sse(...)
  return { events = { ... }, headers = { ["content-type"] = "text/event-stream" } }
end

describe("the door of Responses", function()
  local w

  before_each(function() w = world.new(ROUTES) end)

  local function ask(body)
    return w:serve { body = body, path = "/v1/responses" }
  end

  it("passes what a provider of the same dialect is asked and says, byte for byte", function()
    w.answers.o = { { body = SAID } }
    local answer = ask '{"model":"native", "max_output_tokens": 1.0e1,"input":"x","new":[]}'
    assert.equal(SAID, answer.answer)
    local sent = w.calls[1].request
    assert.equal('{"model":"gpt-4o", "max_output_tokens": 1.0e1,"input":"x","new":[]}',
      sent.body:bytes())
    assert.equal("http://o/v1/responses", sent.url)
    local row = w:usage()
    assert.equal("responses", row.dialect)
    assert.same({ 5, 2, 7, 3 }, {
      row.tokens.input, row.tokens.cache_read, row.tokens.output, row.tokens.reasoning,
    })
  end)

  it("passes events as they come, and reads the usage on the way", function()
    local list = {
      event("response.created", ',"response":{"id":"resp_1","usage":null}'),
      event("response.output_text.delta", ',"delta":"a"'),
      event("response.future", ',"x":1'),
      event("response.completed", ',"response":' .. SAID),
    }
    w.answers.o = { sse(unpack(list)) }
    local answer = ask '{"model":"native","input":"x","stream":true}'
    assert.equal(table.concat(list), answer.answer)
    local row = w:usage()
    assert.same({ 5, 7, "stop" }, { row.tokens.input, row.tokens.output, row.finish })
    assert.is_false(row.estimated)
  end)

  it("speaks Responses to Azure at its v1 endpoint only", function()
    w = world.new [[
model "new" { provider "azure" { base_url = "http://a", api_key = "k" } "gpt-4o" }
model "old" { provider "azure" { name = "old", base_url = "http://b", api_key = "k",
  api_version = "2024-10-21" } "gpt-4o" }
virtual_key "me" { token = "secret-key" }
]]
    w.answers.a, w.answers.b = { { body = SAID } }, { world.completion "hello" }
    ask '{"model":"new","input":"x"}'
    ask '{"model":"old","input":"x"}'
    assert.equal("http://a/openai/v1/responses", w.calls[1].request.url)
    assert.equal("http://b/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
      w.calls[2].request.url)
  end)

  it("answers in its own shape from a provider of another", function()
    w.answers.c = { world.completion "hello" }
    local answer = ask '{"model":"chat","input":"hi","instructions":"be brief"}'
    assert.equal(200, answer.status)
    assert.equal("response", answer.json.object)
    assert.equal("completed", answer.json.status)
    assert.equal("be brief", answer.json.instructions)
    assert.equal("hello", answer.json.output[1].content[1].text)
    assert.equal("/chat/completions", w.calls[1].request.url:match "/chat.*")
    assert.is_nil(w.calls[1].request.body:get "max_tokens")
  end)

  it("goes on from what a provider keeps where that is, and else says no", function()
    for _ = 1, 8 do
      w.answers.o = { { body = SAID } }
      local answer = ask '{"model":"mixed","input":"x","previous_response_id":"resp_0"}'
      assert.equal(200, answer.status, answer.answer)
    end
    local answer = ask '{"model":"chat","input":"x","previous_response_id":"resp_0"}'
    assert.equal(400, answer.status)
    assert.equal("previous_response_id", answer.json.error.param)
    assert.equal(8, #w.calls)
  end)

  it("remembers which of two accounts made a response", function()
    local answer = ask '{"model":"two","input":"x","previous_response_id":"resp_1"}'
    assert.equal(400, answer.status)
    w.answers.o, w.answers.p = { { body = SAID } }, { { body = SAID } }
    ask '{"model":"two","input":"x"}'
    local maker = w.calls[1].request.url
    for i = 2, 8 do
      w.answers.o, w.answers.p = { { body = SAID } }, { { body = SAID } }
      ask '{"model":"two","input":"x","previous_response_id":"resp_1","store":false}'
      assert.equal(maker, w.calls[i].request.url)
    end
  end)

  it("tells a stream that broke from one that failed at once", function()
    local created = event("response.created", ',"sequence_number":0,"response":{}')
    local delta = event("response.output_text.delta", ',"sequence_number":4,"delta":"a"')
    local failed = event("response.failed", ',"sequence_number":5,"response":{"status":'
      .. '"failed","error":{"code":"server_error","message":"oh"}}')
    w.answers.o = { sse(created, failed) }
    local answer = ask '{"model":"native","input":"x","stream":true}'
    assert.equal(502, answer.status)
    assert.equal("oh", answer.json.error.message)
    w = world.new(ROUTES)
    w.answers.o = { sse(created, delta, failed) }
    answer = ask '{"model":"native","input":"x","stream":true}'
    assert.equal(200, answer.status)
    assert.equal(1, select(2, answer.answer:gsub("event: response.failed", "")))
    assert.is_truthy(answer.answer:find('"message":"oh"', 1, true))
  end)

  it("says what broke a stream where OpenAI's own clients look, and where others do", function()
    w.answers.o = { sse(event("response.created", ',"sequence_number":0,"response":{}'),
      event("response.output_text.delta", ',"sequence_number":4,"delta":"a"'),
      event("error", ',"sequence_number":5,"error":{"code":"server_error","message":"oh"}')) }
    local answer = ask '{"model":"native","input":"x","stream":true}'
    local events = {}
    for name, data in answer.answer:gmatch "event: ([^\n]+)\ndata: ([^\n]+)\n\n" do
      events[#events + 1] = { name = name, data = json.decode(data) }
    end
    local said, failed = events[#events - 1], events[#events]
    assert.same({ "error", "error", 5, "upstream_error", "oh" }, {
      said.name, said.data.type, said.data.sequence_number, said.data.code, said.data.message,
    })
    assert.same({ "oh", "upstream_error", "upstream_error" },
      { said.data.error.message, said.data.error.type, said.data.error.code })
    assert.same({ "response.failed", 6, "oh" }, {
      failed.name, failed.data.sequence_number, failed.data.response.error.message,
    })
  end)

  it("refuses what nobody could bill, and misspelt members", function()
    for body, param in pairs {
      ['{"model":"native","input":"x","background":true}'] = "background",
      ['{"model":"native","input":"x","max_output_tokens":0}'] = "max_output_tokens",
      ['{"model":"native","input":7}'] = "input",
      ['{"model":"native","input":[]}'] = "input",
      ['{"model":"native"}'] = "input",
      ['{"input":"x"}'] = "model",
      ['{"model":"native","input":"x","Max_Output_Tokens":9}'] = "max_output_tokens",
    } do
      local answer = ask(body)
      assert.equal(400, answer.status, body)
      assert.equal(param, answer.json.error.param:lower(), body)
    end
    assert.equal(0, #w.calls)
  end)

  it("counts tokens without asking anybody", function()
    local answer = w:serve { body = '{"model":"chat","input":"hello there"}',
      path = "/v1/responses/input_tokens" }
    assert.equal(200, answer.status)
    assert.equal("response.input_tokens", answer.json.object)
    assert.is_true(answer.json.input_tokens > 0)
    assert.equal(0, #w.calls)
  end)

  it("shortens an answer by its own name for the limit", function()
    w = world.new(ROUTES:gsub('token = "secret%-key"', 'token = "secret-key", '
      .. 'on_low_budget = "clamp", budget = "$0.01/day"'))
    w.answers.o = { { body = SAID } }
    local answer = ask '{"model":"native","input":"x","max_output_tokens":16000}'
    assert.equal(200, answer.status, answer.answer)
    local most = w.calls[1].request.body:get "max_output_tokens"
    assert.is_true(most > 0 and most < 16000, tostring(most))
    assert.is_nil(w.calls[1].request.body:get "max_tokens")
  end)

  it("answers a body of Responses at the chats' address as a chat", function()
    w.answers.c = { world.completion "hello" }
    local answer = w:serve { path = "/v1/chat/completions",
      body = '{"model":"chat","input":"x","instructions":"be kind","store":true}' }
    assert.equal(200, answer.status, answer.answer)
    assert.equal("hello", answer.json.choices[1].message.content)
    assert.equal("store", answer.sent_headers["x-moongate-dropped"])
    local sent = w.calls[1].request.body:decode()
    assert.same({ "system", "be kind" }, { sent.messages[1].role, sent.messages[1].content })
    assert.is_nil(sent.input)
    assert.equal("openai", w:usage().dialect)
  end)

  it("restores the names of functions in namespaces", function()
    w.answers.c = { { body = [[{"choices":[{"index":0,"finish_reason":"tool_calls","message":{
      "role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":
      {"name":"a__b","arguments":"{}"}}]}}],"usage":{"prompt_tokens":1}}]] } }
    local answer = ask([[{"model":"chat","input":"x","tools":[{"type":"namespace","name":"a",
      "tools":[{"type":"function","name":"b","parameters":{"type":"object"}}]}]}]])
    local call = answer.json.output[1]
    assert.same({ "function_call", "a", "b", "c1" }, {
      call.type, call.namespace, call.name, call.call_id,
    })
  end)
end)
