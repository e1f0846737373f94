-- A real PostgreSQL server on a free port of loopback, in a folder that goes away. It refuses
-- to run as root, who lends it the package's own user.

local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"

local postgres = {}

local Postgres = {}
Postgres.__index = Postgres

local AS_USER = {
  "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "INT",
}

-- Where the newest installed version's programs are; nil: nowhere.
local function programs()
  local best
  local root = "/usr/lib/postgresql"
  if lfs.attributes(root, "mode") ~= "directory" then return nil end
  for name in lfs.dir(root) do
    local version = tonumber(name)
    local found = version and lfs.attributes(root .. "/" .. name .. "/bin/postgres", "mode")
    if found and (not best or version > best) then best = version end
  end
  return best and ("%s/%d/bin/"):format(root, best)
end

--- Why no server can be started here; nil where one can.
function postgres.missing()
  if programs() then return nil end
  return "postgresql-15 is not installed (tests/tools/deps.sh test)"
end

local function is_root()
  local _, out = process.run { "id", "-u" }
  return out:match "%d+" == "0"
end

local function as_user(args)
  if not is_root() then return args end
  local all = {}
  for _, word in ipairs(AS_USER) do all[#all + 1] = word end
  for _, word in ipairs(args) do all[#all + 1] = word end
  return all
end

--- Run SQL: its rows as lines of fields parted by | ; an error where it fails.
function Postgres:sql(text)
  local status, out, err = process.run({
    programs() .. "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", text,
  }, { env = { PGCONNECT_TIMEOUT = "5" } })
  if status ~= 0 then error(("psql (%s): %s%s"):format(tostring(status), out, err), 2) end
  return (out:gsub("\n$", ""))
end

local function answers(self)
  return (pcall(self.sql, self, "SELECT 1"))
end

--- Start it (again).
function Postgres:start(...)
  local args = {
    programs() .. "postgres", "-D", self.dir .. "/data", "-c", "port=" .. self.port,
    "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
    "-c", "shared_buffers=16MB", "-c", "deadlock_timeout=100ms", ...,
  }
  self.process = process.start(as_user(args), { stdout = self.dir .. "/log" })
  local deadline = socket.gettime() + 60 -- after a crash it syncs all of its folder
  while not answers(self) do
    if self.process:status() or socket.gettime() > deadline then
      error("postgres did not start:\n" .. process.read(self.dir .. "/log"), 2)
    end
    socket.sleep(0.02)
  end
  return self
end

--- Kill it without a warning: it will recover what it had promised.
function Postgres:kill()
  local pid = self.process.pid
  local children = process.read(("/proc/%d/task/%d/children"):format(pid, pid))
  assert(children:find "%d", "postgres has no children")
  self.process:stop(process.KILL)
  -- Its children see that it is gone, and end; before that it cannot be started again.
  for child in children:gmatch "%d+" do
    require("helper").wait_until(function() return process.gone(tonumber(child)) end, 20,
      "an end of its children")
  end
end

--- Stop it and remove its folder.
function Postgres:stop()
  self.process:stop(process.INT)
  require("helper").remove_tree(self.dir)
end

--- A server with an empty database and a user "moongate" who owns it.
function postgres.start(...)
  local helper = require "helper"
  local self = setmetatable({ dir = process.temp_dir(), port = helper.free_port() }, Postgres)
  self.url = ("postgres://moongate:open-sesame@127.0.0.1:%d/postgres"):format(self.port)
  if is_root() then assert(process.run { "chown", "postgres", self.dir } == 0) end
  local secret = self.dir .. "/secret"
  process.write(secret, "open-sesame\n")
  if is_root() then assert(process.run { "chown", "postgres", secret } == 0) end
  local status, out, err = process.run(as_user {
    programs() .. "initdb", "-D", self.dir .. "/data", "-U", "moongate", "-A", "scram-sha-256",
    "--pwfile", secret, "--no-sync", "--no-locale", "-E", "UTF8",
  }, { seconds = 60 })
  assert(status == 0, "initdb: " .. out .. err)
  return self:start(...)
end

return postgres
