-- Servers that speak more than a chat's dialect, through the real binary: clients of it pass,
-- and a tool loop of two turns is answered by Responses to clients of every other dialect.

local helper = require "helper"
local pair = require "support.pair"

local function event(t) return "data: " .. helper.json.encode(t) .. "\n\n" end

local CALLS = {
  { type = "reasoning", id = "rs_1", summary = { { type = "summary_text", text = "Look." } },
    encrypted_content = "gAAAA-sealed_" },
  { type = "function_call", id = "fc_1", call_id = "call_1", name = "weather",
    arguments = '{"city": "Rome"}' },
}
local DONE = {
  id = "resp_1", object = "response", status = "completed", model = "gpt-5-pro", output = CALLS,
  usage = { input_tokens = 20, output_tokens = 9, total_tokens = 29,
    input_tokens_details = { cached_tokens = 8 },
    output_tokens_details = { reasoning_tokens = 4 } },
}

local STREAM = event { type = "response.created", response = { id = "resp_1" } }
  .. event { type = "response.output_item.added", output_index = 0, item = CALLS[1] }
  .. event { type = "response.reasoning_summary_text.delta", output_index = 0,
    summary_index = 0, delta = "Look." }
  .. event { type = "response.output_item.done", output_index = 0, item = CALLS[1] }
  .. event { type = "response.output_item.added", output_index = 1,
    item = { type = "function_call", call_id = "call_1", name = "weather", arguments = "" } }
  .. event { type = "response.function_call_arguments.delta", output_index = 1,
    delta = '{"city": "Rome"}' }
  .. event { type = "response.output_item.done", output_index = 1, item = CALLS[2] }
  .. event { type = "response.completed", response = DONE }

