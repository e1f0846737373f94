-- After a failed attempt: try again, leave for another model group, or stop (ROUTING.md 1).

local balance = require "policy.balance"
local cooldown = require "policy.cooldown"
local hooks = require "lib.hooks"
local fault = require "lib.fault"
local shared = require "engine.shared"
local time = require "engine.time"
local views = require "lib.views"

local verdict = {}

local ASKED_MOST = 30       -- seconds of a Retry-After that a request waits for
local BACKOFF_MOST = 8      -- seconds
local BUDGET_SHARE, BUDGET_LEAST = 0.2, 3 -- retries at work, of all active requests
local ACTIVE, RETRYING = "requests:active", "requests:retrying"

-- The way of one request ---------------------------------------------------------------

---@class Trail
---@field group table      where it is
---@field failed table     names of deployments that failed in this request
---@field skipped table    names of those passed over this turn: a limit, a probe underway
---@field visited table?   names of groups it moved to
---@field retries integer  further tries in this group
---@field probation boolean  somebody it looked at is on probation (policy/cooldown.lua)
---@field insists boolean    it asks who rests, since nobody else is left

local NONE = {} -- never written to

local Trail = {}
Trail.__index = Trail

--- A request that begins in `group`. Fallbacks are that group's: theirs are not followed.
function verdict.trail(group)
  return setmetatable({
    start = group, group = group, failed = NONE, skipped = NONE, retries = 0, visited = nil,
    probation = false, insists = false, hold = nil,
  }, Trail)
end

--- A deployment failed in this request.
function Trail:fail(dep)
  if self.failed == NONE then self.failed = {} end
  self.failed[dep.name] = true
end

--- A deployment is passed over this turn; where its own limit is full, for so many seconds.
function Trail:skip(dep, seconds)
  if self.skipped == NONE then self.skipped = {} end
  self.skipped[dep.name] = true
  if seconds then self.full_for = math.min(self.full_for or math.huge, seconds) end
end

function Trail:has_been_to(group)
  return group == self.start or group == self.group
    or (self.visited ~= nil and self.visited[group.name] ~= nil)
end

--- On to `group`: another, or the same once more.
function Trail:move(group)
  self.skipped = NONE
  if group == self.group then
    self.retries = self.retries + 1
    self.hold = self.hold or shared.hold(RETRYING, 1)
    return
  end
  self.group, self.retries, self.visited = group, 0, self.visited or {}
  self.visited[group.name] = true
end

--- Back to where it began, to ask who rests.
function Trail:insist()
  self.group, self.skipped, self.insists = self.start, NONE, true
end

--- Over: no longer a retry at work.
function Trail:leave()
  if self.hold then self.hold:settle() end
end

-- What may follow ----------------------------------------------------------------------

local function unvisited(trail, cfg, name)
  local group = name and cfg.groups[name]
  return group and not trail:has_been_to(group) and group or nil
end

-- The fallback for this kind where one is named; `false` there means none at all. Else the
-- next of the list.
local function next_fallback(trail, err, cfg)
  local by_kind = trail.start.fallback_by_kind[err.kind]
  if by_kind == false then return nil end
  local named = unvisited(trail, cfg, by_kind)
  if named then return named end
  if err.kind == "bad_request" then return nil end
  for _, name in ipairs(trail.start.fallback) do
    local group = unvisited(trail, cfg, name)
    if group then return group end
  end
end

local ENDS = {
  cancelled = true, internal = true, script_error = true, draining = true,
  ledger_unavailable = true,
}

local function retry_budget_left(trail)
  if trail.hold then return true end -- counted already
  local active, retrying = shared.get(ACTIVE) or 0, shared.get(RETRYING) or 0
  return retrying < math.max(BUDGET_LEAST, BUDGET_SHARE * active)
end

local function pause(trail, err)
  if err.retry_after then return math.min(math.max(err.retry_after, 0), ASKED_MOST) end
  local most = math.min(trail.group.backoff * 2 ^ trail.retries, BACKOFF_MOST)
  return math.random() * most -- full jitter
end

-- A wait is only worth it where it ends in time, and somebody can be asked then.
local function worth_waiting(trail, seconds, call)
  return time.monotonic() + seconds < call.deadline
    and cooldown.earliest(trail.group) <= seconds
end

-- In the same group: at once with somebody new, or after a wait. group, seconds | nil
local function again(trail, err, call, cfg)
  local group = trail.group
  if not err.again or trail.retries >= group.retries then return nil end
  if not retry_budget_left(trail) then return nil end
  if balance.untried(trail) then return group, 0 end
  if err.again ~= "same" then return nil end
  if err.retry_after and next_fallback(trail, err, cfg) then return nil end
  local seconds = pause(trail, err)
  if worth_waiting(trail, seconds, call) then return group, seconds end
end

local function usual(trail, err, call, cfg)
  if ENDS[err.kind] then return nil end
  local group, seconds = again(trail, err, call, cfg)
  if group then return group, seconds end
  return next_fallback(trail, err, cfg), 0
end

-- What on_error() may say ---------------------------------------------------------------

local SAID = {}

function SAID.fallback(said, _, _, _, cfg)
  local group = cfg.groups[said.group]
  if not group or group.wildcard then
    fault.raise("script_error", nil, {
      detail = "on_error: fallback names " .. tostring(said.group) .. ", which is no model",
    })
  end
  return group, 0
end

function SAID.retry(_, trail, err, call)
  if balance.untried(trail) then return trail.group, 0 end
  local seconds = pause(trail, err)
  return worth_waiting(trail, seconds, call) and trail.group or nil, seconds
end

function SAID.wait(said, trail, _, call)
  return worth_waiting(trail, said.seconds, call) and trail.group or nil, said.seconds
end

-- The operator's words in place of the provider's.
function SAID.fail(said, _, err)
  error(fault.new(err.kind, said.message, {
    code = err.code, status = err.status, detail = err.detail or err.message,
  }), 0)
end

--- Nobody could be asked, and no fallback is left: does the group want the one tried that
--- recovers first (ROUTING.md 1.10)?
function verdict.insists(trail, err, call)
  return err.kind == "unavailable" and #call.attempts == 0 and not trail.insists
    and trail.start.cooldown.when_all_rest == "try"
    and cooldown.soonest(trail.start, NONE) ~= nil
end

--- What follows `err`: a group and the seconds to wait before asking it, or nil to stop.
function verdict.after(trail, err, call, cfg)
  if err.kind == "cancelled" or time.monotonic() >= call.deadline then return nil end
  local hook = cfg.hooks.on_error
  local said = hook and not ENDS[err.kind]
    and hooks.run("on_error", hook, views.fault(err, call), views.call(call))
  if not said then return usual(trail, err, call, cfg) end
  local decide = type(said) == "table" and SAID[said.verdict]
  if not decide then
    fault.raise("script_error", nil, {
      detail = "on_error returned " .. tostring(said) .. ", which is no verdict",
    })
  end
  return decide(said, trail, err, call, cfg)
end

return verdict
