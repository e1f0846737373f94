-- Streams beside chats, event by event as they came: partial images, pieces of a transcript, of
-- speech. The event that ends one has its counts.

local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"
local used = require "lib.used"

local passed_events = {}

-- Events that a script must see; the engine passes all others on.
local MARKS = { '"usage":', '"error"', '.done"', '.completed"', "[DONE]" }

local function is_last(kind)
  return type(kind) == "string" and (kind:find("%.completed$") or kind:find("%.done$")) ~= nil
end

local function event(name, data, bytes, reply, count)
  if name == "error" or data.type == "error" or type(data.error) == "table" then
    chat_errors.raise(data)
  end
  if type(data.usage) == "table" then reply:usage(used.tokens(data.usage)) end
  if count then count(data, reply) end
  if is_last(data.type) then reply.done = true end
  local delta = type(data.delta) == "string" and #data.delta or 0
  reply:pass(bytes, true, delta)
end

--- Pass a stream on. `count`, where there is one, looks at each event that is seen.
function passed_events.pass(upstream, reply, count)
  reply:known { content_type = upstream:header("content-type") }
  for name, data, bytes in reply:passed_events(upstream, MARKS) do
    if data == "[DONE]" or reply.done then
      reply:pass(bytes, true, 0)
    elseif type(data) == "table" then
      event(name, data, bytes, reply, count)
    elseif data ~= "" then
      fault.raise("invalid_response", "An event of the provider's stream is not JSON.")
    end
  end
  reply.done = true -- some end without a word
end

return passed_events
