-- Why an answer ended, in OpenAI's words, where a server has words of its own. Clients of the
-- same dialect get the bytes as they came; rows and clients of other dialects get these.

local finish = {}

local AS = {
  -- text-generation-inference (behind Hugging Face), Together
  eos = "stop", eos_token = "stop", stop_sequence = "stop",
  -- servers that pass on what the model's maker says: Databricks, gateways
  end_turn = "stop", max_tokens = "length", tool_use = "tool_calls", refusal = "content_filter",
  -- Mistral: the model's context, not the wish, was the limit
  model_length = "length",
  sensitive = "content_filter", -- Z.ai's models, wherever they are served
}

-- These are no ends: the server broke off.
local FAILED = {
  error = "server_error",                    -- Mistral, OpenRouter
  abort = "server_error",                    -- vLLM
  insufficient_system_resource = "overloaded", -- DeepSeek
  network_error = "server_error",            -- Z.ai
}

--- The reason in OpenAI's words; one that nobody knows stays as it is.
function finish.of(reason)
  return reason and (AS[reason] or reason)
end

--- The kind of fault behind a reason that is no end; nil where it is one.
function finish.failure(reason)
  return type(reason) == "string" and FAILED[reason] or nil
end

return finish
