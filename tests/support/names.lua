-- Names of a test's own: a name server on loopback, and a gateway that asks no other, in a
-- mount namespace with an /etc/resolv.conf that says so. It takes root.

local helper = require "helper"
local process = require "support.process"

local names = {}

local Names = {}
Names.__index = Names

--- Why there can be none here; nil where there can.
function names.missing()
  local status = process.run { "unshare", "-m", "sh", "-c",
    "mount --bind /etc/hosts /etc/resolv.conf" }
  if status ~= 0 then
    return "a mount namespace with a resolv.conf of its own takes root (unshare -m)"
  end
end

--- Start one. :set { name = what } says what it answers (nameserver.lua).
function names.start()
  local dir = process.temp_dir()
  local pid = require("ffi").C.getpid()
  local address = ("127.%d.%d.53"):format(64 + math.floor(pid / 256) % 64, pid % 256)
  local self = setmetatable({ dir = dir, address = address, seen_file = dir .. "/seen" }, Names)
  self:set {}
  process.write(self.seen_file, "")
  process.write(dir .. "/resolv.conf",
    ("nameserver %s\noptions timeout:2 attempts:2\n"):format(address))
  self.process = process.start({ "luajit", "tests/support/nameserver.lua", address,
    dir .. "/table", self.seen_file }, { stdout = dir .. "/log" })
  helper.wait_until(function() return process.read(dir .. "/log"):find "ready" end, 30,
    function() return "a name server: " .. process.read(dir .. "/log") end)
  return self
end

--- What to run a program under, so that it asks this one.
function Names:under()
  return { "unshare", "-m", "sh", "-c",
    ('mount --bind %s/resolv.conf /etc/resolv.conf && exec "$@"'):format(self.dir), "sh" }
end

function Names:set(map)
  local lines = {}
  for name, what in pairs(map) do lines[#lines + 1] = name .. " " .. what .. "\n" end
  process.write(self.dir .. "/table", table.concat(lines))
end

--- How often a name was asked for.
function Names:asked(name)
  local n = 0
  for line in process.read(self.seen_file):gmatch "[^\n]+" do
    if line:match "^%S+" == name then n = n + 1 end
  end
  return n
end

function Names:stop()
  self.process:stop(process.KILL)
  helper.remove_tree(self.dir)
end

return names
