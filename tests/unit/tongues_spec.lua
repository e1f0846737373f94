-- What servers speak beside a chat's dialect, by whom it is asked for; and chats answered by
-- Responses.

require "engine"

local cjson = require "cjson"
local json = require "engine.json"
local junk = require "support.junk"
local natives = require "lib.natives"
local sealed = require "lib.responses_sealed"
local stub = require "tools.stub"
local taken = require "support.taken"

local function face(provider, dialect, model, more)
  local dep = stub.deployment(provider, model or "m", more)
  return natives.of(dialect, dep), dep
end

describe("a server's dialects", function()
  local SPOKEN = {
    { "deepseek", "/responses", "/anthropic/v1/messages" },
    { "fireworks", "/responses", "/messages" }, { "groq", "/responses" },
    { "huggingface", "/responses" }, { "llama_cpp", "/responses", "/messages" },
    { "lm_studio", "/responses", "/messages" }, { "ollama", "/responses", "/messages" },
    { "openai", "/responses" }, { "openrouter", "/responses", "/messages" },
    { "perplexity", "/v1/responses" }, { "vllm", "/responses", "/messages" },
    { "xai", "/responses" }, { "mistral" }, { "together" }, { "cerebras" }, { "cohere" },
  }

  for _, one in ipairs(SPOKEN) do
    local provider, responses, messages = unpack(one, 1, 3)

    it("are passed on where it has them: " .. provider, function()
      local passing = face(provider, "responses")
      assert.equal(responses, passing and passing.path)
      assert.equal(responses and "responses", passing and passing.dialect)
      passing = face(provider, "anthropic")
      assert.equal(messages, passing and passing.path)
      assert.equal(messages and "anthropic", passing and passing.dialect)
    end)

    it("are left alone where a deployment says so: " .. provider, function()
      assert.is_nil(face(provider, "responses", nil, { api = "chat" }))
      assert.is_nil(face(provider, "anthropic", nil, { api = "chat" }))
      assert.is_nil(face(provider, "openai", nil, { api = "chat" }))
    end)
  end

  it("need no other word where a generic provider says it has them", function()
    assert.is_nil(face("openai_compatible", "responses"))
    assert.is_nil(face("openai_compatible", "anthropic"))
    local dep = stub.deployment("openai_compatible", "m", nil, { responses = true })
    assert.equal("/responses", natives.of("responses", dep).path)
    assert.is_nil(natives.of("anthropic", dep))
    assert.is_nil(natives.of("openai", dep))
    dep = stub.deployment("openai_compatible", "m", nil, { messages = true })
    assert.equal("/messages", natives.of("anthropic", dep).path)
    assert.equal("/responses", face("openai_compatible", "responses", nil,
      { api = "responses" }).path)
  end)

  it("are nobody's who stands on the same base", function()
    assert.is_nil(require("providers.mistral").deployment_fields)
    assert.same({ "chat", "responses" },
      require("providers.groq").deployment_fields.api.one_of)
    assert.truthy(require("providers.azure").deployment_fields.deployment)
  end)

  it("name a version of Messages where the client names none", function()
    local passing, dep = face("ollama", "anthropic")
    local headers = {}
    local call = { request = { headers_with = function() return {} end } }
    passing.add_headers(call, dep, headers)
    assert.equal("2023-06-01", headers["anthropic-version"])
    call.request.headers_with = function() return { ["anthropic-version"] = "2026-10-21" } end
    passing.add_headers(call, dep, headers)
    assert.equal("2026-10-21", headers["anthropic-version"])
  end)
end)

