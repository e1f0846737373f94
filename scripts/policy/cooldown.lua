-- Who rests, and for how long. State is in engine.shared, so all workers know at once.
--
-- cooldown:<deployment> holds the monotonic second the rest ends. After a rest for failures
-- the key outlives it: that deployment is on probation, and one request at a time may try it.
-- A rest the provider asked for leaves no such trace; asked:<deployment> is there while it
-- lasts.

local log = require "engine.log"
local metrics = require "lib.metrics"
local shared = require "engine.shared"
local time = require "engine.time"

local cooldown = {}

local PROBATION = 600     -- seconds a deployment's failures are remembered after its rest
local PROBE_EVERY = 10    -- seconds until another request may try, if the first one is lost
local ASKED_MOST = 60     -- of a Retry-After
local QUARANTINE = 60     -- refused credentials
local EXHAUSTED = 600     -- a spent quota

-- Failures that are the deployment's own. A bad request, a full context window, a declined
-- prompt or a client that left say nothing about it.
local COUNTED = {
  connect = true, timeout = true, rate_limit = true, overloaded = true, server_error = true,
  truncated = true, invalid_response = true, model_missing = true,
}

--- "up", "resting" or "probation"; and the seconds a rest still lasts.
function cooldown.state(dep, now)
  local ends = shared.get("cooldown:" .. dep.name)
  if not ends or ends == 0 then return "up", 0 end
  local left = ends - (now or time.monotonic())
  if left > 0 then return "resting", left end
  return "probation", 0
end

--- May this call go to a deployment that is not resting? Second result: it is a probe, whose
--- outcome decides.
function cooldown.enter(dep)
  if cooldown.state(dep) ~= "probation" then return true, false end
  return shared.take("probe:" .. dep.name, 1, 1, PROBE_EVERY), true
end

local function rest(dep, seconds, reason, after)
  local state = cooldown.state(dep)
  shared.max("cooldown:" .. dep.name, time.monotonic() + seconds, seconds + after)
  if after == 0 then shared.max("asked:" .. dep.name, 1, seconds) end
  if state == "resting" then return end
  metrics.add("moongate_deployment_cooldowns_total",
    { deployment = dep.label or dep.name, reason = reason }, 1)
  log.warn("cooldown", { deployment = dep.name, reason = reason, seconds = seconds })
end

-- Rests that need no count of failures: how long, and how long on probation after.
local function at_once(err)
  if err.rests then return err.rests, 0 end
  if err.kind == "auth" then return QUARANTINE, PROBATION end
  if err.exhausted then return EXHAUSTED, PROBATION end
  local asked = err.retry_after
  if asked and asked > 0 then return math.min(asked, ASKED_MOST), 0 end
end

--- A call to `dep` failed. `rules` are its group's: allowed_fails, within, time. `again`: the
--- same request has failed there before, which is one failure, not two.
function cooldown.note(dep, err, rules, probing, again)
  if err.kind ~= "auth" and not COUNTED[err.kind] then return end
  local seconds, after = at_once(err)
  if seconds then return rest(dep, seconds, err.kind, after) end
  if again and not probing then return end
  if probing or not shared.take("fails:" .. dep.name, 1, rules.allowed_fails, rules.within) then
    rest(dep, rules.time, err.kind, PROBATION)
  end
end

--- A probe went well: the deployment is one like any other again.
function cooldown.clear(dep)
  shared.set("cooldown:" .. dep.name, 0, 1)
  log.info("recovered", { deployment = dep.name })
end

--- Who rests least long for its failures, of those that `passed` (a set of names) does not
--- name; nil where all that are left have asked to be left alone.
function cooldown.soonest(group, passed)
  local now, least, soonest = time.monotonic(), math.huge, nil
  for _, dep in ipairs(group.deployments) do
    local _, left = cooldown.state(dep, now)
    if left < least and not passed[dep.name] and not shared.get("asked:" .. dep.name) then
      least, soonest = left, dep
    end
  end
  return soonest
end

--- The seconds until somebody of the group may be asked again: 0 when somebody may now.
function cooldown.earliest(group)
  local now, least = time.monotonic(), math.huge
  for _, dep in ipairs(group.deployments) do
    local _, left = cooldown.state(dep, now)
    if left < least then least = left end
  end
  return least
end

return cooldown
