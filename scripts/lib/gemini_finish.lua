-- Why an answer ended: Gemini's words and OpenAI's.

local finish = {}

local READ = {
  STOP = "stop", MAX_TOKENS = "length", FINISH_REASON_UNSPECIFIED = "stop",
  MALFORMED_FUNCTION_CALL = "stop", UNEXPECTED_TOOL_CALL = "stop",
  TOO_MANY_TOOL_CALLS = "stop", MALFORMED_RESPONSE = "stop", CONTINUATION = "stop",
  [0] = "stop", [1] = "stop", [2] = "length", -- where enums are asked for as numbers
}
local WRITTEN = { length = "MAX_TOKENS", content_filter = "SAFETY" }

--- finish_reason for a finishReason; calls of tools end with STOP there.
function finish.read(reason, has_tools)
  local word = READ[reason] or "content_filter"
  return word == "stop" and has_tools and "tool_calls" or word
end

--- OpenAI's in Gemini's words.
function finish.written(reason)
  return WRITTEN[reason] or "STOP"
end

return finish
