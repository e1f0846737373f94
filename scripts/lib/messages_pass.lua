-- Anthropic's Messages passed on as they came, where client and provider both speak them: the
-- body's bytes but for the model's name, the answer's bytes, its events.

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local counts = require "lib.messages_usage"
local fault = require "lib.fault"
local finishes = require "lib.messages_finish"
local own = require "lib.messages_own"
local values = require "lib.values"

local passing = { dialect = "anthropic" }

local text_of = values.text

-- Request ------------------------------------------------------------------------

--- The call as it came, but for the model's name, the deployment's ceiling, and thoughts that
--- the gateway wrote itself.
function passing.encode(call, dep)
  local doc, edits = call.doc, {}
  local model = dep.deployment or dep.model
  if doc:get("model") ~= model then edits.model = model end
  local asked = doc:get("max_tokens")
  if dep.max_tokens and type(asked) == "number" and asked > dep.max_tokens then
    edits.max_tokens = dep.max_tokens
  end
  edits.messages = own.without(doc)
  return next(edits) and doc:splice(edits) or doc
end

local function joined(first, second)
  if first and second then return first .. "," .. second end
  return first or second
end

--- What the client's head adds to the request's: an open list, of which the provider's own
--- betas are a part. `headers` is the call's own table.
function passing.add_headers(call, _, headers)
  for name, value in pairs(call.request:headers_with("anthropic-")) do
    headers[name] = name == "anthropic-beta" and joined(value, headers[name]) or value
  end
end

-- Answers ------------------------------------------------------------------------

--- A whole answer.
function passing.decode(doc, reply)
  if doc:get("type") == "error" or chat.given(doc:get("error")) then
    chat_errors.raise(doc:decode())
  end
  if doc:type("content") ~= "array" then
    fault.raise("invalid_response", "The provider's answer is no message.")
  end
  local id, model, reason = doc:at("id", "model", "stop_reason")
  reply:usage(counts.read({}, doc:get("usage")))
  reply:ready_as(doc, {
    id = text_of(id), model = text_of(model), finish = finishes.read(reason),
  })
end

-- Streams ------------------------------------------------------------------------

-- Events that a script must see; the engine passes all others on.
local MARKS = {
  '"message_start"', '"message_delta"', '"message_stop"', '"usage":', '"error"',
}

local EVENTS = {}

function EVENTS.message_start(data, reply, seen)
  local message = chat.table_or_empty(data.message)
  reply:known { id = text_of(message.id), model = text_of(message.model) }
  reply:usage(counts.read(seen, message.usage))
end

function EVENTS.message_delta(data, reply, seen)
  local reason = chat.table_or_empty(data.delta).stop_reason
  if type(reason) == "string" then reply:known { finish = finishes.read(reason) } end
  reply:usage(counts.read(seen, data.usage))
end

function EVENTS.message_stop(_, reply)
  reply.done = true
end

function EVENTS.error(data)
  chat_errors.raise(data)
end

-- What nobody needs who has not heard the rest: it waits for the first real piece.
local HELD = { message_start = true, ping = true }

--- One event, which the client is sent as these bytes; `seen` is a table of the stream's own.
function passing.event(name, data, bytes, reply, seen, look)
  if look then look(data, reply) end
  local kind = type(data.type) == "string" and data.type or name
  if EVENTS[kind] then EVENTS[kind](data, reply, seen) end
  local delta = chat.table_or_empty(data.delta)
  reply:pass(bytes, not HELD[kind],
    #(text_of(delta.text) or text_of(delta.thinking) or text_of(delta.partial_json) or ""))
end

--- A stream, event by event; what follows the last one is read and ignored. `look`, where there
--- is one, sees each event first.
function passing.stream(upstream, reply, look)
  local seen = {}
  for name, data, bytes in reply:passed_events(upstream, MARKS) do
    if not reply.done and chat.is_readable(data) then
      passing.event(name, data, bytes, reply, seen, look)
    end
  end
end

return passing
