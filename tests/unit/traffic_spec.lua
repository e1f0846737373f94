-- Recorded exchanges through the adapters: the client hears what the provider said.

require "engine"

local cjson = require "cjson"
local natives = require "lib.natives"
local recorded = require "tools.recorded"
local stub = require "tools.stub"

if not recorded.folder() then
  describe("recorded traffic", function()
    pending("is not here; set MOONGATE_TRAFFIC to its folder")
  end)
  return
end

local CALLED = { llamacpp = "llama_cpp" }

-- Who speaks for a provider: its own adapter where we ship one, else its dialect's.
local function adapter_name(exchange)
  local own = exchange.dialect ~= "openai" and exchange.dialect ~= "responses"
  if own then return exchange.dialect end
  local name = CALLED[exchange.provider] or exchange.provider
  local ok, adapter = pcall(require, "providers." .. name)
  return ok and adapter.dialect == "openai" and name or "openai_compatible"
end

local function deployment(exchange, model)
  local api = exchange.dialect == "responses" and "responses" or nil
  return stub.deployment(adapter_name(exchange), model, { api = api },
    { base_url = "http://127.0.0.1", resource = "r" })
end

-- What the client asks: the recorded body where it is in our client's dialect.
local function call_of(exchange)
  if exchange.dialect == "openai" and exchange.asked then return stub.call(exchange.asked) end
  return stub.call(cjson.encode {
    model = "some-model", stream = exchange.stream, stream_options = { include_usage = true },
    messages = { { role = "user", content = "hello" } },
  })
end

-- The bytes that a client gets; in `writer`'s words where there is one.
local function heard(exchange, writer)
  local call = call_of(exchange)
  local dep = deployment(exchange, "some-model")
  local adapter = natives.of("openai", dep) or dep.provider.adapter
  local reply, client = stub.reply(call, dep)
  reply.writer = writer or reply.writer
  local upstream = stub.upstream(exchange.answer, exchange.headers)
  if call.stream then
    adapter.stream(upstream, reply)
  else
    stub.decode(adapter, upstream, reply)
  end
  assert.is_true(not call.stream or reply:is_whole())
  reply:close()
  assert.equal(200, client.status)
  return client:bytes(), call, reply
end

