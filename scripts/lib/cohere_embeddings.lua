-- OpenAI's embeddings, and Gemini's, at Cohere: https://docs.cohere.com/reference/embed

local asked = require "lib.embeddings_asked"
local chat_errors = require "lib.chat_errors"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.embeddings"
local json = require "engine.json"
local values = require "lib.values"

-- What its answers are is neither client's dialect; they are read as documents.
local own = { dialect = "cohere_embeddings", path = "/embed" }
local google = { dialect = "cohere_embed_content", path = "/embed" }
own.embed_content = google

local given = values.given

-- Requests -----------------------------------------------------------------------

local ORDER = {
  "model", "input_type", "texts", "embedding_types", "output_dimension", "truncate",
  "max_tokens", "priority",
}

-- Models since the third have to be told what the vectors are for.
local USUAL_TYPE = "search_document"

local function body_of(dep, texts, size, more)
  return json.object(ORDER, {
    model = dep.deployment or dep.model, input_type = given(more.input_type) or USUAL_TYPE,
    texts = texts, embedding_types = json.array { "float" }, output_dimension = size,
    truncate = given(more.truncate), max_tokens = given(more.max_tokens),
    priority = given(more.priority),
  })
end

local OWN = { input_type = true, truncate = true, max_tokens = true, priority = true }

--- The body for `dep`; `input_type` and the like are Cohere's own, and pass.
function own.encode(call, dep)
  asked.check_members(call, dep, OWN)
  local body = call.body
  return body_of(dep, asked.texts(call.doc:get("input"), dep), given(body.dimensions), body)
end

-- Gemini's words for what vectors are for.
local TASKS = {
  RETRIEVAL_QUERY = "search_query", QUESTION_ANSWERING = "search_query",
  FACT_VERIFICATION = "search_query", CODE_RETRIEVAL_QUERY = "search_query",
  RETRIEVAL_DOCUMENT = "search_document", CLASSIFICATION = "classification",
  CLUSTERING = "clustering",
}

local function task_of(doc)
  local one, old, many = doc:at("taskType", "task_type", "requests.0.taskType")
  return TASKS[one] or TASKS[old] or TASKS[many]
end

--- The same of Gemini's requests.
function google.encode(call, dep)
  local body = embed_content.encode(call, dep)
  return body_of(dep, asked.texts(body.input, dep), body.dimensions,
    { input_type = task_of(call.doc) })
end

-- Answers ------------------------------------------------------------------------

-- The vectors as they were written, digit for digit: lists of numbers in a list. Servers that
-- know the older answer only (one kind of numbers) leave out of which kind they are.
local function vectors_of(doc)
  local older = doc:type("embeddings") == "array"
  local body = doc:decode { raw = { float = true, embeddings = older } }
  local all, list = body.embeddings, {}
  if type(all) == "table" then all = all.float end
  if json.is_raw(all) then
    for vector in json.text(all):gmatch("%[([%d%s,.eE+-]+)%]") do
      list[#list + 1] = json.raw("[" .. vector .. "]")
    end
  end
  if #list > 0 then return list, body end
  if type(body.message) == "string" then chat_errors.raise(body) end
  embeddings.none()
end

local function counted(body)
  local meta = type(body.meta) == "table" and body.meta.billed_units
  if type(meta) ~= "table" or type(meta.input_tokens) ~= "number" then return nil end
  return meta.input_tokens + (type(meta.image_tokens) == "number" and meta.image_tokens or 0)
end

--- The answer in OpenAI's words.
function own.decode(doc, reply)
  local list, body = vectors_of(doc)
  if reply.call.wants_base64 then list = embeddings.pack(list) end
  embeddings.say(reply, reply.call.dep.model, list, counted(body))
end

--- The answer in Gemini's.
function google.decode(doc, reply)
  local list, body = vectors_of(doc)
  for i, vector in ipairs(list) do list[i] = { values = vector } end
  embed_content.say(reply, list, counted(body))
end

return own
