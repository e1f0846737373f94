-- Messages of a chat, made of what stands in another dialect's turns.

local json = require "engine.json"

local message = {}

local MESSAGE = {
  "role", "content", "reasoning_content", "thinking_blocks", "tool_calls", "tool_call_id",
}
local CALL, FUNCTION = { "id", "type", "function", "extra_content" }, { "name", "arguments" }
local SIGNED, HIDDEN = { "type", "thinking", "signature" }, { "type", "data" }

--- A message with these members.
function message.of(fields)
  return json.object(MESSAGE, fields)
end

--- What a list of parts is as a content: one text is told as text, unless it is marked.
function message.content(parts)
  local one = #parts == 1 and parts[1]
  if one and one.type == "text" and not one.cache_control then return one.text end
  return parts
end

--- Add what somebody says; nothing where there are no parts of it.
function message.add(out, role, parts)
  if #parts == 0 then return end
  out[#out + 1] = message.of { role = role, content = message.content(parts) }
end

--- A call of a function, whose arguments are JSON as it was written.
function message.call(id, name, arguments)
  return json.object(CALL, {
    id = id, type = "function",
    ["function"] = json.object(FUNCTION, { name = name, arguments = arguments }),
  })
end

--- Put Gemini's signature to a call, where there is one.
function message.sign(call, signature)
  call.extra_content = signature and { google = { thought_signature = signature } } or nil
end

--- A thought that somebody signed.
function message.signed(text, signature)
  return json.object(SIGNED, { type = "thinking", thinking = text, signature = signature })
end

--- A thought that only who had it can read.
function message.hidden(data)
  return json.object(HIDDEN, { type = "redacted_thinking", data = data })
end

---@class Said   what an assistant's turn says, sorted
---@field parts table[]      of its content
---@field calls table[]
---@field thoughts string[]  in pieces
---@field blocks table[]     of thought, signed or hidden

local function some(list) return #list > 0 and list or nil end

--- An assistant's message; nil where it says nothing.
---@param said Said
function message.assistant(said)
  local thought = table.concat(said.thoughts)
  if #said.parts + #said.calls + #said.blocks + #thought == 0 then return nil end
  return message.of {
    role = "assistant", content = #said.parts > 0 and message.content(said.parts) or json.null,
    reasoning_content = thought ~= "" and thought or nil,
    thinking_blocks = some(said.blocks), tool_calls = some(said.calls),
  }
end

return message
