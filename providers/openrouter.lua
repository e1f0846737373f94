-- OpenRouter: https://openrouter.ai/docs. Its own members (models, provider, plugins) pass; an
-- error may stand in a choice of a 200; streams hold comments (all as recorded). Responses and
-- Messages: …/docs/client-sdks, beta.responses and messages; it keeps none.

return require("providers.openai_compatible"):with {
  base_url = "https://openrouter.ai/api/v1",
  fields   = {},
  beside   = { "rerank", "speech" },
  responses = "/responses", messages = "/messages", forgets = true,
  quirks   = { cost = {
    at = "usage.cost", nano = 1e9, -- dollars; with the owner's own key the fee alone, so:
    if_true = "usage.is_byok", plus = "usage.cost_details.upstream_inference_cost",
  } },
}
