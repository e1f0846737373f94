-- Anything that speaks the OpenAI chat dialect: vLLM, Groq, Ollama, Together, …

local chat = require "lib.chat"

-- Not every server speaks more than chats: where one does, its provider says so.
local function says(name)
  return function(dep) return dep.provider[name] == true or dep.api == name end
end

return chat.adapter {
  path    = "/chat/completions",
  headers = chat.bearer,
  encode  = chat.encode, -- the call already has this shape: name the model and send it
  decode  = chat.decode, -- so has the answer
  stream  = chat.stream, -- and so has every chunk; unknown fields pass through untouched
  embeddings  = "/embeddings",
  completions = "/completions",
  beside = { -- where the server has it
    "moderations", "rerank", "images", "image_edits", "image_variations", "speech",
    "transcriptions", "translations", "files", "batches",
  },
  responses = { path = "/responses", speaks = says "responses" },
  messages  = { path = "/messages", speaks = says "messages" },
  keeps   = { reasoning_content = true, top_k = true },
  fields  = {
    name     = { type = "string", required = true }, -- many servers speak it: which is this?
    base_url = { type = "url", required = true },
    responses = { type = "boolean" }, messages = { type = "boolean" }, -- does it speak them?
  },
}
