-- /v1/responses, as a client of it asks and hears.

local door_of = require "support.traffic.door"
local helper = require "helper"
local responses = require "support.meaning.responses"

local door = door_of {
  name = "responses", apis = { responses = true }, read = responses.read,
  path = "/v1/responses", asked = '{"model":"%s","max_output_tokens":99,%s"input":"hi"}',
}

-- Events are numbered, items end once and in the way they began, and the last one says all.
function door.check_form(bytes, stream, assert)
  if not stream then return end
  local n, open, last = 0, {}, nil
  for name, data in bytes:gmatch "event: ([%w_.]+)\ndata: ([^\n]+)\n\n" do
    local event = helper.json.decode(data)
    assert.equal(name, event.type)
    assert.equal(n, event.sequence_number)
    n, last = n + 1, name
    if name == "response.output_item.added" then
      assert.is_nil(open[event.output_index])
      open[event.output_index] = event.item.id
    elseif name == "response.output_item.done" then
      assert.equal(open[event.output_index], event.item.id)
      open[event.output_index] = false
    elseif event.item_id then
      assert.equal(open[event.output_index], event.item_id)
    end
  end
  for _, left in pairs(open) do assert.is_false(left) end
  assert.is_truthy(last == "response.completed" or last == "response.incomplete")
  local heard = responses.read(bytes)
  assert.equal(heard.text, heard.streamed)
end

function door.check_break(bytes, assert)
  assert.is_truthy(bytes:find "event: response.failed\ndata: [^\n]+\n\n$")
end

return door
