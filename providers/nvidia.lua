-- NVIDIA NIM, hosted: https://docs.api.nvidia.com/nim/reference. A NIM of one's own: base_url.
-- Errors are problem details: { type, title, status, detail }.

return require("providers.openai_compatible"):with {
  base_url = "https://integrate.api.nvidia.com/v1",
  fields   = {},
  prices   = "nvidia_nim",
  quirks   = { rename = { max_completion_tokens = "max_tokens" } }, -- the docs list only that
}
