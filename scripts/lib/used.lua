-- What answers beside chats say was used, in our shape (lib/usage.lua): tokens in the several
-- words there are, and `by`, what else a bill may be made of.

local used = {}

local function count(value)
  return type(value) == "number" and value or nil
end

local function inside(object, ...)
  for i = 1, select("#", ...) do
    local found = object[(select(i, ...))]
    if type(found) == "table" then return found end
  end
  return {}
end

local function nonzero(value)
  return value ~= 0 and count(value) or nil
end

--- A `usage` object's tokens: images say input_tokens_details, transcriptions
--- input_token_details, rerankers only how many there were in all.
function used.tokens(usage)
  local read = inside(usage, "input_tokens_details", "input_token_details",
    "prompt_tokens_details")
  local made = inside(usage, "output_tokens_details", "output_token_details",
    "completion_tokens_details")
  local input = count(usage.input_tokens) or count(usage.prompt_tokens)
  local output = count(usage.output_tokens) or count(usage.completion_tokens)
  if not input and count(usage.total_tokens) then
    input = usage.total_tokens - (output or 0)
  end
  if not (input or output) then return {} end
  return {
    input_tokens = input or 0, output_tokens = output or 0,
    cache_read_tokens = nonzero(read.cached_tokens),
    audio_input_tokens = nonzero(read.audio_tokens),
    image_input_tokens = nonzero(read.image_tokens),
    audio_output_tokens = nonzero(made.audio_tokens),
    image_output_tokens = nonzero(made.image_tokens),
  }
end

--- The same of a whole answer. `by` is what else its bill may be made of; where there is
--- something, and no tokens, there were none.
function used.of(doc, by)
  local usage = doc:type("usage") == "object" and doc:get("usage") or {}
  local out = used.tokens(usage)
  if by and next(by) then
    out.by, out.input_tokens, out.output_tokens =
      by, out.input_tokens or 0, out.output_tokens or 0
  end
  return out
end

return used
