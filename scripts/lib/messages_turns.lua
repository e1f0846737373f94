-- Anthropic's turns as a chat's messages: results of tools become messages of their own, calls
-- of tools members of the assistant's.

local chat = require "lib.chat"
local content = require "lib.messages_content"
local json = require "engine.json"
local message = require "lib.chat_message"
local notes = require "lib.notes"

local turns = {}

-- Tools --------------------------------------------------------------------------

local function tool_use(block, at, signatures)
  local id = notes.text(block.id, at .. ".id", "A tool call's id")
  local name = notes.text(block.name, at .. ".name", "A tool's name")
  local input = block.input == nil and "{}" or json.text(block.input)
  if not input:find("^%s*{") then
    notes.broken(at .. ".input", "A tool's input is an object.")
  end
  local call = message.call(id, name, input)
  message.sign(call, signatures[id])
  return call
end

local function tool_result(block, at, where)
  local id = notes.text(block.tool_use_id, at .. ".tool_use_id", "A tool call's id")
  local parts = content.parts(block.content, at .. ".content", where)
  if chat.given(block.cache_control) then where.marked = true end
  return message.of {
    role = "tool", tool_call_id = id, content = #parts > 0 and message.content(parts) or "",
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
  message.add(out, "user", parts)
end

local THOUGHTS = {}

function THOUGHTS.thinking(block, said, where)
  local text = type(block.thinking) == "string" and block.thinking or ""
  where.thought = true
  said.thoughts[#said.thoughts + 1] = text
  if type(block.signature) ~= "string" or block.signature == "" then return end
  said.blocks[#said.blocks + 1] = message.signed(text, block.signature)
end

function THOUGHTS.redacted_thinking(block, said, where)
  local id, signature = content.carried(block.data)
  if id then
    said.signatures[id] = signature
    return
  end
  where.thought = true
  if type(block.data) ~= "string" then return end
  said.blocks[#said.blocks + 1] = message.hidden(block.data)
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

local function assistant(turn, at, where, out)
  out[#out + 1] = message.assistant(sorted(turn, at, where))
end

local function system(turn, at, where, out)
  message.add(out, "system", content.parts(turn.content, at .. ".content", where))
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
      notes.hint(where, ("system.%d"):format(i - 1))
    else
      content.add(parts, block, ("system.%d"):format(i - 1), where)
    end
  end
  message.add(out, "system", parts)
end

--- All turns, appended to `out`.
function turns.add(list, where, out)
  for i, turn in ipairs(list) do
    local at = ("messages.%d"):format(i - 1)
    notes.check_object(turn, at, "A message")
    local read = ROLES[turn.role]
    if not read then
      notes.broken(at .. ".role", "A message's role is user, assistant or system.")
    end
    read(turn, at, where, out)
  end
end

return turns
