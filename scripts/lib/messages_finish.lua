-- Why an answer ended: Anthropic's words and OpenAI's.

local finish = {}

local READ = {
  end_turn = "stop", stop_sequence = "stop", pause_turn = "stop", max_tokens = "length",
  model_context_window_exceeded = "length", tool_use = "tool_calls",
  refusal = "content_filter",
}
local WRITTEN = {
  stop = "end_turn", length = "max_tokens", tool_calls = "tool_use",
  function_call = "tool_use", content_filter = "refusal",
}

--- Anthropic's reason in OpenAI's words.
function finish.read(reason)
  return READ[reason] or "stop"
end

--- OpenAI's in Anthropic's.
function finish.written(reason)
  return WRITTEN[reason] or "end_turn"
end

return finish
