-- Gemini's embedContent and batchEmbedContents as clients send them: what is checked before
-- anybody is called. The model's name and the verb stand in the path (pipeline/ingress.lua).

local checks = require "dialects.checks"
local fit = require "lib.fit"
local gemini = require "dialects.gemini"
local natives = require "lib.natives"
local writer = require "dialects.gemini_writer"

local embed = {
  name = "embed_content", writer = writer, native_only = true,
  plain = "content", -- what the model reads stands there, once or in each of `requests`
}

local refuse = checks.others
local ONE = {
  name = "content", kinds = { object = true }, wanted = "is required",
  wrong = "must be an object",
}
local MANY = {
  name = "requests", kinds = { array = true }, wanted = "is required",
  wrong = "must be an array",
}

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function embed.read(call)
  local doc = call.doc
  call.model = gemini.model_of(call)
  checks.spelling(refuse, doc:alike("model", "content", "requests"))
  checks.filled(refuse, doc, call.verb == "batchEmbedContents" and MANY or ONE)
  call.output_limit = 0
end

--- A deployment that makes no embeddings is told nothing; another of its group may make them.
function embed.fit(_, dep)
  if natives.of("embed_content", dep) then return end
  fit.lacks(dep, "makes no embeddings.")
end

return embed
