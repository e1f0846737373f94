-- The figures that are stated about holding under fire, each a program in tests/fire/figures/
-- that runs alone:
--
--     luajit tests/fire/figures.lua [NAME…]
--
-- Sizes are small, for a few minutes altogether; each program names the variable that sets its
-- own. Prints a table; the last one is kept in tests/fire/RESULTS.md. Exit status 0 where every
-- figure that was taken reaches its target.

package.path = "./tests/?.lua;" .. package.path

local process = require "support.process"
local socket = require "socket"

local ORDER = {
  "reloads", "scripts", "kills", "stop", "overload", "memory", "events", "faults", "leave",
  "slow", "smuggling", "canaries", "soak",
}

local function command(line)
  local pipe = io.popen(line)
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function one(name)
  local figure = require("fire.figures." .. name)
  local from = socket.gettime()
  local ok, found, reached = pcall(figure.take)
  if not ok then found, reached = "failed: " .. tostring(found):sub(1, 300), false end
  local row = {
    figure.what, figure.target, found,
    reached == nil and "–" or reached and "yes" or "**no**",
    ("`%s` (%.0f s)"):format(figure.command, socket.gettime() - from),
  }
  io.stderr:write(name, ": ", table.concat(row, " | "), "\n")
  return "| " .. table.concat(row, " | ") .. " |", reached
end

local names = #arg > 0 and arg or ORDER
local lines, fine = {}, true
for _, name in ipairs(names) do
  local line, reached = one(name)
  lines[#lines + 1] = line
  if reached == false then fine = false end
end

local cpu = process.read("/proc/cpuinfo"):match "model name%s*: ([^\n]+)" or "unknown processor"
print(("%s, %s, %s cores, load average %s, commit %s, seed 1\n"):format(os.date "!%Y-%m-%d",
  cpu, command "nproc", process.read("/proc/loadavg"):match "%S+",
  command "git rev-parse --short HEAD"))
print "| figure | to reach | found | reached | command (time taken) |"
print "| --- | --- | --- | --- | --- |"
print(table.concat(lines, "\n"))
os.exit(fine and 0 or 1)
