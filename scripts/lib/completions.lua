-- Legacy completions passed on as they came, to servers that have them: the body's bytes but
-- for the model's name, the deployment's ceiling and the wish for usage; the answer's bytes.

local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"
local finish = require "lib.finish"
local json = require "engine.json"
local quirks = require "lib.quirks"
local usage = require "lib.usage"
local values = require "lib.values"

local completions = { dialect = "completions" }

local text_of = values.text

local function cap(doc, dep, edits)
  local asked = doc:get("max_tokens")
  if type(asked) == "number" and asked <= dep.max_tokens then return end
  edits.max_tokens = dep.max_tokens
end

--- The call as it came, but for what is said above.
function completions.encode(call, dep)
  local doc, edits, own = call.doc, {}, dep.provider.adapter.quirks
  local model = dep.deployment or dep.model
  if doc:get("model") ~= model then edits.model = model end
  if call.stream and quirks.may_ask(own) then quirks.ask_for_usage(doc, edits) end
  if own and own.stream_options == "refused" and doc:type("stream_options") then
    edits.stream_options = json.remove
  end
  if dep.max_tokens then cap(doc, dep, edits) end
  return next(edits) and doc:splice(edits) or doc
end

local function check_end(reason)
  local kind = finish.failure(reason)
  if kind then fault.raise(kind, ("The provider broke off (%s)."):format(reason)) end
end

--- A whole answer.
function completions.decode(doc, reply)
  if doc:type("choices") ~= "array" then
    local problem = doc:type("error")
    if problem and problem ~= "null" then chat_errors.raise(doc:decode()) end
    fault.raise("invalid_response", "The provider's answer is no completion.")
  end
  local id, model, reason = doc:at("id", "model", "choices.0.finish_reason")
  check_end(reason)
  reply:usage(usage.from_doc(doc) or {})
  reply:ready_as(doc, {
    id = text_of(id), model = text_of(model), finish = finish.of(text_of(reason)),
  })
end

-- Events that a script must see; the engine passes all others on.
local MARKS = { '"usage":', '"finish_reason":', '"error":', "[DONE]" }

-- Bytes of text in an event, and whether it holds anything that a client would miss.
local function said(choices, reply)
  local n, carries = 0, false
  for _, choice in ipairs(choices) do
    if type(choice) ~= "table" then
      fault.raise("invalid_response", "An event of the provider's stream holds no choice.")
    end
    local reason = text_of(choice.finish_reason)
    check_end(reason)
    if reason then reply:known { finish = finish.of(reason) } end
    n = n + #(text_of(choice.text) or "")
    carries = carries or reason ~= nil
  end
  return n, carries or n > 0
end

local function event(name, data, bytes, reply, look)
  if type(data) ~= "table" then
    fault.raise("invalid_response", "An event of the provider's stream is not JSON.")
  end
  if name == "error" or type(data.error) == "table" or text_of(data.error) then
    chat_errors.raise(data)
  end
  reply:known { id = text_of(data.id), model = text_of(data.model) }
  if look then look(data, reply) end
  local choices = type(data.choices) == "table" and data.choices or {}
  local n, carries = said(choices, reply)
  if type(data.usage) == "table" then
    reply:usage(usage.from_openai(data.usage))
    if #choices == 0 and not reply.call.include_usage then return end
  end
  reply:pass(bytes, carries, n)
end

--- A stream, event by event; what follows `[DONE]` is read and ignored. `look`, where there is
--- one, sees each event first.
function completions.stream(upstream, reply, look)
  for name, data, bytes in reply:passed_events(upstream, MARKS) do
    if data == "[DONE]" then
      reply.done = true
    elseif not reply.done and data ~= "" then
      event(name, data, bytes, reply, look)
    end
  end
end

return completions
