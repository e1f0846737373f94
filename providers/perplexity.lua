-- Perplexity: https://docs.perplexity.ai/docs/sonar/openai-compatibility. The cost it reports,
-- in each chunk so far, holds its searches; streams end without [DONE] (both as recorded).
-- Since `ended` only its Agent API is served (@ai-sdk/perplexity@2.1.0): …/docs/agent-api.

return require("providers.openai_compatible"):with {
  base_url = "https://api.perplexity.ai",
  completions = false, responses = "/v1/responses", forgets = true,
  ended    = "2026-09-27",
  fields   = {},
  quirks   = {
    rename = { max_completion_tokens = "max_tokens" }, -- the docs list only that
    roles  = { developer = "system" },                 -- the docs list four
    cost   = { at = "usage.cost.total_cost", nano = 1e9 },
  },
}
