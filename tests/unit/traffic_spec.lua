-- Recorded exchanges through the adapters: the client hears what the provider said.

require "engine"

local cjson = require "cjson"
local recorded = require "tools.recorded"
local stub = require "tools.stub"

local PROVIDERS = { "openai", "azure", "anthropic", "gemini", "vertex" }

if not recorded.folder() then
  describe("recorded traffic", function()
    pending("is not here; set MOONGATE_TRAFFIC to its folder")
  end)
  return
end

local SPOKEN = { openai = true, azure = true }

local function deployment(exchange, model)
  local name = exchange.dialect
  if name == "openai" then
    name = SPOKEN[exchange.provider] and exchange.provider or "openai_compatible"
  end
  return stub.deployment(name, model, nil, { base_url = "http://127.0.0.1", resource = "r" })
end

-- What the client asks: the recorded body where it is in our client's dialect.
local function call_of(exchange)
  if exchange.dialect == "openai" and exchange.asked then return stub.call(exchange.asked) end
  return stub.call(cjson.encode {
    model = "some-model", stream = exchange.stream, stream_options = { include_usage = true },
    messages = { { role = "user", content = "hello" } },
  })
end

-- The bytes that a client gets.
local function heard(exchange)
  local call = call_of(exchange)
  local dep = deployment(exchange, "some-model")
  local adapter = dep.provider.adapter
  local reply, client = stub.reply(call, dep)
  local upstream = stub.upstream(exchange.answer, exchange.headers)
  if call.stream then
    adapter.stream(upstream, reply)
  elseif adapter.dialect == "openai" then
    adapter.decode(upstream:document(), reply)
  else
    adapter.decode(upstream:json { raw = { input = true, args = true } }, reply)
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
    local arguments = cjson.decode(actual[i].arguments)
    if tool.arguments ~= "" then
      assert.equal(tool.arguments, actual[i].arguments)
    else
      assert.same(tool.input or {}, arguments)
    end
  end
end

local function same_usage(expected, actual, reply)
  if not expected.input then return end -- nothing was said
  if actual.input then assert.same(expected, actual) end -- a stream's client may not have asked
  local total = reply.usage_total
  local beside = expected.cached > expected.input and expected.cached or 0 -- of the prompt
  assert.same(expected, {
    input = total.input_tokens - beside, output = total.output_tokens,
    cached = total.cache_read_tokens or 0, reasoning = total.reasoning_tokens or 0,
  })
end

local function well_formed(bytes, call)
  if not call.stream then
    local answer = cjson.decode(bytes)
    assert.equal("chat.completion", answer.object)
    assert.equal("table", type(answer.choices[1].message))
    return
  end
  assert.equal("data: [DONE]\n\n", bytes:sub(-14))
  for _, chunk in ipairs(recorded.events(bytes)) do
    assert.equal("table", type(chunk.choices))
    if chunk.object ~= "" then assert.equal("chat.completion.chunk", chunk.object) end
  end
end

local function check_answer(exchange)
  local bytes, call, reply = heard(exchange)
  well_formed(bytes, call)
  local expected = recorded[exchange.dialect](exchange.answer)
  local actual = recorded.openai(bytes)
  assert.equal(expected.text, actual.text)
  assert.equal(expected.refusal, actual.refusal)
  if exchange.dialect ~= "openai" then assert.equal(expected.thought, actual.thought) end
  same_tools(expected.tools, actual.tools)
  assert.equal(expected.finish, actual.finish)
  same_usage(expected.usage, actual.usage, reply)
  if exchange.dialect == "openai" and not call.stream then
    assert.equal(exchange.answer, bytes)
  end
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
  for _, exchange in ipairs(recorded.all(PROVIDERS)) do
    local name = exchange.path:match("[^/]+/[^/]+/[^/]+$")
    if exchange.status == 200 then
      it(name, function() check_answer(exchange) end)
    else
      it(name .. ": refused", function() check_refusal(exchange) end)
    end
    if exchange.dialect == "openai" and exchange.asked then
      it(name .. ": request", function() check_request(exchange) end)
    end
  end
end)
