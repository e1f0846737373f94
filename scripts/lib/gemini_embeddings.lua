-- OpenAI's embeddings at Gemini: https://ai.google.dev/api/embeddings

local chat_errors = require "lib.chat_errors"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local fit = require "lib.fit"
local json = require "engine.json"

local own = { dialect = "gemini_embeddings" } -- its answers are read as documents

local NULL = json.null

local function one(text, doc, model)
  local size = doc:get("dimensions")
  return json.object({ "model", "content", "outputDimensionality" }, {
    model = model, outputDimensionality = size ~= NULL and size or nil,
    content = { parts = json.array { { text = text } } },
  })
end

local TRANSLATED = { model = true, input = true, dimensions = true, encoding_format = true }

-- Whom the client serves nobody need know; what else there is, Gemini has no word for.
local function check_members(call, dep)
  for name, value in pairs(call.body) do
    if name == "user" then
      call:drop(name)
    elseif not TRANSLATED[name] and value ~= NULL then
      fit.refuse(call, dep, name, ("does not take `%s`."):format(name))
    end
  end
end

local function name_of(dep)
  return dep.model:find("/", 1, true) and dep.model or "models/" .. dep.model
end

--- The body for `dep`: one content, or a list of requests.
function own.encode(call, dep)
  check_members(call, dep)
  local doc, model = call.doc, name_of(dep)
  local input = doc:get("input")
  if type(input) == "string" then return one(input, doc, model) end
  local requests = json.array {}
  for i, text in ipairs(input) do
    if type(text) ~= "string" then
      fault.raise("bad_request",
        ("%s takes texts, no tokens."):format(dep.name or dep.model),
        { param = "input", code = "unsupported_parameter", again = "other" })
    end
    requests[i] = one(text, doc, model)
  end
  return { requests = requests }
end

--- Where it is sent: one text and a list of them have an address each.
function own.path(dep, call)
  local verb = call.doc:type("input") == "string" and ":embedContent" or ":batchEmbedContents"
  return "/" .. name_of(dep):gsub("[^%w%-._~/]", function(c)
    return ("%%%02X"):format(c:byte())
  end) .. verb
end

-- A vector as it was written, digit for digit.
local function vector(value)
  local list = type(value) == "table" and value.values
  if not json.is_raw(list) then
    fault.raise("invalid_response", "The provider's answer holds no embeddings.")
  end
  return list
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
