-- Token counts: one shape for all providers, merged piece by piece.
--
-- input_tokens includes cached ones, read and written; cache_write_tokens includes those
-- written for an hour (cache_write_1h_tokens); output_tokens includes reasoning_tokens.

local usage = {}

local FIELDS = {
  "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
  "cache_write_1h_tokens", "reasoning_tokens",
}
local MOST = 2 ^ 53

local function count(value)
  if type(value) ~= "number" or value ~= value or value < 0 then return 0, true end
  if value > MOST then return MOST, true end
  local whole = math.floor(value)
  return whole, whole ~= value
end

--- Add what a provider said to what it said before: the last number for a field stands.
--- A count that cannot be one (negative, a fraction, text) is clamped, and `total.odd` set.
function usage.merge(total, piece)
  for i = 1, #FIELDS do
    local name = FIELDS[i]
    local value = piece[name]
    if value ~= nil then
      local odd
      total[name], odd = count(value)
      if odd then total.odd = true end
    end
  end
  return total
end

--- The counts of one piece made safe, in place: for a table that nobody else holds.
function usage.safe(piece)
  for i = 1, #FIELDS do
    local value = piece[FIELDS[i]]
    if value ~= nil and not (value >= 0 and value <= MOST and value % 1 == 0) then
      return usage.merge({}, piece)
    end
  end
  return piece
end

local function known(value)
  if type(value) == "number" then return value end
  if type(value) == "string" or type(value) == "table" then return -1 end -- clamped and flagged
  return nil
end

local function details(value)
  return type(value) == "table" and value or {}
end

-- The counts in our shape. Some count reasoning beside completion_tokens: the total tells.
local function shape(input, output, total, read, write, reasoning)
  if reasoning and reasoning > 0 and input and output
    and total == input + output + reasoning then
    output = output + reasoning
  end
  return {
    input_tokens = input, output_tokens = output, reasoning_tokens = reasoning,
    cache_read_tokens = read, cache_write_tokens = write,
  }
end

--- OpenAI's `usage` object in our shape.
function usage.from_openai(u)
  local prompt = details(u.prompt_tokens_details)
  return shape(known(u.prompt_tokens), known(u.completion_tokens), u.total_tokens,
    known(prompt.cached_tokens) or known(u.prompt_cache_hit_tokens) or known(u.cached_tokens),
    known(prompt.cache_write_tokens),
    known(details(u.completion_tokens_details).reasoning_tokens))
end

--- The same, read from a whole answer without decoding it; nil where it has none.
function usage.from_doc(doc)
  if doc:type("usage") ~= "object" then return nil end
  local input, output, total, hit, cached, read, write, reasoning = doc:at(
    "usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens",
    "usage.prompt_cache_hit_tokens", "usage.cached_tokens",
    "usage.prompt_tokens_details.cached_tokens",
    "usage.prompt_tokens_details.cache_write_tokens",
    "usage.completion_tokens_details.reasoning_tokens")
  return shape(known(input), known(output), total, known(read) or known(hit) or known(cached),
    known(write), known(reasoning))
end

return usage
