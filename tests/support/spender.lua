-- A client in a process of its own, of which every request is another end user: asks without
-- pause, for whole answers and streams in turn, and writes down "USER ID TIME" of each that
-- came whole.
--
--     luajit spender.lua PORT OUT TOKEN NAME        until it is killed

package.path = "./tests/?.lua;" .. package.path
local http = require "support.http"
local socket = require "socket"

local port, out, token, name = tonumber(arg[1]), assert(io.open(arg[2], "a")), arg[3], arg[4]
out:setvbuf "line"

local function bytes(user, stream)
  return http.format {
    method = "POST", path = "/v1/chat/completions",
    body = ('{"model":"one","max_tokens":50,"user":"%s","stream":%s,"messages":['
      .. '{"role":"user","content":"hello"}]}'):format(user, tostring(stream)),
    headers = { ["content-type"] = "application/json", authorization = "Bearer " .. token },
  }
end

local function ask(connection, user, stream)
  connection:send(bytes(user, stream))
  local response = connection:response()
  if not response or response.status ~= 200 or response.cut then return false end
  if stream and not response.body:find("[DONE]", 1, true) then return false end
  out:write(("%s %s %.4f\n"):format(user, response.headers["x-moongate-request-id"],
    socket.gettime()))
  return true
end

local connection
for n = 1, math.huge do
  if not connection then
    local ok, made = pcall(http.connect, port, 5)
    connection = ok and made or nil
    if not ok then socket.sleep(0.002) end
  end
  if connection then
    local ok, whole = pcall(ask, connection, name .. "-" .. n, n % 2 == 0)
    if not (ok and whole) then
      connection:close()
      connection = nil
    end
  end
end
