-- Responses' tools as a chat's: functions lie flat there, or in namespaces, whose names are put
-- before theirs and taken off again in the answer. Custom tools, which take a free text, become
-- functions of one text, and what calls them is a text again (lib/responses_output.lua).

local chat = require "lib.chat"
local crypto = require "engine.crypto"
local json = require "engine.json"
local notes = require "lib.notes"
local values = require "lib.values"

local tools = {}

local given = values.given

local BETWEEN = "__"
local NAME_MOST = 64 -- as servers of the chat dialect have it

--- The name of a namespace's function, for those who know no namespaces.
function tools.flat(namespace, name)
  local flat = namespace .. BETWEEN .. name
  if #flat <= NAME_MOST then return flat end
  return flat:sub(1, NAME_MOST - 9) .. "_" .. crypto.sha256(flat):sub(1, 8)
end

local function func(tool, name)
  return json.object({ "type", "function" }, {
    type = "function",
    ["function"] = json.object({ "name", "description", "parameters", "strict" }, {
      name = name, description = given(tool.description),
      parameters = given(tool.parameters), strict = tool.strict == true or nil,
    }),
  })
end

local FREE = json.raw('{"type":"object","properties":{"input":{"type":"string"}},'
  .. '"required":["input"],"additionalProperties":false}')

-- What the text has to be is told in words where nobody can hold a model to a grammar.
local function description_of(tool)
  local format, said = chat.table_or_empty(tool.format), given(tool.description)
  if format.type ~= "grammar" or type(format.definition) ~= "string" then return said end
  local syntax = type(format.syntax) == "string" and format.syntax:sub(1, 16) or "this"
  return ("%s\n\n`input` has to follow the %s grammar:\n%s"):format(said or "", syntax,
    format.definition)
end

local function custom(tool, name)
  return func({ description = description_of(tool), parameters = FREE }, name)
end

local KINDS = { ["function"] = func, custom = custom }

-- Its name as it is offered; what was declared is noted where that is not all.
local function named(tool, where, inside)
  local name, free = tool.name, tool.type == "custom"
  if inside then name = tools.flat(inside, name) end
  if inside or free then
    where.spaces[name] = { namespace = inside, name = tool.name, free = free }
  end
  return name
end

local add

local function namespace(tool, at, where, out)
  if type(tool.name) ~= "string" then notes.broken(at .. ".name", "It has a name.") end
  if not json.is_array(tool.tools) then notes.broken(at .. ".tools", "It is a list.") end
  for i, inner in ipairs(tool.tools) do
    add(inner, ("%s.tools[%d]"):format(at, i - 1), where, out, tool.name)
  end
end

function add(tool, at, where, out, inside)
  notes.check_object(tool, at, "A tool")
  if tool.type == "namespace" and not inside then return namespace(tool, at, where, out) end
  if not KINDS[tool.type] then
    local kind = type(tool.type) == "string" and tool.type:sub(1, 64) or "unknown"
    return notes.unfit(where, at, ("does not take tools of type `%s`."):format(kind))
  end
  if type(tool.name) ~= "string" then notes.broken(at .. ".name", "A tool has a name.") end
  out[#out + 1] = KINDS[tool.type](tool, named(tool, where, inside))
end

--- The list of tools, or nil where there is none.
function tools.list(list, where)
  if not chat.given(list) then return nil end
  if not json.is_array(list) then notes.broken("tools", "`tools` is a list.") end
  local out = json.array {}
  for i, tool in ipairs(list) do add(tool, ("tools[%d]"):format(i - 1), where, out) end
  return #out > 0 and out or nil
end

local MODES = { auto = true, none = true, required = true }

--- What is to be called.
function tools.choice(choice, where)
  if not chat.given(choice) then return nil end
  if type(choice) == "string" then
    if not MODES[choice] then
      notes.broken("tool_choice", "It is auto, none, required or an object.")
    end
    return choice
  end
  notes.check_object(choice, "tool_choice", "`tool_choice`")
  local one = choice.type == "function" or choice.type == "custom"
  if not one or type(choice.name) ~= "string" then
    notes.unfit(where, "tool_choice", "takes a choice of one function only.")
    return nil
  end
  local name = choice.name
  if type(choice.namespace) == "string" then name = tools.flat(choice.namespace, name) end
  return json.object({ "type", "function" }, {
    type = "function", ["function"] = { name = name },
  })
end

return tools
