-- What clients of Responses send that chats have other words for: Codex's and others' custom
-- tools and namespaces, whole and streamed; and Cursor, which posts such bodies to the chats'
-- address and reads chats.

local helper = require "helper"
local pair = require "support.pair"

local TOOLS = '"tools":[{"type":"custom","name":"apply_patch","description":"Edits files.",'
  .. '"format":{"type":"grammar","syntax":"lark","definition":"start: \\"x\\""}},'
  .. '{"type":"namespace","name":"agents","description":"d","tools":[{"type":"function",'
  .. '"name":"spawn","parameters":{"type":"object","properties":{}}},{"type":"custom",'
  .. '"name":"tell"}]}]'

local HISTORY = '"input":[{"role":"user","content":"go"},{"type":"custom_tool_call",'
  .. '"call_id":"call_0","name":"apply_patch","input":"*** \\"old\\"\\n"},'
  .. '{"type":"custom_tool_call_output","call_id":"call_0","output":"done"},'
  .. '{"type":"function_call","call_id":"call_00","namespace":"agents","name":"spawn",'
  .. '"arguments":"{}"},{"type":"function_call_output","call_id":"call_00","output":"ok"}]'

local function call(index, id, name, arguments)
  return ('{"index":%d,"id":"%s","type":"function","function":{"name":"%s","arguments":%s}}')
    :format(index, id, name, helper.json.encode(arguments))
end

local CALLS = {
  call(0, "call_1", "apply_patch", '{"input":"*** begin\\n\\"a\\" ✓"}'),
  call(1, "call_2", "agents__spawn", '{"n":1}'), call(2, "call_3", "agents__tell", "plain"),
}
local WHOLE = '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":['
  .. '{"index":0,"message":{"role":"assistant","content":null,"tool_calls":['
  .. table.concat(CALLS, ",") .. ']},"finish_reason":"tool_calls"}],'
  .. '"usage":{"prompt_tokens":3,"completion_tokens":4}}'

