-- OpenAI's Responses passed on as they came, where client and provider both speak them: the
-- body's bytes but for the model's name, the answer's bytes, its events.

local chat = require "lib.chat"
local counts = require "lib.responses_usage"
local ending = require "lib.responses_end"
local own = require "lib.responses_own"
local values = require "lib.values"

local passing = { dialect = "responses", path = "/responses" }
passing.__index = passing

local text_of = values.text

--- The same with some members changed: another path, `speaks`.
function passing.with(_, changes)
  return setmetatable(changes, passing)
end

-- Request ------------------------------------------------------------------------

--- The call as it came, but for the model's name, the deployment's ceiling, and thoughts that
--- the gateway wrote itself.
function passing.encode(call, dep)
  local doc, edits = call.doc, {}
  local model, most = dep.deployment or dep.model, doc:get("max_output_tokens")
  if doc:get("model") ~= model then edits.model = model end
  if dep.max_tokens and (type(most) ~= "number" or most > dep.max_tokens) then
    edits.max_output_tokens = dep.max_tokens
  end
  edits.input = own.without(doc)
  return next(edits) and doc:splice(edits) or doc
end

-- Answers ------------------------------------------------------------------------

--- A whole answer.
function passing.decode(doc, reply)
  local response = doc:decode { raw = { tools = true, instructions = true, metadata = true } }
  ending.check_is_one(response)
  ending.note(response, reply)
  ending.check(response)
  reply:ready_as(doc, {
    id = text_of(response.id), model = text_of(response.model),
    finish = counts.finish(response) or "stop",
  })
end

-- Streams ------------------------------------------------------------------------

-- Events that a script must see; the engine passes all others on.
local MARKS = {
  '"response.created"', '"response.completed"', '"response.incomplete"', '"response.failed"',
  '"response.cancelled"', '"usage":', '"error"', "[DONE]",
}

local EVENTS = {}

EVENTS["response.created"] = function(response, reply)
  reply:known { id = text_of(response.id), model = text_of(response.model) }
end

local function ended(response, reply)
  ending.note(response, reply)
  ending.check(response)
  reply:known { finish = counts.finish(response) or "stop" }
  reply.done = true
end

EVENTS["response.completed"] = ended
EVENTS["response.incomplete"] = ended
EVENTS["response.cancelled"] = ended

EVENTS["response.failed"] = ending.failed

-- What nobody needs who has not heard the rest: it waits for the first real piece.
local HELD = {
  ["response.created"] = true, ["response.in_progress"] = true, ["response.queued"] = true,
  ["response.output_item.added"] = true, ["response.content_part.added"] = true,
  ["response.reasoning_summary_part.added"] = true, keepalive = true,
}

local EVENTS_MOST = 2 ^ 31 -- no stream has more of them

local function event(name, data, bytes, reply, look)
  if look and type(data.response) == "table" then look(data.response, reply) end
  local kind = text_of(data.type) or name
  if kind == "error" then ending.broken(data) end
  if EVENTS[kind] then EVENTS[kind](chat.table_or_empty(data.response), reply) end
  local n = data.sequence_number
  if type(n) == "number" and n >= 0 and n < EVENTS_MOST then reply.sequence = math.floor(n) end
  reply:pass(bytes, not HELD[kind], #(text_of(data.delta) or ""))
end

--- A stream, event by event. Some end it with a chat's mark; what else follows the last event
--- is read and ignored. `look`, where there is one, sees each response first.
function passing.stream(upstream, reply, look)
  for name, data, bytes in reply:passed_events(upstream, MARKS) do
    if data == "[DONE]" then
      reply:pass(bytes, true, 0)
    elseif not reply.done and chat.is_readable(data) then
      event(name, data, bytes, reply, look)
    end
  end
end

return passing
