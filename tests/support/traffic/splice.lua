-- The name of a model, put into the bytes of a request.

local cjson = require "cjson"

local splice = {}

--- The body with this model in it.
function splice.model(text, name)
  local quoted = cjson.encode(name):gsub("\\/", "/")
  local function put(head) return head .. quoted end
  local out, n = text:gsub('("model"%s*:%s*)"[^"]*"', put, 1)
  if n == 1 then return out end
  return (text:gsub("^%s*{", function(head) return head .. '"model":' .. quoted .. "," end))
end

--- The model that was asked; "m" where the recorder kept none.
function splice.model_of(exchange)
  local body = exchange.request.body
  local model = type(body) == "table" and body.model
  return type(model) == "string" and model or "m"
end

return splice
