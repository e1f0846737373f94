-- GET /v1/usage: what a key has spent, what its limits are, and what is left of them.

local accounts = require "engine.accounts"
local json = require "engine.json"
local money = require "lib.money"
local plans = require "pipeline.plans"
local time = require "engine.time"

local own_usage = {}

local WINDOWS = { "minute", "hour", "day", "week", "month", "year" }
-- Whose sums a key may see: its own, its team's, its end user's. Not everybody's.
local SHOWN = { key = true, team = true, user = true }
local ANSWER = { "object", "key", "team", "spend_usd", "limits" }
local ACCOUNT = { "scope", "name", "requests", "tokens", "parallel", "budgets" }
local RATE = { "limit", "remaining", "reset_seconds" }
local BUDGET = {
  "window", "limit_usd", "spent_usd", "reserved_usd", "remaining_usd", "resets_at",
}

local function rate(of)
  if not of then return json.null end
  return json.object(RATE, {
    limit = of.limit, remaining = of.left,
    reset_seconds = of.reset and math.ceil(of.reset) or nil,
  })
end

local function budget(of)
  local ends = of.resets_at
  return json.object(BUDGET, {
    window = of.window, limit_usd = money.dollars(of.limit),
    spent_usd = money.dollars(of.spent), reserved_usd = money.dollars(of.reserved),
    remaining_usd = money.dollars(math.max(0, of.limit - of.spent - of.reserved)),
    resets_at = ends and of.window ~= "ever" and time.iso(ends) or json.null,
  })
end

-- Accounts of the ledger's keys go by their ids, people by what a key is called.
local function account(of, key)
  local scope, name = of.name:match("^(%a+):(.*)$")
  if not SHOWN[scope] then return nil end
  local budgets = json.array {}
  for i, one in ipairs(of.budgets) do budgets[i] = budget(one) end
  return json.object(ACCOUNT, {
    scope = scope, name = scope == "key" and key.name or name, requests = rate(of.rpm),
    tokens = rate(of.tpm), parallel = rate(of.parallel), budgets = budgets,
  })
end

-- Dollars by window, of the key alone.
local function spend(name)
  local out, found = {}, accounts.spent(name) or {}
  for _, window in ipairs(WINDOWS) do
    if found[window] then out[window] = money.dollars(found[window].spent) end
  end
  return json.object(WINDOWS, out)
end

--- Answer with the key's own state.
function own_usage.answer(call, reply)
  local key, shown = call.key, json.array {}
  local state = plans.of(call).handle:state()
  for _, of in ipairs(state) do shown[#shown + 1] = account(of, key) end
  reply:answer(200, json.encode(json.object(ANSWER, {
    object = "usage", key = key.name, team = key.team or json.null,
    spend_usd = spend(state[1].name), limits = shown,
  })))
end

return own_usage
