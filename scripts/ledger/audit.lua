-- The ledger's own sums of money, for the comparison in pipeline/admin/audit.lua.
--
--   run { accounts?, boot? } → { requests, attempts, hours, days, org, rolled, served, spent }
--
-- Nano-dollars; beyond 2^53 as decimal text. `accounts` are { account, window, start } each,
-- and `spent` what they have spent, in that order; `served` is what requests since `boot` cost.

local json = require "engine.json"
local sql = require "engine.sql"

local audit = {}

local function sum(text, ...)
  return sql.row("SELECT coalesce(sum(" .. text, ...).nano
end

local function spent(of)
  local row
  if of.window == "ever" then
    return sum("nano), 0) AS nano FROM spend WHERE period = 'year' AND account = ?", of.account)
  end
  row = sql.row("SELECT nano FROM spend WHERE period = ? AND start_s = ? AND account = ?",
    of.window, of.start, of.account)
  return row and row.nano or 0
end

-- What requests since `boot` have cost; nil where some of them may have been taken away since.
local function served(boot, pruned)
  if pruned then
    local oldest = sql.row("SELECT min(admitted_ms) AS ms FROM requests").ms
    if not oldest or oldest > boot then return nil end
  end
  return sum("cost_nano), 0) AS nano FROM requests WHERE boot = ?", boot)
end

function audit.run(args)
  local out = json.array {}
  for i, of in ipairs(args.accounts or {}) do out[i] = spent(of) end
  local pruned = sql.row("SELECT v FROM meta WHERE k = 'pruned_nano'")
  return {
    requests = sum "cost_nano), 0) AS nano FROM requests",
    attempts = sum "cost_nano), 0) AS nano FROM attempts WHERE billed = 1",
    hours = sum "cost_nano), 0) AS nano FROM usage_sums WHERE period = 3600",
    days = sum "cost_nano), 0) AS nano FROM usage_sums WHERE period = 86400",
    org = sum "nano), 0) AS nano FROM spend WHERE account = 'org' AND period = 'year'",
    rolled = sum("cost_nano), 0) + ? AS nano FROM requests", pruned and pruned.v or 0),
    served = served(args.boot or 0, pruned),
    spent = out,
  }
end

return audit
