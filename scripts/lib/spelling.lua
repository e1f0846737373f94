-- Members of Gemini's bodies have two names: camelCase, and snake_case as in their protocol.

local json = require "engine.json"

local spelling = {}

local function snake(name)
  return (name:gsub("%u", function(c) return "_" .. c:lower() end))
end

-- Those that every part, tool or turn is asked for.
local KNOWN = {}
for _, name in ipairs {
  "codeExecutionResult", "executableCode", "fileData", "fileUri", "functionCall",
  "functionDeclarations", "functionResponse", "inlineData", "mimeType", "parametersJsonSchema",
  "thoughtSignature", "toolCall", "toolResponse", "behavior", "parameters", "response", "mode",
  "tools", "temperature", "seed", "description",
} do KNOWN[name] = snake(name) end

--- The other name of a member.
function spelling.other(name)
  return KNOWN[name] or snake(name)
end

--- A member by its first name, under whichever it came; nil where it is null.
function spelling.of(object, name)
  local value = object[name]
  if value == nil then value = object[KNOWN[name] or snake(name)] end
  if value == json.null then return nil end
  return value
end

--- The first name of a member.
function spelling.first(name)
  return (name:gsub("_(%l)", string.upper))
end

return spelling
