-- OpenAI's Responses as clients send them: what is checked before anybody is called, and what
-- becomes of a body where a provider does not speak them.

local face = require "lib.chat_face"
local fault = require "lib.fault"
local json = require "engine.json"
local request = require "lib.responses_request"
local writer = require "dialects.responses_writer"

local responses = { name = "responses", writer = writer, limit = "max_output_tokens" }

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

-- A conversation that a provider keeps may go on by itself; a stored prompt may need nothing.
local function check_input(doc, goes_on)
  local kind = doc:type("input")
  if kind == nil or kind == "null" then
    if goes_on or doc:type("prompt") == "object" then return end
    refuse("missing_required_parameter", "input", "is required: a text or a list of items.")
  end
  if kind ~= "array" and kind ~= "string" then
    refuse("invalid_type", "input", "must be a text or a list of items.")
  end
  if kind == "array" and not goes_on and doc:is_empty("input") then
    refuse("invalid_value", "input", "must not be empty.")
  end
end

local function check_truth(value, name)
  if absent(value) or type(value) == "boolean" then return end
  refuse("invalid_type", name, "must be true or false.")
end

local function check_limit(value)
  if absent(value) then return end
  if type(value) ~= "number" or value < 1 or value > TOKENS_MOST or value % 1 ~= 0 then
    refuse("invalid_value", "max_output_tokens",
      ("must be a whole number from 1 to %d."):format(TOKENS_MOST))
  end
end

-- What comes later, by itself, is billed to nobody.
local function check_background(value)
  check_truth(value, "background")
  if value ~= true then return end
  fault.raise("bad_request", "`background` is not served: answers come with the request.",
    { param = "background", code = "unsupported_parameter" })
end

-- Some servers read "Model" as "model", and the last of two wins (dialects/openai.lua).
local function check_spelling(doc)
  local name = doc:alike("model", "input", "max_output_tokens", "stream", "background", "tools",
    "service_tier", "previous_response_id", "conversation")
  if name then refuse("invalid_value", name, "must be written in small letters.") end
end

local function goes_on_of(doc)
  for _, name in ipairs { "previous_response_id", "conversation" } do
    local kind = doc:type(name)
    if kind == "string" and doc:get(name) ~= "" or kind == "object" then return name end
  end
  return false
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function responses.read(call)
  local doc = call.doc
  local model, stream, most, background, store =
    doc:at("model", "stream", "max_output_tokens", "background", "store")
  check_model(model)
  check_spelling(doc)
  call.goes_on = goes_on_of(doc)
  check_input(doc, call.goes_on)
  check_truth(stream, "stream")
  check_limit(most)
  check_background(background)
  call.model, call.stream = model, stream == true
  call.output_limit = not absent(most) and most or false
  call.keeps = store ~= false
end

--- The same of a body whose tokens are counted only.
function responses.read_count(call)
  local doc = call.doc
  local model = doc:get("model")
  check_model(model)
  check_input(doc, false)
  call.model = model
end

--- The body as a chat's, and what to note of it (lib/responses_request.lua).
responses.decode = request.decode
--- The chat as a document for one deployment of OpenAI's dialect.
responses.document = face.document
--- What a deployment cannot be told: dropped and named, or refused.
responses.fit = face.fit

return responses
