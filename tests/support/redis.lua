-- A real Redis server on a free port of loopback, in a folder that goes away.

local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"

local redis = {}

local Redis = {}
Redis.__index = Redis

local function installed(name)
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    if lfs.attributes(folder .. "/" .. name, "mode") == "file" then return true end
  end
end

--- Why no server can be started here; nil where one can.
function redis.missing()
  if installed "redis-server" then return nil end
  return "redis-server is not installed (tests/tools/deps.sh test)"
end

-- One answer: what it says | nil, the error it says.
local function read_answer(sock)
  local line = assert(sock:receive "*l")
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "-" then return nil, rest end
  if kind == "+" then return rest end
  if kind == ":" then return tonumber(rest) end
  local n = tonumber(rest)
  if n < 0 then return false end
  if kind == "$" then return (assert(sock:receive(n + 2)):sub(1, -3)) end
  local list = {}
  for i = 1, n do list[i] = read_answer(sock) end
  return list
end

--- Run a command: its answer | nil, the error.
function Redis:tell(...)
  local words = { ... }
  local sock = assert(socket.connect("127.0.0.1", self.port))
  sock:settimeout(10)
  local out = {}
  if self.password then
    out[1] = ("*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n"):format(#self.password, self.password)
  end
  out[#out + 1] = ("*%d\r\n"):format(#words)
  for _, word in ipairs(words) do
    word = tostring(word)
    out[#out + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  assert(sock:send(table.concat(out)))
  if self.password then assert(read_answer(sock)) end
  local answer, err = read_answer(sock)
  sock:close()
  return answer, err
end

--- What time it is by its own clock, in seconds.
function Redis:now()
  local time = self:tell "TIME"
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function answers(self)
  local ok, pong = pcall(self.tell, self, "PING")
  return ok and pong == "PONG"
end

--- Start it (again), with more arguments where wanted.
function Redis:start(...)
  local args = {
    "redis-server", "--port", tostring(self.port), "--bind", "127.0.0.1", "--dir", self.dir,
    "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning", ...,
  }
  self.process = process.start(args, { stdout = self.dir .. "/log" })
  local deadline = socket.gettime() + 30
  while not answers(self) do
    if self.process:status() or socket.gettime() > deadline then
      error("redis-server did not start:\n" .. process.read(self.dir .. "/log"), 2)
    end
    socket.sleep(0.005)
  end
  return self
end

--- Kill it without a warning; what it knew is gone.
function Redis:kill() self.process:stop(process.KILL) end

--- Stop it and remove its folder.
function Redis:stop()
  self.process:stop(process.KILL)
  require("helper").remove_tree(self.dir)
end

--- The bytes of everything it knows, as it would write them to disk.
function Redis:dump()
  assert(self:tell("CONFIG", "SET", "rdbcompression", "no"))
  assert(self:tell "SAVE")
  return process.read(self.dir .. "/dump.rdb")
end

--- A server.
function redis.start(...)
  local port = require("helper").free_port()
  local self = setmetatable({ dir = process.temp_dir(), port = port }, Redis)
  self.url = "redis://127.0.0.1:" .. port
  return self:start(...)
end

return redis
