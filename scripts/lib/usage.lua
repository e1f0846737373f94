-- Token counts: one shape for all providers, merged piece by piece.
--
-- input_tokens is the whole prompt: cached tokens, read and written, and what of the rest was
-- sound or images (audio_input_tokens, image_input_tokens) are parts of it, none of another.
-- cache_write_tokens includes those written for an hour (cache_write_1h_tokens). output_tokens
-- is the whole answer: reasoning_tokens, audio_output_tokens and image_output_tokens are parts.
--
-- Beside them: service_tier, as the provider names what it served ("flex", "batch", "default");
-- units, what else is billed by number: { web_search = 2 }; and cost_nano, where a provider
-- says itself what the answer cost. `billed` is what a provider charges of the tokens, where it
-- says that apart: { input_tokens, output_tokens }. Answers that are no text have `by`, what
-- there was of each thing that some sell (lib/bill_by.lua): { image = 2 }, of the `kind`
-- "high_1024x1024", and `guess`, what was not said but must have been.

local usage = {}

local FIELDS = {
  "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
  "cache_write_1h_tokens", "reasoning_tokens",
}
local MEDIA = {
  "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
}
local MOST = 2 ^ 40 -- no answer comes near it, and no sum of rows passes 2^63 for it

-- A number that can be a count, and whether it was another one; nil where none can be had.
local function count(value)
  if type(value) ~= "number" or value ~= value or value < 0 then return nil, true end
  if value > MOST then return MOST, true end
  local whole = math.floor(value)
  return whole, whole ~= value
end

local function merge(total, piece, fields)
  for i = 1, #fields do
    local name = fields[i]
    local value = piece[name]
    if value ~= nil then
      local n, odd = count(value)
      total[name] = n or total[name]
      if odd then total.odd = true end
    end
  end
end

local function has_media(piece)
  return piece.audio_input_tokens or piece.audio_output_tokens or piece.image_input_tokens
    or piece.image_output_tokens
end

--- Add what a provider said to what it said before: the last number for a field stands.
--- A count that cannot be one sets `total.odd`: what is too large or a fraction is clamped;
--- what is negative or text was not said, so that it is estimated and nothing is free for it.
function usage.merge(total, piece)
  merge(total, piece, FIELDS)
  if has_media(piece) then merge(total, piece, MEDIA) end
  total.service_tier = piece.service_tier or total.service_tier
  total.units = piece.units or total.units
  total.cost_nano = piece.cost_nano or total.cost_nano
  total.billed = piece.billed or total.billed
  if piece.by then total.by, total.guess, total.kind = piece.by, piece.guess, piece.kind end
  return total
end

--- The counts of one piece made safe, in place: for a table that nobody else holds.
function usage.safe(piece)
  if has_media(piece) then return usage.merge({}, piece) end
  for i = 1, #FIELDS do
    local value = piece[FIELDS[i]]
    if value ~= nil and not (value >= 0 and value <= MOST and value % 1 == 0) then
      return usage.merge({}, piece)
    end
  end
  return piece
end

--- What counts together cannot be: a part that is more than the whole.
function usage.check(total)
  local output, reasoning = total.output_tokens, total.reasoning_tokens
  if output and reasoning and reasoning > output then
    total.reasoning_tokens, total.odd = output, true
  end
end

local function known(value)
  if type(value) == "number" then return value end
  if type(value) == "string" or type(value) == "table" then return -1 end -- flagged, not said
  return nil
end

local function details(value)
  return type(value) == "table" and value or {}
end

-- Some count reasoning beside completion_tokens: the total tells.
local function beside(input, output, total, reasoning)
  return reasoning and reasoning > 0 and input and output
    and total == input + output + reasoning
end

-- Others count cached tokens beside prompt_tokens: more of them than there are tells.
local function apart(input, read, write)
  return input and input >= 0 and (read or 0) + (write or 0) > input
end

-- The counts in our shape.
local function shape(input, output, total, read, write, reasoning)
  if beside(input, output, total, reasoning) then output = output + reasoning end
  if (read or write) and apart(input, read, write) then
    input = input + (read or 0) + (write or 0)
  end
  return {
    input_tokens = input, output_tokens = output, reasoning_tokens = reasoning,
    cache_read_tokens = read, cache_write_tokens = write,
  }
end

local function is_some(value) return value ~= nil and value ~= 0 end

-- Sound and images, read and made: few answers hold any.
local function add_media(out, heard, seen, said, drawn)
  out.audio_input_tokens, out.image_input_tokens = known(heard), known(seen)
  out.audio_output_tokens, out.image_output_tokens = known(said), known(drawn)
end

--- OpenAI's `usage` object in our shape.
function usage.from_openai(u)
  local prompt, answer = details(u.prompt_tokens_details), details(u.completion_tokens_details)
  local out = shape(known(u.prompt_tokens), known(u.completion_tokens), u.total_tokens,
    known(prompt.cached_tokens) or known(u.prompt_cache_hit_tokens) or known(u.cached_tokens)
      or known(u.cache_read_input_tokens),
    known(prompt.cache_write_tokens) or known(u.cache_creation_input_tokens),
    known(answer.reasoning_tokens))
  local heard, seen = prompt.audio_tokens, prompt.image_tokens
  local said, drawn = answer.audio_tokens, answer.image_tokens
  if is_some(heard) or is_some(seen) or is_some(said) or is_some(drawn) then
    add_media(out, heard, seen, said, drawn)
  end
  return out
end

-- Where some count what was read from a cache.
local function cached_elsewhere(doc)
  local hit, cached, read = doc:at("usage.prompt_cache_hit_tokens", "usage.cached_tokens",
    "usage.cache_read_input_tokens")
  return known(hit) or known(cached) or known(read)
end

--- The same, read from a whole answer without decoding it; nil where it has none.
function usage.from_doc(doc)
  if doc:type("usage") ~= "object" then return nil end
  local input, output, total, read, write, made, heard, seen, thought, said, drawn = doc:at(
    "usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens",
    "usage.prompt_tokens_details.cached_tokens",
    "usage.prompt_tokens_details.cache_write_tokens", "usage.cache_creation_input_tokens",
    "usage.prompt_tokens_details.audio_tokens", "usage.prompt_tokens_details.image_tokens",
    "usage.completion_tokens_details.reasoning_tokens",
    "usage.completion_tokens_details.audio_tokens",
    "usage.completion_tokens_details.image_tokens")
  read, write = known(read) or cached_elsewhere(doc), known(write) or known(made)
  local out = shape(known(input), known(output), total, read, write, known(thought))
  if is_some(heard) or is_some(seen) or is_some(said) or is_some(drawn) then
    add_media(out, heard, seen, said, drawn)
  end
  return out
end

return usage
