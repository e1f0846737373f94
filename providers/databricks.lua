-- Databricks: https://docs.databricks.com/machine-learning/foundation-model-apis/api-reference.
-- `host` is the workspace's. Errors are { error_code, message }.

return require("providers.openai_compatible"):with {
  base_url = "https://{host}/serving-endpoints",
  fields   = { host = { type = "string" } },
  needs    = { "host", "base_url" },
  keeps    = {}, -- lib/chat_face.lua
  quirks   = {
    rename = { max_completion_tokens = "max_tokens" }, -- the docs list only that
    stream_options = "refused", -- 400, unknown field: continuedev/continue#12936
  },
}
