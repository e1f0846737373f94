-- OpenAI: https://platform.openai.com/docs/api-reference/chat

local chat = require "lib.chat"

local function headers(dep)
  local out = chat.bearer(dep)
  out["openai-organization"] = dep.provider.organization
  out["openai-project"] = dep.provider.project
  return out
end

return require("providers.openai_compatible"):with {
  base_url        = "https://api.openai.com/v1",
  headers         = headers,
  keeps           = {}, -- what it does not know, it refuses
  max_tokens_name = "max_completion_tokens", -- reasoning models refuse the older name
  beside          = {
    "moderations", "images", "image_edits", "image_variations", "speech", "transcriptions",
    "translations", "files", "batches",
  },
  responses       = "/responses",
  responses_only  = { "codex", "-pro", "deep-research", "computer-use" }, -- the models' pages
  fields          = { organization = { type = "string" }, project = { type = "string" } },
}
