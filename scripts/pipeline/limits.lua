-- What is set aside before a call and settled after it: a request, its tokens and its money, of
-- every account that pays for it, or of none.

local bounds = require "pipeline.bounds"
local plans = require "pipeline.plans"
local refusals = require "pipeline.refusals"
local squeeze = require "pipeline.squeeze"
local time = require "engine.time"

local limits = {}

local LEASE_MOST, LEASE_WAIT = 0.06, 0.002 -- seconds

-- Setting aside -----------------------------------------------------------------------------

-- Ask again for as long as the cluster is being asked for room: all in all 60 ms of a request,
-- however often it has to ask.
local function patiently(call, ask, who, n, nano)
  call.waits_until = call.waits_until or time.monotonic() + LEASE_MOST
  while true do
    local ok, name, limit, retry, left, soon = ask(who, n, nano)
    if ok or not soon or time.monotonic() >= call.waits_until then
      return ok, name, limit, retry, left
    end
    time.sleep(LEASE_WAIT)
  end
end

-- Whose limit, which, seconds until it may have room, what it still has.
local function refusal(name, limit, retry, left)
  return { name = name, limit = limit, retry = retry, left = left }
end

-- True, or nil and why not. From here on the call holds it: whatever is raised, it is settled.
local function set_aside(call, n, nano)
  local handle = call.plan.handle
  local res, name, limit, retry, left, soon = handle:reserve(n, nano)
  if not res and soon then
    res, name, limit, retry, left = patiently(call, handle.reserve, handle, n, nano)
  end
  if not res then return nil, refusal(name, limit, retry, left) end
  call.hold, call.admitted = res, res.admitted
  call.reserved_tokens, call.reserved_nano = n, nano
  return true
end

local function is_budget(refused)
  return refused.limit:sub(1, 6) == "budget"
end

-- Counting helps where a size was refused that may be far above the truth.
local function count(call)
  if call.counted then return false end
  local n = bounds.counted(call)
  call.counted = true
  if n >= call.input_most then return false end
  call.input_most = n
  return true
end

-- Where a budget meets a group without any price, the first fallback that has one answers.
local function priced_fallback(call)
  for _, name in ipairs(call.group.fallback) do
    local n, nano = bounds.of_group(call, call.cfg.groups[name], call.input_most)
    if nano then return n, nano end
  end
  refusals.unpriced(call)
end

-- For the dearest deployment, so that no other needs more.
local function for_all(call)
  local group = call.group
  local n, nano, all = bounds.of_group(call, group, call.input_most)
  if nano == nil and call.plan.budgeted then n, nano = priced_fallback(call) end
  call.asked_nano = nano
  local done, refused = set_aside(call, n, nano or 0)
  if not done then return nil, refused end
  if all or not call.plan.budgeted then call.covered = group end
  if nano == nil then call.reserved_nano = false end -- for the journal: unknown, not free
  return true
end

-- What was refused by size is counted; a budget may still pay for a cheaper deployment, or,
-- where the key says so, for a shorter answer.
local function insist(call, refused)
  local sized, done = refused.limit == "tpm" or is_budget(refused), nil
  if sized and count(call) then
    done, refused = for_all(call)
    if done then return true end
  end
  if is_budget(refused) then done, refused = squeeze.cheaper(call, refused, set_aside) end
  if not done and call.key.on_low_budget == "clamp" and is_budget(refused) then
    done, refused = squeeze.shorter(call, refused, set_aside)
  end
  return done, refused
end

--- Set aside what the call may take of every account that pays for it. Raises 429 where one has
--- no room, 403 where a budget meets a model without a price; then nothing is taken.
function limits.reserve(call)
  local plan = plans.of(call)
  call.plan = plan
  call.input_most, call.counted = bounds.input(call, plan.sized)
  local done, refused = for_all(call)
  if not done then done, refused = insist(call, refused) end
  if plan.limited then call.limit_headers = refusals.headers(plan) end
  if not done then refusals.raise(call, refused) end
end

-- More, for another deployment ----------------------------------------------------------------

local function raise(call, n, nano)
  local hold = call.hold
  local ok, name, limit, retry, left, soon = hold:raise(n, nano)
  if not ok and soon then
    ok, name, limit, retry, left = patiently(call, hold.raise, hold, n, nano)
  end
  if not ok then return false, refusal(name, limit, retry, left) end
  call.reserved_tokens = math.max(call.reserved_tokens, n)
  call.reserved_nano = math.max(call.reserved_nano or 0, nano)
  return true
end

--- Is enough set aside for this deployment? Sets more aside where it is dearer; false where
--- that is refused, or where a budget meets a price that nobody knows.
function limits.affords(call, dep, group)
  if group == call.covered then return true end
  local n, nano = bounds.at(call, dep, call.input_most)
  if not nano and call.plan.budgeted then return false end
  nano = nano or 0
  if n <= call.reserved_tokens and nano <= (call.reserved_nano or 0) then return true end
  if raise(call, n, nano) then return true end
  if not count(call) then return false end
  n, nano = bounds.at(call, dep, call.input_most)
  return (raise(call, n, nano or 0))
end

-- The end -----------------------------------------------------------------------------------

local function was_sent(call)
  for _, try in ipairs(call.attempts) do
    if try.sent then return true end
  end
  return false
end

--- The fact takes the reservation's place, once: `n` tokens, `nano` nano-dollars. Where no
--- provider saw the request, nothing happened. The soft budgets that this crossed, or nil.
function limits.settle(call, n, nano)
  local hold = call.hold
  if not hold then return nil end
  call.hold = false
  if not was_sent(call) then
    hold:refund()
    return nil
  end
  return hold:settle(n, nano)
end

return limits
