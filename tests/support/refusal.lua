-- How a client is refused in OpenAI's words.

local helper = require "helper"
local luassert = require "luassert"

--- The answer is this error, and names this member of the request, or none.
return function(response, status, code, param)
  luassert.equal(status, response.status, response.body)
  local err = assert(response.json, response.body).error
  luassert.same({ code, param or helper.json.null }, { err.code, err.param }, response.body)
  return response
end
