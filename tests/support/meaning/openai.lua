-- Chat completions, whole or streamed.

local meaning = require "support.meaning"

local given, add, as_table = meaning.given, meaning.add, meaning.table

local openai = {}

local function call_of(out, order, piece, position)
  local key = given(piece.index) or position
  local known = order[key]
  if not known then
    known = { arguments = "" }
    order[key] = known
    out.calls[#out.calls + 1] = known
  end
  local named = as_table(piece["function"])
  known.name = known.name or given(named.name)
  known.arguments = known.arguments .. (given(named.arguments) or "")
end

-- Mistral's content may be a list of thoughts and texts, Cloudflare's an object.
local function content(out, value)
  if type(value) ~= "table" then return add(out, "text", value) end
  if not value[1] then
    out.object = next(value) and value or out.object
    return
  end
  for _, part in ipairs(value) do
    add(out, "text", part.type == "text" and part.text)
    for _, thought in ipairs(as_table(part.thinking)) do add(out, "thought", thought.text) end
  end
end

-- Perplexity's chunks hold a delta and the message so far.
local function choice_of(out, order, choice, whole)
  local said = as_table(whole and choice.message or choice.delta)
  content(out, said.content)
  add(out, "refusal", said.refusal)
  add(out, "thought", given(said.reasoning_content) or given(said.reasoning))
  for i, call in ipairs(as_table(said.tool_calls)) do
    call_of(out, order, call, whole and i or 0)
  end
  out.finish = given(choice.finish_reason) or out.finish
end

local function usage_of(out, usage)
  local input = as_table(usage.prompt_tokens_details)
  local output = as_table(usage.completion_tokens_details)
  out.prompt, out.completion = usage.prompt_tokens, usage.completion_tokens
  out.cached = given(input.cached_tokens) or given(usage.prompt_cache_hit_tokens) or 0
  out.reasoning = given(output.reasoning_tokens) or given(usage.reasoning_tokens)
  out.total = given(usage.total_tokens)
end

--- What it says. Only the first choice counts.
function openai.read(bytes)
  local out, order, whole = meaning.new(), {}, bytes:find "^%s*{" ~= nil
  for _, piece in ipairs(meaning.pieces(bytes)) do
    for _, choice in ipairs(as_table(piece.choices)) do
      if (given(choice.index) or 0) == 0 then choice_of(out, order, choice, whole) end
    end
    if given(piece.usage) then usage_of(out, piece.usage) end
  end
  return meaning.settle(out, out.total)
end

return openai
