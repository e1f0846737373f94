-- A chat's tools, for providers whose tools have another shape.

local chat = require "lib.chat"
local fit = require "lib.fit"
local json = require "engine.json"

local tools = {}

--- The schema of a function that takes nothing.
tools.NOTHING = json.raw '{"type":"object","properties":{}}'

--- The schema as it came; one without a type, which OpenAI lets pass, gets the only one there
--- is.
function tools.schema(parameters)
  local doc = chat.given(parameters) and json.index(json.text(parameters))
  if not doc or doc:raw("type") == nil then
    if not doc or doc:bytes():find("^%s*{%s*}%s*$") then return tools.NOTHING end
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

--- The list of what `add(list, tool, call, about)` makes of each function among a call's tools;
--- nil where there are none. `allowed`: the names that may be called, nil for all. What is no
--- function is refused.
function tools.functions(call, dep, allowed, add, about)
  local list = call.body.tools
  if type(list) ~= "table" then return nil end
  local out = json.array {}
  for i, tool in ipairs(list) do
    local f = type(tool) == "table" and tool["function"]
    if type(f) ~= "table" then
      fit.refuse(call, dep, ("tools[%d]"):format(i - 1), "takes tools that are functions only.")
    elseif not allowed or allowed[f.name] then
      add(out, tool, call, about)
    end
  end
  return #out > 0 and out or nil
end

--- Is a model to be held to a function's schema? Named where it cannot be.
function tools.strict(f, call, model)
  if f.strict ~= true then return nil end
  if model.schema then return true end
  return call:drop("tools.strict")
end

--- Refuse the wish for one call at a time, of those who have no word for it.
function tools.refuse_alone(call, dep, list)
  if call.body.parallel_tool_calls ~= false or #list < 2 then return end
  fit.refuse(call, dep, "parallel_tool_calls", "calls tools in parallel as it likes.")
end

local CHOICES = { auto = "auto", required = "any", none = "none" }

--- What is to be called, in Anthropic's words: a kind, and of the kind `tool` a name.
function tools.choice(choice)
  if type(choice) ~= "table" then return CHOICES[choice] or "auto" end
  local name = chat.table_or_empty(choice["function"]).name
  if name then return "tool", name end
  return CHOICES[chat.table_or_empty(choice.allowed_tools).mode] or "auto"
end

return tools
