-- What a request's body says it is.

local media = {}

--- Does a body say that it is a form?
function media.is_form(request)
  local value = (request:header("content-type") or ""):lower()
  return value:find("^%s*multipart/form%-data%f[;%s%z]") ~= nil
end

--- Why a body with these headers is not read as JSON, or as a form where that is wanted, too;
--- nil where it is.
function media.problem(request, form)
  local encoding = request:header("content-encoding")
  if encoding and encoding:lower() ~= "identity" then
    return "The request body must not be compressed."
  end
  local value = request:header("content-type")
  if value == "application/json" or form and media.is_form(request) then return nil end
  local media_type, rest = (value or ""):lower():match("^%s*([^;%s]*)%s*;?(.*)$")
  local charset = rest:match("charset%s*=%s*\"?([^\";%s]+)")
  if media_type ~= "application/json" or (charset and charset ~= "utf-8") then
    return form and "The request body must be multipart/form-data, or JSON in UTF-8."
      or "The request body must be application/json in UTF-8."
  end
end

return media
