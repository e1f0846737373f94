-- Cohere's chat, version 2, whole or streamed. What it plans before it calls tools is thought.

local meaning = require "support.meaning"

local given, add, as_table = meaning.given, meaning.add, meaning.table

local cohere = {}

local FINISH = {
  COMPLETE = "stop", STOP_SEQUENCE = "stop", MAX_TOKENS = "length", TOOL_CALL = "tool_calls",
  ERROR_TOXIC = "content_filter",
}

local function usage_of(out, usage)
  local tokens = as_table(given(usage.tokens))
  out.prompt, out.completion = tokens.input_tokens, tokens.output_tokens
  out.cached = given(usage.cached_tokens) or 0
  out.reasoning = given(tokens.reasoning_tokens)
end

local function part_of(out, part)
  if type(part) ~= "table" then return add(out, "text", part) end
  add(out, "text", part.text)
  add(out, "thought", part.thinking)
end

local function call_of(out, call)
  out.calls[#out.calls + 1] = {
    name = call["function"].name, arguments = call["function"].arguments or "",
  }
end

local EVENTS = {
  ["content-start"] = function(out, message) part_of(out, message.content) end,
  ["content-delta"] = function(out, message) part_of(out, message.content) end,
  ["tool-plan-delta"] = function(out, message) add(out, "thought", message.tool_plan) end,
  ["tool-call-start"] = function(out, message) call_of(out, message.tool_calls) end,
  ["tool-call-delta"] = function(out, message)
    local call = out.calls[#out.calls]
    call.arguments = call.arguments .. message.tool_calls["function"].arguments
  end,
}

local function end_of(out, said)
  out.finish = FINISH[said.finish_reason]
  if given(said.usage) then usage_of(out, said.usage) end
end

local function whole(out, body)
  add(out, "thought", body.message.tool_plan)
  for _, part in ipairs(as_table(body.message.content)) do part_of(out, part) end
  for _, call in ipairs(as_table(body.message.tool_calls)) do call_of(out, call) end
  end_of(out, body)
end

function cohere.read(bytes)
  local out = meaning.new()
  for _, piece in ipairs(meaning.pieces(bytes)) do
    local read = EVENTS[piece.type]
    if read then read(out, piece.delta.message) end
    if piece.type == "message-end" then end_of(out, piece.delta) end
    if not piece.type then whole(out, piece) end
  end
  return out
end

return cohere
