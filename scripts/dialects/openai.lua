-- OpenAI's chat completions as clients send them: what is checked before anybody is called.
--
-- Only top-level members that the gateway itself relies on; all else is the provider's business
-- and reaches it untouched.

local fault = require "lib.fault"
local json = require "engine.json"
local writer = require "dialects.openai_writer"

local openai = { name = "openai", writer = writer }

local CHOICES_MOST = 128
local TOKENS_MOST = 2 ^ 31

local function refuse(kind, name, message)
  fault.raise(kind, ("`%s` %s"):format(name, message), { param = name })
end

-- A member's value; nil where it is absent or null.
local function given(doc, name)
  local value = doc:get(name)
  if value == json.null then return nil end
  return value
end

local function model(doc)
  local value = given(doc, "model")
  if value == nil or value == "" then
    refuse("missing_required_parameter", "model", "is required: the name of a model.")
  end
  if type(value) ~= "string" then refuse("invalid_type", "model", "must be a string.") end
  if value:find("%z") then refuse("invalid_value", "model", "must not hold a NUL.") end
  return value
end

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

local function stream(doc)
  local value = given(doc, "stream")
  if value ~= nil and type(value) ~= "boolean" then
    refuse("invalid_type", "stream", "must be true or false.")
  end
  return value == true
end

local function wants_usage(doc)
  if doc:type("stream_options") ~= "object" then return false end
  return doc:get("stream_options").include_usage == true
end

local function check_count(doc, name, most)
  local value = given(doc, name)
  if value == nil then return false end
  if type(value) ~= "number" or value < 1 or value > most or value % 1 ~= 0 then
    refuse("invalid_value", name, ("must be a whole number from 1 to %d."):format(most))
  end
  return true
end

local function check_limits(doc)
  local old = check_count(doc, "max_tokens", TOKENS_MOST)
  local new = check_count(doc, "max_completion_tokens", TOKENS_MOST)
  if old and new then
    refuse("invalid_value", "max_tokens",
      "and `max_completion_tokens` cannot both be set: use `max_completion_tokens`.")
  end
  check_count(doc, "n", CHOICES_MOST)
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function openai.read(call)
  local doc = call.doc
  call.model = model(doc)
  check_messages(doc)
  call.stream = stream(doc)
  call.include_usage = call.stream and wants_usage(doc)
  check_limits(doc)
end

return openai