-- Arguments are compared by value, and for their being a JSON object's text.
local function same_tools(expected, actual)
  assert.equal(#expected, #actual)
  for i, tool in ipairs(expected) do
    assert.equal(tool.name, actual[i].name)
    if tool.arguments ~= "" then
      assert.equal(tool.arguments, actual[i].arguments)
    else
      assert.same(tool.input or {}, cjson.decode(actual[i].arguments))
    end
  end
end

-- Some count their thoughts beside the answer; the total tells.
local function thought_beside(usage, total)
  return usage.reasoning > 0 and total == usage.input + usage.output + usage.reasoning
    and usage.reasoning or 0
end

local function same_usage(expected, actual, reply, all)
  if not expected.input then return end -- nothing was said
  if actual.input then assert.same(expected, actual) end -- a stream's client may not have asked
  local total = reply.usage_total
  local beside = expected.cached > expected.input and expected.cached or 0 -- of the prompt
  assert.same(expected, {
    input = total.input_tokens - beside,
    output = total.output_tokens - thought_beside(expected, all),
    cached = total.cache_read_tokens or 0, reasoning = total.reasoning_tokens or 0,
  })
end

-- What we translated says all that OpenAI's answers do; what passes, what its provider said.
local function well_formed(bytes, call, translated)
  if not call.stream then
    local answer = cjson.decode(bytes)
    assert.is_true(not translated or answer.object == "chat.completion")
    assert.equal("table", type(answer.choices[1].message))
    return
  end
  assert.equal("data: [DONE]\n\n", bytes:sub(-14))
  for _, chunk in ipairs(recorded.events(bytes)) do
    assert.equal("table", type(chunk.choices))
    assert.is_true(not translated or chunk.object == "chat.completion.chunk")
  end
end

local function check_answer(exchange)
  local bytes, call, reply = heard(exchange)
  well_formed(bytes, call, exchange.dialect ~= "openai")
  local expected = recorded[exchange.dialect](exchange.answer)
  local actual = recorded.openai(bytes)
  assert.equal(expected.text, actual.text)
  assert.equal(expected.refusal, actual.refusal)
  if exchange.dialect ~= "openai" then assert.equal(expected.thought, actual.thought) end
  same_tools(expected.tools, actual.tools)
  assert.equal(expected.finish, actual.finish)
  same_usage(expected.usage, actual.usage, reply, expected.total)
  if exchange.dialect == "openai" and not call.stream then
    assert.equal(exchange.answer, bytes)
  end
end

-- A client of another dialect: nothing passes, all is taken apart and written anew. That its
-- writer is OpenAI's under another name lets the same reader read it.
local OTHER = setmetatable({ dialect = "other" },
  { __index = function(_, name) return require("dialects.openai_writer")[name] end })

local FINISH = { stop = true, length = true, tool_calls = true, content_filter = true }

local function check_apart(exchange)
  local bytes, call, reply = heard(exchange, OTHER)
  well_formed(bytes, call, true)
  local expected, actual = recorded.openai(exchange.answer), recorded.openai(bytes)
  assert.equal(expected.thought, actual.thought)
  assert.equal(expected.refusal, actual.refusal)
  if expected.object then
    assert.same(expected.object, cjson.decode(actual.text))
  else
    assert.equal(expected.text, actual.text)
  end
  same_tools(expected.tools, actual.tools)
  local finish = expected.finish == "stop" and #expected.tools > 0 and "tool_calls"
    or expected.finish
  assert.equal(finish, actual.finish)
  assert.is_true(FINISH[actual.finish])
  same_usage(expected.usage, {}, reply, expected.total)
end

-- What was said in a 200 that holds an error, or a stream that ends in one.
local INSIDE = {
  ["openai/responses/ai-openai-error-1-0-501de1.json"] =
    { "rate_limit", "^You exceeded your current quota" },
  ["groq/chat_completions/pydantic-ai-test-tool-use-failed-error-streaming-0-b75f85.json"] =
    { "bad_request", "^Tool call validation failed" },
  ["openrouter/chat_completions/pydantic-ai-test-openrouter-stream-error-0-19ec71.json"] =
    { "bad_request", "^Token limit reached$" },
  ["openrouter/chat_completions/req-llm-object-basic-0-87da3d.json"] =
    { "server_error", "^Provider returned error: Malformed function call" },
}

local function check_broken(exchange, name)
  local ok, err = pcall(heard, exchange)
  assert.is_false(ok)
  assert.equal(INSIDE[name][1], err.kind)
  assert.truthy(err.message:find(INSIDE[name][2]), err.message)
end

local function check_refusal(exchange)
  local provider_error = require "lib.provider_error"
  local adapter = deployment(exchange, "some-model").provider.adapter
  local body = stub.upstream(exchange.answer):json()
  local kind, more = adapter.classify(exchange.status, body)
  local fault = provider_error.fault(exchange.status, body, kind, more, {})
  assert.equal(recorded.kind(exchange.status, exchange.answer), fault.kind)
  assert.equal("string", type(fault.message))
end

-- The provider gets the client's bytes, but for the model and the wish for usage.
local function check_request(exchange)
  local call = stub.call(exchange.asked)
  local same = stub.encoded(call, deployment(exchange, call.model or "some-model"))
  local added = not call.model and '"model":"some-model",' or ""
  if call.stream and not call.doc:get("stream_options") then
    added = added .. '"stream_options":{"include_usage":true},'
  end
  local expected = exchange.asked:gsub("{", function() return "{" .. added end, 1)
  assert.equal(expected, same)
end

describe("recorded traffic", function()
  for _, exchange in ipairs(recorded.all()) do
    local name = exchange.path:match("[^/]+/[^/]+/[^/]+$")
    if exchange.features.error_in_stream or exchange.features.error_in_200 then
      it(name .. ": breaks", function() check_broken(exchange, name) end)
    elseif exchange.status == 200 then
      it(name, function() check_answer(exchange) end)
      if exchange.dialect == "openai" then
        it(name .. ": taken apart", function() check_apart(exchange) end)
      end
    else
      it(name .. ": refused", function() check_refusal(exchange) end)
    end
    if exchange.dialect == "openai" and exchange.asked then
      it(name .. ": request", function() check_request(exchange) end)
    end
  end
end)
