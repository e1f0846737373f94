-- GitHub Models: https://docs.github.com/en/rest/models/inference. The key is a token with the
-- permission models:read. Requests are billed to an organisation by another base_url:
-- https://models.github.ai/orgs/ORG/inference.

return require("providers.openai_compatible"):with {
  base_url = "https://models.github.ai/inference",
  fields   = {},
}
