-- Run in a network of its own with 40 ports for outgoing connections: what becomes of 100
-- requests at once, and of those after. Prints JSON.

package.path = "./tests/?.lua;" .. package.path

local helper = require "helper"
local process = require "support.process"
local swarm = require "support.swarm"

local source, dir = swarm.source(), process.temp_dir()
local gw = helper.gateway {
  loud = true,
  routes = source:routes("defaults { cooldown = { allowed_fails = 100000 } }"),
}
local held = swarm.request(dir, "held", { words = "delay=4000" })
local plain = swarm.request(dir, "plain", {})
local report = swarm.run(gw.port, held,
  { streams = 100, seconds_ms = 100, addresses = 8, ramp = 400 })
local after = swarm.run(gw.port, plain, { loop = 20, seconds_ms = 2000, addresses = 8 })
local kinds = {}
for _, line in ipairs(gw:journal()) do
  local attempt = line.type == "usage" and line.attempts and line.attempts[1]
  if attempt and attempt.reason then
    kinds[attempt.reason] = (kinds[attempt.reason] or 0) + 1
  end
end
-- Who asks has no ports left either: those of ended connections come back in a second.
local function patiently(ask)
  return helper.wait_until(function()
    local ok, value = pcall(ask)
    return ok and value
  end, 20, "a port of our own")
end
local in_flight = patiently(function() return gw:metric "moongate_requests_in_flight" end)
gw:stop() -- which kept them all, to ask the provider with
local seen = patiently(function() return source:stats() end).requests
source:stop()
helper.remove_tree(dir)
print(helper.json.encode {
  first = report, after = after, in_flight = in_flight, seen = seen, kinds = kinds,
})
