-- OpenAI's embeddings at Gemini: https://ai.google.dev/api/embeddings

local asked = require "lib.embeddings_asked"
local chat_errors = require "lib.chat_errors"
local embeddings = require "lib.embeddings"
local json = require "engine.json"
local place = require "lib.gemini_place"
local values = require "lib.values"

local own = { dialect = "gemini_embeddings" } -- its answers are read as documents

local function one(text, doc, model)
  return json.object({ "model", "content", "outputDimensionality" }, {
    model = model, outputDimensionality = values.given(doc:get("dimensions")) or nil,
    content = { parts = json.array { { text = text } } },
  })
end

--- The body for `dep`: one content, or a list of requests.
function own.encode(call, dep)
  asked.check_members(call, dep)
  local doc, model = call.doc, place.name(dep)
  local input = doc:get("input")
  if type(input) == "string" then return one(input, doc, model) end
  local requests = json.array {}
  for i, text in ipairs(asked.texts(input, dep)) do requests[i] = one(text, doc, model) end
  return { requests = requests }
end

--- Where it is sent: one text and a list of them have an address each.
function own.path(dep, call)
  local one_text = call.doc:type("input") == "string"
  return place.path(dep, one_text and ":embedContent" or ":batchEmbedContents")
end

-- A vector as it was written, digit for digit.
local function vector(value)
  local list = type(value) == "table" and value.values
  return json.is_raw(list) and list or embeddings.none()
end

--- The answer in OpenAI's words.
function own.decode(doc, reply)
  local body = doc:decode { raw = { values = true } }
  if type(body.error) == "table" then chat_errors.raise(body) end
  local list = type(body.embeddings) == "table" and body.embeddings or { body.embedding }
  local vectors = {}
  for i, value in ipairs(list) do vectors[i] = vector(value) end
  if #vectors == 0 then vector(nil) end
  if reply.call.wants_base64 then vectors = embeddings.pack(vectors) end
  local counted = type(body.usageMetadata) == "table" and body.usageMetadata.promptTokenCount
  embeddings.say(reply, reply.call.dep.model, vectors,
    type(counted) == "number" and counted or nil)
end

return own