describe("a server of several dialects", function()
  local up, gw = pair.once(function(up)
    return { routes = ([[
local openai = provider "openai" { api_key = "k", base_url = "%s/v1" }
local deepseek = provider "deepseek" { api_key = "k", base_url = "%s" }
model "pro" { openai "gpt-5-pro" }
model "said" { openai { "gpt-5", api = "responses" } }
model "deep" { deepseek "deepseek-flash" }
model "chat" { deepseek { "deepseek-flash", name = "as-chat", api = "chat" } }
]]):format(up:url "o", up:url "d") }
  end)

  local function post(path, body)
    return gw:chat(helper.json.encode(body), { path = path })
  end

  local function sent(lane)
    local last = up:last(lane)
    return helper.json.decode(last.body), last
  end

  local function check_second(body)
    assert.equal("gpt-5-pro", body.model)
    assert.equal(false, body.store)
    assert.same({ "reasoning.encrypted_content" }, body.include)
    local kinds = {}
    for i, item in ipairs(body.input) do kinds[i] = item.type or item.role end
    assert.same({ "user", "reasoning", "function_call", "function_call_output" }, kinds)
    assert.same({ "gAAAA-sealed_", "rs_1" },
      { body.input[2].encrypted_content, body.input[2].id })
    assert.same({ "call_1", { city = "Rome" } },
      { body.input[3].call_id, helper.json.decode(body.input[3].arguments) })
    assert.same({ "call_1", "sunny" }, { body.input[4].call_id, body.input[4].output })
  end

  local function serve(stream)
    local head = { ["content-type"] = stream and "text/event-stream" or "application/json" }
    up:reply("o", {
      status = 200, headers = head, body = stream and STREAM or helper.json.encode(DONE),
      stream = stream and "whole" or nil,
    }, 2)
  end

  it("goes on with its sealed thought for a client of chats", function()
    serve()
    local tools = { { type = "function", ["function"] = { name = "weather" } } }
    local ask = { role = "user", content = "Rome?" }
    local answer = post("/v1/chat/completions", { model = "pro", tools = tools,
      messages = { ask } })
    assert.equal(200, answer.status, answer.body)
    local choice = answer.json.choices[1]
    assert.same({ "tool_calls", "Look." },
      { choice.finish_reason, choice.message.reasoning_content })
    assert.same({ 20, 9, 8 }, { answer.json.usage.prompt_tokens,
      answer.json.usage.completion_tokens,
      answer.json.usage.prompt_tokens_details.cached_tokens })
    post("/v1/chat/completions", { model = "pro", tools = tools, messages = {
      ask, choice.message, { role = "tool", tool_call_id = "call_1", content = "sunny" } } })
    local body, request = sent "o"
    assert.equal("/o/v1/responses", request.path)
    check_second(body)
  end)

  it("does so for a client of Messages, streamed", function()
    serve(true)
    local tools = { { name = "weather", input_schema = { type = "object" } } }
    local ask = { role = "user", content = "Rome?" }
    local answer = post("/v1/messages", { model = "pro", max_tokens = 99, stream = true,
      tools = tools, messages = { ask } })
    assert.equal(200, answer.status, answer.body)
    local blocks, reason = {}, nil
    for _, data in ipairs(helper.http.events(answer.body)) do
      local one = helper.json.decode(data)
      if one.type == "content_block_start" then
        blocks[one.index + 1] = one.content_block
      elseif one.type == "content_block_delta" and one.delta.partial_json then
        local block = blocks[one.index + 1]
        block.json = (block.json or "") .. one.delta.partial_json
      elseif one.type == "message_delta" then
        reason = one.delta.stop_reason
      end
    end
    assert.equal("tool_use", reason)
    local kept = {}
    for _, block in ipairs(blocks) do
      if block.json then block.input, block.json = helper.json.decode(block.json), nil end
      if block.type ~= "thinking" then kept[#kept + 1] = block end
    end
    assert.same({ "redacted_thinking", "tool_use" }, { kept[1].type, kept[2].type })
    post("/v1/messages", { model = "pro", max_tokens = 99, stream = true, tools = tools,
      messages = { ask, { role = "assistant", content = kept }, { role = "user", content = {
        { type = "tool_result", tool_use_id = "call_1", content = "sunny" } } } } })
    check_second((sent "o"))
  end)

  it("is asked by Responses where a deployment says so", function()
    serve()
    local answer = gw:chat('{"contents":[{"role":"user","parts":[{"text":"Rome?"}]}]}',
      { path = "/v1beta/models/said:generateContent" })
    assert.equal(200, answer.status, answer.body)
    local parts, called = answer.json.candidates[1].content.parts, nil
    for _, part in ipairs(parts) do called = part.functionCall or called end
    assert.same({ "weather", "Rome" }, { called.name, called.args.city })
    assert.equal("/o/v1/responses", up:last("o").path)
  end)

  local MESSAGE = '{"id":"m","type":"message","role":"assistant","model":"d","content":['
    .. '{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,'
    .. '"usage":{"input_tokens":3,"output_tokens":1},"theirs":1.0}'

  it("answers a client of its dialect byte for byte", function()
    up:reply("d", { status = 200, body = MESSAGE,
      headers = { ["content-type"] = "application/json" } })
    local text = '{"model":"%s","max_tokens":9,"new":[1.0],"messages":'
      .. '[{"role":"user","content":"hi"}]}'
    local answer = gw:chat(text:format "deep", { path = "/v1/messages" })
    assert.equal(MESSAGE, answer.body)
    local request = up:last "d"
    assert.equal("/d/anthropic/v1/messages", request.path)
    assert.equal(text:format "deepseek-flash", request.body)
    assert.equal("2023-06-01", request.headers["anthropic-version"])
    assert.equal("Bearer k", request.headers.authorization)
  end)

  it("is asked for a chat where a deployment says that", function()
    up:reply("d", { status = 200, headers = { ["content-type"] = "application/json" },
      body = '{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":'
        .. '"assistant","content":"hi"},"finish_reason":"stop"}],"usage":'
        .. '{"prompt_tokens":3,"completion_tokens":1}}' })
    local answer = post("/v1/messages", { model = "chat", max_tokens = 9,
      messages = { { role = "user", content = "hi" } } })
    assert.equal("hi", answer.json.content[1].text)
    assert.equal("/d/chat/completions", up:last("d").path)
  end)

  it("is not to be gone on from where nothing is kept", function()
    local answer = post("/v1/responses", { model = "deep", input = "hi",
      previous_response_id = "resp_9" })
    assert.equal(400, answer.status)
    assert.equal("previous_response_id", answer.json.error.param)
    assert.equal(0, #up:requests "d")
  end)
end)
