-- Cerebras: https://inference-docs.cerebras.ai/resources/openai. Streams end without [DONE] (as
-- recorded); errors are { message, type, param, code } without an `error` around them.

return require("providers.openai_compatible"):with {
  base_url = "https://api.cerebras.ai/v1",
  embeddings = false,
  fields   = {},
  keeps    = { reasoning_content = true },
  quirks   = { -- 400, QwenLM/qwen-code#11045: what is not in cerebras-cloud-sdk-python's types
    drop    = { "store", "metadata", "prompt_cache_key", "safety_identifier", "verbosity" },
    message = { reasoning_content = "reasoning", refusal = "content", annotations = false },
  },
}
