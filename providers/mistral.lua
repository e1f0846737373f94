-- Mistral: https://docs.mistral.ai/api. Any member that it does not know is a 422; tool_choice
-- "required" and stream_options are taken, as recorded; a thought is a part of the content.

return require("providers.openai_compatible"):with {
  base_url = "https://api.mistral.ai/v1",
  keeps    = {},
  fields   = {},
  quirks   = {
    rename   = { max_completion_tokens = "max_tokens", seed = "random_seed" },
    drop     = { "store", "user", "service_tier", "logit_bias" }, -- Gitlawb/openclaude#739
    roles    = { developer = "system" },
    message  = { reasoning_content = false }, -- charmbracelet/crush#1590
    call_ids = 9,                             -- 400, code 3280: nearai/ironclaw#1241
  },
}
