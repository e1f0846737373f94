-- Gemini's embedContent and batchEmbedContents as clients send them: what is checked before
-- anybody is called. The model's name and the verb stand in the path (pipeline/ingress.lua).

local fault = require "lib.fault"
local gemini = require "dialects.gemini"
local natives = require "lib.natives"
local writer = require "dialects.gemini_writer"

local embed = {
  name = "embed_content", writer = writer, native_only = true,
  plain = "content", -- what the model reads stands there, once or in each of `requests`
}

local function refuse(kind, name, message)
  fault.raise(kind, ("%s: %s"):format(name, message), { param = name })
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function embed.read(call)
  local doc, many = call.doc, call.verb == "batchEmbedContents"
  local member, wanted = many and "requests" or "content", many and "array" or "object"
  call.model = gemini.model_of(call)
  local odd = doc:alike("model", "content", "requests")
  if odd then refuse("invalid_value", odd, "must be written in small letters") end
  local kind = doc:type(member)
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", member, "is required")
  end
  if kind ~= wanted then refuse("invalid_type", member, "must be an " .. wanted) end
  if doc:is_empty(member) then refuse("invalid_value", member, "must not be empty") end
  call.output_limit = 0
end

--- A deployment that makes no embeddings is told nothing; another of its group may make them.
function embed.fit(_, dep)
  if natives.of("embed_content", dep) then return end
  fault.raise("bad_request", ("%s makes no embeddings."):format(dep.name or dep.model),
    { param = "model", code = "unsupported_endpoint", again = "other" })
end

return embed
