-- OpenAI's embeddings as clients send them: what is checked before anybody is called. There is
-- no output, so nothing is set aside for one.

local checks = require "dialects.checks"
local fit = require "lib.fit"
local natives = require "lib.natives"
local words = require "dialects.openai_writer"

local embeddings = {
  name = "embeddings", native_only = true,
  writer = { dialect = "embeddings", error = words.error },
  plain = "input", -- the member whose text, and nothing else, is what the model reads
}

local FORMATS = { float = true, base64 = true }

local refuse = checks.openais
local INPUT = {
  name = "input", kinds = { array = true, string = true },
  wanted = "is required: a text, or a list of them",
  wrong = "must be a text, a list of texts, or lists of tokens",
}

local function check_format(doc)
  local kind = doc:type("encoding_format")
  if kind == nil or kind == "null" then return false end
  local value = doc:get("encoding_format")
  if kind == "string" and FORMATS[value] then return value == "base64" end
  refuse("invalid_value", "encoding_format", "must be float or base64")
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function embeddings.read(call)
  local doc = call.doc
  local model = doc:get("model")
  checks.model(refuse, model)
  checks.spelling(refuse, doc:alike("model", "input", "encoding_format", "stream"))
  checks.filled(refuse, doc, INPUT)
  call.wants_base64 = check_format(doc)
  call.model, call.output_limit = model, 0
end

--- A deployment that makes none is told nothing; another of its group may make them.
function embeddings.fit(_, dep)
  if natives.of("embeddings", dep) then return end
  fit.lacks(dep, "makes no embeddings.")
end

return embeddings
