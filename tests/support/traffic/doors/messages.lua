-- /v1/messages, as a client of it asks and hears.

local anthropic = require "support.meaning.anthropic"
local door_of = require "support.traffic.door"
local helper = require "helper"

local door = door_of {
  name = "messages", apis = { messages = true }, read = anthropic.read,
  path = "/v1/messages?beta=true",
  asked = '{"model":"%s","max_tokens":99,%s"messages":[{"role":"user","content":"hi"}]}',
}
local plainly = door.told

-- That it is a refusal stands at the end.
function door.told(said)
  local told = plainly(said)
  if said.refusal ~= "" and told.finish == "stop" then told.finish = "content_filter" end
  return told
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
