-- What a gateway takes while nobody asks for anything, and what a reload costs whom: memory of
-- the serving process, Lua's own, and processor time by thread. Prints a table for
-- tests/bench/RESULTS.md; needs no quiet machine.
--
--     luajit tests/bench/idle.lua

package.path = "./tests/?.lua;" .. package.path
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"

local WORKERS, RELOADS = 2, 30
local ROUTES = [[
local here  = "http://127.0.0.1:9/v1"
local plain = provider "openai_compatible" { name = "plain", base_url = here }
local other = provider "anthropic" { api_key = "k", base_url = here }
model "fast"  { plain { "gpt-4o-mini", price = { input = 0.15, output = 0.60 } } }
model "other" { other { "claude-sonnet-4-5" } }
virtual_key "bench" { token = "mg-bench-0123456789abcdef", models = { "*" } }
]]

local function memory(pid)
  local text = process.read(("/proc/%d/smaps_rollup"):format(pid))
  return tonumber(text:match "Rss:%s*(%d+)") / 1024, tonumber(text:match "Pss:%s*(%d+)") / 1024
end

-- Milliseconds on a processor so far, by thread; threads in the order of their start.
local function times(pid)
  local list = {}
  for task in lfs.dir(("/proc/%d/task"):format(pid)) do
    local file = ("/proc/%d/task/%s/schedstat"):format(pid, task)
    local text = task:match "%d" and process.read(file)
    if text then list[#list + 1] = { tonumber(task), tonumber(text:match "^%d+") / 1e6 } end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function reload(gw, n)
  for _ = 1, n do assert(gw:admin("POST", "/admin/reload").status == 200) end
end

local gw = helper.gateway { routes = ROUTES, workers = WORKERS }
socket.sleep(0.5)
local rss, pss = memory(gw:child())
local lua = {}
for i = 1, WORKERS do
  local bytes = gw:metric("moongate_lua_memory_bytes", { state = tostring(i - 1) })
  lua[i] = ("%.0f"):format(bytes / 1024)
end

reload(gw, 3)
local before = times(gw:child())
reload(gw, RELOADS)
local after, sum, each = times(gw:child()), 0, {}
for i, one in ipairs(after) do
  local took = (one[2] - before[i][2]) / RELOADS
  sum = sum + took
  if took >= 0.2 then each[#each + 1] = ("%.1f"):format(took) end
end
local later = memory(gw:child())
gw:stop()

print "| what | found |\n| --- | --- |"
for _, row in ipairs {
  { "resident, idle, two workers", ("%.1f MiB"):format(rss) },
  { "its share of what others use as well", ("%.1f MiB"):format(pss) },
  { "Lua's memory, by worker", table.concat(lua, ", ") .. " KiB" },
  { "processor time of a reload, all threads", ("%.1f ms"):format(sum) },
  { "the same by thread, from 0.2 ms", table.concat(each, ", ") .. " ms" },
  { ("resident, after %d reloads"):format(RELOADS + 3), ("%.1f MiB"):format(later) },
} do
  print(("| %s | %s |"):format(row[1], row[2]))
end