describe("a chat by Responses", function()
  local function asked(body, model, provider)
    local told, dep = face(provider or "openai", "openai", model, { api = "responses" })
    local call = stub.call(body)
    return json.encode(told.encode(call, dep)), call
  end

  it("is asked where a deployment says so, and by models that are served there only", function()
    for _, dialect in ipairs { "openai", "anthropic", "gemini", "completions" } do
      assert.truthy(face("openai", dialect, "gpt-5", { api = "responses" }).keeps)
      for _, model in ipairs { "gpt-5-pro", "gpt-5.1-codex", "o3-pro", "o4-mini-deep-research" }
      do
        assert.truthy(face("openai", dialect, model).keeps, model)
      end
    end
    for _, dialect in ipairs { "openai", "anthropic", "gemini" } do
      assert.is_nil(face("openai", dialect, "gpt-5"))
      assert.is_nil(face("openai", dialect, "o3"))
      assert.is_nil(face("openai", dialect, "gpt-5-pro", { api = "chat" }))
    end
    assert.equal("responses", face("openai", "responses", "gpt-5-pro").dialect)
    assert.is_nil(face("azure", "openai", "gpt-5", { api = nil }))
    assert.is_nil(face("mistral", "openai", "m-codex"))
  end)

  it("has all that it said", function()
    assert.equal('{"model":"gpt-5","instructions":"be brief","input":['
      .. '{"role":"user","content":[{"type":"input_text","text":"look"},'
      .. '{"type":"input_image","image_url":"https://x/a.png","detail":"low"},'
      .. '{"type":"input_file","filename":"a","file_data":"data:application/pdf;base64,J"}]},'
      .. '{"role":"assistant","content":"I look."},'
      .. '{"type":"function_call","call_id":"c1","name":"f","arguments":"{\\"a\\": 1.0}"},'
      .. '{"type":"function_call_output","call_id":"c1","output":"found"},'
      .. '{"role":"system","content":"now quick"}],'
      .. '"tools":[{"type":"function","name":"f","description":"d",'
      .. '"parameters":{"type":"object","b":1,"a":2},"strict":true},'
      .. '{"type":"function","name":"g","parameters":{"type":"object","properties":{}},'
      .. '"strict":false}],"tool_choice":{"type":"function","name":"f"},'
      .. '"parallel_tool_calls":false,'
      .. '"text":{"format":{"type":"json_schema","name":"out","schema":{"z":1,"a":2},'
      .. '"strict":true},"verbosity":"low"},"reasoning":{"effort":"high"},'
      .. '"max_output_tokens":16,"temperature":0.5,"include":["reasoning.encrypted_content"],'
      .. '"store":false,"user":"u","stream":true}', (asked([[{"model":"x","stream":true,
      "messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[
        {"type":"text","text":"look"},
        {"type":"image_url","image_url":{"url":"https://x/a.png","detail":"low"}},
        {"type":"file","file":{"filename":"a","file_data":"data:application/pdf;base64,J"}}]},
      {"role":"assistant","content":"I look.","tool_calls":[{"id":"c1","type":"function",
        "function":{"name":"f","arguments":"{\"a\": 1.0}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"found"},
      {"role":"system","content":"now quick"}],
      "tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,
        "parameters":{"type":"object","b":1,"a":2}}},
        {"type":"function","function":{"name":"g"}}],
      "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
      "response_format":{"type":"json_schema","json_schema":{"name":"out","strict":true,
        "schema":{"z":1,"a":2}}},"verbosity":"low","reasoning_effort":"high",
      "max_tokens":3,"temperature":0.5,"user":"u"}]], "gpt-5")))
  end)

  it("drops hints, and refuses what is not said there", function()
    local _, call = asked '{"model":"x","messages":[{"role":"user","content":"a"}],"seed":1}'
    assert.same({ "seed" }, call.dropped)
    for name, value in pairs { stop = '["a"]', n = "2", audio = '{"voice":"a"}' } do
      local ok, err = pcall(asked, ('{"model":"x","messages":[{"role":"user","content":"a"}],'
        .. '"%s":%s}'):format(name, value))
      assert.is_false(ok)
      assert.equal(name, err.param)
    end
  end)

  local function heard(provider, events, name)
    local told, dep = face(provider, "openai", "gpt-5", { api = "responses" })
    dep.provider.name = name or dep.provider.name
    local call = stub.call '{"model":"m","messages":[{"role":"user","content":"a"}]}'
    local reply, client = stub.reply(call, dep)
    told.decode(events, reply)
    reply:close()
    return cjson.decode(client:bytes()), reply
  end

  it("gives a provider its sealed thoughts back, and nobody else", function()
    local answer = heard("openai", {
      id = "resp_1", model = "gpt-5", status = "completed",
      output = {
        { type = "reasoning", id = "rs_1", summary = { { type = "summary_text", text = "Hm." },
          { type = "summary_text", text = "So." } }, encrypted_content = "gAAA:b-_=" },
        { type = "function_call", id = "fc", call_id = "c1", name = "f", arguments = "" },
      },
      usage = { input_tokens = 3, output_tokens = 5,
        output_tokens_details = { reasoning_tokens = 4 } },
    })
    local message = answer.choices[1].message
    assert.equal("Hm.\n\nSo.", message.reasoning_content)
    assert.equal("tool_calls", answer.choices[1].finish_reason)
    assert.equal("{}", message.tool_calls[1]["function"].arguments)
    assert.equal(4, answer.usage.completion_tokens_details.reasoning_tokens)
    local data = message.thinking_blocks[1].data
    assert.is_true(sealed.is(data))
    assert.truthy(data:find "^[%w+/]+=*$") -- base64: some clients take it apart

    local again = cjson.encode {
      model = "x", messages = { { role = "user", content = "a" }, message },
    }
    local body = cjson.decode((asked(again, "gpt-5")))
    assert.same({ type = "reasoning", id = "rs_1", encrypted_content = "gAAA:b-_=",
      summary = {} }, body.input[2])
    assert.is_nil((asked(again, "m", "xai")):find("gAAA", 1, true))
    local call = stub.call(again)
    assert.is_nil(stub.encoded(call, stub.deployment("anthropic", "claude-opus-4-6"))
      :find("moongate", 1, true))
    assert.is_nil(stub.encoded(call, stub.deployment("anthropic", "claude-opus-4-6"))
      :find(sealed.MARK, 1, true))
  end)

  it("breaks off where the answer does", function()
    for _, status in ipairs { "failed", "cancelled" } do
      local ok, err = pcall(heard, "openai", { status = status, output = {} })
      assert.is_false(ok)
      assert.equal("server_error", err.kind)
    end
    local ok, err = pcall(heard, "openai", { object = "chat.completion", choices = {} })
    assert.is_false(ok)
    assert.equal("invalid_response", err.kind)
  end)

  it("reports the cost that its provider does", function()
    local _, reply = heard("xai", { status = "completed", output = {},
      usage = { input_tokens = 1, output_tokens = 1, cost_in_usd_ticks = 8393500 } })
    assert.equal(839350, reply.usage_total.cost_nano)
  end)
