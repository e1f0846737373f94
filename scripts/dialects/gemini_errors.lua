-- Errors in the words of Gemini's generateContent (as dialects/openai_errors.lua).

local json = require "engine.json"

local errors = {}

local STATUS = {
  [400] = "INVALID_ARGUMENT", [401] = "UNAUTHENTICATED", [403] = "PERMISSION_DENIED",
  [404] = "NOT_FOUND", [405] = "UNIMPLEMENTED", [408] = "DEADLINE_EXCEEDED",
  [409] = "ABORTED", [429] = "RESOURCE_EXHAUSTED", [499] = "CANCELLED", [500] = "INTERNAL",
  [502] = "UNAVAILABLE", [503] = "UNAVAILABLE", [504] = "DEADLINE_EXCEEDED",
}

local TYPE = "type.googleapis.com/google.rpc."

-- Which member is at fault, and when to come back.
local function details_of(err)
  local out = json.array {}
  if type(err.param) == "string" then
    out[#out + 1] = json.object({ "@type" }, {
      ["@type"] = TYPE .. "BadRequest",
      fieldViolations = json.array {
        json.object({ "field" }, { field = err.param, description = err.message }),
      },
    })
  end
  if err.code then
    out[#out + 1] = json.object({ "@type" }, {
      ["@type"] = TYPE .. "ErrorInfo", reason = tostring(err.code):upper(), domain = "moongate",
    })
  end
  if err.retry_after and err.kind ~= "budget_exceeded" and not err.exhausted then
    out[#out + 1] = json.object({ "@type" }, {
      ["@type"] = TYPE .. "RetryInfo",
      retryDelay = ("%ds"):format(math.max(1, math.ceil(err.retry_after))),
    })
  end
  return #out > 0 and out or nil
end

--- An error's body.
function errors.body(err)
  return json.encode {
    error = json.object({ "code", "message", "status", "details" }, {
      code = err.status, message = err.message, details = details_of(err),
      status = STATUS[err.status] or (err.status < 500 and "INVALID_ARGUMENT" or "INTERNAL"),
    }),
  }
end

return errors
