-- A chat conversation, walked for a provider whose turns have another shape: what all of them
-- check alike, and refuse in the same words.

local chat = require "lib.chat"
local fault = require "lib.fault"
local fit = require "lib.fit"
local json = require "engine.json"
local values = require "lib.values"

local conversation = {}

---@class Where   what the walk carries along
---@field call Call
---@field dep Deployment
---@field makers table<string, fun(part: table): table?>  by a part's type
---@field text fun(text: string): table                   of content that is a string
---@field finish? fun(part: table, made: table)           what every kind of part may carry

local function broken(at, message)
  fault.raise("invalid_type", message, { param = at })
end

local function part_of(part, at, where)
  if type(part) ~= "table" then broken(at, "A part of a message's content is an object.") end
  local make = where.makers[part.type]
  local made = make and make(part)
  if not made then
    return fit.refuse(where.call, where.dep, at, ("does not take this %s content.")
      :format(type(part.type) == "string" and part.type or "kind of"))
  end
  if where.finish then where.finish(part, made) end
  return made
end

--- The parts of a message's content; empty texts are left out, since they are refused.
function conversation.parts(content, at, where)
  if type(content) == "string" then return content ~= "" and { where.text(content) } or {} end
  if not chat.given(content) then return {} end
  if type(content) ~= "table" then broken(at, "Content is text or a list of parts.") end
  local out = {}
  for i, part in ipairs(content) do
    local made = part_of(part, ("%s[%d]"):format(at, i - 1), where)
    if made and made.text ~= "" then out[#out + 1] = made end
  end
  return out
end

--- Makers of the parts that are texts: what is said, and what is refused. `block` makes what a
--- provider calls a text, of one and what may be marked on it.
function conversation.text_makers(block)
  return function(part)
    return type(part.text) == "string" and block(part.text, part.cache_control)
  end, function(part)
    return type(part.refusal) == "string" and block(part.refusal)
  end
end

--- Where an image is, and how closely it is to be looked at; nil where a part does not say.
function conversation.image(part)
  local said = part.image_url
  if type(said) == "string" then return said end
  if type(said) ~= "table" or type(said.url) ~= "string" then return nil end
  return said.url, chat.given(said.detail) and said.detail or nil
end

--- Put what an assistant refused to say among its parts, where it said nothing else.
function conversation.add_refusal(made, message, where)
  local text = #made == 0 and values.text(message.refusal)
  if text then made[1] = where.text(text) end
end

--- The text of a result that is an error, for who has no other word for that.
function conversation.failed(text)
  return text:lower():find("^%s*error") and text or "Error: " .. text
end

--- A beginning put into the assistant's mouth may not end in white space, at some.
function conversation.trim_prefill(turns)
  local last = turns[#turns]
  if not last or last.role ~= "assistant" then return end
  local made = last.content[#last.content]
  if not made.text then return end
  made.text = made.text:gsub("%s+$", "")
  if made.text == "" then last.content[#last.content] = nil end
  if #last.content == 0 then turns[#turns] = nil end
end

-- A tool call's arguments as they were written.
local function arguments_of(text, at)
  if not chat.given(text) or text == "" then return json.raw("{}") end
  if type(text) ~= "string" or not json.index(text) then
    fault.raise("invalid_value", "A tool call's arguments are the text of a JSON object.",
      { param = at })
  end
  return json.raw(text)
end

--- The tool calls of a message: a list of { id, name, arguments (raw), source (as it came) }.
function conversation.tool_calls(message, at, where)
  local out = {}
  for i, call in ipairs(chat.table_or_empty(message.tool_calls)) do
    local here = ("%s.tool_calls[%d]"):format(at, i - 1)
    local f = type(call) == "table" and call["function"]
    if type(f) == "table" then
      out[#out + 1] = {
        id = call.id, name = f.name, source = call,
        arguments = arguments_of(f.arguments, here .. ".function.arguments"),
      }
    else
      fit.refuse(where.call, where.dep, here, "takes calls of functions only.")
    end
  end
  return out
end

--- Hand each message to roles[role](message, at, where); "developer" is "system".
function conversation.walk(where, roles)
  for i, message in ipairs(where.call.body.messages) do
    local at = ("messages[%d]"):format(i - 1)
    if type(message) ~= "table" then broken(at, "A message is an object.") end
    local role = message.role == "developer" and "system" or message.role
    if roles[role] then
      roles[role](message, at, where)
    else
      fit.refuse(where.call, where.dep, at .. ".role", "does not take messages of this role.")
    end
  end
end

return conversation
