-- What a message or a delta of the OpenAI shape says, in the places where servers put it.

local json = require "engine.json"
local values = require "lib.values"

local spoken = {}

local text_of = values.text

local TOKEN_BYTES = 4

-- The texts of a list of parts of one type (nil: of any), joined; nil where there are none.
local function joined(list, kind, member)
  local out = {}
  for _, part in ipairs(type(list) == "table" and list or {}) do
    if type(part) == "table" and (kind == nil or part.type == kind) then
      local value = part[member]
      out[#out + 1] = type(value) == "table" and joined(value, nil, "text") or text_of(value)
    end
  end
  return out[1] and table.concat(out) or nil
end

--- The thought: DeepSeek, xAI, llama.cpp and vLLM call it reasoning_content; Groq, Cerebras,
--- Ollama and OpenRouter reasoning (OpenRouter's reasoning_details say the same once more);
--- Mistral's and Databricks' are parts of the content.
function spoken.thought(message)
  return text_of(message.reasoning_content) or text_of(message.reasoning)
    or joined(message.reasoning_details, "reasoning.text", "text")
    or joined(message.content, "thinking", "thinking")
    or joined(message.content, "reasoning", "summary")
end

local function is_object(value)
  return type(value) == "table" and not json.is_array(value) and not json.is_raw(value)
end

--- The text: content as a text or as parts. Cloudflare answers a wish for JSON with an object.
function spoken.text(message)
  local content = message.content
  if is_object(content) then return json.encode(content) end
  return text_of(content) or joined(content, "text", "text")
end

-- How much a delta says beside its role, in bytes: something that is no text is a token.
local function said_in(delta)
  local n = 0
  for name, value in pairs(type(delta) == "table" and delta or {}) do
    if name ~= "role" and type(value) == "string" then
      n = n + #value
    elseif type(value) == "table" and next(value) ~= nil then
      n = n + TOKEN_BYTES
    end
  end
  return n
end

--- Bytes of text in a chunk, and whether it holds anything a client would miss.
function spoken.said(choices)
  local n, carries = 0, false
  for _, choice in ipairs(choices) do
    n = n + said_in(choice.delta)
    carries = carries or text_of(choice.finish_reason) ~= nil
  end
  return n, carries or n > 0
end

return spoken
