-- Embeddings passed on as they came, to servers that speak OpenAI's: the body's bytes but for
-- the model's name, the answer's bytes. A client that asked for base64 gets it where a server
-- knows numbers only.

local chat_errors = require "lib.chat_errors"
local crypto = require "engine.crypto"
local fault = require "lib.fault"
local floats = require "lib.floats"
local json = require "engine.json"
local quirks = require "lib.quirks"
local time = require "engine.time"
local usage = require "lib.usage"
local values = require "lib.values"

local embeddings = { dialect = "embeddings" }

local text_of = values.text

--- The call as it came, but for the model's name and what the server refuses.
function embeddings.encode(call, dep)
  local doc, edits = call.doc, {}
  local model, own = dep.deployment or dep.model, dep.provider.adapter.quirks
  if doc:get("model") ~= model then edits.model = model end
  if own then quirks.edit(call, edits, own) end
  return next(edits) and doc:splice(edits) or doc
end

-- Some write more digits than a number here carries: those come as they were written.
local function number_of(x)
  local n = type(x) == "number" and x or json.is_raw(x) and tonumber(json.text(x))
  return n or fault.raise("invalid_response", "The provider's embedding holds no numbers.")
end

--- A list of numbers as clients want it that ask for base64.
function embeddings.base64(list)
  local numbers = {}
  for i = 1, #list do numbers[i] = number_of(list[i]) end
  return crypto.base64(floats.pack(numbers))
end

-- A vector is read when its turn comes, and after so many bytes of them others have theirs: the
-- batch of a whole library would hold up everybody for a second.
local SLICE = 256 * 1024

-- Lists as they were written, each with its base64 in its place; what is no list stays.
local function pack_all(list, get, put)
  local since = 0
  for i, one in ipairs(list) do
    local text = get(one)
    if text and text:find("^%s*%[") then
      put(i, one, embeddings.base64(json.decode(text)))
      since = since + #text
    end
    if since > SLICE then
      time.sleep(0)
      since = 0
    end
  end
end

local function text_at(value) return json.is_raw(value) and json.text(value) or nil end

--- Vectors as they were written (json.raw), all in base64.
function embeddings.pack(vectors)
  local out = {}
  pack_all(vectors, text_at, function(i, _, packed) out[i] = packed end)
  return out
end

local RAW = { ordered = true, raw = { embedding = true } }

local function embedding_of(one)
  return type(one) == "table" and text_at(one.embedding) or nil
end

-- The answer with each list of numbers in base64.
local function in_base64(doc)
  local data = doc:decode(RAW).data
  pack_all(data, embedding_of, function(_, one, packed) one.embedding = packed end)
  return doc:splice { data = data }
end

-- Some say how many tokens there were in all, and nothing else.
local function counted(doc)
  local counts = usage.from_doc(doc) or {}
  if not counts.input_tokens then
    local total = doc:at("usage.total_tokens")
    counts.input_tokens = type(total) == "number" and total or nil
  end
  counts.output_tokens = counts.output_tokens or 0
  return counts
end

--- Raise that nothing was answered.
function embeddings.none()
  fault.raise("invalid_response", "The provider's answer holds no embeddings.")
end

--- A whole answer: the only kind there is.
function embeddings.decode(doc, reply)
  if doc:type("data") ~= "array" then
    local problem = doc:type("error")
    if problem and problem ~= "null" then chat_errors.raise(doc:decode()) end
    embeddings.none()
  end
  reply:usage(counted(doc))
  local id, model = doc:at("id", "model")
  local wanted = reply.call.wants_base64
  if wanted and type(doc:at("data.0.embedding")) == "table" then doc = in_base64(doc) end
  reply:ready_as(doc, { id = text_of(id), model = text_of(model) })
end

local ONE, ALL = { "object", "index", "embedding" }, { "object", "data", "model", "usage" }

--- Answer with vectors that were made elsewhere: what each is written as, and the input's
--- tokens where somebody counted them.
function embeddings.say(reply, model, vectors, n)
  local data = json.array {}
  for i, vector in ipairs(vectors) do
    data[i] = json.object(ONE, { object = "embedding", index = i - 1, embedding = vector })
  end
  reply:usage { input_tokens = n, output_tokens = 0 }
  n = n or reply.call.input_tokens
  reply:ready_as(json.encode(json.object(ALL, {
    object = "list", data = data, model = model,
    usage = json.object({ "prompt_tokens" }, { prompt_tokens = n, total_tokens = n }),
  })), { model = model })
end

return embeddings
