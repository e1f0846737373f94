-- Chat → generateContent: what no golden case shows.

require "engine"

local json = require "engine.json"
local models = require "lib.gemini_models"
local schema = require "lib.schema"
local stub = require "tools.stub"

local adapter = require "providers.gemini"

local function encode(body, options)
  body.model = body.model or "gemini-2.5-flash"
  body.messages = body.messages or { { role = "user", content = "hi" } }
  local call = stub.call(json.encode(body))
  local dep = stub.deployment("gemini", body.model, options)
  return json.decode(stub.encoded(call, dep)), call.dropped
end

local function refused(body)
  local ok, err = pcall(encode, body)
  assert.is_false(ok)
  assert.equal("bad_request", err.kind)
  return err.param
end

local function thinking(effort, model)
  local body = encode { reasoning_effort = effort, model = model }
  return body.generationConfig.thinkingConfig
end

local FUNCTION = { type = "function", ["function"] = { name = "f" } }

describe("gemini models", function()
  it("are told by the version in their names", function()
    assert.is_nil(models.of("gemini-2.0-flash").thinking)
    assert.is_false(models.of("gemini-2.0-flash").json_schema)
    assert.equal("budget", models.of("gemini-2.5-pro").thinking)
    assert.equal("level", models.of("gemini-3.1-flash-lite").thinking)
    assert.is_true(models.of("gemini-flash-latest").signatures)
    assert.is_false(models.of("gemma-3-27b-it").json_schema)
  end)
end)

describe("gemini address", function()
  it("holds the model and whether to stream", function()
    assert.equal("/models/gemini-2.5-flash:generateContent",
      adapter.path({ model = "gemini-2.5-flash" }, {}))
    assert.equal("/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
      adapter.path({ model = "gemini-2.5-flash" }, { stream = true }))
    assert.equal("/tunedModels/a%20b:generateContent",
      adapter.path({ model = "tunedModels/a b" }, {}))
  end)

  it("holds no key", function()
    assert.same({ ["x-goog-api-key"] = "k" }, adapter.headers { provider = { api_key = "k" } })
  end)
end)

