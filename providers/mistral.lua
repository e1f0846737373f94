-- Mistral: https://docs.mistral.ai/api. What is not in client-python's types is a 422 (but for
-- stream_options, as recorded); a thought is a part of the content.
return require("providers.openai_compatible"):with {
  base_url = "https://api.mistral.ai/v1",
  keeps    = {}, fields = {}, completions = false,
  beside   = { "moderations", "speech", "transcriptions", "ocr" },
  quirks   = {
    rename = { max_completion_tokens = "max_tokens", seed = "random_seed" },
    drop = { "store", "user", "service_tier", "logit_bias", "safety_identifier", "verbosity" },
    roles = { developer = "system" }, call_ids = 9, -- 400, code 3280: nearai/ironclaw#1241
    message = {
      reasoning_content = false, name = false, refusal = "content", annotations = false,
    },
  },
}
