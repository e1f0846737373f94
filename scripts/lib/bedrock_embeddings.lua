-- OpenAI's embeddings, and Gemini's, at Bedrock, by InvokeModel. Amazon's Titan and Cohere's
-- models have bodies of their own: model-parameters-titan-embed-text and
-- model-parameters-embed of https://docs.aws.amazon.com/bedrock/latest/userguide/.

local asked = require "lib.embeddings_asked"
local aws = require "lib.aws"
local cohere = require "lib.cohere_embeddings"
local converse = require "lib.converse_models"
local embed_content = require "lib.embed_content"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local fit = require "lib.fit"
local json = require "engine.json"
local values = require "lib.values"

local given = values.given

local function path(dep)
  return "/model/" .. aws.segment(dep.arn or dep.model) .. "/invoke"
end

local function is_titan(dep)
  return converse.name(dep.model):find("^amazon%.titan%-embed%-text") ~= nil
end

local function speaks(dep)
  return is_titan(dep) or converse.name(dep.model):find("^cohere%.embed%-") ~= nil
end

-- Titan --------------------------------------------------------------------------

-- One text is all it takes, and only newer ones make vectors of another size.
local function titan(call, dep, input, size)
  if type(input) == "table" then
    if #input > 1 then fit.refuse_here(dep, "input", "takes one text at a time.") end
    input = input[1]
  end
  if type(input) ~= "string" then fit.refuse_here(dep, "input", "takes texts, no tokens.") end
  if size and converse.name(dep.model):find("%-v1") then
    size = fit.refuse(call, dep, "dimensions", "does not take `dimensions`.")
  end
  return json.object({ "inputText", "dimensions" }, { inputText = input, dimensions = size })
end

-- The vector as it was written, and how many tokens the text had.
local function titans(doc)
  local body = doc:decode { raw = { embedding = true } }
  if not json.is_raw(body.embedding) then
    fault.raise("invalid_response", "The provider's answer holds no embedding.")
  end
  local n = body.inputTextTokenCount
  return body.embedding, type(n) == "number" and n or nil
end

-- Cohere -------------------------------------------------------------------------

-- The model is in the address.
local function without_model(body)
  body.model = nil
  return body
end

-- Its answers count nothing there; Bedrock does, in a header.
local function counting(decode)
  return function(doc, reply)
    decode(doc, reply)
    local upstream = reply.call.upstream
    local n = upstream and tonumber(upstream:header("x-amzn-bedrock-input-token-count"))
    if n then reply:usage { input_tokens = n } end
  end
end

local cohere_decode = counting(cohere.decode)
local cohere_google_decode = counting(cohere.embed_content.decode)

-- Faces --------------------------------------------------------------------------

local own = { dialect = "bedrock_embeddings", path = path, speaks = speaks }
local google = { dialect = "bedrock_embed_content", path = path, speaks = speaks }
own.embed_content = google

--- The body for `dep`.
function own.encode(call, dep)
  if not is_titan(dep) then return without_model(cohere.encode(call, dep)) end
  asked.check_members(call, dep)
  return titan(call, dep, call.doc:get("input"), given(call.doc:get("dimensions")))
end

--- The answer in OpenAI's words.
function own.decode(doc, reply)
  local dep = reply.call.dep
  if not is_titan(dep) then return cohere_decode(doc, reply) end
  local vector, n = titans(doc)
  if reply.call.wants_base64 then
    vector = embeddings.base64(json.decode(json.text(vector)))
  end
  embeddings.say(reply, dep.model, { vector }, n)
end

--- The same of Gemini's requests.
function google.encode(call, dep)
  if not is_titan(dep) then
    return without_model(cohere.embed_content.encode(call, dep))
  end
  local body = embed_content.encode(call, dep)
  return titan(call, dep, body.input, body.dimensions)
end

--- The answer in Gemini's.
function google.decode(doc, reply)
  if not is_titan(reply.call.dep) then return cohere_google_decode(doc, reply) end
  local vector, n = titans(doc)
  embed_content.say(reply, { { values = vector } }, n)
end

return own
