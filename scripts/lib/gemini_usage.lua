-- Gemini's counts in our shape (lib/usage.lua), and ours in Gemini's.

local chat = require "lib.chat"
local json = require "engine.json"

local counts = {}

-- What is negative was not said: nothing is taken away for it.
local function sane(n)
  return n and n > 0 and n or 0
end

-- Thoughts are counted apart from what is said, save where the total shows that they are not.
local function output_tokens(seen, input)
  local said, thought = seen.candidatesTokenCount, sane(seen.thoughtsTokenCount)
  if not said then return thought > 0 and thought or nil end
  if said < 0 then return said end
  return seen.totalTokenCount == input + said and said or said + thought
end

local COUNTS = {
  promptTokenCount = true, toolUsePromptTokenCount = true, cachedContentTokenCount = true,
  candidatesTokenCount = true, thoughtsTokenCount = true, totalTokenCount = true,
}
local DETAILS = {
  promptTokensDetails = true, toolUsePromptTokensDetails = true, cacheTokensDetails = true,
  candidatesTokensDetails = true,
}

-- Counts said so far, and what kinds of tokens they were; did this piece say any?
local function note(seen, said)
  local any = false
  for name, value in pairs(chat.table_or_empty(said)) do
    if COUNTS[name] and type(value) == "number" then seen[name], any = value, true end
    if DETAILS[name] then seen[name] = chat.table_or_empty(value) end
  end
  return any
end

-- How many tokens of a kind a list of details has; nil where it has none.
local function of_kind(list, kind)
  local sum
  for detail in chat.objects(list) do
    local n = detail.modality == kind and detail.tokenCount
    if type(n) == "number" and n >= 0 then sum = (sum or 0) + n end
  end
  return sum
end

-- Of the prompt, but for what came from the cache, which is billed as such.
local function fresh(seen, kind)
  local asked, used = of_kind(seen.promptTokensDetails, kind),
    of_kind(seen.toolUsePromptTokensDetails, kind)
  if not asked and not used then return nil end
  return math.max(0, (asked or 0) + (used or 0) - (of_kind(seen.cacheTokensDetails, kind) or 0))
end

local SERVICE = { ON_DEMAND_PRIORITY = "priority", ON_DEMAND_FLEX = "flex" }

-- How it was served, in the words of the API or of Vertex.
local function service(said)
  local tier = chat.table_or_empty(said).serviceTier
  if type(tier) == "string" then return tier:lower() end
  return SERVICE[chat.table_or_empty(said).trafficType]
end

-- What the model asked Google for.
local function searches(candidate, seen)
  local found = chat.table_or_empty(chat.table_or_empty(candidate).groundingMetadata)
  local queries = chat.table_or_empty(found.webSearchQueries)
  seen.searches = math.max(seen.searches or 0, #queries)
  return seen.searches > 0 and { web_search = seen.searches } or nil
end

--- What an answer, or a piece of one, says, added to what was `seen` before; nil where it says
--- nothing. Their JSON leaves zeros out: at the end, a count that is missing is one.
function counts.read(seen, body, ended)
  if not note(seen, body.usageMetadata) then return nil end
  local zero = ended and 0 or nil
  local prompt = seen.promptTokenCount or zero
  local input = sane(prompt) + sane(seen.toolUsePromptTokenCount)
  return {
    input_tokens = prompt and prompt >= 0 and input or prompt,
    output_tokens = output_tokens(seen, input) or zero,
    cache_read_tokens = seen.cachedContentTokenCount or 0,
    reasoning_tokens = seen.thoughtsTokenCount,
    audio_input_tokens = fresh(seen, "AUDIO"), image_input_tokens = fresh(seen, "IMAGE"),
    audio_output_tokens = of_kind(seen.candidatesTokensDetails, "AUDIO"),
    image_output_tokens = of_kind(seen.candidatesTokensDetails, "IMAGE"),
    service_tier = service(body.usageMetadata),
    units = searches(chat.table_or_empty(body.candidates)[1], seen),
  }
end

local ORDER = {
  "promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
  "totalTokenCount",
}

local function some(n)
  return n and n > 0 and n or nil
end

--- Our counts as Gemini says them: thoughts are no part of what the candidates said.
function counts.write(total)
  local input, output = total.input_tokens or 0, total.output_tokens or 0
  local thought = math.min(total.reasoning_tokens or 0, output)
  return json.object(ORDER, {
    promptTokenCount = input, cachedContentTokenCount = some(total.cache_read_tokens),
    candidatesTokenCount = output - thought, thoughtsTokenCount = some(thought),
    totalTokenCount = input + output,
  })
end

return counts
