-- Together: https://github.com/togethercomputer/openapi. Some models end with "eos"; a stream's
-- counts come only where they were asked for (as recorded).

return require("providers.openai_compatible"):with {
  base_url = "https://api.together.ai/v1",
  fields   = {},
  beside   = { "rerank", "images", "speech", "transcriptions", "translations" },
  prices   = "together_ai",
  quirks   = { rename = { max_completion_tokens = "max_tokens" } }, -- the docs list only that
}
