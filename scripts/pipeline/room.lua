-- A deployment's own limits: requests and tokens a minute, and who is in flight there.

local metrics = require "lib.metrics"
local shared = require "engine.shared"
local tokens = require "lib.tokens"

local room = {}

local WINDOW = 60 -- seconds

local function take(dep, limit, n)
  local taken, seconds = shared.take(limit .. ":" .. dep.name, n, dep[limit], WINDOW)
  if taken then return true end
  metrics.add("moongate_ratelimited_total", { scope = "deployment", limit = limit }, 1)
  return false, seconds
end

--- May this deployment take the call? Takes what it needs from its limits if so; else false,
--- and the seconds until it may.
function room.admit(dep, call)
  if dep.tpm then
    local n = call.input_tokens + tokens.output(call, dep)
    local taken, seconds = take(dep, "tpm", math.min(n, dep.tpm))
    if not taken then return false, seconds end
  end
  if not dep.rpm then return true end
  return take(dep, "rpm", 1)
end

--- Count the call among those in flight at a deployment, where somebody chooses by it.
function room.enter(dep, group)
  if group.balance == "least_busy" or type(group.balance) == "function" then
    return shared.hold("in_flight:" .. dep.name, 1)
  end
end

return room
