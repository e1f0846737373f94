-- Workers AI: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility
-- Where JSON was asked for, content is an object (as recorded); errors are { errors: [ … ] }.

return require("providers.openai_compatible"):with {
  base_url = "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
  completions = false,
  fields   = { account = { type = "string" } },
  needs    = { "account", "base_url" },
  quirks   = { rename = { max_completion_tokens = "max_tokens" } }, -- the docs list only that
}
