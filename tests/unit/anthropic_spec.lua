-- Chat → Messages: what no golden case shows.

require "engine"

local json = require "engine.json"
local models = require "lib.anthropic_models"
local stub = require "tools.stub"

local function encode(body, options)
  options = options or {}
  body.model = body.model or "claude-sonnet-4-5"
  body.messages = body.messages or { { role = "user", content = "hi" } }
  local call = stub.call(json.encode(body))
  local dep = stub.deployment("anthropic", body.model, options.dep, options.provider)
  return json.decode(stub.encoded(call, dep)), call.dropped
end

local function refused(body, options)
  local ok, err = pcall(encode, body, options)
  assert.is_false(ok)
  assert.equal("bad_request", err.kind)
  return err
end

local FUNCTION = { type = "function", ["function"] = { name = "f" } }

describe("anthropic models", function()
  it("are told by the version in their names", function()
    local facts = {
      { "claude-3-opus-20240229", 4096 }, { "claude-3-5-haiku-20241022", 8192 },
      { "claude-3-7-sonnet-20250219", 64000, "budget" }, { "claude-opus-4-1", 32000, "budget" },
      { "claude-4-sonnet-20250514", 64000, "budget" },
      { "claude-opus-4-5-20251101", 64000, "budget" },
      { "claude-opus-4-6", 128000, "adaptive" }, { "claude-sonnet-4-6", 64000, "adaptive" },
      { "claude-sonnet-5", 128000, "adaptive" }, { "claude-next", 128000, "adaptive" },
    }
    for _, fact in ipairs(facts) do
      local model = models.of(fact[1])
      assert.equal(fact[2], model.max_tokens, fact[1])
      assert.equal(fact[3], model.thinking, fact[1])
    end
  end)
end)

describe("anthropic request", function()
  it("asks for no more than the deployment allows", function()
    assert.equal(100, encode({ max_tokens = 900 }, { dep = { max_tokens = 100 } }).max_tokens)
    assert.equal(100, encode({}, { dep = { max_tokens = 100 } }).max_tokens)
    assert.equal(40, encode({ max_completion_tokens = 40 }).max_tokens)
  end)

  it("drops sampling that the model refuses, and names it", function()
    local body, dropped = encode { temperature = 0.5, top_p = 0.4 }
    assert.equal(0.5, body.temperature)
    assert.is_nil(body.top_p)
    assert.same({ "top_p" }, dropped)

    body, dropped = encode { model = "claude-opus-4-7", temperature = 0, top_k = 5, top_p = 1 }
    assert.is_nil(body.temperature)
    assert.equal(1, body.top_p)
    assert.same({ "temperature", "top_k" }, dropped)

    body, dropped = encode { temperature = 1.7 }
    assert.is_nil(body.temperature)
    assert.same({ "temperature" }, dropped)
  end)

  it("says nothing of sampling in a version that has no words for it", function()
    local body, dropped = encode({ temperature = 1, top_p = 1 },
      { provider = { version = "2026-10-21" } })
    assert.is_nil(body.temperature)
    assert.is_nil(body.top_p)
    assert.same({ "temperature", "top_p" }, dropped)
  end)

  it("refuses what changes what is asked for, by the field's name", function()
    assert.equal("n", refused({ n = 2 }).param)
    assert.equal("logprobs", refused({ logprobs = true }).param)
    assert.equal("audio", refused({ audio = { voice = "x" } }).param)
    assert.equal("made_up", refused({ made_up = 1 }).param)
    assert.equal("response_format",
      refused({ response_format = { type = "json_object" } }).param)
    assert.equal("tools[0]", refused({ tools = { { type = "custom", custom = {} } } }).param)
    assert.equal("messages[0].content[0]", refused({ messages = { {
      role = "user", content = { { type = "input_audio", input_audio = { data = "" } } },
    } } }).param)
    assert.equal("messages[0].role",
      refused({ messages = { { role = "function", content = "x" } } }).param)
  end)

  it("drops that too where the deployment says so", function()
    local body, dropped = encode({ n = 2, response_format = { type = "json_object" } },
      { dep = { drop_unsupported = true } })
    assert.is_nil(body.output_config)
    assert.same({ "n", "response_format" }, dropped)
  end)

  it("takes what asks for nothing without a word", function()
    local _, dropped = encode {
      n = 1, logprobs = false, frequency_penalty = 0, modalities = { "text" },
      response_format = { type = "text" }, parallel_tool_calls = true, tools = json.array {},
    }
    assert.same({}, dropped)
  end)

  it("maps tool_choice", function()
    local function choice(value, more)
      local body = more or {}
      body.tools, body.tool_choice = { FUNCTION }, value
      return (encode(body)).tool_choice
    end
    assert.is_nil(choice "auto")
    assert.same({ type = "none" }, choice "none")
    assert.same({ type = "any" }, choice "required")
    assert.same({ type = "tool", name = "f" },
      choice { type = "function", ["function"] = { name = "f" } })
    assert.same({ type = "auto", disable_parallel_tool_use = true },
      choice("auto", { parallel_tool_calls = false }))
    assert.same({ type = "any" }, choice {
      type = "allowed_tools", allowed_tools = { mode = "required", tools = { FUNCTION } },
    })
  end)

  it("thinks as hard as the model can be told to", function()
    local body = encode { reasoning_effort = "medium" }
    assert.same({ type = "enabled", budget_tokens = 2048 }, body.thinking)

    body = encode { model = "claude-opus-4-6", reasoning_effort = "xhigh" }
    assert.same({ type = "adaptive" }, body.thinking)
    assert.same({ effort = "high" }, body.output_config)

    body = encode { model = "claude-sonnet-5", reasoning_effort = "none" }
    assert.same({ type = "disabled" }, body.thinking)
  end)

  it("does not think where that would be refused", function()
    local function dropped(body) return select(2, encode(body)) end
    assert.same({ "reasoning_effort" }, dropped { reasoning_effort = "low", max_tokens = 500 })
    assert.same({ "reasoning_effort" },
      dropped { reasoning_effort = "low", model = "claude-3-haiku-20240307" })
    assert.same({ "reasoning_effort" },
      dropped { reasoning_effort = "low", tools = { FUNCTION }, tool_choice = "required" })
    assert.same({ "reasoning_effort" }, dropped { reasoning_effort = "low", messages = {
      { role = "user", content = "hi" },
      { role = "assistant", tool_calls = { { id = "1", ["function"] = { name = "f" } } } },
      { role = "tool", tool_call_id = "1", content = "x" },
    } })
  end)

  it("does not name people", function()
    local body, dropped = encode { user = "ada@example.com" }
    assert.is_nil(body.metadata)
    assert.same({ "user" }, dropped)
  end)

  it("puts results of tools before everything else of a turn", function()
    local body = encode { messages = {
      { role = "user", content = "hi" },
      { role = "assistant", tool_calls = {
        { id = "a", ["function"] = { name = "f", arguments = "{}" } },
        { id = "b", ["function"] = { name = "f", arguments = "{}" } },
      } },
      { role = "tool", tool_call_id = "a", content = "1" },
      { role = "user", content = "and" },
      { role = "tool", tool_call_id = "b", content = "2" },
    } }
    local kinds = {}
    for i, block in ipairs(body.messages[3].content) do
      kinds[i] = block.tool_use_id or block.text
    end
    assert.same({ "a", "b", "and" }, kinds)
  end)

  it("takes broken arguments for the client's fault", function()
    local ok, err = pcall(encode, { messages = { {
      role = "assistant", tool_calls = { { id = "a", ["function"] = {
        name = "f", arguments = '{"a":',
      } } },
    } } })
    assert.is_false(ok)
    assert.equal("messages[0].tool_calls[0].function.arguments", err.param)
  end)

  it("lets a system prompt alone speak as the user", function()
    local body = encode { messages = { { role = "system", content = "Hello." } } }
    assert.is_nil(body.system)
    assert.same({ { role = "user", content = { { type = "text", text = "Hello." } } } },
      body.messages)
  end)

  it("trims what is put into the assistant's mouth", function()
    local body = encode { messages = {
      { role = "user", content = "hi" }, { role = "assistant", content = "I say \n" },
    } }
    assert.equal("I say", body.messages[2].content[1].text)
  end)

  it("gives a schema without a type the only one there is", function()
    local body = encode { tools = { { type = "function", ["function"] = {
      name = "f", parameters = { properties = { a = { type = "string" } } },
    } } } }
    assert.equal("object", body.tools[1].input_schema.type)
    assert.is_table(body.tools[1].input_schema.properties.a)
  end)
end)

