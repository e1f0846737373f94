-- Is a value as a schema says? The subset of JSON Schema in which pipeline/admin/shapes.lua is
-- written. The first thing wrong comes back, with the field's name.

local formats = require "pipeline.admin.formats"
local json = require "engine.json"
local nearest = require "lib.nearest"

local check = {}

local value_of -- of any schema; the checks below call it for what is inside

local function wrong(code, param, message)
  return { status = 400, code = code, param = param, message = message }
end

local function join(param, name)
  return param == "" and name or param .. "." .. name
end

local function shown(param)
  return param == "" and "the request body" or param
end

local function names_of(properties)
  local out = {}
  for name in pairs(properties) do out[#out + 1] = name end
  table.sort(out)
  return out
end

-- One type each --------------------------------------------------------------------------

local function hint_at(format, value)
  return format and format.words and nearest.hint(value, format.words) or ""
end

local function text(schema, value, param)
  local format = schema.format and formats[schema.format]
  local most = schema.maxLength or (format and format.most)
  local say = format and format.say
  if value == "" or (most and #value > most) or (format and not format.is(value)) then
    return wrong("invalid_value", param, ("%s must be %s%s"):format(param,
      say or ("1 to %d characters"):format(most), hint_at(format, value)))
  end
end

local function integer(schema, value, param)
  local least, most = schema.minimum, schema.maximum
  if not json.is_raw(value) and value % 1 == 0 and value >= least and value <= most then
    return nil
  end
  return wrong("invalid_value", param, ("%s must be a whole number from %.0f to %.0f"):format(
    param, least, most))
end

-- Dollars as a JSON number: exact where its text is, which is for who reads it to see.
local function number(schema, value, param)
  local least, most = schema.minimum, schema.maximum
  if json.is_raw(value) or (value >= least and value <= most) then return nil end
  return wrong("invalid_value", param, ("%s must be a number from %.0f to %.0f"):format(param,
    least, most))
end

local function array(schema, value, param)
  local least, most = schema.minItems or 0, schema.maxItems
  if #value < least or #value > most then
    return wrong("invalid_value", param, ("%s must have %d to %d members"):format(param, least,
      most))
  end
  for i, item in ipairs(value) do
    local problem = value_of(schema.items, item, ("%s.%d"):format(param, i - 1))
    if problem then return problem end
  end
end

-- An object whose members are named by whoever writes it.
local function map(schema, value, param)
  local names = names_of(value)
  if #names > schema.maxProperties then
    return wrong("invalid_value", param, ("%s may have %d members at most"):format(
      shown(param), schema.maxProperties))
  end
  for _, name in ipairs(names) do
    local inner = join(param, name)
    local format = formats[schema.propertyNames.format]
    if #name > format.most or not format.is(name) then
      return wrong("invalid_value", param, ("names in %s must be %s"):format(param, format.say))
    end
    local problem = value_of(schema.additionalProperties, value[name], inner)
    if problem then return problem end
  end
end

local function unknown(schema, value, param)
  for _, name in ipairs(names_of(value)) do
    if not schema.properties[name] then
      local inner = join(param, name)
      local plain = inner:gsub("[%c\127-\255]", "?"):sub(1, 64)
      return wrong("unknown_parameter", plain, ('there is no field "%s"%s'):format(plain,
        nearest.hint(name, names_of(schema.properties))))
    end
  end
end

local function object(schema, value, param)
  if not schema.properties then return map(schema, value, param) end
  local problem = unknown(schema, value, param)
  if problem then return problem end
  for _, name in ipairs(schema.required or {}) do
    if value[name] == nil then
      local inner = join(param, name)
      return wrong("missing_required_parameter", inner, inner .. " is missing")
    end
  end
  for _, name in ipairs(names_of(value)) do
    problem = value_of(schema.properties[name], value[name], join(param, name))
    if problem then return problem end
  end
end

-- Which type -----------------------------------------------------------------------------

local TESTS = {
  string = text, integer = integer, number = number, array = array, object = object,
}

local function type_of(value)
  if value == json.null then return "null" end
  if json.is_raw(value) then return "number" end
  local kind = type(value)
  if kind == "table" then return json.is_array(value) and "array" or "object" end
  return kind
end

local function fits(kind, found)
  return kind == found or (kind == "integer" and found == "number")
end

local ARTICLE = {
  string = "a text", integer = "a whole number", number = "a number", boolean = "true or false",
  array = "a list", object = "an object", null = "null",
}

local function types(schema)
  return type(schema.type) == "table" and schema.type or { schema.type }
end

local function spoken(schema)
  if schema.say then return schema.say end
  local out = {}
  for i, kind in ipairs(types(schema)) do out[i] = ARTICLE[kind] end
  return table.concat(out, " or ")
end

local function one_of(schema, value, param)
  for _, allowed in ipairs(schema.enum) do
    if value == allowed then return nil end
  end
  local words = {}
  for _, allowed in ipairs(schema.enum) do words[#words + 1] = tostring(allowed) end
  return wrong("invalid_value", param, ("%s must be one of %s"):format(param,
    table.concat(words, ", ")))
end

-- One of several schemas: the complaint is that of the one whose type fits.
local function any_of(schema, value, param)
  local nearest_problem
  for _, choice in ipairs(schema.anyOf) do
    local problem = value_of(choice, value, param)
    if not problem then return nil end
    if problem.code ~= "invalid_type" then nearest_problem = problem end
  end
  return nearest_problem
    or wrong("invalid_type", param, ("%s must be %s"):format(param, spoken(schema)))
end

function value_of(schema, value, param)
  if schema.anyOf then return any_of(schema, value, param) end
  local found = type_of(value)
  for _, kind in ipairs(types(schema)) do
    if fits(kind, found) then
      if schema.enum and value ~= json.null then return one_of(schema, value, param) end
      return TESTS[kind] and TESTS[kind](schema, value, param)
    end
  end
  return wrong("invalid_type", param, ("%s must be %s"):format(shown(param), spoken(schema)))
end

--- What is wrong with a decoded body: nil, or { status, code, param, message }.
function check.body(schema, value)
  return value_of(schema, value, "")
end

--- The same for one value under a name.
function check.value(schema, value, name)
  return value_of(schema, value, name)
end

--- A query's text as its schema's type: "100" → 100. value | nil, problem
function check.parameter(schema, value, name)
  local typed = value
  if schema.type == "integer" and value:find("^%d+$") and #value <= 15 then
    typed = tonumber(value)
  elseif schema.type == "boolean" and (value == "true" or value == "false") then
    typed = value == "true"
  end
  local problem = value_of(schema, typed, name)
  if problem then return nil, problem end
  return typed
end

return check
