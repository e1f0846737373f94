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

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- The model that was asked, in the body or in the path; "m" where the recorder kept none.
function splice.model_of(exchange)
  local body, path = exchange.request.body, exchange.request.path
  local model = type(body) == "table" and body.model
  if type(model) == "string" and not path:find "/models/" then return model end
  local named = path:match "/models/([^/]+):%a+$" or path:match "/model/([^/]+)/[%a-]+$"
  return named and unescaped(named) or "m"
end

return splice
