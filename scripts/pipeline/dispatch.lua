-- Try deployments until one answers: the model asked for, then its fallbacks.

local attempt = require "pipeline.attempt"
local balance = require "policy.balance"
local cooldown = require "policy.cooldown"
local fault = require "lib.fault"
local limits = require "pipeline.limits"
local natives = require "lib.natives"
local observe = require "pipeline.observe"
local pins = require "pipeline.pins"
local room = require "pipeline.room"
local stats = require "policy.stats"
local task = require "engine.task"
local time = require "engine.time"
local verdict = require "policy.verdict"

local dispatch = {}

local MAX_ATTEMPTS = 8 -- whatever routes.lua says, a request ends
local TOTAL = 600      -- seconds, where nothing is said
local DRAIN = 20       -- seconds that an answer is read on without its client

-- One deadline over attempts, waits and fallbacks: the longest that the group asked for allows.
local function deadline(call)
  local longest = call.group.timeout.total or 0
  for _, dep in ipairs(call.group.deployments) do
    longest = math.max(longest, dep.timeout and dep.timeout.total or 0)
  end
  return call.started + (longest > 0 and longest or TOTAL)
end

-- What only some servers have is asked of those alone, where the group has any.
local function serves(call, dep, group)
  local door = call.door
  if not (door and door.native_only) or natives.of(door.name, dep) then return true end
  for _, other in ipairs(group.deployments) do
    if natives.of(door.name, other) then return false end
  end
  return true -- it says that it has none
end

-- Who rests is asked last of all, and then by way of a probe: how it goes decides.
local function next_one(trail, call)
  if trail.insists then return cooldown.soonest(trail.group, trail.skipped) end
  return balance.pick(trail, call)
end

-- Who takes it: picked, paid for, let in by its own limits, and not already under a probe.
local function pick(trail, call)
  while true do
    local dep = next_one(trail, call)
    if not dep then return nil end
    local admitted, seconds = serves(call, dep, trail.group) and pins.allow(call, dep), nil
    if admitted then admitted = limits.affords(call, dep, trail.group) end
    if admitted then admitted, seconds = room.admit(dep, call) end
    if admitted then
      if trail.insists then return dep, true end
      if not trail.probation then return dep, false end
      local free, probing = cooldown.enter(dep)
      if free then return dep, probing end
    end
    trail:skip(dep, seconds)
  end
end

local RESTING = "Every deployment of this model rests, after failures or as its provider "
  .. "asked; the first may be asked again in %d s."
local FULL = "Every deployment of this model is at its limit; ask again in %d s."
local BUSY = "No deployment of this model can take the request now."

-- For the log: who of the group is in which state.
local function states(group)
  local out = {}
  for i, dep in ipairs(group.deployments) do
    local state, left = cooldown.state(dep)
    out[i] = left > 0 and ("%s is resting, %.0f s more"):format(dep.name, math.ceil(left))
      or ("%s is %s"):format(dep.name, state == "up" and "passed over" or "on probation")
  end
  return table.concat(out, "; ")
end

-- Nobody can be asked: why, and until when. Who hears it learns no names.
local function nobody(trail)
  local seconds, words = cooldown.earliest(trail.group), RESTING
  if seconds == 0 then -- somebody is up, but at a limit
    seconds, words = trail.full_for or 0, trail.full_for and FULL or BUSY
  end
  return fault.new("unavailable", words:format(math.ceil(seconds)), {
    retry_after = seconds < math.huge and seconds or nil,
    detail = ("%s has no deployment to take this: %s"):format(trail.group.name,
      states(trail.group)),
  })
end

local function answered(trail, dep, call, reply)
  if not stats.wanted(trail.group) then return end
  local began = call.attempts[#call.attempts].began
  stats.answered(dep, trail.group, (reply.first_token_at or time.monotonic()) - began)
end

-- One turn: true, or what went wrong.
local function try(trail, call, reply)
  local dep, probing = pick(trail, call)
  if not dep then return false, nobody(trail) end
  local hold = room.enter(dep, trail.group)
  local ok, err = attempt.run(call, dep, reply)
  if hold then hold:settle() end
  call.served = trail.group
  if ok then
    if probing then cooldown.clear(dep) end
    answered(trail, dep, call, reply)
    return true
  end
  local again = trail.failed[dep.name]
  trail:fail(dep)
  stats.failed(dep, trail.group)
  cooldown.note(dep, err, trail.group.cooldown, probing, again)
  return false, err
end

-- The last word on a request that failed is the last provider's, not that nobody was left.
local function worse(before, err)
  return err.kind == "unavailable" and before or err
end

-- On to what follows a failure; false: nothing does.
local function goes_on(trail, err, call, cfg)
  local group, seconds = verdict.after(trail, err, call, cfg)
  if not group then
    if not verdict.insists(trail, err, call) then return false end
    trail:insist()
    return true
  end
  observe.moved(trail.group, group, err)
  trail:move(group)
  if seconds > 0 then time.sleep(seconds) end
  return true
end

-- A group may want to know what an answer cost that nobody reads any more.
local function stay(call)
  if call.group.on_disconnect ~= "drain" then return end
  task.patience(DRAIN)
  call.stays = true
end

--- Fill `reply` from some deployment and return it; raises the last fault otherwise.
function dispatch.run(call, reply, cfg)
  local trail = verdict.trail(call.group)
  local last
  call.trail, call.deadline = trail, deadline(call)
  pins.find(call)
  stay(call)
  for turn = 1, MAX_ATTEMPTS do
    local ok, err = try(trail, call, reply)
    if ok then
      trail:leave()
      pins.remember(call, reply.id)
      return call.dep
    end
    last = worse(last, err)
    -- After the first byte to the client there is no second attempt, nor once nobody reads.
    if reply.committed or turn == MAX_ATTEMPTS or call:is_deserted() then break end
    if not goes_on(trail, err, call, cfg) then break end
  end
  error(last, 0)
end

return dispatch
