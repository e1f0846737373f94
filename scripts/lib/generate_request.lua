-- A body of Gemini's generateContent as the body of a chat, which every adapter reads.

local chat = require "lib.chat"
local config = require "lib.generate_config"
local json = require "engine.json"
local notes = require "lib.notes"
local parts = require "lib.generate_content"
local schema = require "lib.schema"
local spelling = require "lib.spelling"
local turns = require "lib.generate_turns"

local request = {}

local of = spelling.of

-- They say how to serve a request, not what is asked for.
local HINTS = { labels = true, safetySettings = true, serviceTier = true, store = true }
local READ = {
  contents = true, generationConfig = true, model = true, systemInstruction = true,
  toolConfig = true, tools = true,
}
local ORDER = {
  "messages", "max_tokens", "stream", "tools", "tool_choice", "stop", "temperature", "top_p",
  "top_k", "seed", "presence_penalty", "frequency_penalty", "reasoning_effort",
  "response_format",
}

-- Tools --------------------------------------------------------------------------

local function parameters_of(f)
  local plain = of(f, "parametersJsonSchema")
  if plain ~= nil then return plain end
  local subset = of(f, "parameters")
  return subset ~= nil and schema.plain(subset) or nil
end

local function tool_of(f, at, where)
  notes.check_object(f, at, "A function")
  if type(f.name) ~= "string" or f.name == "" then
    notes.broken(at .. ".name", "A function has a name.")
  end
  for _, name in ipairs { "behavior", "response", "responseJsonSchema" } do
    if of(f, name) ~= nil then notes.hint(where, "tools." .. name) end
  end
  return json.object({ "type", "function" }, {
    type = "function",
    ["function"] = json.object({ "name", "description", "parameters" }, {
      name = f.name, description = chat.given(f.description) and f.description or nil,
      parameters = parameters_of(f),
    }),
  })
end

-- The names of members that say something, in one order; `even_empty`: {} does too.
local function names_in(object, even_empty)
  local names = {}
  for name, value in pairs(object) do
    if value ~= json.null and (even_empty or not notes.is_empty(value)) then
      names[#names + 1] = tostring(name)
    end
  end
  table.sort(names)
  return names
end

-- Google's own tools are members of the same objects.
local function look_at_tool(tool, at, where)
  for _, name in ipairs(names_in(tool, true)) do
    if spelling.first(name) ~= "functionDeclarations" then
      notes.unfit(where, at .. "." .. name,
        "takes functions of your own only, no tools that a provider runs.")
    end
  end
end

local function tools(list, where)
  local out = json.array {}
  for i, tool in ipairs(parts.list(list, "tools")) do
    local at = ("tools[%d]"):format(i - 1)
    notes.check_object(tool, at, "A tool")
    look_at_tool(tool, at, where)
    at = at .. ".functionDeclarations"
    for n, f in ipairs(parts.list(of(tool, "functionDeclarations"), at)) do
      out[#out + 1] = tool_of(f, ("%s[%d]"):format(at, n - 1), where)
    end
  end
  return #out > 0 and out or nil
end

local CALLING = "toolConfig.functionCallingConfig"
local MODES = {
  AUTO = "auto", ANY = "required", NONE = "none", VALIDATED = "auto", MODE_UNSPECIFIED = "auto",
}

-- Which functions may be called; nil: all.
local function allowed_of(calling)
  local list = of(calling, "allowedFunctionNames")
  if list == nil then return nil end
  local out = {}
  for _, name in ipairs(parts.list(list, CALLING)) do
    if type(name) == "string" then out[name] = true end
  end
  return next(out) and out or nil
end

local function cut_down(list, allowed)
  local out = json.array {}
  for _, tool in ipairs(list) do
    if allowed[tool["function"].name] then out[#out + 1] = tool end
  end
  return #out > 0 and out or list
end

-- toolConfig's part about functions, checked; what else it says is a hint.
local function calling_of(body, where)
  local wanted = of(body, "toolConfig")
  if wanted == nil then return {} end
  notes.check_object(wanted, "toolConfig", "`toolConfig`")
  for _, name in ipairs(names_in(wanted)) do
    if spelling.first(name) ~= "functionCallingConfig" then
      notes.hint(where, "toolConfig." .. name)
    end
  end
  local calling = of(wanted, "functionCallingConfig") or {}
  notes.check_object(calling, CALLING, "It")
  return calling
end

local function mode_of(calling)
  local mode = of(calling, "mode") or "AUTO"
  local choice = type(mode) == "string" and MODES[mode:upper()]
  if not choice then notes.broken(CALLING .. ".mode", "It is AUTO, ANY, VALIDATED or NONE.") end
  return choice
end

-- The tools that may be called, and which must be.
local function choose(body, where)
  local list, calling = tools(of(body, "tools"), where), calling_of(body, where)
  local choice, allowed = mode_of(calling), allowed_of(calling)
  if not list or choice == "auto" and not allowed then return list end
  if allowed and choice ~= "none" then list = cut_down(list, allowed) end
  if choice == "required" and allowed and #list == 1 then
    choice = json.object({ "type", "function" }, {
      type = "function", ["function"] = { name = list[1]["function"].name },
    })
  end
  return list, choice ~= "auto" and choice or nil
end

-- The whole body -----------------------------------------------------------------

local function conversation(body, where)
  local out = json.array {}
  turns.system(of(body, "systemInstruction"), where, out)
  turns.add(body.contents, where, out)
  return out
end

local RAW = { raw = {
  args = true, labels = true, parameters = true, response = true, responseSchema = true,
  parametersJsonSchema = true, parameters_json_schema = true, response_schema = true,
  responseJsonSchema = true, response_json_schema = true, _responseJsonSchema = true,
} }

--- The chat's body, and what to note (lib/notes.lua). Raises what a client must mend.
---@return table, Notes
function request.decode(doc)
  local body = doc:decode(RAW)
  local where = notes.new(config.WORDS)
  notes.members(body, READ, HINTS, where, spelling.first)
  local out = config.read(of(body, "generationConfig"), where)
  out.messages = conversation(body, where)
  out.tools, out.tool_choice = choose(body, where)
  return json.object(ORDER, out), where
end

return request
