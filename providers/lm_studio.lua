-- LM Studio, at its usual port: https://lmstudio.ai/docs/developer/openai-compat. Needs no key;
-- errors are a text: { "error": "…" }. Messages: …/docs/developer/anthropic-compat.

return require("providers.openai_compatible"):with {
  base_url = "http://127.0.0.1:1234/v1",
  fields   = {},
  responses = "/responses", messages = "/messages",
  quirks   = { rename = { max_completion_tokens = "max_tokens" } }, -- the docs list only that
}
