-- Hugging Face's router: https://huggingface.co/docs/inference-providers. Models are called
-- org/name or org/name:provider; who serves them ends streams without [DONE] (as recorded).
-- Responses: …/inference-providers/guides/responses-api.

return require("providers.openai_compatible"):with {
  base_url = "https://router.huggingface.co/v1",
  embeddings = false, completions = false, responses = "/responses", forgets = true,
  fields   = {},
}