-- Pieces of two calls' arguments come in turns.
local function pieces(list)
  local out = { helper.chunk '{"role":"assistant","content":null}' }
  for _, one in ipairs(list) do
    out[#out + 1] = helper.chunk(('{"tool_calls":[%s]}'):format(one))
  end
  out[#out + 1] = helper.chunk("{}", '"tool_calls"')
  return table.concat(out) .. "data: [DONE]\n\n"
end

local function more(index, arguments)
  return ('{"index":%d,"function":{"arguments":%s}}'):format(index,
    helper.json.encode(arguments))
end

local STREAM = pieces {
  call(0, "call_1", "apply_patch", ""), call(1, "call_2", "agents__spawn", ""),
  more(0, '{"in'), more(1, '{"n"'), more(0, 'put":"*** begin\\n\\"a'), more(1, ":1}"),
  more(0, '\\" ✓"}'), call(2, "call_3", "agents__tell", "plain"),
}

describe("a client of Responses", function()
  local up, gw = pair.once(function(up)
    return { routes = helper.routes(up, { "m" }) }
  end)

  local function check_items(items)
    assert.same({ "custom_tool_call", "function_call", "custom_tool_call" },
      { items[1].type, items[2].type, items[3].type })
    assert.same({ "apply_patch", "call_1", '*** begin\n"a" ✓' },
      { items[1].name, items[1].call_id, items[1].input })
    assert.same({ "agents", "spawn", '{"n":1}' },
      { items[2].namespace, items[2].name, items[2].arguments })
    assert.same({ "agents", "tell", "plain" },
      { items[3].namespace, items[3].name, items[3].input })
    assert.is_truthy(items[1].id:find "^ctc_")
    assert.is_nil(items[1].arguments)
  end

  it("(Codex) has custom tools and namespaces at a server of chats", function()
    up:reply("m", { body = WHOLE })
    local answer = gw:chat('{"model":"m",' .. TOOLS .. "," .. HISTORY
      .. ',"tool_choice":{"type":"custom","name":"apply_patch"}}', { path = "/v1/responses" })
    assert.equal(200, answer.status, answer.body)
    check_items(answer.json.output)
    local sent = helper.json.decode(up:last("m").body)
    local first = sent.tools[1]["function"]
    assert.equal("apply_patch", first.name)
    assert.same({ "input" }, first.parameters.required)
    assert.is_truthy(first.description:find('^Edits files.*lark.*start: "x"$'))
    assert.equal("agents__tell", sent.tools[3]["function"].name)
    assert.equal("apply_patch", sent.tool_choice["function"].name)
    local said = sent.messages[2].tool_calls[1]["function"]
    assert.same({ input = '*** "old"\n' }, helper.json.decode(said.arguments))
    assert.same({ "tool", "call_0", "done" },
      { sent.messages[3].role, sent.messages[3].tool_call_id, sent.messages[3].content })
    assert.equal("agents__spawn", sent.messages[4].tool_calls[1]["function"].name)
  end)

  it("(Codex) has them in a stream, each said once and in order", function()
    up:reply("m", { body = STREAM, stream = "drip" })
    local answer = gw:chat('{"model":"m","stream":true,"input":"x",' .. TOOLS .. "}",
      { path = "/v1/responses" })
    assert.equal(200, answer.status, answer.body)
    local inputs, ended, n = {}, {}, 0
    for i, data in ipairs(helper.http.events(answer.body)) do
      local event = helper.json.decode(data)
      assert.equal(i - 1, event.sequence_number)
      n = i
      if event.type == "response.custom_tool_call_input.delta" then
        inputs[event.output_index] = event.delta
      elseif event.type == "response.custom_tool_call_input.done" then
        assert.equal(inputs[event.output_index], event.input)
      elseif event.type == "response.output_item.added" and event.item.call_id then
        assert.equal("", event.item.input or event.item.arguments)
      elseif event.type == "response.output_item.done" then
        ended[event.output_index + 1] = event.item
      elseif event.type == "response.completed" then
        assert.same(ended, event.response.output)
      end
    end
    assert.is_true(n > 10)
    check_items(ended)
  end)

  it("(Cursor) posts its items to the chats' address, and reads a chat", function()
    up:reply("m", { body = helper.completion "hi" })
    local answer = gw:chat('{"model":"m","input":[{"role":"system","content":"s"},{"role":'
      .. '"user","content":[{"type":"input_text","text":"x"}]}],"tools":[{"type":"function",'
      .. '"name":"f","parameters":{"type":"object"}}],"store":false,"include":'
      .. '["reasoning.encrypted_content"],"max_output_tokens":9,"prompt_cache_key":"k"}')
    assert.equal(200, answer.status, answer.body)
    assert.equal("chat.completion", answer.json.object)
    assert.equal("hi", answer.json.choices[1].message.content)
    assert.equal("prompt_cache_key", answer.headers["x-moongate-dropped"])
    local sent = helper.json.decode(up:last("m").body)
    assert.same({ "s", "x" }, { sent.messages[1].content, sent.messages[2].content })
    assert.equal("f", sent.tools[1]["function"].name)
    assert.equal(9, sent.max_tokens or sent.max_completion_tokens)
    assert.is_nil(sent.input)
  end)

  it("(Cursor) reads a stream of chunks, with the usage that it asked for", function()
    for _, options in ipairs { "", ',"stream_options":{"include_usage":true}' } do
      up:reset()
      up:reply("m", { body = helper.stream("a", "b"), stream = "whole" })
      local answer = gw:chat('{"model":"m","input":"x","stream":true' .. options .. "}")
      assert.equal(200, answer.status, answer.body)
      local events = helper.http.events(answer.body)
      assert.equal("[DONE]", events[#events])
      assert.equal("chat.completion.chunk", helper.json.decode(events[1]).object)
      local usage = helper.json.decode(events[#events - 1]).usage
      assert.equal(options ~= "", type(usage) == "table")
    end
  end)

  it("(Cursor) is told in a chat's words what its body lacks", function()
    local answer = gw:chat('{"model":"m","input":[{"type":"web_search_call","id":"w"},'
      .. '{"role":"user","content":"x"}]}')
    assert.equal(400, answer.status, answer.body)
    assert.equal("input[0]", answer.json.error.param)
  end)
end)
