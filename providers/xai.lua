-- xAI: https://docs.x.ai/docs/api-reference. A wrong key is a 400; reasoning tokens are counted
-- beside completion_tokens; costs are ten-billionths of a dollar (all as recorded).

return require("providers.openai_compatible"):with {
  base_url = "https://api.x.ai/v1",
  embeddings = false, responses = "/responses", -- kept for 30 days
  fields   = {}, beside = { "images", "image_edits" },
  keeps    = {},
  quirks   = { cost = { at = "usage.cost_in_usd_ticks", nano = 0.1 } },
}
