-- GitHub Models: https://docs.github.com/en/rest/models/inference. The key is a token with the
-- permission models:read; an organisation is billed by base_url .../orgs/ORG/inference. GitHub
-- says that the service ended: https://github.com/orgs/community/discussions/203602.

return require("providers.openai_compatible"):with {
  base_url = "https://models.github.ai/inference",
  completions = false,
  ended    = "2026-07-30",
  fields   = {},
  keeps    = {},
}
