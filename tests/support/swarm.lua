-- Load: the provider that carries it (tests/bench/source.c), and the swarm of clients
-- (tests/fire/swarm.c), each a process of its own.

local helper = require "helper"
local http = require "support.http"
local lfs = require "lfs"
local process = require "support.process"

local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"

local swarm = {}

--- A size for every change, or the matrix' own.
function swarm.size(small, full)
  return os.getenv "MOONGATE_FULL" and full or small
end

-- The provider ------------------------------------------------------------------------

local Source = {}
Source.__index = Source

--- A provider whose endless streams get so many events a second, all together.
function swarm.source(events)
  local dir = process.temp_dir()
  local out = dir .. "/source"
  local child =
    process.start({ TOOLS .. "/source", tostring(events or 1000) }, { stdout = out })
  local port = helper.wait_until(function()
    return tonumber(process.read(out):match "^(%d+)\n")
  end, 10, "the provider")
  return setmetatable({ process = child, port = port, dir = dir }, Source)
end

function Source:url() return ("http://127.0.0.1:%d/v1"):format(self.port) end

function Source:stats()
  return helper.json.decode(http.request(self.port, { path = "/stats" }).body)
end

--- When callers gave up since this was last asked, in µs of the kernel's clock, sorted.
function Source:leavers()
  local list = helper.json.decode(http.request(self.port, { path = "/leavers" }).body)
  table.sort(list)
  return list
end

function Source:stop()
  self.process:stop(process.KILL)
  helper.remove_tree(self.dir)
end

--- routes.lua with one model that this provider serves, and more lines.
function Source:routes(more, options)
  return ([[
model "one" {
  provider "openai_compatible" { name = "one", base_url = %q, api_key = "k" } {
    "gpt-4o-mini", price = { input = 1, output = 2 },
  },
  %s
}
%s]]):format(self:url(), options or "retries = 0,", more or "")
end

-- The clients ------------------------------------------------------------------------

local CANARY = "canary-0000000000000000"

--- A request in a file, for swarm.start. want: words (source.c), stream, model, key, path, more
--- (JSON members), padding (bytes of prompt).
function swarm.request(dir, name, want)
  local text = CANARY .. " " .. (want.words or "") .. " " .. ("x"):rep(want.padding or 0)
  local body = want.body or ('{"model":"%s","messages":[{"role":"user","content":"%s"}]%s%s}')
    :format(want.model or "one", text, want.stream and ',"stream":true' or "", want.more or "")
  local path = dir .. "/" .. name
  process.write(path, http.format {
    method = "POST", path = want.path or "/v1/chat/completions", body = body,
    headers = {
      ["content-type"] = "application/json", authorization = "Bearer " .. (want.key or "any"),
    },
  })
  return path
end

local Run = {}
Run.__index = Run

--- Clients at a port; `options` as swarm.c has them. Returns once they have begun.
function swarm.start(port, files, options, patience)
  local out = os.tmpname()
  if type(files) == "table" then files = table.concat(files, ",") end
  local args = { TOOLS .. "/swarm", tostring(port), files }
  for name, value in pairs(options) do args[#args + 1] = ("%s=%d"):format(name, value) end
  local run = setmetatable({ out = out, process = process.start(args, { stdout = out }) }, Run)
  helper.wait_until(function() return process.read(out):find "begin" end, patience or 90,
    function() return "the swarm: " .. process.read(out) end)
  return run
end

--- Wait for the end: the report.
function Run:finish(seconds)
  helper.wait_until(function() return self.process:status() end, seconds or 120,
    "the swarm's end")
  local text = process.read(self.out)
  os.remove(self.out)
  return helper.json.decode((assert(text:match "(%b{})%s*$", text)))
end

--- That was enough: the report.
function Run:enough()
  self.process:kill(process.TERM)
  return self:finish()
end

--- The whole of it.
function swarm.run(port, files, options, seconds)
  return swarm.start(port, files, options):finish(seconds)
end

-- What a process takes ------------------------------------------------------------------------

--- Nanoseconds on a processor: of all threads of a process, and of the busiest.
function swarm.cpu_ns(pid)
  local sum, most = 0, 0
  for task in lfs.dir(("/proc/%d/task"):format(pid)) do
    if task:match "%d" then
      local text = process.read(("/proc/%d/task/%s/schedstat"):format(pid, task))
      local one = tonumber(text:match "^%d+" or 0)
      sum, most = sum + one, math.max(most, one)
    end
  end
  return sum, most
end

--- How many descriptors a process has open.
swarm.descriptors = require("support.descriptors").count

return swarm
