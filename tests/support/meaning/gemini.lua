-- Gemini's generateContent: whole, as events, or as one array.

local meaning = require "support.meaning"

local given, add, as_table = meaning.given, meaning.add, meaning.table

local gemini = {}

local FINISH = {
  STOP = "stop", MAX_TOKENS = "length", MALFORMED_FUNCTION_CALL = "stop",
  [1] = "stop", [2] = "length", -- where enums were asked for as numbers
}

local function part_of(out, part)
  if type(part.functionCall) == "table" then
    local call = part.functionCall
    out.calls[#out.calls + 1] = {
      name = call.name, input = as_table(given(call.args)), arguments = "",
    }
    return
  end
  add(out, part.thought == true and "thought" or "text", given(part.text))
end

local function usage_of(out, usage)
  local function number(name) return given(usage[name]) or 0 end
  if given(usage.promptTokenCount) then
    out.prompt = number "promptTokenCount" + number "toolUsePromptTokenCount"
  end
  if not out.prompt and not given(usage.candidatesTokenCount) then return end
  out.completion = number "candidatesTokenCount" + number "thoughtsTokenCount"
  out.cached = number "cachedContentTokenCount"
  out.reasoning = given(usage.thoughtsTokenCount)
end

local function piece_of(out, piece)
  usage_of(out, as_table(piece.usageMetadata))
  if given(as_table(piece.promptFeedback).blockReason) then out.finish = "content_filter" end
  local candidate = as_table(as_table(piece.candidates)[1])
  for _, part in ipairs(as_table(as_table(candidate.content).parts)) do part_of(out, part) end
  local reason = given(candidate.finishReason)
  if reason then out.finish = FINISH[reason] or "content_filter" end
end

function gemini.read(bytes)
  local out = meaning.new()
  for _, piece in ipairs(meaning.pieces(bytes)) do piece_of(out, piece) end
  out.finish = meaning.finish(out)
  return out
end

return gemini
