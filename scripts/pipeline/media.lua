-- What a request's body says it is.

local media = {}

--- Why a body with these headers is not read as JSON; nil where it is.
function media.problem(request)
  local encoding = request:header("content-encoding")
  if encoding and encoding:lower() ~= "identity" then
    return "The request body must not be compressed."
  end
  local value = request:header("content-type")
  if value == "application/json" then return nil end
  local media_type, rest = (value or ""):lower():match("^%s*([^;%s]*)%s*;?(.*)$")
  local charset = rest:match("charset%s*=%s*\"?([^\";%s]+)")
  if media_type ~= "application/json" or (charset and charset ~= "utf-8") then
    return "The request body must be application/json in UTF-8."
  end
end

return media