describe("gemini request", function()
  it("refuses or drops what cannot be said there", function()
    assert.equal("audio", refused { audio = { voice = "x" } })
    assert.equal("tools[0]", refused { tools = { { type = "custom" } } })
    assert.equal("parallel_tool_calls", refused {
      tools = { FUNCTION, FUNCTION }, parallel_tool_calls = false,
    })
    local _, dropped = encode { user = "u", store = true, logit_bias = { ["1"] = 2 } }
    assert.same({ "logit_bias", "store", "user" }, dropped)
  end)

  it("limits thinking as the model can be told to", function()
    assert.same({ includeThoughts = true, thinkingBudget = 8192 }, thinking "medium")
    assert.same({ thinkingBudget = 0 }, thinking "none")
    assert.same({ thinkingBudget = 128 }, thinking("none", "gemini-2.5-pro"))
    assert.same({ includeThoughts = true, thinkingBudget = 32768 },
      thinking("max", "gemini-2.5-pro"))
    assert.same({ includeThoughts = true, thinkingLevel = "HIGH" },
      thinking("xhigh", "gemini-3-flash-preview"))
    assert.same({ includeThoughts = true, thinkingLevel = "LOW" },
      thinking("minimal", "gemini-3-pro-preview"))
    local _, dropped = encode { model = "gemini-2.0-flash", reasoning_effort = "low" }
    assert.same({ "reasoning_effort" }, dropped)
  end)

  it("maps tool_choice", function()
    local function config(choice)
      local body = encode { tools = { FUNCTION }, tool_choice = choice }
      return body.toolConfig and body.toolConfig.functionCallingConfig
    end
    assert.is_nil(config "auto")
    assert.same({ mode = "NONE" }, config "none")
    assert.same({ mode = "ANY" }, config "required")
    local body = encode {
      tools = { FUNCTION, { type = "function", ["function"] = { name = "g" } } },
      tool_choice = { type = "allowed_tools", allowed_tools = {
        mode = "auto", tools = { { type = "function", ["function"] = { name = "g" } } },
      } },
    }
    assert.equal(1, #body.tools[1].functionDeclarations)
    assert.same({ mode = "AUTO" }, body.toolConfig.functionCallingConfig)
  end)

  it("asks for no more than the deployment allows", function()
    local body = encode({ max_tokens = 900 }, { max_tokens = 100 })
    assert.equal(100, body.generationConfig.maxOutputTokens)
    assert.equal(100, (encode({}, { max_tokens = 100 })).generationConfig.maxOutputTokens)
  end)

  it("wants a result to answer a call of the history", function()
    local ok, err = pcall(encode, { messages = { { role = "tool", tool_call_id = "x" } } })
    assert.is_false(ok)
    assert.equal("messages[0].tool_call_id", err.param)
  end)
end)

describe("schemas for older models", function()
  it("keep what has a word there", function()
    local text = [[{"type":"object","$schema":"s","additionalProperties":false,"properties":{
      "z":{"type":["integer","null"],"exclusiveMinimum":1,"minimum":2},
      "a":{"oneOf":[{"type":"string"},{"type":"integer"}]},
      "n":{"enum":[1,2]},
      "m":{"allOf":[{"properties":{"p":{"type":"string"}}},{"properties":{"q":{}}}]},
      "tree":{"$ref":"#/$defs/t"}},
      "$defs":{"t":{"type":"object","properties":{"next":{"$ref":"#/$defs/t"}}}}}]]
    local out = schema.openapi(json.raw(text))
    assert.same({ type = "integer", nullable = true, minimum = 2 }, out.properties.z)
    assert.equal(2, #out.properties.a.anyOf)
    assert.same({ type = "string", enum = { "1", "2" } }, out.properties.n)
    assert.equal("string", out.properties.m.properties.p.type)
    assert.equal("object", out.properties.tree.properties.next.type)
    assert.is_nil(out["$defs"])
    assert.truthy(json.encode(out):find('"z".*"a".*"n".*"m".*"tree"'))
  end)
end)

local function client(stream)
  local call = stub.call(json.encode {
    model = "m", messages = {}, stream = stream or nil,
    stream_options = { include_usage = true },
  })
  return stub.reply(call, { model = "m", name = "m" })
end

describe("several candidates", function()
  local USAGE = '"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3}'

  it("become choices, with the probabilities of their tokens", function()
    local reply, seen = client()
    adapter.decode(json.decode('{"candidates":[{"content":{"parts":[{"text":"A"}]},'
      .. '"finishReason":"STOP","logprobsResult":{"chosenCandidates":[{"token":"A",'
      .. '"logProbability":-0.25}],"topCandidates":[{"candidates":[{"token":"B",'
      .. '"logProbability":-2}]}]}},{"index":1,"content":{"parts":[{"text":"B"}]},'
      .. '"finishReason":"MAX_TOKENS"}],"responseId":"r",' .. USAGE .. "}"), reply)
    reply:close()
    local answer = json.decode(seen:bytes())
    assert.equal("A", answer.choices[1].message.content)
    assert.equal(-0.25, answer.choices[1].logprobs.content[1].logprob)
    assert.equal("B", answer.choices[1].logprobs.content[1].top_logprobs[1].token)
    assert.equal("length", answer.choices[2].finish_reason)
    assert.equal(5, answer.usage.total_tokens)
  end)

  it("stream as choices to the end", function()
    local reply, seen = client(true)
    local bytes = 'data: {"candidates":[{"index":0,"content":{"parts":[{"text":"A"}]}},'
      .. '{"index":1,"content":{"parts":[{"text":"B"}]}}],"responseId":"r"}\n\n'
      .. 'data: {"candidates":[{"index":1,"finishReason":"STOP"}],' .. USAGE .. "}\n\n"
      .. 'data: {"candidates":[{"index":0,"finishReason":"STOP"}],' .. USAGE .. "}\n\n"
    adapter.stream(stub.upstream(bytes), reply)
    reply:close()
    local events = stub.events(seen:bytes())
    assert.equal("[DONE]", events[#events].data)
    assert.equal(5, json.decode(events[#events - 1].data).usage.total_tokens)
    assert.equal(1, json.decode(events[2].data).choices[1].index)
    assert.equal("stop", json.decode(events[3].data).choices[1].finish_reason)
  end)
end)

describe("gemini answer", function()
  it("is understood as a list where a stream was asked for", function()
    local reply = client(true)
    local bytes = '[{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]},\n'
      .. '{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4}}]'
    adapter.stream(stub.upstream(bytes, { ["content-type"] = "application/json" }), reply)
    assert.is_true(reply:is_whole())
    assert.equal(0, reply.usage_total.output_tokens)
  end)

  it("without a candidate or a reason is none", function()
    local ok, err = pcall(adapter.decode, { usageMetadata = {} }, stub.recorder())
    assert.is_false(ok)
    assert.equal("invalid_response", err.kind)
  end)

  it("counts thoughts once", function()
    local reply = stub.recorder()
    adapter.decode(json.decode('{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{'
      .. '"promptTokenCount":10,"candidatesTokenCount":7,"thoughtsTokenCount":5,'
      .. '"totalTokenCount":17}}'), reply)
    assert.equal(7, reply.usage_total.output_tokens)
  end)

  it("has ids for calls that came without", function()
    local contents = require "lib.gemini_contents"
    assert.equal("call_a-b__0", contents.call_id("a-b/", 0, "f", "{}"))
    assert.equal(contents.call_id(nil, 1, "f", "{}"), contents.call_id(nil, 1, "f", "{}"))
    assert.not_equal(contents.call_id(nil, 1, "f", "{}"), contents.call_id(nil, 2, "f", "{}"))
  end)
end)

describe("gemini errors", function()
  it("tell a used-up day from a busy minute", function()
    local details = {
      { violations = { { quotaId = "GenerateRequestsPerDayPerProjectPerModel-FreeTier" } } },
      { retryDelay = "2s" },
    }
    local body = { error = { status = "RESOURCE_EXHAUSTED", details = details } }
    local kind, more = adapter.classify(429, body)
    assert.is_nil(kind) -- the status says enough
    assert.same({ exhausted = true, retry_after = 2 }, more)
  end)
end)
