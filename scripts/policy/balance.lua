-- Which deployment of a group takes a call.

local cooldown = require "policy.cooldown"
local fault = require "lib.fault"
local hooks = require "lib.hooks"
local stats = require "policy.stats"
local time = require "engine.time"
local tokens = require "lib.tokens"
local views = require "lib.views"

local balance = {}

local PROBES = 0.1 -- share of calls that try a deployment whose latency nobody knows

-- Strategies: a list of candidates, never empty → one of them ---------------------------

local function weighted(list)
  local sum = 0
  for i = 1, #list do sum = sum + (list[i].weight or 1) end
  if sum <= 0 then return list[math.random(#list)] end
  local at = math.random() * sum
  for i = 1, #list do
    at = at - (list[i].weight or 1)
    if at < 0 then return list[i] end
  end
  return list[#list]
end

-- The lowest score; equals share by weight.
local function lowest(list, score)
  local least, ties = math.huge, {}
  for i = 1, #list do
    local value = score(list[i])
    if value < least then
      least, ties = value, { list[i] }
    elseif value == least then
      ties[#ties + 1] = list[i]
    end
  end
  return weighted(ties)
end

local function least_busy(list)
  return lowest(list, function(dep)
    local weight = dep.weight or 1
    return stats.in_flight(dep) / (weight > 0 and weight or 1e-9)
  end)
end

local function lowest_latency(list)
  local known, new = {}, {}
  for i = 1, #list do
    local group = stats.latency(list[i]) and known or new
    group[#group + 1] = list[i]
  end
  if #known == 0 or (#new > 0 and math.random() < PROBES) then return weighted(new) end
  return lowest(known, stats.latency)
end

-- By what this call would cost there, roughly; unknown prices come last.
local function lowest_cost(list, call)
  return lowest(list, function(dep)
    local price = dep.price
    if not price or not price.input or not price.output then return 1e300 end
    return tokens.rough(call) * price.input + tokens.output(call, dep) * price.output
  end)
end

-- The operator's function sees copies, and names one of them.
local function by_function(list, call, group)
  local shown, behind = {}, {}
  for i, dep in ipairs(list) do
    shown[i] = views.deployment(dep, stats.view(dep))
    behind[shown[i]] = dep
  end
  local choice = hooks.run_of(group, "balance", group.balance, shown, views.call(call))
  if choice == nil or behind[choice] then return behind[choice] end
  fault.raise("script_error", nil, {
    detail = "balance returned " .. tostring(choice) .. ", which is none of the deployments",
  })
end

local STRATEGIES = {
  weighted = weighted, least_busy = least_busy, lowest_latency = lowest_latency,
  lowest_cost = lowest_cost,
}

-- Candidates ---------------------------------------------------------------------------

-- Neither resting nor passed over in this request.
local function available(trail, dep, now)
  if trail.skipped[dep.name] then return false end
  local state = cooldown.state(dep, now)
  if state == "probation" then trail.probation = true end
  return state ~= "resting"
end

-- Those who have not failed in this request, else those who have.
local function candidates(trail)
  local fresh, failed, now = {}, {}, time.monotonic()
  for _, dep in ipairs(trail.group.deployments) do
    if available(trail, dep, now) then
      local list = trail.failed[dep.name] and failed or fresh
      list[#list + 1] = dep
    end
  end
  return #fresh > 0 and fresh or failed
end

--- The deployment that takes the call now, or nil. `trail` is what this request has been
--- through (policy/verdict.lua).
function balance.pick(trail, call)
  local group = trail.group
  local only = group.deployments[1]
  if not group.deployments[2] then return available(trail, only) and only or nil end
  local list = candidates(trail)
  if #list == 0 then return nil end
  if type(group.balance) == "function" then return by_function(list, call, group) end
  if #list == 1 then return list[1] end
  return STRATEGIES[group.balance](list, call)
end

--- Is there one in the group whom this request has not asked, and who could be?
function balance.untried(trail)
  local now = time.monotonic()
  for _, dep in ipairs(trail.group.deployments) do
    if not trail.failed[dep.name] and available(trail, dep, now) then return true end
  end
  return false
end

return balance
