-- /v1/responses, as a client of it asks and hears.

local helper = require "helper"
local meaning = require "support.meaning"
local responses = require "support.meaning.responses"
local splice = require "support.traffic.splice"

local door = { name = "responses", apis = { responses = true }, read = responses.read }

local PATH = "/v1/responses"

function door.question(exchange, model)
  return PATH, ('{"model":"%s","max_output_tokens":99,%s"input":"hi"}')
    :format(model, exchange.stream and '"stream":true,' or "")
end

function door.native(exchange, prefix)
  local text, name = exchange.request.text, splice.model_of(exchange)
  return splice.model(text, prefix .. name), splice.model(text, name), PATH
end

function door.check_request(want, got, assert) assert.equal(want, got) end

function door.bytes(exchange) return exchange.response.text end

function door.told(said)
  return {
    text = said.text .. said.refusal, refusal = "", thought = said.thought,
    calls = meaning.calls(said), finish = meaning.finish(said),
  }
end

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

function door.check_error(answer, fault, assert)
  local err = answer.json.error
  assert.is_true(#err.message > 0)
  assert.equal(fault.type, err.type)
  assert.equal(fault.code, err.code)
end

function door.check_break(bytes, assert)
  assert.is_truthy(bytes:find "event: response.failed\ndata: [^\n]+\n\n$")
end

return door
