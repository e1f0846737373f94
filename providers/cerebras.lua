-- Cerebras: https://inference-docs.cerebras.ai/resources/openai. Streams end without [DONE] (as
-- recorded); errors are { message, type, param, code } without an `error` around them.

return require("providers.openai_compatible"):with {
  base_url = "https://api.cerebras.ai/v1",
  fields   = {},
  keeps    = { reasoning_content = true },
  quirks   = { -- all are 400s there: the docs above, hexdocs.pm/req_llm/cerebras.html
    drop    = {
      "frequency_penalty", "presence_penalty", "logit_bias", "service_tier", "store",
    },
    message = { reasoning_content = "reasoning" }, -- wrong_api_format: QwenLM/qwen-code#11045
  },
}
