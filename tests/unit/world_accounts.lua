-- engine.accounts for unit.world: the same promises as the C side, in so far as pipelines see
-- them. Windows do not end here; rates do not refill.

require "engine"
local keyring = require "engine.keyring"

-- One keyring serves all specs of a run: to each it is a new one.
function keyring.is_closed() return keyring.count() > 0 end

local function room_in(at, limits, tokens, nano)
  if limits.rpm and at.requests + 1 > limits.rpm then
    return "rpm", limits.rpm - at.requests
  elseif limits.tpm and at.tokens > 0 and at.tokens + tokens > limits.tpm then
    return "tpm", limits.tpm - at.tokens
  elseif limits.parallel and at.running + 1 > limits.parallel then
    return "parallel", limits.parallel - at.running
  end
  for _, budget in ipairs(nano > 0 and limits.budgets or {}) do
    local used = at.spent + at.reserved
    if used + nano > budget.nano then return "budget:" .. budget.window, budget.nano - used end
  end
end

local Reservation, Plan = {}, {}
Reservation.__index, Plan.__index = Reservation, Plan

local function shift(plan, requests, tokens, running, nano)
  for _, limits in ipairs(plan.list) do
    local at = plan.world.accounts[limits.name]
    at.requests, at.tokens = at.requests + requests, at.tokens + tokens
    at.running, at.reserved = at.running + running, at.reserved + nano
  end
end

function Plan:reserve(tokens, nano)
  for _, limits in ipairs(self.list) do
    local limit, left = room_in(self.world.accounts[limits.name], limits, tokens, nano)
    if limit then return nil, limits.name, limit, 7, left end
  end
  shift(self, 1, tokens, 1, nano)
  self.world.engine.shared.add(self.list.hold, 1)
  return setmetatable({
    plan = self, tokens = tokens, nano = nano,
    admitted = (1.8e9 + self.world.clock) * 1000,
  }, Reservation)
end

function Plan:room()
  for _, limits in ipairs(self.list) do
    local at = self.world.accounts[limits.name]
    if limits.rpm then return limits.rpm, limits.rpm - at.requests, 30 end
  end
end

function Plan:state()
  local out = {}
  for i, limits in ipairs(self.list) do
    local at = self.world.accounts[limits.name]
    out[i] = { name = limits.name, budgets = {} }
    for j, budget in ipairs(limits.budgets or {}) do
      out[i].budgets[j] = {
        window = budget.window, limit = budget.nano, spent = at.spent, reserved = at.reserved,
        resets_at = 1.9e9,
      }
    end
  end
  return out
end

function Reservation:raise(tokens, nano)
  local more, dearer = math.max(0, tokens - self.tokens), math.max(0, nano - self.nano)
  for _, limits in ipairs(self.plan.list) do
    local at = self.plan.world.accounts[limits.name]
    local sized = { tpm = limits.tpm, budgets = limits.budgets }
    local limit, left = room_in(at, sized, more, dearer)
    if limit then return false, limits.name, limit, 7, left end
  end
  shift(self.plan, 0, more, 0, dearer)
  self.tokens, self.nano = self.tokens + more, self.nano + dearer
  return true
end

local function crossings(plan, before)
  local out
  for _, limits in ipairs(plan.list) do
    local spent = plan.world.accounts[limits.name].spent
    for _, soft in ipairs(limits.soft or {}) do
      if before[limits.name] < soft.nano and spent >= soft.nano then
        out = out or {}
        out[#out + 1] = {
          name = limits.name, window = soft.window, nano = spent, soft = soft.nano,
        }
      end
    end
  end
  return out
end

function Reservation:settle(tokens, nano)
  assert(not self.over, "settled twice")
  self.over = true
  self.plan.world.engine.shared.add(self.plan.list.hold, -1)
  shift(self.plan, 0, tokens - self.tokens, -1, -self.nano)
  local before = {}
  for _, limits in ipairs(self.plan.list) do
    local at = self.plan.world.accounts[limits.name]
    before[limits.name], at.spent = at.spent, at.spent + nano
  end
  return crossings(self.plan, before)
end

function Reservation:refund()
  assert(not self.over, "settled twice")
  self.over = true
  self.plan.world.engine.shared.add(self.plan.list.hold, -1)
  shift(self.plan, -1, -self.tokens, -1, -self.nano)
end

local function accounts_of(w)
  local accounts = {}
  function accounts.plan(list)
    for _, limits in ipairs(list) do
      w.accounts[limits.name] = w.accounts[limits.name]
        or { requests = 0, tokens = 0, running = 0, reserved = 0, spent = 0 }
    end
    return setmetatable({ list = list, world = w }, Plan)
  end
  function accounts.spent(name)
    local at = w.accounts[name]
    return at and { month = { spent = at.spent, reserved = at.reserved, start = 0 } }
  end
  function accounts.each(prefix)
    local out = {}
    for name, at in pairs(w.accounts) do
      if name:sub(1, #prefix) == prefix then
        out[#out + 1] = { name = name, month = { spent = at.spent, reserved = 0, start = 0 } }
      end
    end
    return out
  end
  function accounts.names(prefix, after, most)
    local out = {}
    for _, account in ipairs(accounts.each(prefix)) do
      if account.name > (after or "") then out[#out + 1] = account.name end
    end
    table.sort(out)
    return { unpack(out, 1, most) }
  end
  return accounts
end

return accounts_of
