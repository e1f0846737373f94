-- llama-server, at its usual port: https://github.com/ggml-org/llama.cpp, tools/server. A full
-- context is a 400 of type exceed_context_size_error, an image it cannot fetch a 500.

return require("providers.openai_compatible"):with {
  base_url = "http://127.0.0.1:8080/v1",
  fields   = {},
  beside   = { "rerank" },
  responses = "/responses", messages = "/messages", forgets = true, -- #18486, #17570
  quirks   = { rename = { max_completion_tokens = "max_tokens" } }, -- what all versions know
}
