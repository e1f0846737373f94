-- A TCP proxy in a process of its own that does what networks and servers do on bad days.
--
--     luajit proxy.lua PORT TARGET MODE_FILE
--
-- MODE_FILE holds one word, read again all the time:
--   pass       what comes goes by
--   hold       takes connections and bytes, and gives nothing back until the mode changes
--   refuse     closes connections, old and new
--   say BYTES  answers whatever is sent with these bytes (\r \n written so), and passes nothing
-- In the gateway's tests: require "support.proxy".

local socket = require "socket"

local proxy = {}

-- The process ---------------------------------------------------------------------------------

local function read_mode(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or "pass"
  if file then file:close() end
  local word, rest = text:match "^(%S+) ?(.*)$"
  return word or "pass", rest and rest:gsub("\\r", "\r"):gsub("\\n", "\n")
end

local function close(pairs_of, pair)
  pair.client:close()
  if pair.server then pair.server:close() end
  pairs_of[pair.client] = nil
  if pair.server then pairs_of[pair.server] = nil end
end

local function send_all(sock, bytes)
  sock:settimeout(5)
  local fine = sock:send(bytes)
  sock:settimeout(0)
  return fine
end

local function bytes_of(sock)
  local bytes, err, partial = sock:receive(65536)
  bytes = bytes or partial
  if bytes == "" then bytes = nil end
  return bytes, err == "closed"
end

local function forward(state, sock, mode, say)
  local pair = state.pairs_of[sock]
  if not pair then return end
  local bytes, closed = bytes_of(sock)
  if closed and not bytes then return close(state.pairs_of, pair) end
  if mode == "say" then
    if sock == pair.client then send_all(sock, say) end
    return
  end
  local to = sock == pair.client and pair.server or pair.client
  if bytes and not send_all(to, bytes) then close(state.pairs_of, pair) end
end

local function accept(state, mode)
  local client = state.listener:accept()
  if not client then return end
  local server = mode ~= "refuse" and socket.connect("127.0.0.1", state.target)
  if not server then return client:close() end
  client:settimeout(0)
  server:settimeout(0)
  client:setoption("tcp-nodelay", true)
  server:setoption("tcp-nodelay", true)
  local pair = { client = client, server = server }
  state.pairs_of[client], state.pairs_of[server] = pair, pair
end

-- Whom to listen to: while holding, servers are not heard.
local function readers(state, mode)
  local list = { state.listener }
  for sock, pair in pairs(state.pairs_of) do
    if mode == "refuse" then
      close(state.pairs_of, pair)
    elseif mode ~= "hold" or sock == pair.client then
      list[#list + 1] = sock
    end
  end
  return list
end

function proxy.serve(port, target, mode_file)
  local listener = assert(socket.bind("127.0.0.1", port))
  local state = { listener = listener, target = target, pairs_of = {} }
  state.listener:settimeout(0)
  while true do
    local mode = read_mode(mode_file)
    for _, sock in ipairs((socket.select(readers(state, mode), nil, 0.01))) do
      local now, say = read_mode(mode_file)
      if sock == state.listener then
        accept(state, now)
      else
        forward(state, sock, now, say)
      end
    end
  end
end

-- A test's side -------------------------------------------------------------------------------

local Proxy = {}
Proxy.__index = Proxy

--- Change what it does: "pass", "hold", "refuse", "say", bytes.
function Proxy:mode(word, bytes)
  local process = require "support.process"
  process.write(self.dir .. "/mode", word .. (bytes and " " .. bytes or ""))
  socket.sleep(0.03)
end

function Proxy:stop()
  self.process:stop(require("support.process").KILL)
  require("helper").remove_tree(self.dir)
end

--- One before a port of this machine.
function proxy.start(target)
  local helper, process = require "helper", require "support.process"
  local self = setmetatable({ dir = process.temp_dir(), port = helper.free_port() }, Proxy)
  self:mode "pass"
  self.process = process.start({
    "luajit", "tests/support/proxy.lua", tostring(self.port), tostring(target),
    self.dir .. "/mode",
  }, { stdout = self.dir .. "/log" })
  helper.wait_until(function()
    local sock = socket.connect("127.0.0.1", self.port)
    if sock then sock:close() end
    return sock
  end, 10, function() return "a proxy: " .. process.read(self.dir .. "/log") end)
  return self
end

if arg and arg[0] and arg[0]:find "proxy%.lua$" then
  proxy.serve(tonumber(arg[1]), tonumber(arg[2]), arg[3])
end

return proxy
