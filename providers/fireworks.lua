-- Fireworks: https://docs.fireworks.ai/tools-sdks/openai-compatibility. Models are called
-- accounts/fireworks/models/…; a stream's last chunk has the counts, asked for or not.
-- Responses: …/guides/response-api; Messages: …/tools-sdks/anthropic-compatibility.

return require("providers.openai_compatible"):with {
  base_url = "https://api.fireworks.ai/inference/v1",
  fields   = {},
  beside   = { "rerank" },
  responses = "/responses", messages = "/messages",
  prices   = "fireworks_ai",
  quirks   = { stream_options = "unasked" }, -- was a 400: FlowiseAI/Flowise#2866
}
