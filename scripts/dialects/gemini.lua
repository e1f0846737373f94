-- Gemini's generateContent as clients send it: what is checked before anybody is called, and
-- what becomes of a body where a provider does not speak it. The model's name and what is
-- wanted of it stand in the path (pipeline/ingress.lua).

local checks = require "dialects.checks"
local face = require "lib.chat_face"
local json = require "engine.json"
local passing = require "lib.generate_pass"
local request = require "lib.generate_request"
local writer = require "dialects.gemini_writer"

local gemini = { name = "gemini", writer = writer }

local refuse = checks.others

local NAME_MOST = 256 -- bytes
local CONTENTS = {
  name = "contents", kinds = { array = true, object = true },
  wanted = "is required: a list of contents", wrong = "must be an array",
}

-- The model ------------------------------------------------------------------------

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- What came in a path may become part of another: nothing beside letters, digits and a few
-- marks.
local function model_of(call)
  local name = unescaped(call.model_id):gsub("^models/", "")
  local odd = name:find("[^%w%._:/@+~-]") or name:find("..", 1, true)
  if name == "" or #name > NAME_MOST or odd then
    refuse("invalid_value", "model",
      "a model's name in a path has letters, digits and . _ : / @ + ~ - only")
  end
  return name
end

--- For what else stands in such a path.
gemini.model_of = model_of

-- The body -------------------------------------------------------------------------

-- Members have two names each; neither may be there in other letters, nor both.
local function check_spelling(doc)
  checks.spelling(refuse, doc:alike("model", "contents", "tools"))
  for _, pair in ipairs {
    { "generationConfig", "generation_config" }, { "serviceTier", "service_tier" },
    { "systemInstruction", "system_instruction" },
  } do
    if doc:type(pair[1]) and doc:type(pair[2]) then
      refuse("duplicate_parameter", pair[1], "came under both of its names")
    end
    if not doc:type(pair[1]) and doc:alike(pair[1]:lower()) or doc:alike(pair[2]) then
      refuse("invalid_value", pair[1], "must be written like this")
    end
  end
end

local function config_of(doc)
  local name = doc:type("generation_config") and "generation_config" or "generationConfig"
  local config = doc:get(name)
  if config == nil or config == json.null then return {} end
  if type(config) ~= "table" or json.is_array(config) then
    refuse("invalid_type", "generationConfig", "must be an object")
  end
  return config
end

local COUNTS = { maxoutputtokens = "maxOutputTokens", candidatecount = "candidateCount" }
local SPELLED = {
  maxOutputTokens = true, max_output_tokens = true, candidateCount = true,
  candidate_count = true,
}

-- The two numbers that are reserved for, whichever way they are written.
local function limits_of(doc)
  local found = {}
  for name, value in pairs(config_of(doc)) do
    local first = type(name) == "string" and COUNTS[name:gsub("_", ""):lower()]
    if first and (found[first] ~= nil or not SPELLED[name]) then
      refuse("invalid_value", "generationConfig." .. first, "must be written like this, once")
    end
    if first and value ~= json.null then found[first] = value end
  end
  checks.count(refuse, found.maxOutputTokens, "generationConfig.maxOutputTokens", 0,
    checks.TOKENS_MOST)
  checks.count(refuse, found.candidateCount, "generationConfig.candidateCount", 1,
    checks.CHOICES_MOST)
  return found.maxOutputTokens, found.candidateCount
end

local ALT = { [""] = "json", json = "json", sse = "sse", media = "json" }

-- How a stream is wanted: as events, or as one array.
local function alt_of(query)
  local value = ("&" .. (query or "")):match("&%$?alt=([^&;%%]*)") or ""
  local alt = ALT[value]
  if not alt then refuse("invalid_value", "alt", "a stream is `alt=sse`, or one JSON array") end
  return alt
end

--- Read what the gateway needs of a body into the call; raises what a client must mend.
function gemini.read(call)
  local doc = call.doc
  call.model = model_of(call)
  check_spelling(doc)
  checks.filled(refuse, doc, CONTENTS)
  local most, candidates = limits_of(doc)
  call.output_limit, call.choices = most or false, candidates or 1
  call.stream = call.verb == "streamGenerateContent"
  call.as_array = call.stream and alt_of(call.request.query) ~= "sse"
end

--- The same of a body whose tokens are counted only.
function gemini.read_count(call)
  call.model = model_of(call)
  if call.doc:type("generateContentRequest") == "object" then return end
  checks.filled(refuse, call.doc, CONTENTS)
end

--- The body as a chat's, and what to note of it (lib/generate_request.lua).
gemini.decode = request.decode
--- The chat as a document for one deployment of OpenAI's dialect.
gemini.document = face.document
--- What a deployment cannot be told: dropped and named, or refused.
gemini.fit = face.fit
--- Where a body of this dialect says how long its answer may be.
gemini.limit_path = passing.limit_path

return gemini
