-- What a process has open, told so that a leak names itself.

local lfs = require "lfs"
local process = require "support.process"

local descriptors = {}

local STATES = {
  ["01"] = "open", ["02"] = "connecting", ["04"] = "fin-wait-1", ["05"] = "fin-wait-2",
  ["08"] = "close-wait", ["09"] = "last-ack", ["0A"] = "listening",
}

--- Of a process: a map from its descriptors to what they are, as the kernel names it.
function descriptors.of(pid)
  local open, folder = {}, ("/proc/%d/fd"):format(pid)
  for name in lfs.dir(folder) do
    -- One that was closed in between has no name any more.
    if name:find "^%d" then
      open[name] = lfs.symlinkattributes(folder .. "/" .. name, "target") or "closed"
    end
  end
  return open
end

function descriptors.count(pid)
  local n = 0
  for _ in pairs(descriptors.of(pid)) do n = n + 1 end
  return n
end

-- What each socket of this network is, by inode. What is not there has no connection: it was
-- reset, or never had one.
local function connections()
  local list = {}
  for line in process.read "/proc/net/tcp":gmatch "[^\n]+" do
    local here, there, state, inode = line:match
      "^%s*%d+: %x+:(%x+) %x+:(%x+) (%x+) %S+ %S+ %S+%s+%d+%s+%d+ (%d+)"
    if inode then
      list[inode] = ("port %d to %d, %s"):format(tonumber(here, 16), tonumber(there, 16),
        STATES[state] or state)
    end
  end
  for line in process.read "/proc/net/unix":gmatch "[^\n]+" do
    local inode = line:match "^%x+: %x+ %x+ %x+ %x+ %x+%s+(%d+)"
    if inode then list[inode] = "of this machine alone" end
  end
  return list
end

--- What is open now and was not before (two of descriptors.of()), as text.
function descriptors.more(before, now)
  local out, names = {}, connections()
  for number, target in pairs(now) do
    local inode = target:match "^socket:%[(%d+)%]$"
    if before[number] ~= target then
      out[#out + 1] = ("%s: %s (%s)"):format(number, target, inode and names[inode] or
        (before[number] and "before: " .. before[number] or "new"))
    end
  end
  table.sort(out)
  return table.concat(out, "; ")
end

return descriptors
