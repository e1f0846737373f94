-- JSON Schema: a value that fits one, and the dialect of it that older Gemini models read.

local json = require "engine.json"

local schema = {}

local MAX_DEPTH = 16 -- schemas may point at themselves

--- A schema as a table, keys in their order: what came as raw text, or a table already.
function schema.read(value)
  if json.is_raw(value) then return json.decode(json.text(value), { ordered = true }) or {} end
  return type(value) == "table" and value or {}
end

--- What `$ref` points at inside `root`; nil when it points elsewhere.
local function resolve(root, ref)
  if type(ref) ~= "string" or ref:sub(1, 1) ~= "#" then return nil end
  local at = root
  for step in ref:sub(2):gmatch("[^/]+") do
    step = step:gsub("~1", "/"):gsub("~0", "~")
    at = type(at) == "table" and (at[step] or at[tonumber(step) and tonumber(step) + 1]) or nil
  end
  return type(at) == "table" and at or nil
end

-- An example ---------------------------------------------------------------------

local example -- of any schema; the makers below call it for what is inside

local function object(s, root, depth)
  local names, out = {}, {}
  local properties = type(s.properties) == "table" and s.properties or {}
  for _, name in ipairs(type(s.required) == "table" and s.required or {}) do
    names[#names + 1] = name
    out[name] = example(properties[name] or {}, root, depth + 1)
  end
  return json.object(names, out)
end

local function array(s, root, depth)
  local out = json.array {}
  for i = 1, tonumber(s.minItems) or 0 do
    out[i] = example(type(s.items) == "table" and s.items or {}, root, depth + 1)
  end
  return out
end

local function text(s)
  local out = "text"
  local least, most = tonumber(s.minLength) or 0, tonumber(s.maxLength)
  if #out < least then out = out .. ("."):rep(least - #out) end
  return most and out:sub(1, most) or out
end

local function number(s)
  local least = tonumber(s.minimum)
    or tonumber(s.exclusiveMinimum) and tonumber(s.exclusiveMinimum) + 1
  local most = tonumber(s.maximum)
  return least or most and math.min(most, 0) or 0
end

local MAKERS = {
  object = object, array = array, string = text, number = number, integer = number,
  boolean = function() return true end,
  null = function() return json.null end,
}

local function kind_of(s)
  local kind = s.type
  if type(kind) == "table" then kind = kind[1] end
  if type(kind) == "string" then return kind:lower() end
  return s.properties and "object" or s.items and "array" or "string"
end

local function chosen(s)
  for _, name in ipairs { "anyOf", "oneOf", "allOf" } do
    if type(s[name]) == "table" and s[name][1] then return s[name][1] end
  end
  return nil
end

function example(s, root, depth)
  if type(s) ~= "table" or depth > MAX_DEPTH then return json.null end
  local other = resolve(root, s["$ref"]) or not s.type and chosen(s)
  if other then return example(other, root, depth + 1) end
  if s.const ~= nil then return s.const end
  if type(s.enum) == "table" and s.enum[1] ~= nil then return s.enum[1] end
  return (MAKERS[kind_of(s)] or text)(s, root, depth)
end

--- The smallest value that fits the schema: required members only, in the order required.
function schema.example(value)
  local root = schema.read(value)
  return example(root, root, 0)
end

return schema
