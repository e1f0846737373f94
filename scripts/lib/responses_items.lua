-- The items of a Responses' input as a chat's messages: what an assistant thought, said and
-- called in a row is one message of it.

local json = require "engine.json"
local message = require "lib.chat_message"
local notes = require "lib.notes"
local own = require "lib.responses_own"
local parts = require "lib.responses_content"
local tools = require "lib.responses_tools"

local items = {}

-- The assistant's message -----------------------------------------------------------

local function said_of(walk)
  local said = walk.said
  if said then return said end
  said = {
    parts = json.array {}, calls = json.array {}, thoughts = {}, blocks = json.array {},
    signatures = {},
  }
  walk.said = said
  return said
end

local function flush(walk)
  local said = walk.said
  if not said then return end
  walk.said = nil
  for _, call in ipairs(said.calls) do message.sign(call, said.signatures[call.id]) end
  walk.out[#walk.out + 1] = message.assistant(said)
end

local READ = {}

function READ.reasoning(item, _, walk)
  local said = said_of(walk)
  local kind, value, more = own.opened(item.encrypted_content)
  if kind == "google" then
    if value then said.signatures[value] = more end
    return
  end
  if not kind and type(item.encrypted_content) == "string" then
    notes.hint(walk.where, "input.reasoning") -- nobody else can read it
  end
  local text = parts.text(item.summary)
  if text == "" then text = parts.text(item.content) end
  if text ~= "" or kind then walk.where.thought = true end
  said.thoughts[#said.thoughts + 1] = text
  if kind == "signed" then said.blocks[#said.blocks + 1] = message.signed(text, value) end
  if kind == "redacted" then said.blocks[#said.blocks + 1] = message.hidden(value) end
end

--- Clients that take the gateway for a store point at thoughts by their ids (Vercel's AI SDK);
--- what was signed is not in them, and is done without.
function READ.item_reference(item, at, walk)
  if own.named(item.id) then return notes.hint(walk.where, "input.item_reference") end
  notes.unfit(walk.where, at, "does not keep items: send them whole, with `store` false.")
end

-- Tools -----------------------------------------------------------------------------

local function arguments_of(value, at)
  if value == nil or value == "" then return "{}" end
  if type(value) ~= "string" then notes.broken(at, "A call's arguments are a string.") end
  return value
end

local function call(item, at, walk, arguments)
  local said = said_of(walk)
  local id = notes.text(item.call_id, at .. ".call_id", "A call's id")
  local name = notes.text(item.name, at .. ".name", "A tool's name")
  if type(item.namespace) == "string" then name = tools.flat(item.namespace, name) end
  said.calls[#said.calls + 1] = message.call(id, name, arguments)
end

function READ.function_call(item, at, walk)
  call(item, at, walk, arguments_of(item.arguments, at .. ".arguments"))
end

function READ.custom_tool_call(item, at, walk)
  if type(item.input) ~= "string" then notes.broken(at .. ".input", "It is a string.") end
  call(item, at, walk, json.encode { input = item.input })
end

function READ.function_call_output(item, at, walk)
  flush(walk)
  local id, list = notes.text(item.call_id, at .. ".call_id", "A call's id"), json.array {}
  parts.add(list, item.output, at .. ".output", walk.where)
  walk.out[#walk.out + 1] = message.of {
    role = "tool", tool_call_id = id, content = #list > 0 and message.content(list) or "",
  }
end

READ.custom_tool_call_output = READ.function_call_output

-- Messages ----------------------------------------------------------------------------

local ROLES = { user = "user", system = "system", developer = "system" }

function READ.message(item, at, walk)
  if item.role == "assistant" then
    return parts.add(said_of(walk).parts, item.content, at .. ".content", walk.where)
  end
  local role = ROLES[item.role]
  if not role then
    notes.broken(at .. ".role", "A role is user, assistant, system or developer.")
  end
  flush(walk)
  local list = json.array {}
  parts.add(list, item.content, at .. ".content", walk.where)
  message.add(walk.out, role, list)
end

local function kind_of(item)
  if type(item.type) == "string" then return item.type end
  return type(item.role) == "string" and "message" or "unknown"
end

--- The messages of an input, appended to `out`.
function items.add(input, where, out)
  if type(input) == "string" then
    out[#out + 1] = message.of { role = "user", content = input }
    return
  end
  if not json.is_array(input) then notes.broken("input", "`input` is text or a list.") end
  local walk = { where = where, out = out }
  for i, item in ipairs(input) do
    local at = ("input[%d]"):format(i - 1)
    notes.check_object(item, at, "An item")
    local kind = kind_of(item)
    local read = READ[kind]
    if read then
      read(item, at, walk)
    else
      notes.unfit(where, at, ("does not take items of type `%s`."):format(kind:sub(1, 64)))
    end
  end
  flush(walk)
end

return items
