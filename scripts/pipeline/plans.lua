-- Which accounts a request is reserved with, and what limits each of them has: its key's, its
-- team's, the organisation's, and those of tags and end users that routes.lua limits.

local accounts = require "engine.accounts"
local crypto = require "engine.crypto"
local fault = require "lib.fault"
local json = require "engine.json"
local keyring = require "engine.keyring"
local metrics = require "lib.metrics"
local payers = require "lib.payers"

local plans = {}

local ACTIVE = "requests:active" -- what policy/verdict.lua knows how many retries may run by
local USERS_MOST = 1000 -- end users remembered a key
local EVERYBODY = "user:*" -- a key's end users who find no room for accounts of their own
local NAME_MOST = 64    -- bytes of an end user's id that become an account's name

---@class Plan
---@field names string      the accounts' names, a JSON list
---@field handle userdata   engine.accounts' plan
---@field budgeted boolean  something here limits money
---@field limited boolean   something here limits requests or tokens a minute
---@field sized boolean     something here limits tokens or money

-- Names of accounts end up in lines and labels: what is long or odd goes by its hash.
local function user_account(id)
  if #id > NAME_MOST or id:find("[^%w%._@:+-]") then
    return "user:#" .. crypto.sha256(id):sub(1, 32)
  end
  return "user:" .. id
end

-- `user` is the name of an account.
local function list_of(cfg, key, user)
  local list = payers.of(cfg, key)
  if user then payers.add(list, user, cfg.limits.user) end
  return list
end

local function describe(list, plan)
  local names, seen = json.array {}, {}
  plan.budgeted, plan.limited, plan.sized = false, false, false
  for _, one in ipairs(list) do
    if not seen[one.name] then names[#names + 1] = one.name end
    seen[one.name] = true
    plan.budgeted = plan.budgeted or (one.budgets ~= nil and #one.budgets > 0)
    plan.limited = plan.limited or one.rpm ~= nil or one.tpm ~= nil
    plan.sized = plan.sized or plan.budgeted or one.tpm ~= nil
  end
  plan.names = json.encode(names)
end

-- nil where there is no room for another account.
local function try(cfg, key, user)
  local list, plan = list_of(cfg, key, user), {}
  describe(list, plan)
  list.hold = ACTIVE
  plan.handle = accounts.plan(list)
  return plan.handle and plan or nil
end

local function make(cfg, key, user)
  local plan = try(cfg, key, user)
  if plan then return plan end
  if user then
    metrics.add("moongate_user_accounts_full_total", nil, 1)
    plan = try(cfg, key, EVERYBODY .. (key.account or "key:" .. key.name))
  end
  if plan then return plan end
  fault.raise("unavailable", "The gateway has no room for another account.")
end

-- Remembered by the account's name, which is short, whatever a client sends.
local function of_user(call, mine, user)
  local found = mine.users[user]
  if found then return found end
  if mine.count >= USERS_MOST then mine.users, mine.count = {}, 0 end
  found = make(call.cfg, call.key, user)
  mine.users[user], mine.count = found, mine.count + 1
  return found
end

--- The plan of a call, remembered by its key and, where end users are limited, by its user,
--- until something in the ledger's keys or teams changes.
---@return Plan
function plans.of(call)
  local cfg, key, version = call.cfg, call.key, keyring.version()
  local known = cfg.runtime.plans
  local mine = known[key]
  if not mine or mine.version ~= version then
    mine = { plan = make(cfg, key), users = {}, count = 0, version = version }
    known[key] = mine
  end
  if not cfg.limits.user then return mine.plan end
  local user = call.end_user
  return user and of_user(call, mine, user_account(user)) or mine.plan
end

return plans
