-- /v1/messages, as a client of it asks and hears.

local anthropic = require "support.meaning.anthropic"
local helper = require "helper"
local meaning = require "support.meaning"
local splice = require "support.traffic.splice"

local door = { name = "messages", apis = { messages = true }, read = anthropic.read }

local PATH = "/v1/messages?beta=true"

function door.question(exchange, model)
  return PATH, ('{"model":"%s","max_tokens":99,%s"messages":[{"role":"user","content":"hi"}]}')
    :format(model, exchange.stream and '"stream":true,' or "")
end

function door.native(exchange, prefix)
  local text, name = exchange.request.text, splice.model_of(exchange)
  return splice.model(text, prefix .. name), splice.model(text, name), PATH
end

function door.check_request(want, got, assert) assert.equal(want, got) end

function door.bytes(exchange) return exchange.response.text end

function door.told(said)
  local finish = meaning.finish(said)
  if said.refusal ~= "" and finish == "stop" then finish = "content_filter" end
  return {
    text = said.text .. said.refusal, refusal = "", thought = said.thought,
    calls = meaning.calls(said), finish = finish,
  }
end

-- Events stand in their order, and blocks inside one another's never.
function door.check_form(bytes, stream, assert)
  if not stream then return end
  local open, ended
  for name, data in bytes:gmatch "event: ([%w_]+)\ndata: ([^\n]+)\n\n" do
    local event = helper.json.decode(data)
    assert.equal(name, event.type)
    assert.is_nil(ended)
    if name == "content_block_start" then
      assert.is_nil(open)
      open = event.index
    elseif name == "content_block_delta" then
      assert.equal(open, event.index)
    elseif name == "content_block_stop" then
      assert.equal(open, event.index)
      open = nil
    elseif name == "message_delta" then
      assert.is_nil(open)
    end
    ended = name == "message_stop" or nil
  end
  assert.is_true(ended)
end

local TYPES = {
  [400] = "invalid_request_error", [413] = "request_too_large",
  [422] = "invalid_request_error", [429] = "rate_limit_error", [502] = "api_error",
  [529] = "overloaded_error",
}

function door.status(fault) return fault.kind == "overloaded" and 529 or fault.status end

function door.check_error(answer, _, assert)
  assert.equal("error", answer.json.type)
  assert.is_true(#answer.json.error.message > 0)
  assert.equal(TYPES[answer.status], answer.json.error.type)
end

function door.check_break(bytes, assert)
  assert.is_truthy(bytes:find 'event: error\ndata: {"type":"error"[^\n]+\n\n$')
end

return door
