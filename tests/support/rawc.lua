-- A raw HTTP/1 client for a shell and for tests: sends bytes as they are told, at the pace that
-- is told, and reads the answer strictly (support/http.lua) at the pace that is told.
--
--     luajit tests/support/rawc.lua PORT FILE
--
-- FILE has steps, one a line:
--
--     send TEXT       with \\r \\n \\t \\0 \\xHH as in C
--     file PATH       a file's bytes
--     repeat N TEXT   a text N times
--     pause MS
--     half · reset    no more will be sent · away, with a reset
--     read [RATE]     an answer, at RATE bytes a second; prints its status, headers and body
--     closed          the other side closes, too, or that is an error
--
-- Exit status 0 where all steps went as told and every answer was HTTP.

package.path = "./tests/?.lua;" .. package.path

local http = require "support.http"
local socket = require "socket"

local rawc = {}

local ESCAPES = { r = "\r", n = "\n", t = "\t", ["0"] = "\0", ["\\"] = "\\" }

--- The bytes of a text with C's escapes.
function rawc.bytes(text)
  text = text:gsub("\\x(%x%x)", function(hex)
    return hex == "5c" and "\\\\" or string.char(tonumber(hex, 16))
  end)
  return (text:gsub("\\([rnt0\\])", ESCAPES))
end

-- So many bytes a second reach the reader.
local function slow(connection, rate)
  local began, taken, take = socket.gettime(), 0, connection.sock.receive
  connection.sock = setmetatable({ receive = function(_, n)
    local wait = taken / rate - (socket.gettime() - began)
    if wait > 0 then socket.sleep(wait) end
    local bytes, err, partial = take(connection.real, math.min(n, math.max(1, rate / 20)))
    taken = taken + #(bytes or partial or "")
    return bytes, err, partial
  end }, { __index = function(_, name)
    return function(_, ...) return connection.real[name](connection.real, ...) end
  end })
end

local STEPS = {}

function STEPS.send(connection, text) assert(connection:send(rawc.bytes(text))) end

function STEPS.file(connection, path)
  local file = assert(io.open(path, "rb"))
  assert(connection:send(file:read "*a"))
  file:close()
end

STEPS["repeat"] = function(connection, text)
  local n, what = text:match "^(%d+) (.*)$"
  assert(connection:send(rawc.bytes(what):rep(tonumber(n))))
end

function STEPS.pause(_, ms) socket.sleep(tonumber(ms) / 1000) end

-- shutdown(SHUT_WR), which a wrapped socket passes on.
function STEPS.half(connection) connection.real:shutdown "send" end

function STEPS.reset(connection)
  connection.real:setoption("linger", { on = true, timeout = 0 })
  connection.real:close()
end

function STEPS.read(connection, rate)
  if tonumber(rate) then slow(connection, tonumber(rate)) end
  local response = assert(connection:response())
  connection.sock = connection.real
  assert(not response.cut, "the answer is cut")
  return response
end

function STEPS.closed(connection) assert(connection:closed(10), "it stays open") end

--- Run steps (text) on a new connection: the answers, in order.
function rawc.run(port, text)
  local connection, answers = http.connect(port, 30), {}
  connection.real = connection.sock
  for line in text:gmatch "[^\n]+" do
    local word, rest = line:match "^%s*(%S+) ?(.*)$"
    if word and not word:find "^#" then
      local step = STEPS[word] or error("no such step: " .. word, 0)
      answers[#answers + 1] = step(connection, rest)
    end
  end
  pcall(connection.real.close, connection.real)
  return answers
end

local function main(port, path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  for _, response in ipairs(rawc.run(tonumber(port), text)) do
    print(response.status)
    for _, pair in ipairs(response.header_list) do print(pair[1] .. ": " .. pair[2]) end
    print("\n" .. response.body)
  end
end

if arg and arg[0] and arg[0]:find "rawc%.lua$" then main(arg[1], arg[2]) end

return rawc
