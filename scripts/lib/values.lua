-- What a member of somebody else's body says, where null says as little as nothing at all.

local json = require "engine.json"

local values = {}

local NULL = json.null

--- The value; nil where it is null.
function values.given(value)
  if value == NULL then return nil end
  return value
end

--- A text that is not empty; nil for all else.
function values.text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

return values
