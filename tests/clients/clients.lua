-- The clients: which program drives each (`group` is the folder that it is installed from), in
-- which dialect it speaks, what it calls an answer's end, and an error. `lacks` names what a
-- client does not tell its user, whoever answers; `cut`, what it says in place of why a stream
-- broke off; `skips`, cases that it cannot do, and why.

local VERCEL = { [400] = "AI_APICallError", [429] = "AI_APICallError" }
local STAINLESS = { [400] = "BadRequestError", [429] = "RateLimitError" }
local LANGCHAIN_GOOGLE = { [400] = "RequestError", [429] = "RequestError" }
local GENAI_NODE = { [400] = "ApiError", [429] = "ApiError" }
local GENAI = { [400] = "ClientError", [429] = "ClientError" }

local CHAT = { text = "stop", call = "tool_calls" }
local RESPONSES = { text = "completed", call = "completed" }
local MESSAGES = { text = "end_turn", call = "tool_use" }
local GEMINI = { text = "STOP", call = "STOP" }
local VERCELS = { text = "stop", call = "tool-calls" }

local function group(name, more)
  return function(client)
    client.group, client.errors = name, client.errors or STAINLESS
    for key, value in pairs(more or {}) do client[key] = value end
    return client
  end
end

local function python(name)
  return group(name, { program = { "venv/bin/python", "driver.py" } })
end

local official, official_python = group "official", python "official-python"
local vercel = group("vercel", { finish = VERCELS, errors = VERCEL })
local langchain, langchain_python = group "langchain", python "langchain-python"
local agents, agents_python = group "agents", python "agents-python"
local llamaindex, llamaindex_python = group "llamaindex", python "llamaindex-python"
local genai_python = python "genai-python"

-- It takes the input from message_start alone, where only Anthropic itself knows it, and adds
-- what message_start and message_delta say of the output.
local ADDS = { stream_usage = true }
-- It passes over what holds no candidates, errors too: its connection's end is all it tells.
local DEAF = "terminated"
local NO_FINISH = { finish = true }
local REPEATS = "its stream says the last piece again at every event that has none of its own"

return {
  official { name = "openai-node", dialect = "chat", finish = CHAT },
  official { name = "openai-node-responses", dialect = "responses", finish = RESPONSES },
  official { name = "anthropic-node", dialect = "messages", finish = MESSAGES },
  official { name = "genai-node", dialect = "gemini", finish = GEMINI, errors = GENAI_NODE },
  official_python { name = "openai-python", dialect = "chat", finish = CHAT },
  official_python { name = "openai-python-responses", dialect = "responses",
    finish = RESPONSES },
  official_python { name = "anthropic-python", dialect = "messages", finish = MESSAGES },
  vercel { name = "vercel-openai", dialect = "responses" },
  vercel { name = "vercel-openai-chat", dialect = "chat" },
  vercel { name = "vercel-compatible", dialect = "chat" },
  vercel { name = "vercel-anthropic", dialect = "messages" },
  vercel { name = "vercel-google", dialect = "gemini" },
  langchain { name = "langchain-openai", dialect = "chat", finish = CHAT },
  langchain { name = "langchain-responses", dialect = "responses", finish = RESPONSES },
  langchain { name = "langchain-anthropic", dialect = "messages", finish = MESSAGES,
    lacks = ADDS },
  langchain { name = "langchain-google", dialect = "gemini", finish = GEMINI,
    errors = LANGCHAIN_GOOGLE, cut = DEAF },
  llamaindex { name = "llamaindex-openai", dialect = "chat", finish = CHAT },
  llamaindex { name = "llamaindex-responses", dialect = "responses", finish = RESPONSES,
    skips = { stream = REPEATS, ["tools-stream"] = REPEATS,
      parallel = REPEATS } },
  agents { name = "agents-responses", dialect = "responses", lacks = NO_FINISH },
  agents { name = "agents-chat", dialect = "chat", lacks = NO_FINISH },
  genai_python { name = "genai-python", dialect = "gemini", finish = GEMINI, errors = GENAI },
  langchain_python { name = "langchain-python-openai", dialect = "chat", finish = CHAT },
  langchain_python { name = "langchain-python-responses", dialect = "responses",
    finish = RESPONSES },
  langchain_python { name = "langchain-python-anthropic", dialect = "messages",
    finish = MESSAGES },
  llamaindex_python { name = "llamaindex-python", dialect = "chat", finish = CHAT },
  agents_python { name = "agents-python-responses", dialect = "responses", lacks = NO_FINISH },
  agents_python { name = "agents-python-chat", dialect = "chat", lacks = NO_FINISH },
}
