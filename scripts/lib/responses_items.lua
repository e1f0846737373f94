-- The items of a Responses' input as a chat's messages: what an assistant thought, said and
-- called in a row is one message of it.

local content = require "lib.messages_content"
local json = require "engine.json"
local own = require "lib.responses_own"
local parts = require "lib.responses_content"
local tools = require "lib.responses_tools"

local items = {}

local MESSAGE = {
  "role", "content", "reasoning_content", "thinking_blocks", "tool_calls", "tool_call_id",
}

local function message(fields)
  return json.object(MESSAGE, fields)
end

-- One text is told as text.
local function simple(list)
  if #list == 1 and list[1].type == "text" then return list[1].text end
  return list
end

local function some(list) return #list > 0 and list or nil end

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
  local thought = table.concat(said.thoughts)
  if #said.parts + #said.calls + #said.blocks + #thought == 0 then return end
  for _, call in ipairs(said.calls) do
    local signature = said.signatures[call.id]
    call.extra_content = signature and { google = { thought_signature = signature } } or nil
  end
  walk.out[#walk.out + 1] = message {
    role = "assistant", content = #said.parts > 0 and simple(said.parts) or json.null,
    reasoning_content = thought ~= "" and thought or nil,
    thinking_blocks = some(said.blocks), tool_calls = some(said.calls),
  }
end

local function signed(text, signature)
  return json.object({ "type", "thinking", "signature" }, {
    type = "thinking", thinking = text, signature = signature,
  })
end

local function redacted(data)
  return json.object({ "type", "data" }, { type = "redacted_thinking", data = data })
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
    content.hint(walk.where, "input.reasoning") -- nobody else can read it
  end
  local text = parts.text(item.summary)
  if text == "" then text = parts.text(item.content) end
  if text ~= "" or kind then walk.where.thought = true end
  said.thoughts[#said.thoughts + 1] = text
  if kind == "signed" then said.blocks[#said.blocks + 1] = signed(text, value) end
  if kind == "redacted" then said.blocks[#said.blocks + 1] = redacted(value) end
end

--- Clients that take the gateway for a store point at thoughts by their ids (Vercel's AI SDK);
--- what was signed is not in them, and is done without.
function READ.item_reference(item, at, walk)
  if own.named(item.id) then return content.hint(walk.where, "input.item_reference") end
  content.unfit(walk.where, at, "does not keep items: send them whole, with `store` false.")
end

-- Tools -----------------------------------------------------------------------------

local function check_text(value, at, what)
  if type(value) ~= "string" or value == "" then content.broken(at, what .. " is a string.") end
  return value
end

local function arguments_of(value, at)
  if value == nil or value == "" then return "{}" end
  if type(value) ~= "string" then content.broken(at, "A call's arguments are a string.") end
  return value
end

local function call(item, at, walk, arguments)
  local said = said_of(walk)
  local id = check_text(item.call_id, at .. ".call_id", "A call's id")
  local name = check_text(item.name, at .. ".name", "A tool's name")
  if type(item.namespace) == "string" then name = tools.flat(item.namespace, name) end
  said.calls[#said.calls + 1] = json.object({ "id", "type", "function", "extra_content" }, {
    id = id, type = "function",
    ["function"] = json.object({ "name", "arguments" }, { name = name, arguments = arguments }),
  })
end

function READ.function_call(item, at, walk)
  call(item, at, walk, arguments_of(item.arguments, at .. ".arguments"))
end

function READ.custom_tool_call(item, at, walk)
  if type(item.input) ~= "string" then content.broken(at .. ".input", "It is a string.") end
  call(item, at, walk, json.encode { input = item.input })
end

function READ.function_call_output(item, at, walk)
  flush(walk)
  local id, list = check_text(item.call_id, at .. ".call_id", "A call's id"), json.array {}
  parts.add(list, item.output, at .. ".output", walk.where)
  walk.out[#walk.out + 1] = message {
    role = "tool", tool_call_id = id, content = #list > 0 and simple(list) or "",
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
    content.broken(at .. ".role", "A role is user, assistant, system or developer.")
  end
  flush(walk)
  local list = json.array {}
  parts.add(list, item.content, at .. ".content", walk.where)
  if #list == 0 then return end
  walk.out[#walk.out + 1] = message { role = role, content = simple(list) }
end

local function kind_of(item)
  if type(item.type) == "string" then return item.type end
  return type(item.role) == "string" and "message" or "unknown"
end

--- The messages of an input, appended to `out`.
function items.add(input, where, out)
  if type(input) == "string" then
    out[#out + 1] = message { role = "user", content = input }
    return
  end
  if not json.is_array(input) then content.broken("input", "`input` is text or a list.") end
  local walk = { where = where, out = out }
  for i, item in ipairs(input) do
    local at = ("input[%d]"):format(i - 1)
    content.check_object(item, at, "An item")
    local kind = kind_of(item)
    local read = READ[kind]
    if read then
      read(item, at, walk)
    else
      content.unfit(where, at, ("does not take items of type `%s`."):format(kind:sub(1, 64)))
    end
  end
  flush(walk)
end

return items
