-- Anything that speaks the OpenAI chat dialect: vLLM, Groq, Ollama, Together, …

local chat = require "lib.chat"

return chat.adapter {
  path    = "/chat/completions",
  headers = chat.bearer,
  encode  = chat.encode, -- the call already has this shape: name the model and send it
  decode  = chat.decode, -- so has the answer
  stream  = chat.stream, -- and so has every chunk; unknown fields pass through untouched
  embeddings  = "/embeddings",
  completions = "/completions",
  beside = { moderations = "/moderations", rerank = "/rerank" }, -- where the server has it
  keeps   = { reasoning_content = true, top_k = true },
  fields  = {
    name     = { type = "string", required = true }, -- many servers speak it: which is this?
    base_url = { type = "url", required = true },
  },
}
