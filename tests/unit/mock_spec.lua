-- The provider without a network.

require "engine"

local json = require "engine.json"
local stub = require "tools.stub"

local mock

local function say(text, more)
  local body = more or {}
  body.model = body.model or "mock"
  body.messages = body.messages or { { role = "user", content = text } }
  local reply, call = stub.recorder(), stub.call(json.encode(body))
  local ok, err = pcall(mock.answer, call, { model = body.model }, reply)
  return reply.lines, not ok and err or nil
end

local function tool(name, properties, required)
  return { type = "function", ["function"] = { name = name, parameters = {
    type = "object", properties = properties or {}, required = json.array(required or {}),
  } } }
end

describe("mock", function()
  local slept

  setup(function()
    slept = {}
    package.loaded["engine.time"] = setmetatable({
      sleep = function(seconds) slept[#slept + 1] = seconds end,
    }, { __index = require "engine.time" })
    package.loaded["providers.mock"] = nil
    mock = require "providers.mock"
  end)

  it("says what it was told, with the same counts each time", function()
    local lines = say "hello brave new wörld"
    assert.same({
      'start {"id":"chatcmpl-mock","model":"mock"}', "text hello ", "text brave ", "text new ",
      "text wörld", "finish stop", lines[7],
    }, lines)
    assert.same(lines, (say "hello brave new wörld"))
  end)

  it("cuts text into as many pieces as wanted, never inside a character", function()
    assert.same({ "text a", "text ö", "text b" }, { unpack(say "aöb [mock chunks=3]", 2, 4) })
  end)

  it("fails, waits and breaks off on demand", function()
    local lines, err = say "hi [mock status=529 retry_after=2]"
    assert.same({}, lines)
    assert.equal("overloaded", err.kind)
    assert.equal(2, err.retry_after)

    lines, err = say "a b c d [mock chunks=4 cut=2]"
    assert.equal("text b ", lines[#lines])
    assert.equal("truncated", err.kind)

    say "a b [mock delay=0.5 pace=0.1]"
    assert.same({ 0.5, 0.1, 0.1 }, slept)
  end)

  it("does what its name says", function()
    local _, err = say("hi", { model = "mock-error-429" })
    assert.equal("rate_limit", err.kind)
    _, err = say("hi", { model = "mock-error" })
    assert.equal("server_error", err.kind)
    assert.equal("reasoning The user wants ", (say("hi", { model = "mock-reasoning" }))[2])
  end)

  it("calls the tool it is offered with arguments that fit", function()
    local tools = {
      tool("weather", { place = { type = "string" }, days = { type = "integer", minimum = 3 } },
        { "place", "days" }), tool "now",
    }
    local lines = say("hi", { tools = tools })
    assert.equal('tool_call {"id":"call_mock_1","name":"weather"}', lines[2])
    local arguments = {}
    for _, line in ipairs(lines) do
      local piece = line:match('^tool_call ({"arguments".*)$')
      if piece then arguments[#arguments + 1] = json.decode(piece).arguments end
    end
    assert.equal('{"place":"text","days":3}', table.concat(arguments))
    assert.equal("finish tool_calls", lines[#lines - 1])

    lines = say("hi", { tools = tools, tool_choice = {
      type = "function", ["function"] = { name = "now" },
    } })
    assert.equal('tool_call {"id":"call_mock_1","name":"now"}', lines[2])
    assert.equal("finish stop", (say("hi", { tools = tools, tool_choice = "none" }))[3])
  end)

  it("says the result it was given", function()
    local lines = say(nil, { tools = { tool "now" }, messages = {
      { role = "user", content = "time?" },
      { role = "tool", tool_call_id = "1", content = "noon" },
    } })
    assert.equal("text noon", lines[2])
  end)

  it("fits a schema", function()
    local lines = say("hi", { response_format = { type = "json_schema", json_schema = {
      schema = { type = "object", required = { "a", "list", "kind" }, properties = {
        a = { ["$ref"] = "#/$defs/n" }, kind = { const = "k" },
        list = { type = "array", minItems = 2, items = { type = { "boolean", "null" } } },
      }, ["$defs"] = { n = { anyOf = { { type = "number" }, { type = "null" } } } } },
    } } })
    local text = {}
    for _, line in ipairs(lines) do text[#text + 1] = line:match("^text (.*)$") end
    assert.equal('{"a":0,"list":[true,true],"kind":"k"}', table.concat(text))
  end)

  it("makes no example without end", function()
    local function wants(text)
      return select(2, say("x", {
        response_format = { type = "json_schema", json_schema = { schema = json.raw(text) } },
      }))
    end
    for _, text in ipairs {
      '{"type":"array","minItems":1000000000}', '{"type":"string","minLength":1000000000}',
      '{"type":"array","minItems":200,"items":{"type":"array","minItems":200}}',
      '{"type":"array","minItems":3,"items":{"$ref":"#"}}',
      '{"required":["a","b","c","d"],"type":"object","properties":{"a":{"$ref":"#"},'
        .. '"b":{"$ref":"#"},"c":{"$ref":"#"},"d":{"$ref":"#"}}}',
    } do
      assert.equal("invalid_value", (wants(text) or {}).kind, text)
    end
    assert.is_nil(wants '{"type":"number","minimum":1e999}')
    assert.is_nil(wants '{"type":"array","minItems":100}')
  end)
end)