end)

describe("whatever a server of Responses answers", function()
  local told, dep = face("openai", "openai", "gpt-5", { api = "responses" })

  local function hear(bytes, stream)
    local call = stub.call(('{"model":"m","stream":%s,"messages":[]}')
      :format(stream and "true" or "false"))
    local reply = stub.reply(call, dep)
    taken(bytes, function()
      if stream then return told.stream(stub.upstream(bytes), reply) end
      told.decode(json.decode(bytes), reply)
      reply:close()
    end)
  end

  local PART = { type = "output_text", text = "a", annotations = {
    { type = "url_citation", url = "u", start_index = 0, end_index = 1 },
  }, logprobs = { { token = "a", logprob = -1 } } }
  local ITEMS = {
    { type = "reasoning", id = "r", summary = { { type = "summary_text", text = "t" } },
      encrypted_content = "E" },
    { type = "message", content = { PART, { type = "refusal", refusal = "no" } } },
    { type = "function_call", call_id = "c", name = "f", arguments = "{}" },
  }
  local RESPONSE = {
    id = "r", model = "m", status = "incomplete", output = ITEMS,
    incomplete_details = { reason = "max_output_tokens" },
    usage = {
      input_tokens = 1, output_tokens = 2, input_tokens_details = { cached_tokens = 1 },
    },
  }

  it("is told, or is a fault", function()
    junk.each(RESPONSE, hear)
  end)

  it("is so in streams, too", function()
    local events = {
      { type = "response.created", response = { id = "r", model = "m" } },
      { type = "response.reasoning_summary_text.delta", output_index = 0, summary_index = 0,
        delta = "t" },
      { type = "response.reasoning_text.delta", output_index = 0, delta = "t" },
      { type = "response.output_item.done", output_index = 0, item = ITEMS[1] },
      { type = "response.output_text.delta", output_index = 1, delta = "a",
        logprobs = PART.logprobs },
      { type = "response.output_text.annotation.added", annotation = PART.annotations[1] },
      { type = "response.refusal.delta", output_index = 1, delta = "n" },
      { type = "response.output_item.added", output_index = 2, item = ITEMS[3] },
      { type = "response.function_call_arguments.delta", output_index = 2, delta = "{}" },
      { type = "response.output_item.done", output_index = 2, item = ITEMS[3] },
      { type = "response.incomplete", response = RESPONSE },
    }
    junk.each(events, function(text)
      local out = {}
      for _, event in ipairs(json.decode(text, { ordered = true })) do
        out[#out + 1] = "data: " .. json.encode(event) .. "\n\n"
      end
      hear(table.concat(out), true)
    end)
  end)
end)

describe("what goes on from a kept response", function()
  it("is never asked of those who keep none", function()
    local pins = require "pipeline.pins"
    local function call_of(...)
      local list = {}
      for i, name in ipairs { ... } do list[i] = stub.deployment(name, "m") end
      return { goes_on = "previous_response_id", dialect = "responses", pinned = false,
        group = { deployments = list },
        doc = assert(json.index '{"previous_response_id":"resp_1"}') }
    end
    local ok, err = pcall(pins.find, call_of("groq", "deepseek"))
    assert.is_false(ok)
    assert.equal("previous_response_id", err.param)
    local call = call_of("groq", "xai")
    pins.find(call)
    assert.equal("xai", call.pinned)
    assert.is_true(pins.allow(call, call.group.deployments[2]))
    assert.is_false(pins.allow(call, call.group.deployments[1]))
  end)
end)
