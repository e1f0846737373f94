-- A small validator of JSON Schema, for answers checked against docs/admin-openapi.json,
-- written from the standard, not from the gateway's own checks. Values are engine.json's, which
-- tells [] from {}; lua-cjson's do not.

require "engine"
local ffi = require "ffi"
local json = require "engine.json"

local schema = {}

ffi.cdef [[
typedef struct { char opaque[256]; } spec_regex;
int regcomp(spec_regex *, const char *, int);
int regexec(const spec_regex *, const char *, size_t, void *, int);
void regfree(spec_regex *);
]]
local EXTENDED, NOSUB = 1, 8

--- Does the text match the regular expression (POSIX extended, which our patterns keep to)?
function schema.matches(text, pattern)
  local regex = ffi.new "spec_regex"
  assert(ffi.C.regcomp(regex, pattern, EXTENDED + NOSUB) == 0, "not a pattern: " .. pattern)
  local found = ffi.C.regexec(regex, text, 0, nil, 0) == 0
  ffi.C.regfree(regex)
  return found
end

local function type_of(value)
  if value == json.null then return "null" end
  if type(value) ~= "table" then return type(value) end
  return json.is_array(value) and "array" or "object"
end

local function is_of(value, kind)
  local found = type_of(value)
  return found == kind or (kind == "integer" and found == "number" and value % 1 == 0)
end

local validate -- of any schema

local CHECKS = {}

function CHECKS.type(value, kinds)
  for _, kind in ipairs(type(kinds) == "table" and kinds or { kinds }) do
    if is_of(value, kind) then return nil end
  end
  return "is of type " .. type_of(value)
end

function CHECKS.enum(value, allowed)
  for _, each in ipairs(allowed) do
    if each == value then return nil end
  end
  return "is none of the enum"
end

function CHECKS.pattern(value, pattern)
  if type(value) == "string" and not schema.matches(value, pattern) then
    return "does not match " .. pattern
  end
end

function CHECKS.maxLength(value, most)
  if type(value) == "string" and #value > most then return "is too long" end
end

function CHECKS.minimum(value, least)
  if type(value) == "number" and value < least then return "is too small" end
end

function CHECKS.maximum(value, most)
  if type(value) == "number" and value > most then return "is too large" end
end

function CHECKS.maxItems(value, most)
  if type_of(value) == "array" and #value > most then return "has too many items" end
end

function CHECKS.minItems(value, least)
  if type_of(value) == "array" and #value < least then return "has too few items" end
end

function CHECKS.required(value, names)
  if type_of(value) ~= "object" then return nil end
  for _, name in ipairs(names) do
    if value[name] == nil then return "lacks " .. name end
  end
end

function CHECKS.properties(value, properties, at)
  if type_of(value) ~= "object" then return nil end
  for name, inner in pairs(properties) do
    local problem = value[name] ~= nil and validate(inner, value[name], at.root, name)
    if problem then return problem end
  end
end

function CHECKS.additionalProperties(value, allowed, at)
  if type_of(value) ~= "object" or allowed == true then return nil end
  for name, inner in pairs(value) do
    if not (at.schema.properties or {})[name] then
      if not allowed then return "has an unknown member " .. name end
      local problem = validate(allowed, inner, at.root, name)
      if problem then return problem end
    end
  end
end

function CHECKS.items(value, inner, at)
  if type_of(value) ~= "array" then return nil end
  for i, item in ipairs(value) do
    local problem = validate(inner, item, at.root, tostring(i - 1))
    if problem then return problem end
  end
end

function CHECKS.anyOf(value, choices, at)
  for _, choice in ipairs(choices) do
    if not validate(choice, value, at.root, "") then return nil end
  end
  return "fits none of anyOf"
end

local IGNORED = {
  title = true, description = true, propertyNames = true, maxProperties = true,
}

function validate(one, value, root, name)
  if one["$ref"] then
    local target = one["$ref"]:match "^#/components/schemas/(%w+)$"
    return validate(assert(root.components.schemas[target], one["$ref"]), value, root, name)
  end
  for word, rule in pairs(one) do
    assert(CHECKS[word] or IGNORED[word], "a schema says " .. word)
    local problem = CHECKS[word] and CHECKS[word](value, rule, { root = root, schema = one })
    if problem then return name .. (problem:find "^%l+ " and " " or ".") .. problem end
  end
end

--- What is wrong with a value: nil, or text with the path. `root` is the whole description.
function schema.problem(one, value, root)
  return validate(one, value, root, "answer")
end

return schema
