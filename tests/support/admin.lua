-- Keys and teams of a running gateway, over its admin listener.

local cjson = require "cjson"
local http = require "support.http"

local Admin = {}
Admin.__index = Admin

--- token: sent with each request; nil for none.
local function admin(gateway, token)
  return setmetatable({ gateway = gateway, token = token }, Admin)
end

--- One request; the answer has .json where it is JSON.
function Admin:ask(method, path, body)
  local want = { method = method, path = path, headers = {} }
  if body then
    want.body = type(body) == "string" and body or cjson.encode(body)
    want.headers["content-type"] = "application/json"
  elseif method ~= "GET" then
    want.body = ""
  end
  if self.token then want.headers.authorization = "Bearer " .. self.token end
  local response, err = http.request(self.gateway.admin_port, want)
  assert(response, "no answer: " .. tostring(err))
  local ok, value = pcall(cjson.decode, response.body)
  response.json = ok and value or nil
  return response
end

--- The same, which must succeed: the decoded answer.
function Admin:must(method, path, body)
  local response = self:ask(method, path, body)
  if response.status >= 300 then
    error(("%s %s: %d %s"):format(method, path, response.status, response.body), 2)
  end
  return response.json
end

function Admin:key(fields) return self:must("POST", "/admin/keys", fields) end

function Admin:team(fields) return self:must("POST", "/admin/teams", fields) end

return admin
