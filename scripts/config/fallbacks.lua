-- The shape of `fallback`: groups in order, and by kind of fault where one is named.

local nearest = require "lib.nearest"

local fallbacks = {}

-- The faults a provider can cause (lib/fault.lua says what each becomes for the client).
local KINDS = {
  "rate_limit", "timeout", "connect", "overloaded", "server_error", "unavailable",
  "context_window", "content_policy", "bad_request", "auth", "model_missing",
  "invalid_response", "truncated",
}

fallbacks.kinds = KINDS

local IS_KIND = {}
for _, kind in ipairs(KINDS) do IS_KIND[kind] = true end

local function is_name(value) return type(value) == "string" and value ~= "" end

local function by_kind(kind, value)
  if not IS_KIND[kind] then
    return ('knows no kind of fault "%s"%s'):format(tostring(kind), nearest.hint(kind, KINDS))
  end
  if value ~= false and not is_name(value) then
    return ("needs the name of a model, or false, for %s"):format(kind)
  end
end

-- Positions in order; a hole (`cond and "x"`) is nobody.
local function positions(value)
  local out = {}
  for key in pairs(value) do
    if type(key) == "number" then out[#out + 1] = key end
  end
  table.sort(out)
  return out
end

--- { "a", "b", context_window = "c" } → { list = {…}, by_kind = {…} }
function fallbacks.kind(value)
  if is_name(value) then return nil, ('must be a list: { "%s" }'):format(value) end
  if type(value) ~= "table" then return nil, "must be a list of models in braces" end
  local out = { list = {}, by_kind = {} }
  for key, item in pairs(value) do
    if type(key) ~= "number" then
      local problem = by_kind(key, item)
      if problem then return nil, problem end
      out.by_kind[key] = item
    end
  end
  for _, at in ipairs(positions(value)) do
    local item = value[at]
    if item and not is_name(item) then return nil, "must list names of models" end
    if item then out.list[#out.list + 1] = item end
  end
  return out
end

return fallbacks
