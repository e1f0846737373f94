-- OpenAI's embeddings as clients send them: what is checked before anybody is called. There is
-- no output, so nothing is set aside for one.

local fault = require "lib.fault"
local natives = require "lib.natives"
local openai = require "dialects.openai"
local words = require "dialects.openai_writer"

local embeddings = {
  name = "embeddings", native_only = true,
  writer = { dialect = "embeddings", error = words.error },
  plain = "input", -- the member whose text, and nothing else, is what the model reads
}

local FORMATS = { float = true, base64 = true }

local function refuse(kind, name, message)
  fault.raise(kind, ("`%s` %s"):format(name, message), { param = name })
end

local function check_input(doc)
  local kind = doc:type("input")
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", "input", "is required: a text, or a list of them.")
  end
  if kind ~= "string" and kind ~= "array" then
    refuse("invalid_type", "input", "must be a text, a list of texts, or lists of tokens.")
  end
  if kind == "array" and doc:is_empty("input") then
    refuse("invalid_value", "input", "must not be empty.")
  end
end

local function check_format(doc)
  local kind = doc:type("encoding_format")
  if kind == nil or kind == "null" then return false end
  local value = doc:get("encoding_format")
  if kind == "string" and FORMATS[value] then return value == "base64" end
  refuse("invalid_value", "encoding_format", "must be float or base64.")
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function embeddings.read(call)
  local doc = call.doc
  local model = doc:get("model")
  openai.check_model(model)
  local name = doc:alike("model", "input", "encoding_format", "stream")
  if name then refuse("invalid_value", name, "must be written in small letters.") end
  check_input(doc)
  call.wants_base64 = check_format(doc)
  call.model, call.output_limit = model, 0
end

--- A deployment that makes none is told nothing; another of its group may make them.
function embeddings.fit(_, dep)
  if natives.of("embeddings", dep) then return end
  fault.raise("bad_request", ("%s makes no embeddings."):format(dep.name or dep.model),
    { param = "model", code = "unsupported_endpoint", again = "other" })
end

return embeddings
