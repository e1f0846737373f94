-- What a model is shown of its tools: a text like TypeScript, as far as anybody outside knows.
-- Checked against recorded answers: flat schemas come out within two tokens.

local json = require "engine.json"

local tools = {}

local type_of -- a schema's type, as text

local function list_of(schemas)
  local out = {}
  for i, one in ipairs(schemas) do out[i] = type_of(one) end
  return table.concat(out, " | ")
end

local function enum(values)
  local out = {}
  for i, value in ipairs(values) do out[i] = json.encode(value) end
  return table.concat(out, " | ")
end

-- Lines for the properties of an object. `top`: with their descriptions.
local function properties(schema, top)
  local out, needed = {}, {}
  for _, name in ipairs(type(schema.required) == "table" and schema.required or {}) do
    needed[name] = true
  end
  for name, value in pairs(schema.properties) do
    if type(value) == "table" then
      if top and type(value.description) == "string" then
        out[#out + 1] = "// " .. value.description
      end
      out[#out + 1] = name .. (needed[name] and ": " or "?: ") .. type_of(value) .. ","
    end
  end
  table.sort(out) -- one order in every run; the sum is the same in any
  return table.concat(out, "\n")
end

local function object(schema)
  if type(schema.properties) ~= "table" or next(schema.properties) == nil then
    return "object"
  end
  return "{\n" .. properties(schema, false) .. "\n}"
end

local function array(schema)
  return (schema.items and type_of(schema.items) or "any") .. "[]"
end

local NAMED = { object = object, array = array, integer = function() return "number" end }

type_of = function(schema)
  if type(schema) ~= "table" then return "any" end
  if type(schema.anyOf) == "table" then return list_of(schema.anyOf) end
  if type(schema.enum) == "table" then return enum(schema.enum) end
  local kind = schema.type
  if type(kind) == "table" then kind = kind[1] end -- and usually "null"
  if NAMED[kind] then return NAMED[kind](schema) end
  return type(kind) == "string" and kind or "any"
end

-- A schema: decoded, or as it came.
local function schema_of(value)
  if json.is_raw(value) then value = json.decode(json.text(value)) end
  return type(value) == "table" and value or {}
end

local function declare(out, tool)
  local about = type(tool["function"]) == "table" and tool["function"] or tool
  local name = type(about.name) == "string" and about.name or ""
  local schema = schema_of(about.parameters or about.input_schema)
  if type(about.description) == "string" then out[#out + 1] = "// " .. about.description end
  if type(schema.properties) == "table" and next(schema.properties) ~= nil then
    local text = properties(schema, true)
    out[#out + 1] = "type " .. name .. " = (_: {\n" .. text .. "\n}) => any;\n"
  else
    out[#out + 1] = "type " .. name .. " = () => any;\n"
  end
end

--- The text for a list of tools.
function tools.text(list)
  local out = { "namespace functions {\n" }
  for _, tool in ipairs(list) do
    if type(tool) == "table" then declare(out, tool) end
  end
  out[#out + 1] = "} // namespace functions"
  return table.concat(out, "\n")
end

return tools
