-- JSON Schema: a value that fits one, and the dialect of it that older Gemini models read.

local fault = require "lib.fault"
local json = require "engine.json"

local schema = {}

local MAX_DEPTH = 16   -- schemas may point at themselves …
local MAX_SIZE = 10000 -- … and ask for much: values, and bytes by the dozen

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

-- `whole` is the schema that is asked for: its `root`, and the `room` that is left.
local function take(whole, n)
  whole.room = whole.room - n
  if whole.room >= 0 then return end
  fault.raise("invalid_value", "An example of this schema would be too large.")
end

local function finite(value)
  return type(value) == "number" and math.abs(value) < math.huge and value or nil
end

local function object(s, whole, depth)
  local names, out = {}, {}
  local properties = type(s.properties) == "table" and s.properties or {}
  for _, name in ipairs(type(s.required) == "table" and s.required or {}) do
    names[#names + 1] = name
    out[name] = example(properties[name] or {}, whole, depth + 1)
  end
  return json.object(names, out)
end

local function array(s, whole, depth)
  local out = json.array {}
  for i = 1, finite(s.minItems) or 0 do
    out[i] = example(type(s.items) == "table" and s.items or {}, whole, depth + 1)
  end
  return out
end

local function text(s, whole)
  local out = "text"
  local least, most = math.max(finite(s.minLength) or 0, 0), finite(s.maxLength)
  take(whole, least / 12)
  if #out < least then out = out .. ("."):rep(least - #out) end
  return most and out:sub(1, most) or out
end

local function number(s)
  local least = finite(s.minimum)
    or finite(s.exclusiveMinimum) and s.exclusiveMinimum + 1
  local most = finite(s.maximum)
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

function example(s, whole, depth)
  take(whole, 1)
  if type(s) ~= "table" or depth > MAX_DEPTH then return json.null end
  local other = resolve(whole.root, s["$ref"]) or not s.type and chosen(s)
  if other then return example(other, whole, depth + 1) end
  if s.const ~= nil then return s.const end
  if type(s.enum) == "table" and s.enum[1] ~= nil then return s.enum[1] end
  return (MAKERS[kind_of(s)] or text)(s, whole, depth)
end

--- The smallest value that fits the schema: required members only, in the order required.
function schema.example(value)
  local root = schema.read(value)
  return example(root, { root = root, room = MAX_SIZE }, 0)
end

-- The subset that older Gemini models read ---------------------------------------------

local KEPT = {}
for _, name in ipairs {
  "anyOf", "default", "description", "enum", "example", "format", "items", "maxItems",
  "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
  "nullable", "pattern", "properties", "propertyOrdering", "required", "title", "type",
} do KEPT[name] = true end

local function is_schema(value)
  return type(value) == "table" and not json.is_array(value)
end

local function is_null(s)
  return type(s) == "table" and s.type == "null"
end

-- type = { "string", "null" } says nullable; several types say anyOf.
local function split_types(s)
  local kinds = json.array {}
  for _, kind in ipairs(s.type) do
    if kind == "null" then s.nullable = true else kinds[#kinds + 1] = { type = kind } end
  end
  s.type = #kinds == 1 and kinds[1].type or nil
  if #kinds > 1 then s.anyOf = kinds end
end

local function split_choices(s)
  local kinds = json.array {}
  for _, choice in ipairs(s.anyOf) do
    if is_null(choice) then
      s.nullable = true
    elseif is_schema(choice) then
      kinds[#kinds + 1] = choice
    end
  end
  s.anyOf = kinds
  if #kinds ~= 1 then return end
  s.anyOf = nil
  for name, value in pairs(kinds[1]) do
    if s[name] == nil then s[name] = value end
  end
end

-- All of several: their members side by side.
local function merge_all(s)
  for _, part in ipairs(s.allOf) do
    for name, value in pairs(type(part) == "table" and part or {}) do
      if type(value) == "table" and type(s[name]) == "table" and not json.is_array(value) then
        for inner, inner_value in pairs(value) do s[name][inner] = inner_value end
      elseif s[name] == nil then
        s[name] = value
      end
    end
  end
end

-- Enums hold strings only.
local function name_values(s)
  local values = json.array {}
  for i, value in ipairs(s.enum) do
    values[i] = type(value) == "string" and value or json.encode(value)
  end
  s.enum, s.type = values, "string"
end

local function rewrite(s)
  if type(s.allOf) == "table" then merge_all(s) end
  if type(s.oneOf) == "table" and not s.anyOf then s.anyOf = s.oneOf end
  if type(s.type) == "table" then split_types(s) end
  if type(s.anyOf) == "table" then split_choices(s) end
  if s.const ~= nil then s.enum = json.array { s.const } end
  if type(s.enum) == "table" then name_values(s) end
end

local function copy(value)
  return json.decode(json.encode(value), { ordered = true })
end

local clean -- of any schema; calls itself for what is inside

local function clean_inside(s, root, depth)
  for name, value in pairs(type(s.properties) == "table" and s.properties or {}) do
    s.properties[name] = clean(value, root, depth)
  end
  if type(s.items) == "table" then s.items = clean(s.items, root, depth) end
  for i, choice in ipairs(type(s.anyOf) == "table" and s.anyOf or {}) do
    s.anyOf[i] = clean(choice, root, depth)
  end
end

function clean(s, root, depth)
  if not is_schema(s) or depth > MAX_DEPTH then return { type = "string" } end
  local target = resolve(root, s["$ref"])
  if target then s = copy(target) end
  rewrite(s)
  for name in pairs(copy(s)) do
    if not KEPT[name] then s[name] = nil end
  end
  clean_inside(s, root, depth + 1)
  return s
end

--- The schema in the subset of OpenAPI that `parameters` and `responseSchema` take: references
--- inlined, what has no word there left out.
function schema.openapi(value)
  return clean(schema.read(value), schema.read(value), 0)
end

-- And back ---------------------------------------------------------------------------------

local plain -- of any schema; calls itself for what is inside

local function plain_inside(s, depth)
  for name, value in pairs(type(s.properties) == "table" and s.properties or {}) do
    s.properties[name] = plain(value, depth)
  end
  if type(s.items) == "table" then s.items = plain(s.items, depth) end
  for i, choice in ipairs(type(s.anyOf) == "table" and s.anyOf or {}) do
    s.anyOf[i] = plain(choice, depth)
  end
end

local NUMBERS = {
  "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties",
}

function plain(s, depth)
  if not is_schema(s) or depth > MAX_DEPTH then return s end
  if type(s.type) == "string" then s.type = s.type:lower() end
  if s.nullable == true and type(s.type) == "string" then
    s.type = json.array { s.type, "null" }
  end
  if s.type == "type_unspecified" or s.format == "enum" then s.format = nil end
  if s.type == "type_unspecified" then s.type = nil end
  s.nullable, s.propertyOrdering, s.property_ordering = nil, nil, nil
  s.anyOf, s.any_of = s.anyOf or s.any_of, nil
  for _, name in ipairs(NUMBERS) do -- 64 bits there, and so written as texts
    if type(s[name]) == "string" then s[name] = tonumber(s[name]) end
  end
  plain_inside(s, depth + 1)
  return s
end

--- JSON Schema for one in that subset: small letters, null as a type.
function schema.plain(value)
  return plain(schema.read(value), 0)
end

return schema
