-- Anthropic's Messages, whole or streamed.

local meaning = require "support.meaning"

local given, add, as_table = meaning.given, meaning.add, meaning.table

local anthropic = {}

local FINISH = {
  end_turn = "stop", stop_sequence = "stop", max_tokens = "length", tool_use = "tool_calls",
  refusal = "content_filter", pause_turn = "stop", model_context_window_exceeded = "length",
}

-- Later words on a count stand.
local function usage_of(out, seen, usage)
  for name, value in pairs(as_table(given(usage))) do
    if value ~= require("cjson").null then seen[name] = value end
  end
  if not seen.input_tokens then return end
  local cached = seen.cache_read_input_tokens or 0
  out.prompt = seen.input_tokens + cached + (seen.cache_creation_input_tokens or 0)
  out.completion, out.cached = seen.output_tokens, cached
  out.reasoning = as_table(seen.output_tokens_details).thinking_tokens
end

local function block_of(out, block)
  if block.type == "text" then add(out, "text", block.text) end
  if block.type == "thinking" then add(out, "thought", block.thinking) end
  if block.type ~= "tool_use" then return end
  out.calls[#out.calls + 1] = { name = block.name, input = block.input, arguments = "" }
end

local DELTAS = {
  text_delta = function(out, delta) add(out, "text", delta.text) end,
  thinking_delta = function(out, delta) add(out, "thought", delta.thinking) end,
  input_json_delta = function(out, delta, seen)
    if seen.kind ~= "tool_use" then return end
    local call = out.calls[#out.calls]
    call.arguments = call.arguments .. delta.partial_json
    if call.arguments ~= "" then call.input = nil end
  end,
}

local EVENTS = {
  message_start = function(out, event, seen) usage_of(out, seen, event.message.usage) end,
  content_block_start = function(out, event, seen)
    seen.kind = event.content_block.type
    block_of(out, event.content_block)
  end,
  content_block_delta = function(out, event, seen)
    local read = DELTAS[event.delta.type]
    if read then read(out, event.delta, seen) end
  end,
  message_delta = function(out, event, seen)
    out.finish = FINISH[given(event.delta.stop_reason)] or out.finish
    usage_of(out, seen, event.usage)
  end,
  message = function(out, message, seen)
    for _, block in ipairs(message.content) do block_of(out, block) end
    out.finish = FINISH[given(message.stop_reason)]
    usage_of(out, seen, message.usage)
  end,
}

function anthropic.read(bytes)
  local out, seen = meaning.new(), {}
  for _, piece in ipairs(meaning.pieces(bytes)) do
    if EVENTS[piece.type] then EVENTS[piece.type](out, piece, seen) end
  end
  return out
end

return anthropic
