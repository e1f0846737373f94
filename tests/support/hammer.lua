-- A client in a process of its own: asks without pause and writes down the id of every answer,
-- or what came instead: "refused" (no connection), "status N". A connection that broke in the
-- middle of a request is neither.
--
--     luajit hammer.lua PORT OUT        until it is killed

package.path = "./tests/?.lua;" .. package.path
local http = require "support.http"
local socket = require "socket"

local port, out = tonumber(arg[1]), assert(io.open(arg[2], "a"))
out:setvbuf "line"

local body = '{"model":"one","messages":[{"role":"user","content":"hello"}]}'
local request = http.format {
  method = "POST", path = "/v1/chat/completions", body = body,
  headers = { ["content-type"] = "application/json", authorization = "Bearer k" },
}

local connection
while true do
  if not connection then
    local ok, made = pcall(http.connect, port, 5)
    if ok then
      connection = made
    else
      out:write("refused\n")
      socket.sleep(0.01)
    end
  end
  if connection then
    connection:send(request)
    local ok, response = pcall(connection.response, connection)
    if ok and response and response.status == 200 and not response.cut then
      out:write(response.headers["x-moongate-request-id"], "\n")
    else
      if ok and response then out:write("status ", response.status, "\n") end
      connection:close()
      connection = nil
    end
  end
end
