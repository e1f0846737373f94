-- A small, exact HTTP client: it sends the bytes it is given and hides nothing that comes back.
-- It takes answers strictly: what the grammar of HTTP/1.1 does not allow is an error.
-- tests/support/rawc.lua is the same for a shell.

local socket = require "socket"

local http = {}

local Connection = {}
Connection.__index = Connection

--- Connect to 127.0.0.1:port.
function http.connect(port, timeout)
  local sock = assert(socket.connect("127.0.0.1", port))
  sock:settimeout(timeout or 10)
  sock:setoption("tcp-nodelay", true)
  return setmetatable({ sock = sock, buffer = "" }, Connection)
end

--- Send bytes; true | nil, why.
function Connection:send(bytes)
  local at = 1
  while at <= #bytes do
    local last, err, partial = self.sock:send(bytes, at)
    if not last and err == "timeout" and partial and partial >= at then
      last = partial
    elseif not last then
      return nil, err
    end
    at = last + 1
  end
  return true
end

-- More bytes into the buffer; false at the end or an error, which is kept.
function Connection:fill()
  local bytes, err, partial = self.sock:receive(1)
  if bytes then
    self.sock:settimeout(0)
    local more, _, rest = self.sock:receive(65536)
    self.sock:settimeout(self.timeout or 10)
    self.buffer = self.buffer .. bytes .. (more or rest or "")
    return true
  end
  if partial and partial ~= "" then self.buffer = self.buffer .. partial end
  self.failure = err
  return false
end

function Connection:set_timeout(seconds)
  self.timeout = seconds
  self.sock:settimeout(seconds)
end

-- The next `n` bytes, or what came of them.
function Connection:take(n)
  while #self.buffer < n and self:fill() do end
  local bytes = self.buffer:sub(1, n)
  self.buffer = self.buffer:sub(n + 1)
  return bytes
end

--- The next line without its end; nil when none comes.
function Connection:line()
  while true do
    local at = self.buffer:find("\r\n", 1, true)
    if at then
      local text = self.buffer:sub(1, at - 1)
      self.buffer = self.buffer:sub(at + 2)
      return text
    end
    if not self:fill() then return nil, self.failure end
  end
end

local TOKEN = "^[!#$%%&'*+%-.^_`|~%w]+$"

-- Framing that another reader could take for another.
local function check_framing(response, counts)
  local length = response.headers["content-length"]
  local coding = response.headers["transfer-encoding"]
  if length and coding then error("both content-length and transfer-encoding", 0) end
  if (counts["content-length"] or 0) > 1 or (counts["transfer-encoding"] or 0) > 1 then
    error("framing said twice", 0)
  end
  if length and not length:find "^%d+$" then error("content-length: " .. length, 0) end
  if coding and coding:lower() ~= "chunked" then error("transfer-encoding: " .. coding, 0) end
end

