-- Errors in OpenAI's words. What is refused unread is said in them, too, so they are there
-- before anything else of the dialect.

local json = require "engine.json"

local errors = {}

--- An error's body.
function errors.body(err)
  return json.encode {
    error = json.object({ "message", "type", "param", "code" }, {
      message = err.message, type = err.type, param = err.param or json.null,
      code = err.code or json.null,
    }),
  }
end

return errors
