-- OpenAI's chat completions as clients send them: what is checked before anybody is called.
--
-- Only top-level members that the gateway itself relies on; all else is the provider's business
-- and reaches it untouched.

local fault = require "lib.fault"
local items = require "dialects.chat_of_items"
local json = require "engine.json"
local writer = require "dialects.openai_writer"

local openai = { name = "openai", writer = writer }

local CHOICES_MOST = 128
local TOKENS_MOST = 2 ^ 31

local function refuse(kind, name, message)
  fault.raise(kind, ("`%s` %s"):format(name, message), { param = name })
end

local function absent(value)
  return value == nil or value == json.null
end

local function check_model(value)
  if absent(value) or value == "" then
    refuse("missing_required_parameter", "model", "is required: the name of a model.")
  end
  if type(value) ~= "string" then refuse("invalid_type", "model", "must be a string.") end
  if value:find("\0", 1, true) then refuse("invalid_value", "model", "must not hold a NUL.") end
end

--- For the dialects beside this one, too.
openai.check_model = check_model

local function check_messages(doc)
  local kind = doc:type("messages")
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", "messages", "is required: a list of messages.")
  end
  if kind ~= "array" then refuse("invalid_type", "messages", "must be an array.") end
  if doc:is_empty("messages") then
    refuse("invalid_value", "messages", "must not be empty.")
  end
end

local function check_stream(value)
  if absent(value) or type(value) == "boolean" then return end
  refuse("invalid_type", "stream", "must be true or false.")
end

local function check_count(value, name, most)
  if absent(value) then return end
  if type(value) ~= "number" or value < 1 or value > most or value % 1 ~= 0 then
    refuse("invalid_value", name, ("must be a whole number from 1 to %d."):format(most))
  end
end

local function check_limits(old, new)
  check_count(old, "max_tokens", TOKENS_MOST)
  check_count(new, "max_completion_tokens", TOKENS_MOST)
  if absent(old) or absent(new) then return end
  refuse("invalid_value", "max_tokens",
    "and `max_completion_tokens` cannot both be set: use `max_completion_tokens`.")
end

-- Some servers read "Model" as "model", and the last of two wins: what is checked, priced and
-- limited here would not be what they do.
local function check_spelling(doc)
  local name = doc:alike("model", "max_tokens", "max_completion_tokens", "n", "stream",
    "stream_options", "messages", "service_tier", "web_search_options")
  if name then refuse("invalid_value", name, "must be written in small letters.") end
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function openai.read(call)
  local doc = call.doc
  if items.is(doc) then return items.read(call) end
  local model, stream, usage, old, new, choices = doc:at("model", "stream",
    "stream_options.include_usage", "max_tokens", "max_completion_tokens", "n")
  check_model(model)
  check_spelling(doc)
  check_messages(doc)
  check_stream(stream)
  check_limits(old, new)
  check_count(choices, "n", CHOICES_MOST)
  call.model, call.stream = model, stream == true
  call.output_limit = not absent(new) and new or not absent(old) and old or false
  call.choices = not absent(choices) and choices or 1
  call.include_usage = stream == true and usage == true
end

return openai
