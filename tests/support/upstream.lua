-- The scripted provider, from a test's side: tests/faultd/faultd.c says what it can do.

local http = require "support.http"
local process = require "support.process"
local socket = require "socket"

local upstream = {}

local Upstream = {}
Upstream.__index = Upstream

--- Start one. :reply() tells it what to answer, :requests() what it saw.
function upstream.start()
  local dir = process.temp_dir()
  local out = dir .. "/ports"
  local tools = os.getenv "MOONGATE_TOOLS" or "build/tests"
  local child = process.start({ tools .. "/faultd" }, { stdout = out })
  local port, control
  local deadline = socket.gettime() + 30
  repeat
    port, control = process.read(out):match "^(%d+) (%d+)\n"
    if not port then socket.sleep(0.005) end
  until port or socket.gettime() > deadline
  assert(port, "the test provider did not start")
  os.remove(out)
  os.remove(dir)
  return setmetatable(
    { process = child, port = tonumber(port), control = http.connect(tonumber(control)) },
    Upstream)
end

-- One command, one line of answer.
function Upstream:tell(command)
  assert(self.control:send(command))
  while not self.control.buffer:find("\n", 1, true) do
    assert(self.control:fill(), "the test provider is gone")
  end
  local line, rest = self.control.buffer:match "^([^\n]*)\n(.*)$"
  self.control.buffer = rest
  return line
end

--- The URL of a lane; whatever follows it is up to the adapter.
function Upstream:url(lane, port)
  return ("http://127.0.0.1:%d/%s"):format(port or self.port, lane)
end

--- Add a script (see upstream.script) to a lane; times nil: for ever.
function Upstream:script(lane, steps, times)
  self:tell(("add %s %d %d\n%s"):format(lane, times or 0, #steps, steps))
end

--- Answer a lane's next requests: { status, headers, body, stream = "whole" | "drip" | sizes }.
function Upstream:reply(lane, response, times)
  self:script(lane, upstream.script(response), times)
end

function Upstream:open(gate) self:tell("open " .. gate .. "\n") end
--- What becomes of new connections (at a port of its own, where it has one).
function Upstream:accept(mode, port)
  self:tell(("accept %s %d\n"):format(mode, port or self.port))
end

--- One more port, of which connections are not shared with the others'.
function Upstream:another_port() return tonumber(self:tell "port\n") end

--- A port that answers no knock.
function Upstream:blackhole() return tonumber(self:tell "blackhole\n") end

--- A port with TLS. how: "good", "tls1.0", "alpn"; files: { certificate, key }.
function Upstream:tls(how, files)
  local paths = files.certificate .. "\n" .. files.key .. "\n"
  return assert(tonumber(self:tell(("tls %s %d\n%s"):format(how, #paths, paths))))
end
function Upstream:now() return tonumber(self:tell "now\n") end

--- Forget scripts, gates and requests.
function Upstream:reset() self:tell "reset\n" end

--- requests seen, connections seen, connections open.
function Upstream:stats()
  local seen, connections, open = self:tell("stats\n"):match "(%d+) (%d+) (%d+)"
  return tonumber(seen), tonumber(connections), tonumber(open)
end

local function parse(raw)
  local head, body = raw:match "^(.-)\r\n\r\n(.*)$"
  local request = { raw = raw, head = head, body = body, headers = {} }
  if not head then return request end
  request.method, request.path = head:match "^(%S+) (%S+)"
  for name, value in head:gmatch "\r\n([^:]+):%s*([^\r]*)" do
    request.headers[name:lower()] = value
  end
  return request
end

-- The request of that number, from 0.
local function request_at(self, i)
  local answer = self:tell(("request %d\n"):format(i))
  local name, connection, at, len = answer:match "(%S+) (%d+) (%d+) (%d+)"
  local request = parse(self.control:take(tonumber(len)))
  request.lane, request.connection, request.at_ms = name, tonumber(connection), tonumber(at)
  return request
end

--- The requests seen so far (of one lane), in order.
function Upstream:requests(lane)
  local list = {}
  for i = 0, (self:stats()) - 1 do
    local request = request_at(self, i)
    if not lane or lane == request.lane then list[#list + 1] = request end
  end
  return list
end

--- The last request seen in a lane.
function Upstream:last(lane)
  for i = (self:stats()) - 1, 0, -1 do
    local request = request_at(self, i)
    if not lane or lane == request.lane then return request end
  end
end

--- What became of a connection: "open" | "peer" | "us", when, bytes sent.
function Upstream:connection(id)
  local state, at, sent = self:tell(("connection %d\n"):format(id)):match "(%S+) (%d+) (%d+)"
  return state, tonumber(at), tonumber(sent)
end

--- Wait until a lane has seen n requests; the list of them.
function Upstream:wait_for(lane, n, seconds)
  local deadline = socket.gettime() + (seconds or 10)
  repeat
    local list = self:requests(lane)
    if #list >= n then return list end
    socket.sleep(0.005)
  until socket.gettime() > deadline
  error(("%s saw no %d requests"):format(lane, n), 2)
end

function Upstream:stop()
  self.control:close()
  self.process:stop(process.KILL)
end

-- Scripts -------------------------------------------------------------------------------------

local function send(bytes) return ("send %d\n%s"):format(#bytes, bytes) end
upstream.send = send

--- One chunk of a chunked body, as bytes.
function upstream.chunk(bytes) return ("%x\r\n%s\r\n"):format(#bytes, bytes) end

--- The bytes of a head. Headers are a map or a list of pairs.
function upstream.head(status, headers)
  local lines = { ("HTTP/1.1 %d Recorded"):format(status) }
  for name, value in pairs(headers or {}) do
    if type(name) == "number" then name, value = value[1], value[2] end
    lines[#lines + 1] = name .. ": " .. value
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- The head of a stream of events in chunks.
function upstream.stream_head()
  return upstream.head(200,
    { ["content-type"] = "text/event-stream", ["transfer-encoding"] = "chunked" })
end

-- The body in pieces: each a chunk, and a write of its own.
local function pieces(body, sizes)
  local steps, at = {}, 1
  for _, size in ipairs(sizes) do
    if size > 0 then steps[#steps + 1] = send(upstream.chunk(body:sub(at, at + size - 1))) end
    at = at + size
  end
  if at <= #body then steps[#steps + 1] = send(upstream.chunk(body:sub(at))) end
  return table.concat(steps)
end

local function copy(headers)
  local out = {}
  for name, value in pairs(headers or {}) do
    local lower = name:lower()
    if lower ~= "content-length" and lower ~= "transfer-encoding" and lower ~= "connection" then
      out[lower] = value
    end
  end
  return out
end

--- Steps that answer with a response; `after` (steps) replaces the proper end of a stream.
function upstream.script(response)
  local headers, body, mode = copy(response.headers), response.body or "", response.stream
  local status = response.status or 200
  if not mode then
    headers["content-type"] = headers["content-type"] or "application/json"
    headers["content-length"] = #body
    return send(upstream.head(status, headers) .. body) .. (response.after or "")
  end
  headers["content-type"] = headers["content-type"] or "text/event-stream"
  headers["transfer-encoding"] = "chunked"
  local out = send(upstream.head(status, headers))
  if mode == "drip" then
    out = out .. ("drip %d\n%s"):format(#body, body)
  elseif type(mode) == "table" then
    out = out .. pieces(body, mode)
  elseif body ~= "" then
    out = out .. send(upstream.chunk(body))
  end
  return out .. (response.after or send "0\r\n\r\n")
end

return upstream
