-- Errors in the words of Anthropic's Messages (as dialects/openai_errors.lua).

local json = require "engine.json"

local errors = {}

local TYPES = {
  [400] = "invalid_request_error", [401] = "authentication_error", [402] = "billing_error",
  [403] = "permission_error", [404] = "not_found_error", [409] = "conflict_error",
  [413] = "request_too_large", [429] = "rate_limit_error", [504] = "timeout_error",
  [529] = "overloaded_error",
}

--- The status that this dialect has for a fault.
function errors.status(err)
  return err.kind == "overloaded" and 529 or err.status
end

local function type_of(err)
  local status = errors.status(err)
  return TYPES[status] or (status < 500 and "invalid_request_error" or "api_error")
end

-- There is no member for the place of a mistake: it stands in the message.
local function message_of(err)
  local place = err.param
  if type(place) ~= "string" or err.message:find(place, 1, true) then return err.message end
  return place .. ": " .. err.message
end

--- An error's body.
function errors.body(err, call)
  return json.encode(json.object({ "type", "error", "request_id" }, {
    type = "error", request_id = call and call.id or nil,
    error = json.object({ "type", "message" }, {
      type = type_of(err), message = message_of(err),
    }),
  }))
end

return errors
