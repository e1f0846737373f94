-- Ollama, at its usual port: https://docs.ollama.com/api/openai-compatibility and
-- …/anthropic-compatibility. Needs no key; a thought is called reasoning (as recorded);
-- max_completion_tokens: ollama/ollama#7125.

return require("providers.openai_compatible"):with {
  base_url = "http://127.0.0.1:11434/v1",
  fields   = {},
  responses = "/responses", messages = "/messages", forgets = true,
  quirks   = { rename = { max_completion_tokens = "max_tokens" } },
}
