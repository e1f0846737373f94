-- What the doors have in common: how a client asks at one and hears, unless the door's own file
-- says otherwise.

local meaning = require "support.meaning"
local splice = require "support.traffic.splice"

local Door = {}
Door.__index = Door

--- What an answer says, to a client that knows no refusals but as text.
function Door.told(said)
  return {
    text = said.text .. said.refusal, refusal = "", thought = said.thought,
    calls = meaning.calls(said), finish = meaning.finish(said),
  }
end

--- The bytes that the provider saw are those that it was to see.
function Door.check_request(want, got, assert) assert.equal(want, got) end

--- The bytes of an answer in the door's own dialect.
function Door.bytes(exchange) return exchange.response.text end

--- An error's body in OpenAI's words: message, type and code.
function Door.check_error(answer, fault, assert)
  local err = answer.json.error
  assert.is_true(#err.message > 0)
  assert.equal(fault.type, err.type)
  assert.equal(fault.code, err.code)
end

--- door: name, apis (whose recordings are in its dialect), read (answers), path, and asked, the
--- plain question of a client, with places for the model and for more members.
return function(door)
  --- Path, and what a client asks whose dialect the provider does not speak.
  function door.question(exchange, model)
    return door.path, door.asked:format(model, exchange.stream and '"stream":true,' or "")
  end

  --- The recorded body with another model in it, what the provider is to get for it, and the
  --- path.
  function door.native(exchange, prefix)
    local text, name = exchange.request.text, splice.model_of(exchange)
    return splice.model(text, prefix .. name), splice.model(text, name), door.path
  end

  return setmetatable(door, Door)
end
