-- Gemini's embeddings at servers that speak OpenAI's, and at Gemini itself, as they came.

local chat_errors = require "lib.chat_errors"
local embeddings = require "lib.embeddings"
local fault = require "lib.fault"
local fit = require "lib.fit"
local json = require "engine.json"
local place = require "lib.gemini_place"

local embed = { dialect = "openai_embeddings" }  -- at OpenAI's: read as documents
local passing = { dialect = "embed_content" }    -- at Gemini
embed.passing = passing

local NULL = json.null

local function is_object(value) return type(value) == "table" and not json.is_raw(value) end

-- At OpenAI's ---------------------------------------------------------------------------------

local HINTS = { taskType = true, task_type = true, title = true }
local KNOWN = {
  model = true, content = true, outputDimensionality = true, output_dimensionality = true,
}

--- The text of a request's content; `at` is the request's place: "requests[0]."
function embed.text(one, at, call, dep)
  local content = is_object(one) and one.content
  if not is_object(content) or not is_object(content.parts) then
    fault.raise("invalid_type", "A content has parts.", { param = at .. "content" })
  end
  local out = {}
  for i, part in ipairs(content.parts) do
    if not is_object(part) or type(part.text) ~= "string" then
      fit.refuse(call, dep, ("%scontent.parts[%d]"):format(at, i - 1), "takes texts only.")
    else
      out[#out + 1] = part.text
    end
  end
  return table.concat(out)
end

local function note_members(one, at, call, dep)
  for name, value in pairs(one) do
    if HINTS[name] then
      call:drop(at .. name)
    elseif not KNOWN[name] and value ~= NULL then
      fit.refuse(call, dep, at .. name, "does not take it.")
    end
  end
end

local function size_of(one)
  local size = one.outputDimensionality or one.output_dimensionality
  return size ~= NULL and size or nil
end

--- The body for `dep`: a text, or a list of them of one size.
function embed.encode(call, dep)
  local body = call.doc:decode()
  local list = call.doc:type("requests") == "array" and body.requests or nil
  local texts, size = json.array {}, nil
  for i, one in ipairs(list or { body }) do
    local at = list and ("requests[%d]."):format(i - 1) or ""
    texts[i] = embed.text(one, at, call, dep)
    note_members(one, at, call, dep)
    if i > 1 and size_of(one) ~= size then
      fit.refuse(call, dep, at .. "outputDimensionality",
        "makes vectors of one size at a time.")
    end
    size = size_of(one)
  end
  return json.object({ "model", "input", "dimensions" }, {
    model = dep.deployment or dep.model, input = list and texts or texts[1], dimensions = size,
    encoding_format = "float",
  })
end

local function counted(usage)
  if not is_object(usage) then return nil end
  local n = usage.prompt_tokens or usage.total_tokens
  return type(n) == "number" and n or nil
end

local function values_of(one)
  if is_object(one) and json.is_raw(one.embedding)
    and json.text(one.embedding):sub(1, 1) == "[" then
    return { values = one.embedding }
  end
  embeddings.none()
end

--- Say vectors in Gemini's words.
function embed.say(reply, list, n)
  local call = reply.call
  local body = call.doc:type("requests") == "array" and { embeddings = json.array(list) }
    or { embedding = list[1] }
  reply:usage { input_tokens = n, output_tokens = 0 }
  n = n or call.input_tokens
  body.usageMetadata = { promptTokenCount = n, totalTokenCount = n }
  reply:ready_as(json.encode(body), { model = call.dep.model })
end

--- The answer in Gemini's words, each number as it was written.
function embed.decode(doc, reply)
  local body = doc:decode { raw = { embedding = true } }
  if is_object(body.error) then chat_errors.raise(body) end
  local list = {}
  for i, one in ipairs(is_object(body.data) and body.data or {}) do list[i] = values_of(one) end
  if #list == 0 then values_of(nil) end
  embed.say(reply, list, counted(body.usage))
end

-- At Gemini -----------------------------------------------------------------------------------

--- The call as it came, but for the model's name, which each of its requests says again.
function passing.encode(call, dep)
  local doc, name, edits = call.doc, place.name(dep), {}
  if doc:type("requests") == "array" then
    local list = json.decode(doc:raw("requests"), { ordered = true })
    local other = false
    for _, one in ipairs(list) do
      if is_object(one) and one.model ~= name then one.model, other = name, true end
    end
    if other then edits.requests = list end
  elseif doc:type("model") and doc:get("model") ~= name then
    edits.model = name
  end
  return next(edits) and doc:splice(edits) or doc
end

function passing.path(dep, call)
  local many = call.doc:type("requests") == "array"
  return place.path(dep, many and ":batchEmbedContents" or ":embedContent")
end

--- A whole answer, as it came.
function passing.decode(doc, reply)
  local one, many = doc:type("embedding"), doc:type("embeddings")
  if one ~= "object" and many ~= "array" then
    if doc:type("error") == "object" then chat_errors.raise(doc:decode()) end
    embeddings.none()
  end
  local n = doc:at("usageMetadata.promptTokenCount")
  reply:usage { input_tokens = type(n) == "number" and n or nil, output_tokens = 0 }
  reply:ready_as(doc, { model = reply.call.dep.model })
end

return embed
