-- DeepSeek: https://api-docs.deepseek.com. Sends empty lines and comments while one waits;
-- cached tokens are prompt_cache_hit_tokens too; finish_reason insufficient_system_resource is
-- an answer that it broke off. …/guides/responses_api, …/guides/anthropic_api: nothing is kept.

return require("providers.openai_compatible"):with {
  base_url = "https://api.deepseek.com",
  embeddings = false, completions = false,
  responses = "/responses", messages = "/anthropic/v1/messages", forgets = true,
  fields   = {},
  keeps    = { reasoning_content = true },
  quirks   = {
    rename = { max_completion_tokens = "max_tokens" }, -- the docs list only that
    roles  = { developer = "system" },                 -- 400: earendil-works/pi#1048
  },
}
