-- Groq: https://console.groq.com/docs/openai. Counts may stand in x_groq; errors come inside
-- streams (as recorded) or with status 498, no room in the flex tier.

return require("providers.openai_compatible"):with {
  base_url = "https://api.groq.com/openai/v1",
  embeddings = false, completions = false, responses = "/responses", forgets = true,
  keeps    = { reasoning_content = true }, fields = {},
  beside   = { "speech", "transcriptions", "translations", "files", "batches" },
  quirks   = {
    drop    = { "logit_bias" }, -- 400: the docs above
    message = { -- 400: janhq/jan#8136; the docs above; what is not in groq-python's types
      reasoning_content = "reasoning", name = false, refusal = "content", annotations = false,
    },
  },
}
