-- Cohere's counts in our shape (lib/usage.lua), and why its answers end, in a chat's words.
-- `tokens` is what the model read and wrote, with what Cohere puts around a prompt, and what of
-- it came from a cache; `billed_units` is what is charged, mostly less.

local chat = require "lib.chat"
local fault = require "lib.fault"

local counts = {}

local function number(value)
  return type(value) == "number" and value or nil
end

-- Of images, what did not come from the cache.
local function images(read, input, cached)
  if not read or not input or read < 0 or input < 0 then return nil end
  return math.max(0, math.min(read, input - math.max(0, cached or 0)))
end

local function billed(units)
  local input, output = number(units.input_tokens), number(units.output_tokens)
  if not input and not output then return nil end
  return { input_tokens = input or 0, output_tokens = output or 0 }
end

--- The counts of an answer; nil where it has none.
function counts.read(said)
  if type(said) ~= "table" then return nil end
  local tokens, units = chat.table_or_empty(said.tokens), chat.table_or_empty(said.billed_units)
  local input, cached = number(tokens.input_tokens), number(said.cached_tokens)
  return {
    input_tokens = input or number(units.input_tokens),
    output_tokens = number(tokens.output_tokens) or number(units.output_tokens),
    cache_read_tokens = cached, reasoning_tokens = number(tokens.reasoning_tokens),
    image_input_tokens = images(number(tokens.image_tokens), input, cached),
    billed = billed(units),
  }
end

local REASONS = {
  COMPLETE = "stop", STOP_SEQUENCE = "stop", MAX_TOKENS = "length", TOOL_CALL = "tool_calls",
  ERROR_LIMIT = "length", ERROR_TOXIC = "content_filter",
}
local FAILED = { ERROR = "server_error", TIMEOUT = "timeout", USER_CANCEL = "server_error" }

--- The reason in a chat's words; raises where it is no end.
function counts.finish(reason)
  if FAILED[reason] then
    fault.raise(FAILED[reason], ("The provider broke off (%s)."):format(reason))
  end
  return REASONS[reason] or (type(reason) == "string" and reason:lower()) or nil
end

return counts
