-- What a message or a delta of the OpenAI shape says, in the places where servers put it.

local json = require "engine.json"

local spoken = {}

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

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

return spoken