local function read_header(response, line, counts)
  local name, value = line:match "^([^:]+):[ \t]*(.-)[ \t]*$"
  if not name or not name:find(TOKEN) or value:find "[%z\1-\8\10-\31\127]" then
    error(("not a header line: %q"):format(line), 0)
  end
  local lower = name:lower()
  counts[lower] = (counts[lower] or 0) + 1
  response.headers[lower] = value
  response.header_list[#response.header_list + 1] = { name, value }
end

--- Status line and headers: { status, reason, headers (lower case), raw_headers } | nil, why.
function Connection:head()
  local first, err = self:line()
  if not first then return nil, self.explain and err .. "\n" .. self.explain() or err end
  local response, counts = { headers = {}, header_list = {} }, {}
  response.status = tonumber(first:match "^HTTP/1%.[01] (%d%d%d) [^%z\1-\31\127]*$")
  assert(response.status, "not a status line: " .. first)
  for line in function() return self:line() end do
    if line == "" then
      check_framing(response, counts)
      return response
    end
    read_header(response, line, counts)
  end
  return nil, "the head ended early"
end

--- The next chunk of a chunked body; "" for the last; nil, why when the connection broke.
function Connection:chunk()
  local size = self:line()
  if not size then return nil, self.failure end
  local n = size:find "^%x+$" and tonumber(size, 16) or error("not a chunk size: " .. size, 2)
  local bytes = self:take(n)
  if #bytes < n then return nil, self.failure end
  local ending = self:take(2)
  if #ending < 2 then return nil, self.failure end
  if ending ~= "\r\n" then error(("a chunk ends with %q"):format(ending), 2) end
  return bytes
end

local function chunked(self, response)
  local parts = {}
  while true do
    local bytes = self:chunk()
    if not bytes then
      response.cut = true
      break
    end
    if bytes == "" then break end
    parts[#parts + 1] = bytes
  end
  response.chunks = parts
  return table.concat(parts)
end

--- Read the body that belongs to a head; response.cut says that it ended early.
function Connection:body(response)
  local headers = response.headers
  if response.status == 204 or response.status == 304 then
    response.body = ""
  elseif (headers["transfer-encoding"] or ""):lower() == "chunked" then
    response.body = chunked(self, response)
  elseif headers["content-length"] then
    local n = tonumber(headers["content-length"])
    response.body = self:take(n)
    response.cut = #response.body < n
  else
    while self:fill() do end
    response.body, self.buffer = self.buffer, ""
  end
  return response
end

--- A whole answer | nil, why.
function Connection:response()
  local response, err = self:head()
  if not response then return nil, err end
  if response.status == 100 then return self:response() end
  return self:body(response)
end

--- Has the other side closed? Waits at most `seconds` for it.
function Connection:closed(seconds)
  self.sock:settimeout(seconds or 5)
  local byte, err, partial = self.sock:receive(1)
  self.sock:settimeout(self.timeout or 10)
  if byte or (partial and partial ~= "") then
    self.buffer = self.buffer .. (byte or partial)
    return false
  end
  return err == "closed" or err:find "reset" ~= nil
end

function Connection:close()
  if self.sock then self.sock:close() end
  self.sock = nil
end

--- Close with a reset instead of a FIN.
function Connection:reset()
  self.sock:setoption("linger", { on = true, timeout = 0 })
  self:close()
end

-- SSE ---------------------------------------------------------------------------------------

--- The next server-sent event of a chunked stream: its bytes as received; nil at the end.
function Connection:event()
  self.events = self.events or ""
  while true do
    local at, last = self.events:find "\r?\n\r?\n"
    if at then
      local bytes = self.events:sub(1, last)
      self.events = self.events:sub(last + 1)
      return bytes
    end
    local bytes = not self.events_ended and self:chunk()
    if not bytes or bytes == "" then
      self.events_ended, self.events_cut = true, not bytes
      return nil
    end
    self.events = self.events .. bytes
  end
end

--- The `data` of each event in a body, in order.
function http.events(body)
  local list = {}
  for block in (body:gsub("\r\n", "\n") .. "\n\n"):gmatch "(.-)\n\n+" do
    local data = {}
    for line in (block .. "\n"):gmatch "(.-)\n" do
      local value = line:match "^data: ?(.*)$"
      if value then data[#data + 1] = value end
    end
    if #data > 0 then list[#list + 1] = table.concat(data, "\n") end
  end
  return list
end

--- The bytes of a request. want: method, path, headers (list of {name, value} or map), body.
function http.format(want)
  local lines = { ("%s %s HTTP/1.1"):format(want.method or "GET", want.path) }
  local given = {}
  local function add(name, value)
    lines[#lines + 1] = name .. ": " .. value
    given[name:lower()] = true
  end
  for name, value in pairs(want.headers or {}) do
    if type(name) == "number" then name, value = value[1], value[2] end
    if value then add(name, value) end
  end
  if not given.host then add("host", "127.0.0.1") end
  if want.body and not given["content-length"] and not given["transfer-encoding"] then
    add("content-length", tostring(#want.body))
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (want.body or "")
end

--- One request on a connection of its own.
function http.request(port, want)
  local connection = http.connect(port, want.timeout)
  assert(connection:send(http.format(want)))
  local response, err = connection:response()
  connection:close()
  return response, err
end

return http
