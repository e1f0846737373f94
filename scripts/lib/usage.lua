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

local function known(value)
  if type(value) == "number" then return value end
  if type(value) == "string" or type(value) == "table" then return -1 end -- clamped and flagged
  return nil
end

local function details(value)
  return type(value) == "table" and value or {}
end

--- OpenAI's `usage` object in our shape.
function usage.from_openai(u)
  local input, output = known(u.prompt_tokens), known(u.completion_tokens)
  local prompt = details(u.prompt_tokens_details)
  local reasoning = known(details(u.completion_tokens_details).reasoning_tokens)
  -- Some count reasoning beside completion_tokens (xAI): the total tells.
  if reasoning and reasoning > 0 and input and output
    and u.total_tokens == input + output + reasoning then
    output = output + reasoning
  end
  return {
    input_tokens = input, output_tokens = output, reasoning_tokens = reasoning,
    cache_read_tokens = known(prompt.cached_tokens) or known(u.prompt_cache_hit_tokens)
      or known(u.cached_tokens),
    cache_write_tokens = known(prompt.cache_write_tokens),
  }
end

return usage
