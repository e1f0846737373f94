-- What usage objects say, read slowly from what the providers' documents say, apart from
-- scripts/lib/*usage.lua: each reads a decoded object, and returns counts by our names.
--
-- A count is a whole number of at least nothing, at most 2^40; what is more than that is that,
-- a fraction is cut once all is added up, and what is negative or no number was not said.

local json = require "engine.json"

local MOST = 2 ^ 40

-- What may be added up.
local function said(value)
  return type(value) == "number" and value >= 0 and value or nil
end

local function number(value)
  return said(value) and math.min(math.floor(value), MOST)
end

-- The member at a path; nil where it is not there.
local function at(object, ...)
  for i = 1, select("#", ...) do
    if type(object) ~= "table" or json.is_raw(object) then return nil end
    object = object[(select(i, ...))]
  end
  return object
end

-- The first that is a count, or that is there and none.
local function first(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    local kind = type(value)
    if kind == "number" or kind == "string" or kind == "table" then return value end
  end
  return nil
end

-- A number, be it a count or not.
local function any_number(...)
  for i = 1, select("#", ...) do
    if type((select(i, ...))) == "number" then return (select(i, ...)) end
  end
  return nil
end

local reference = {}

-- Thought beside what was said, as some count it: the total tells.
local function is_beside(u, input, output, thought)
  if type(thought) ~= "number" or thought <= 0 then return false end
  if type(input) ~= "number" or type(output) ~= "number" then return false end
  return at(u, "total_tokens") == input + output + thought
end

-- Sound and images count where any of the four is there, and not 0.
local function media(u)
  local out, any = {
    audio_input_tokens = at(u, "prompt_tokens_details", "audio_tokens"),
    image_input_tokens = at(u, "prompt_tokens_details", "image_tokens"),
    audio_output_tokens = at(u, "completion_tokens_details", "audio_tokens"),
    image_output_tokens = at(u, "completion_tokens_details", "image_tokens"),
  }, false
  for _, value in pairs(out) do any = any or value ~= 0 end
  return any and out or {}
end

-- platform.openai.com/docs/api-reference/chat/object, and what others make of it.
function reference.openai(u)
  local input, output = at(u, "prompt_tokens"), at(u, "completion_tokens")
  local read = first(at(u, "prompt_tokens_details", "cached_tokens"),
    at(u, "prompt_cache_hit_tokens"), at(u, "cached_tokens"), at(u, "cache_read_input_tokens"))
  local write = first(at(u, "prompt_tokens_details", "cache_write_tokens"),
    at(u, "cache_creation_input_tokens"))
  local thought = at(u, "completion_tokens_details", "reasoning_tokens")
  local out = { cache_read_tokens = number(read), cache_write_tokens = number(write) }
  out.reasoning_tokens = number(thought)
  if is_beside(u, input, output, thought) then output = output + thought end
  -- Cached tokens beside the prompt: there are more of them than it has.
  local cached = (said(read) or 0) + (said(write) or 0)
  if said(input) and cached > input then input = input + cached end
  out.input_tokens, out.output_tokens = number(input), number(output)
  for name, value in pairs(media(u)) do out[name] = number(value) end
  return out
end

-- docs.anthropic.com/en/api/messages: what was cached is counted beside input_tokens.
function reference.anthropic(u)
  local read = any_number(at(u, "cache_read_input_tokens"), 0)
  local long = any_number(at(u, "cache_creation", "ephemeral_1h_input_tokens"), 0)
  local short = at(u, "cache_creation", "ephemeral_5m_input_tokens")
  local written = math.max(said(at(u, "cache_creation_input_tokens")) or 0,
    (said(long) or 0) + (said(short) or 0))
  local input = said(at(u, "input_tokens"))
  return {
    input_tokens = number(input and input + (said(read) or 0) + written),
    output_tokens = number(at(u, "output_tokens")), cache_read_tokens = number(read),
    cache_write_tokens = number(written), cache_write_1h_tokens = number(long),
    reasoning_tokens = number(at(u, "output_tokens_details", "thinking_tokens")),
  }
end

local function of_kind(list, kind)
  local sum
  for i = 1, type(list) == "table" and not json.is_raw(list) and #list or 0 do
    local n = at(list, i, "modality") == kind and said(at(list, i, "tokenCount"))
    if n then sum = (sum or 0) + n end
  end
  return sum
end

local function fresh(u, kind)
  local asked = of_kind(at(u, "promptTokensDetails"), kind)
  local used = of_kind(at(u, "toolUsePromptTokensDetails"), kind)
  if not asked and not used then return nil end
  local cached = of_kind(at(u, "cacheTokensDetails"), kind) or 0
  return number(math.max(0, (asked or 0) + (used or 0) - cached))
end

-- ai.google.dev/api/generate-content#UsageMetadata: thoughts beside the candidates' tokens,
-- unless the total says otherwise.
function reference.gemini(u)
  local prompt, spoken = said(at(u, "promptTokenCount")), said(at(u, "candidatesTokenCount"))
  local thought = said(at(u, "thoughtsTokenCount")) or 0
  local input = (prompt or 0) + (said(at(u, "toolUsePromptTokenCount")) or 0)
  local whole = spoken and at(u, "totalTokenCount") == input + spoken
  local output = spoken and not whole and spoken + thought or spoken
  if not spoken and thought > 0 then output = thought end
  return {
    input_tokens = number(prompt and input), output_tokens = number(output),
    cache_read_tokens = number(any_number(at(u, "cachedContentTokenCount"), 0)),
    reasoning_tokens = number(at(u, "thoughtsTokenCount")),
    audio_input_tokens = fresh(u, "AUDIO"), image_input_tokens = fresh(u, "IMAGE"),
    audio_output_tokens = number(of_kind(at(u, "candidatesTokensDetails"), "AUDIO")),
    image_output_tokens = number(of_kind(at(u, "candidatesTokensDetails"), "IMAGE")),
  }
end

-- platform.openai.com/docs/api-reference/responses/object.
function reference.responses(u)
  local asked, made = at(u, "input_tokens_details"), at(u, "output_tokens_details")
  return {
    input_tokens = number(at(u, "input_tokens")),
    output_tokens = number(at(u, "output_tokens")),
    cache_read_tokens = number(at(asked, "cached_tokens")),
    cache_write_tokens = number(at(asked, "cache_write_tokens")),
    reasoning_tokens = number(at(made, "reasoning_tokens")),
  }
end

-- docs.cohere.com/reference/chat: `tokens` before `billed_units`.
function reference.cohere(u)
  local tokens, billed = at(u, "tokens"), at(u, "billed_units")
  local input, seen = any_number(at(tokens, "input_tokens")), at(tokens, "image_tokens")
  local output = any_number(at(tokens, "output_tokens"), at(billed, "output_tokens"))
  local out = {
    input_tokens = number(any_number(input, at(billed, "input_tokens"))),
    output_tokens = number(output),
    cache_read_tokens = number(at(u, "cached_tokens")),
    reasoning_tokens = number(at(tokens, "reasoning_tokens")),
  }
  if said(seen) and said(input) then -- what did not come from the cache
    local fresh_input = math.max(0, input - (said(at(u, "cached_tokens")) or 0))
    out.image_input_tokens = number(math.min(seen, fresh_input))
  end
  return out
end

return reference
