-- A chat's tools, for providers whose tools have another shape.

local chat = require "lib.chat"
local json = require "engine.json"

local tools = {}

local NOTHING = '{"type":"object","properties":{}}'

--- The schema as it came; one without a type, which OpenAI lets pass, gets the only one there
--- is.
function tools.schema(parameters)
  local doc = chat.given(parameters) and json.index(json.text(parameters))
  if not doc or doc:raw("type") == nil then
    if not doc or doc:bytes():find("^%s*{%s*}%s*$") then return json.raw(NOTHING) end
    doc = doc:splice { type = "object" }
  end
  return json.raw(doc:bytes())
end

--- The names that `allowed_tools` leaves; nil where all may be called.
function tools.allowed(choice)
  local allowed = type(choice) == "table" and chat.table_or_empty(choice.allowed_tools)
  if not allowed or not allowed.tools then return nil end
  local names = {}
  for _, tool in ipairs(chat.table_or_empty(allowed.tools)) do
    names[chat.table_or_empty(chat.table_or_empty(tool)["function"]).name or ""] = true
  end
  return names
end

return tools
