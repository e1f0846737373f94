-- Anthropic's turns as a chat's messages: results of tools become messages of their own, calls
-- of tools members of the assistant's.

local chat = require "lib.chat"
local content = require "lib.messages_content"
local json = require "engine.json"

local turns = {}

local MESSAGE = {
  "role", "content", "reasoning_content", "thinking_blocks", "tool_calls", "tool_call_id",
}

local function message(fields)
  return json.object(MESSAGE, fields)
end

-- One text is told as text.
local function simple(parts)
  if #parts == 1 and parts[1].type == "text" and not parts[1].cache_control then
    return parts[1].text
  end
  return parts
end

-- Tools --------------------------------------------------------------------------

local function check_text(value, at, what)
  if type(value) ~= "string" or value == "" then content.broken(at, what .. " is a string.") end
  return value
end

local function tool_use(block, at, signatures)
  local id = check_text(block.id, at .. ".id", "A tool call's id")
  local name = check_text(block.name, at .. ".name", "A tool's name")
  local input = block.input == nil and "{}" or json.text(block.input)
  if not input:find("^%s*{") then
    content.broken(at .. ".input", "A tool's input is an object.")
  end
  local signature = signatures[id]
  return json.object({ "id", "type", "function" }, {
    id = id, type = "function",
    ["function"] = json.object({ "name", "arguments" }, { name = name, arguments = input }),
    extra_content = signature and { google = { thought_signature = signature } } or nil,
  })
end

local function tool_result(block, at, where)
  local id = check_text(block.tool_use_id, at .. ".tool_use_id", "A tool call's id")
  local parts = content.parts(block.content, at .. ".content", where)
  if chat.given(block.cache_control) then where.marked = true end
  return message {
    role = "tool", tool_call_id = id, content = #parts > 0 and simple(parts) or "",
    is_error = block.is_error == true or nil,
    cache_control = chat.given(block.cache_control) and block.cache_control or nil,
  }
end

-- Turns --------------------------------------------------------------------------

local function user(turn, at, where, out)
  local parts = json.array {}
  for i, block in ipairs(content.blocks(turn.content, at .. ".content")) do
    local here = ("%s.content.%d"):format(at, i - 1)
    if block.type == "tool_result" then
      out[#out + 1] = tool_result(block, here, where)
    else
      content.add(parts, block, here, where)
    end
  end
  if #parts > 0 then out[#out + 1] = message { role = "user", content = simple(parts) } end
end

local THOUGHTS = {}

function THOUGHTS.thinking(block, said, where)
  local text = type(block.thinking) == "string" and block.thinking or ""
  where.thought = true
  said.thoughts[#said.thoughts + 1] = text
  if type(block.signature) ~= "string" or block.signature == "" then return end
  said.blocks[#said.blocks + 1] = json.object({ "type", "thinking", "signature" }, {
    type = "thinking", thinking = text, signature = block.signature,
  })
end

function THOUGHTS.redacted_thinking(block, said, where)
  local id, signature = content.carried(block.data)
  if id then
    said.signatures[id] = signature
    return
  end
  where.thought = true
  if type(block.data) ~= "string" then return end
  said.blocks[#said.blocks + 1] = json.object({ "type", "data" }, {
    type = "redacted_thinking", data = block.data,
  })
end

-- What an assistant's turn says, sorted.
local function sorted(turn, at, where)
  local said = {
    parts = json.array {}, calls = json.array {}, thoughts = {}, blocks = json.array {},
    signatures = {},
  }
  for i, block in ipairs(content.blocks(turn.content, at .. ".content")) do
    local here = ("%s.content.%d"):format(at, i - 1)
    if THOUGHTS[block.type] then
      THOUGHTS[block.type](block, said, where)
    elseif block.type == "tool_use" then
      said.calls[#said.calls + 1] = tool_use(block, here, said.signatures)
    else
      content.add(said.parts, block, here, where)
    end
  end
  return said
end

local function some(list) return #list > 0 and list or nil end

local function assistant(turn, at, where, out)
  local said = sorted(turn, at, where)
  local thought = table.concat(said.thoughts)
  if #said.parts + #said.calls + #said.blocks + #thought == 0 then return end
  out[#out + 1] = message {
    role = "assistant", content = #said.parts > 0 and simple(said.parts) or json.null,
    reasoning_content = thought ~= "" and thought or nil,
    thinking_blocks = some(said.blocks), tool_calls = some(said.calls),
  }
end

local function system(turn, at, where, out)
  local parts = content.parts(turn.content, at .. ".content", where)
  if #parts > 0 then out[#out + 1] = message { role = "system", content = simple(parts) } end
end

local ROLES = { user = user, assistant = assistant, system = system }

-- Claude Code's first block tells Anthropic whom to bill; no model is meant to read it.
local ATTRIBUTION = "^x%-anthropic%-billing%-header:"

local function is_attribution(block)
  return type(block.text) == "string" and block.text:find(ATTRIBUTION) ~= nil
end

--- The system prompt as a first message, where there is one.
function turns.system(value, where, out)
  local parts = json.array {}
  for i, block in ipairs(content.blocks(value, "system")) do
    if is_attribution(block) then
      content.hint(where, ("system.%d"):format(i - 1))
    else
      content.add(parts, block, ("system.%d"):format(i - 1), where)
    end
  end
  if #parts > 0 then out[#out + 1] = message { role = "system", content = simple(parts) } end
end

--- All turns, appended to `out`.
function turns.add(list, where, out)
  for i, turn in ipairs(list) do
    local at = ("messages.%d"):format(i - 1)
    content.check_object(turn, at, "A message")
    local read = ROLES[turn.role]
    if not read then
      content.broken(at .. ".role", "A message's role is user, assistant or system.")
    end
    read(turn, at, where, out)
  end
end

return turns
