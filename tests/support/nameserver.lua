-- A name server in a process of its own: answers as a file says, which it reads for each
-- question.
--
--     luajit nameserver.lua ADDRESS TABLE SEEN        until it is killed
--
-- TABLE has lines "NAME ADDRESS,ADDRESS…" or "NAME nxdomain|servfail|empty|silent"; a name that
-- is not there does not exist. SEEN gets "NAME TYPE" for each question.

local socket = require "socket"

local address, table_file, seen_file = arg[1], arg[2], arg[3]

local function number16(n) return string.char(math.floor(n / 256) % 256, n % 256) end

local function lookup(name)
  for line in io.lines(table_file) do
    local known, what = line:match "^(%S+)%s+(%S+)"
    if known == name then return what end
  end
  return "nxdomain"
end

local function bytes4(text)
  local a, b, c, d = text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
  return a and string.char(a, b, c, d)
end

-- Whole groups, "::" for those of zero, and IPv4 at the end.
local function bytes16(text)
  local v4 = text:match ":(%d+%.%d+%.%d+%.%d+)$"
  if v4 then
    local b = bytes4(v4)
    text = text:gsub("[%d%.]+$", ("%02x%02x:%02x%02x"):format(b:byte(1, 4)))
  end
  local function groups(part)
    local out = {}
    for word in part:gmatch "%x+" do out[#out + 1] = number16(tonumber(word, 16)) end
    return table.concat(out), #out
  end
  local front, back = text:match "^(.-)::(.*)$"
  if not front then return (groups(text)) end
  local first, n = groups(front)
  local last, m = groups(back)
  return first .. ("\0"):rep((8 - n - m) * 2) .. last
end

local function records(what, kind)
  local out, n = "", 0
  for one in what:gmatch "[^,]+" do
    local v6 = one:find ":" ~= nil
    local data = kind == 1 and not v6 and bytes4(one) or kind == 28 and v6 and bytes16(one)
    if data then
      out = out .. "\192\12" .. number16(kind) .. number16(1) .. "\0\0\0\0"
        .. number16(#data) .. data
      n = n + 1
    end
  end
  return out, n
end

local CODES = { nxdomain = 3, servfail = 2, empty = 0 }

local function answer(query)
  local at, labels = 13, {}
  while query:byte(at) ~= 0 do
    local len = query:byte(at)
    labels[#labels + 1] = query:sub(at + 1, at + len)
    at = at + 1 + len
  end
  local name, kind = table.concat(labels, "."):lower(), query:byte(at + 2)
  local seen = io.open(seen_file, "a")
  seen:write(name, " ", kind, "\n")
  seen:close()
  local what = lookup(name)
  if what == "silent" then return nil end
  local data, n = "", 0
  if not CODES[what] then data, n = records(what, kind) end
  return query:sub(1, 2) .. "\129" .. string.char(128 + (CODES[what] or 0)) .. number16(1)
    .. number16(n) .. "\0\0\0\0" .. query:sub(13, at + 4) .. data
end

local udp = assert(socket.udp())
assert(udp:setsockname(address, 53))
io.stdout:write("ready\n")
io.stdout:flush()
while true do
  local query, from, port = udp:receivefrom()
  local reply = query and answer(query)
  if reply then udp:sendto(reply, from, port) end
end
