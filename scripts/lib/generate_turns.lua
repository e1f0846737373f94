-- Gemini's contents as a chat's messages: results of functions become messages of their own,
-- calls of functions members of the assistant's.
--
-- Calls there need no id, and results may name the function only: ids are made, the same for
-- the same conversation, and a result is that of the first call of its name without one.

local chat = require "lib.chat"
local json = require "engine.json"
local message = require "lib.chat_message"
local notes = require "lib.notes"
local parts = require "lib.generate_content"
local signatures = require "lib.generate_signatures"
local spelling = require "lib.spelling"
local values = require "lib.values"

local turns = {}

local id_of, of = values.text, spelling.of

local function name_of(value, at)
  if type(value) ~= "string" or value == "" then
    notes.broken(at .. ".name", "A function has a name.")
  end
  return value
end

-- Calls --------------------------------------------------------------------------

local function call_of(part, at, where)
  local call = of(part, "functionCall")
  at = at .. ".functionCall"
  notes.check_object(call, at, "A call")
  local name = name_of(call.name, at)
  local args = chat.given(call.args) and json.text(call.args) or "{}"
  if not args:find("^%s*{") then notes.broken(at .. ".args", "Arguments are an object.") end
  where.calls = where.calls + 1
  local id = id_of(call.id) or "call_" .. where.calls
  where.open[#where.open + 1] = { id = id, name = name }
  local made = message.call(id, name, args)
  message.sign(made, signatures.googles(of(part, "thoughtSignature")))
  return made
end

-- Results ------------------------------------------------------------------------

-- The call that a result answers: by its id, else the first of its name.
local function answered(response, name, where)
  local id = id_of(response.id)
  for i, call in ipairs(where.open) do
    if id and call.id == id or not id and call.name == name then
      table.remove(where.open, i)
      return call.id
    end
  end
  return id
end

-- One member alone, as Google's own documents have it, is what the result is.
local function said_in(response)
  if type(response) == "string" then return response end
  local text = chat.given(response) and json.text(response) or "{}"
  local object = json.decode(text)
  if type(object) ~= "table" then return text end
  local name, value = next(object)
  if name == nil or next(object, name) ~= nil or type(value) ~= "string" then return text end
  if name == "error" then return value, true end
  if name == "result" or name == "output" then return value end
  return text
end

local function result_of(part, at, where)
  local response = of(part, "functionResponse")
  at = at .. ".functionResponse"
  notes.check_object(response, at, "A result")
  local id = answered(response, name_of(response.name, at), where)
  if not id then notes.broken(at .. ".name", "A result answers no call of an earlier turn.") end
  local text, failed = said_in(response.response)
  local content = json.array { json.object({ "type" }, { type = "text", text = text }) }
  for i, more in ipairs(parts.list(response.parts, at .. ".parts")) do
    local here = ("%s.parts[%d]"):format(at, i - 1)
    notes.check_object(more, here, "A part")
    parts.add(content, more, here, where)
  end
  return message.of {
    role = "tool", tool_call_id = id, content = message.content(content), is_error = failed,
  }
end

-- Turns --------------------------------------------------------------------------

-- The parts of a turn, each with its place.
local function each(turn, at)
  local list, i = parts.list(turn.parts, at .. ".parts"), 0
  return function()
    i = i + 1
    if list[i] == nil then return nil end
    local here = ("%s.parts[%d]"):format(at, i - 1)
    notes.check_object(list[i], here, "A part")
    return list[i], here
  end
end

local function user(turn, at, where, out)
  local said = json.array {}
  for part, here in each(turn, at) do
    if of(part, "functionResponse") ~= nil then
      out[#out + 1] = result_of(part, here, where)
    else
      parts.add(said, part, here, where)
    end
  end
  message.add(out, "user", said)
end

local function think(part, said, where)
  where.thought = true
  if type(part.text) == "string" then said.thoughts[#said.thoughts + 1] = part.text end
  local text = table.concat(said.thoughts, "", said.signed + 1) -- a stream's came in pieces
  local block = signatures.block(of(part, "thoughtSignature"), text)
  if not block then return end
  said.blocks[#said.blocks + 1], said.signed = block, #said.thoughts
end

local function model(turn, at, where, out)
  local said = {
    parts = json.array {}, calls = json.array {}, thoughts = {}, blocks = json.array {},
    signed = 0,
  }
  for part, here in each(turn, at) do
    if part.thought == true then
      think(part, said, where)
    elseif of(part, "functionCall") ~= nil then
      said.calls[#said.calls + 1] = call_of(part, here, where)
    else
      parts.add(said.parts, part, here, where)
    end
  end
  out[#out + 1] = message.assistant(said)
end

local ROLES = { user = user, model = model, ["function"] = user, tool = user }

--- The system instruction as a first message, where there is one.
function turns.system(value, where, out)
  if value == nil then return end
  if type(value) == "string" then value = { parts = json.array { { text = value } } } end
  notes.check_object(value, "systemInstruction", "An instruction")
  local said = json.array {}
  for part, here in each(value, "systemInstruction") do parts.add(said, part, here, where) end
  message.add(out, "system", said)
end

--- All turns, appended to `out`.
function turns.add(value, where, out)
  where.calls, where.open = 0, {}
  for i, turn in ipairs(parts.list(value, "contents")) do
    local at = ("contents[%d]"):format(i - 1)
    notes.check_object(turn, at, "A content")
    local role = chat.given(turn.role) and turn.role ~= "" and turn.role or "user"
    local read = ROLES[role]
    if not read then notes.broken(at .. ".role", "A content's role is user or model.") end
    read(turn, at, where, out)
  end
end

return turns
