-- Anthropic's Messages as clients send them: what is checked before anybody is called, and what
-- becomes of a body where a provider does not speak them.

local face = require "lib.chat_face"
local fault = require "lib.fault"
local json = require "engine.json"
local request = require "lib.messages_request"
local writer = require "dialects.anthropic_writer"

local anthropic = { name = "anthropic", writer = writer }

local TOKENS_MOST = 2 ^ 31

local function refuse(kind, name, message)
  fault.raise(kind, ("%s: %s"):format(name, message), { param = name })
end

local function absent(value)
  return value == nil or value == json.null
end

local function check_model(value)
  if absent(value) or value == "" then
    refuse("missing_required_parameter", "model", "Field required")
  end
  if type(value) ~= "string" then refuse("invalid_type", "model", "must be a string") end
  if value:find("\0", 1, true) then refuse("invalid_value", "model", "must not hold a NUL") end
end

local function check_messages(doc)
  local kind = doc:type("messages")
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", "messages", "Field required")
  end
  if kind ~= "array" then refuse("invalid_type", "messages", "must be an array") end
  if doc:is_empty("messages") then
    refuse("invalid_value", "messages", "at least one message is required")
  end
end

-- No tokens at all is a wish too: the prompt is cached, and nothing said.
local function check_limit(value)
  if absent(value) then
    refuse("missing_required_parameter", "max_tokens", "Field required")
  end
  if type(value) ~= "number" or value < 0 or value > TOKENS_MOST or value % 1 ~= 0 then
    refuse("invalid_value", "max_tokens",
      ("must be a whole number from 0 to %d"):format(TOKENS_MOST))
  end
end

local function check_stream(value)
  if absent(value) or type(value) == "boolean" then return end
  refuse("invalid_type", "stream", "must be true or false")
end

-- Some servers read "Model" as "model", and the last of two wins (dialects/openai.lua).
local function check_spelling(doc)
  local name = doc:alike("model", "messages", "max_tokens", "stream", "speed", "service_tier",
    "tools")
  if name then refuse("invalid_value", name, "must be written in small letters") end
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function anthropic.read(call)
  local doc = call.doc
  local model, stream, most = doc:at("model", "stream", "max_tokens")
  check_model(model)
  check_spelling(doc)
  check_messages(doc)
  check_stream(stream)
  check_limit(most)
  call.model, call.stream, call.output_limit = model, stream == true, most
end

--- The same of a body whose tokens are counted only.
function anthropic.read_count(call)
  local model = call.doc:get("model")
  check_model(model)
  check_messages(call.doc)
  call.model = model
end

--- The body as a chat's, and what to note of it (lib/messages_request.lua).
anthropic.decode = request.decode
--- The chat as a document for one deployment of OpenAI's dialect.
anthropic.document = face.document
--- What a deployment cannot be told: dropped and named, or refused.
anthropic.fit = face.fit

return anthropic
