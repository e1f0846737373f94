-- A machine that is out of sorts (tests/fire/faultpre.c), for gateways that begin with it.

local ffi = require "ffi"
local process = require "support.process"

ffi.cdef [[
void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset);
int munmap(void *addr, size_t length);
]]

local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local SHIM = (TOOLS:sub(1, 1) == "/" and "" or require("lfs").currentdir() .. "/")
  .. TOOLS .. "/faultpre.so"
local O_RDWR, READ_WRITE, SHARED = 2, 3, 1
local FIELDS = { "countdown", "failed", "shortened", "interrupted", "no_descriptor",
  "no_buffer", "pid", "allocations" }

local faultpre = {}

--- What a gateway's environment needs, and the faults, which may be set and read at any time:
--- { countdown, failed, shortened, interrupted, no_descriptor, no_buffer, pid, allocations }.
function faultpre.new()
  local dir = process.temp_dir()
  process.write(dir .. "/faults", ("\0"):rep(64))
  local fd = ffi.C.open(dir .. "/faults", O_RDWR)
  local words = ffi.cast("volatile int64_t *", ffi.C.mmap(nil, 64, READ_WRITE, SHARED, fd, 0))
  ffi.C.close(fd)
  local places = {}
  for i, name in ipairs(FIELDS) do places[name] = i - 1 end
  local faults = setmetatable({}, {
    __index = function(_, name) return tonumber(words[places[name]]) end,
    __newindex = function(_, name, value) words[places[name]] = value end,
  })
  local env = { LD_PRELOAD = SHIM, FAULTPRE = dir .. "/faults" }
  return env, faults, function()
    ffi.C.munmap(ffi.cast("void *", words), 64)
    require("helper").remove_tree(dir)
  end
end

return faultpre
