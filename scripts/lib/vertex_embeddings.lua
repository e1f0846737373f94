-- Embeddings at Vertex, asked for in OpenAI's words or in Gemini's. Older models are asked by
-- `predict`, with a list of instances; those from gemini-embedding-2 on by `embedContent`, for
-- one content: cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings

local asked = require "lib.embeddings_asked"
local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local fit = require "lib.fit"
local gemini_embeddings = require "lib.gemini_embeddings"
local json = require "engine.json"
local values = require "lib.values"

local own = { dialect = "vertex_embeddings" }     -- its answers are read as documents
local googles = { dialect = "vertex_contents" }
own.googles = googles

local given = values.given

local function predicts(dep)
  local number = dep.model:match("gemini%-embedding%-(%d+)")
  return not number or number:sub(1, 1) == "0"
end

--- What stands behind the model in the address.
function own.verb(dep)
  return predicts(dep) and ":predict" or ":embedContent"
end
googles.verb = own.verb

local MANY = "takes one text at a time."
local INSTANCE = { "content", "title", "task_type" }

local function prediction(instances, size)
  return json.object({ "instances", "parameters" }, {
    instances = instances, parameters = size and { outputDimensionality = size } or nil,
  })
end

-- In OpenAI's words ---------------------------------------------------------------------

--- The body for `dep`.
function own.encode(call, dep)
  asked.check_members(call, dep)
  local doc = call.doc
  local texts, size = asked.texts(doc:get("input"), dep), given(doc:get("dimensions"))
  if not predicts(dep) then
    if #texts > 1 then fit.refuse_here(dep, "input", MANY) end
    return json.object({ "content", "outputDimensionality" }, {
      content = { parts = json.array { { text = texts[1] } } }, outputDimensionality = size,
    })
  end
  local instances = json.array {}
  for i, text in ipairs(texts) do instances[i] = { content = text } end
  return prediction(instances, size)
end

-- Each vector of a prediction as it was written, and the tokens of all where they were counted.
local function predicted(body)
  if type(body.error) == "table" then chat_errors.raise(body) end
  local vectors, n = {}, 0
  for one in chat.objects(body.predictions) do
    local found = chat.table_or_empty(one.embeddings)
    if not json.is_raw(found.values) then break end
    vectors[#vectors + 1] = found.values
    local counted = chat.table_or_empty(found.statistics).token_count
    n = n and type(counted) == "number" and n + counted or nil
  end
  if #vectors == 0 then embeddings.none() end
  return vectors, n
end

local RAW = { raw = { values = true } }

--- The answer in OpenAI's words.
function own.decode(doc, reply)
  local dep = reply.call.dep
  if not predicts(dep) then return gemini_embeddings.decode(doc, reply) end
  local vectors, n = predicted(doc:decode(RAW))
  if reply.call.wants_base64 then vectors = embeddings.pack(vectors) end
  embeddings.say(reply, dep.model, vectors, n)
end

-- In Gemini's words ---------------------------------------------------------------------

local function size_of(one)
  return given(one.outputDimensionality) or given(one.output_dimensionality)
end

local function instance_of(one, at, call, dep)
  if type(one) ~= "table" then
    fault.raise("invalid_type", "A request is an object.", { param = at:sub(1, -2) })
  end
  return json.object(INSTANCE, {
    content = embed_content.text(one, at, call, dep), title = given(one.title),
    task_type = given(one.taskType) or given(one.task_type),
  })
end

-- The list's only one, as a request of its own.
local function single(dep, list)
  if #list > 1 then fit.refuse_here(dep, "requests", MANY) end
  if type(list[1]) ~= "table" then
    fault.raise("invalid_type", "A request is an object.", { param = "requests[0]" })
  end
  list[1].model = nil
  return list[1]
end

--- The body for `dep`: as it came where it may, but for a model that it names too.
function googles.encode(call, dep)
  local doc = call.doc
  local many = doc:type("requests") == "array"
  if not predicts(dep) then
    if many then
      return single(dep, json.decode(doc:raw("requests"), { ordered = true }))
    end
    return doc:type("model") and doc:splice { model = json.remove } or doc
  end
  local body = doc:decode()
  local list, instances = many and body.requests or { body }, json.array {}
  for i, one in ipairs(list) do
    local at = many and ("requests[%d]."):format(i - 1) or ""
    instances[i] = instance_of(one, at, call, dep)
    if size_of(one) ~= size_of(list[1]) then
      fit.refuse(call, dep, at .. "outputDimensionality",
        "makes vectors of one size at a time.")
    end
  end
  return prediction(instances, size_of(list[1]))
end

--- The answer in Gemini's words: as it came, where one was asked for.
function googles.decode(doc, reply)
  local call = reply.call
  local many = call.doc:type("requests") == "array"
  if not predicts(call.dep) then
    if not many or doc:type("embedding") ~= "object" then
      return embed_content.passing.decode(doc, reply)
    end
    local n = doc:at("usageMetadata.promptTokenCount")
    local one = json.decode(doc:raw("embedding"), RAW)
    if not json.is_raw(one.values) then embeddings.none() end
    return embed_content.say(reply, { one }, type(n) == "number" and n or nil)
  end
  local vectors, n = predicted(doc:decode(RAW))
  for i, vector in ipairs(vectors) do vectors[i] = { values = vector } end
  embed_content.say(reply, vectors, n)
end

return own
