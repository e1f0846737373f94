-- What is known about how deployments keep up. In engine.shared, by name; what nobody used for
-- a while is forgotten, so that its past does not count for ever.

local shared = require "engine.shared"

local stats = {}

local FORGET = 120      -- seconds
local WEIGHT = 0.2      -- of the newest value in a mean
local FAILED = 3        -- a failure counts as this many times the mean
local FAILED_LEAST = 5  -- … and as this many seconds at least
local STEP = 0.1        -- how fast the quantile moves, as a share of the value

local function mean(name, value)
  local old = shared.get(name)
  shared.set(name, old and old + WEIGHT * (value - old) or value, FORGET)
end

-- A running 95th percentile: up by 0.95 steps where a value lies above, down by 0.05 below.
local function quantile(name, value)
  local old = shared.get(name)
  if old then
    local step = STEP * math.max(old, value)
    old = value > old and old + 0.95 * step or math.max(0, old - 0.05 * step)
  end
  shared.set(name, old or value, FORGET)
end

--- Does somebody choose by what is known?
function stats.wanted(group)
  return group.balance == "lowest_latency" or type(group.balance) == "function"
end

--- An answer began after so many seconds.
function stats.answered(dep, group, seconds)
  if not stats.wanted(group) then return end
  mean("latency:" .. dep.name, seconds)
  quantile("first_token_p95:" .. dep.name, seconds)
end

--- A call failed: slower than slow.
function stats.failed(dep, group)
  if not stats.wanted(group) then return end
  local old = shared.get("latency:" .. dep.name) or 0
  mean("latency:" .. dep.name, math.max(FAILED * old, FAILED_LEAST))
end

--- Seconds to the first piece of an answer, on the whole; nil where nobody knows.
function stats.latency(dep)
  return shared.get("latency:" .. dep.name)
end

function stats.in_flight(dep)
  return shared.get("in_flight:" .. dep.name) or 0
end

--- d.stats of routes.lua.
function stats.view(dep)
  return {
    in_flight = stats.in_flight(dep), latency = stats.latency(dep) or 0,
    first_token_p95 = shared.get("first_token_p95:" .. dep.name) or 0,
  }
end

return stats