describe("anthropic answer", function()
  it("is understood whole where a stream was asked for", function()
    local call = stub.call '{"model":"m","stream":true,"messages":[]}'
    local reply = stub.reply(call, { model = "m", name = "m" })
    local bytes = '{"type":"message","content":[{"type":"text","text":"Hi"}],'
      .. '"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}'
    require("providers.anthropic").stream(
      stub.upstream(bytes, { ["content-type"] = "application/json" }), reply)
    assert.is_true(reply:is_whole())
    assert.equal(2, reply.usage_total.output_tokens)
  end)

  it("keeps every count until a later event says another", function()
    local reply = stub.recorder()
    local events = {
      '{"type":"message_start","message":{"id":"1","usage":{"input_tokens":5,'
        .. '"cache_read_input_tokens":7,"cache_creation_input_tokens":9,'
        .. '"cache_creation":{"ephemeral_1h_input_tokens":4},"output_tokens":1}}}',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        .. '"usage":{"input_tokens":null,"output_tokens":8}}',
    }
    local bytes = {}
    for i, event in ipairs(events) do bytes[i] = "data: " .. event .. "\n\n" end
    require("providers.anthropic").stream(stub.upstream(table.concat(bytes)), reply)
    assert.same({
      input_tokens = 21, output_tokens = 8, cache_read_tokens = 7, cache_write_tokens = 9,
      cache_write_1h_tokens = 4,
    }, reply.usage_total)
  end)
end)

describe("anthropic headers", function()
  it("name the key and the version", function()
    local headers = require("providers.anthropic").headers
    assert.same({ ["x-api-key"] = "k", ["anthropic-version"] = "2023-06-01" },
      headers { provider = { api_key = "k" } })
    assert.same({
      ["x-api-key"] = "k", ["anthropic-version"] = "2026-10-21", ["anthropic-beta"] = "b",
    }, headers { provider = { api_key = "k", version = "2026-10-21", beta = "b" } })
  end)
end)
