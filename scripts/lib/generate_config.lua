-- Gemini's generationConfig as the members of a chat's body.

local chat = require "lib.chat"
local json = require "engine.json"
local notes = require "lib.notes"
local schema = require "lib.schema"
local spelling = require "lib.spelling"

local config = {}

local of = spelling.of

-- Members that a chat has under another name.
local SAME = {
  maxOutputTokens = "max_tokens", temperature = "temperature", topP = "top_p", topK = "top_k",
  seed = "seed", presencePenalty = "presence_penalty", frequencyPenalty = "frequency_penalty",
}
local HINTS = { mediaResolution = true, enableAffectiveDialog = true }
local READ = {
  candidateCount = true, responseJsonSchema = true, responseMimeType = true,
  responseModalities = true, responseSchema = true, stopSequences = true,
  thinkingConfig = true, _responseJsonSchema = true,
}
-- Nothing is asked for by these.
local NEUTRAL = { responseLogprobs = false, logprobs = 0 }

--- What a client wrote where a chat's member is named.
config.WORDS = {
  stop = "generationConfig.stopSequences", tool_choice = "toolConfig",
  reasoning_effort = "generationConfig.thinkingConfig",
  response_format = "generationConfig.responseSchema",
}
for name, member in pairs(SAME) do config.WORDS[member] = "generationConfig." .. name end

-- Thinking -----------------------------------------------------------------------

local LEVELS = { MINIMAL = "minimal", LOW = "low", MEDIUM = "medium", HIGH = "high" }

-- As much as the model likes where nothing, or -1, is said.
local function effort(thinking)
  if thinking == nil then return nil end
  notes.check_object(thinking, "generationConfig.thinkingConfig", "`thinkingConfig`")
  local level, budget = of(thinking, "thinkingLevel"), of(thinking, "thinkingBudget")
  if type(level) == "string" then return LEVELS[level:upper()] end
  if type(budget) ~= "number" or budget < 0 then return nil end
  if budget == 0 then return "none" end
  return budget < 2048 and "low" or budget < 8192 and "medium" or "high"
end

-- Shapes -------------------------------------------------------------------------

local function shape_of(wanted)
  local plain = of(wanted, "responseJsonSchema") or of(wanted, "_responseJsonSchema")
  if plain ~= nil then return plain end
  local subset = of(wanted, "responseSchema")
  return subset ~= nil and schema.plain(subset) or nil
end

local function format(wanted, where)
  local at = "generationConfig.responseMimeType"
  local kind = of(wanted, "responseMimeType")
  if kind == nil or kind == "text/plain" or kind == "" then return nil end
  if kind ~= "application/json" then
    return notes.unfit(where, at, "answers in text or in JSON only.")
  end
  local shape = shape_of(wanted)
  if shape == nil then return { type = "json_object" } end
  return json.object({ "type", "json_schema" }, {
    type = "json_schema",
    json_schema = json.object({ "name", "schema" }, { name = "answer", schema = shape }),
  })
end

local function stop(list)
  if list == nil then return nil end
  if not json.is_array(list) then
    notes.broken("generationConfig.stopSequences", "`stopSequences` is a list.")
  end
  return #list > 0 and list or nil
end

-- Kinds of answers, and how many ---------------------------------------------------

local function is_text_only(list)
  return #list == 0 or #list == 1 and type(list[1]) == "string" and list[1]:upper() == "TEXT"
end

local function look_at_answer(wanted, where)
  local kinds = of(wanted, "responseModalities")
  if kinds ~= nil and not is_text_only(chat.table_or_empty(kinds)) then
    notes.unfit(where, "generationConfig.responseModalities", "answers with text only.")
  end
  local n = of(wanted, "candidateCount")
  if n ~= nil and n ~= 1 then
    notes.unfit(where, "generationConfig.candidateCount", "gives one candidate only.")
  end
end

local function look_at_members(wanted, where)
  local names = {}
  for name in pairs(wanted) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for _, name in ipairs(names) do
    local first, value = spelling.first(name), wanted[name]
    local known = SAME[first] or READ[first] or READ[name]
    if value ~= json.null and not known and NEUTRAL[first] ~= value then
      local at = "generationConfig." .. name
      if HINTS[first] then
        notes.hint(where, at)
      else
        notes.unread(where, name, at)
      end
    end
  end
end

--- The members of a chat's body; what has no counterpart is noted in `where`.
function config.read(wanted, where)
  if wanted == nil then return {} end
  notes.check_object(wanted, "generationConfig", "`generationConfig`")
  look_at_members(wanted, where)
  look_at_answer(wanted, where)
  local out = {
    stop = stop(of(wanted, "stopSequences")), response_format = format(wanted, where),
    reasoning_effort = effort(of(wanted, "thinkingConfig")),
  }
  for name, member in pairs(SAME) do
    local value = of(wanted, name)
    if value ~= nil then
      if type(value) ~= "number" then
        notes.broken("generationConfig." .. name, "It is a number.")
      end
      out[member] = value
    end
  end
  return out
end

return config
