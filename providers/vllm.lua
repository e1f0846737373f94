-- vLLM, at its usual port: https://docs.vllm.ai/en/latest/serving/online_serving. Needs a key
-- where it was started with one; its own members (guided_json, top_k …) pass.

return require("providers.openai_compatible"):with {
  base_url = "http://127.0.0.1:8000/v1",
  fields   = {},
  beside   = { "rerank" },
  responses = "/responses", messages = "/messages", forgets = true, -- unless told to keep them
  prices   = "hosted_vllm",
}
