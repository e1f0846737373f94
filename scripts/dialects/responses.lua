-- OpenAI's Responses as clients send them: what is checked before anybody is called, and what
-- becomes of a body where a provider does not speak them.

local checks = require "dialects.checks"
local face = require "lib.chat_face"
local fault = require "lib.fault"
local request = require "lib.responses_request"
local writer = require "dialects.responses_writer"

local responses = { name = "responses", writer = writer, limit = "max_output_tokens" }

local refuse = checks.openais

local INPUT = {
  name = "input", kinds = { array = true, string = true },
  wanted = "is required: a text or a list of items",
  wrong = "must be a text or a list of items",
}

-- A conversation that a provider keeps may go on by itself; a stored prompt may need nothing.
local function check_input(doc, goes_on)
  local kind = doc:type("input")
  local missing = kind == nil or kind == "null"
  if missing and (goes_on or doc:type("prompt") == "object") then return end
  if goes_on and kind == "array" then return end
  checks.filled(refuse, doc, INPUT)
end

-- What comes later, by itself, is billed to nobody.
local function check_background(value)
  checks.truth(refuse, value, "background")
  if value ~= true then return end
  fault.raise("bad_request", "`background` is not served: answers come with the request.",
    { param = "background", code = "unsupported_parameter" })
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
  checks.model(refuse, model)
  checks.spelling(refuse, doc:alike("model", "input", "max_output_tokens", "stream",
    "background", "tools", "service_tier", "previous_response_id", "conversation"))
  call.goes_on = goes_on_of(doc)
  check_input(doc, call.goes_on)
  checks.truth(refuse, stream, "stream")
  checks.count(refuse, most, "max_output_tokens", 1, checks.TOKENS_MOST)
  check_background(background)
  call.model, call.stream = model, stream == true
  call.output_limit = not checks.absent(most) and most or false
  call.keeps = store ~= false
end

--- The same of a body whose tokens are counted only.
function responses.read_count(call)
  local doc = call.doc
  local model = doc:get("model")
  checks.model(refuse, model)
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
