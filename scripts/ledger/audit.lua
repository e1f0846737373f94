-- The ledger's own sums of money, for the comparison in pipeline/admin/audit.lua.
--
--   run { accounts?, boot? } → { requests, attempts, hours, days, org, rolled, served, spent }
--
-- Nano-dollars; beyond 2^53 as decimal text. `accounts` are { account, window, start } each,
-- and `spent` what they have spent, in that order; `served` is what requests since `boot` cost,
-- absent where the retention may have taken some of them away.

local json = require "engine.json"
local sql = require "engine.sql"

local audit = {}

local function sum(column, rest, ...)
  local text = "SELECT coalesce(sum(" .. column .. "), 0) AS nano FROM " .. rest
  return sql.row(text, ...).nano
end

local function spent(of)
  local row = sql.row("SELECT nano FROM spend WHERE period = ? AND start_s = ? AND account = ?",
    of.window, of.start, of.account)
  return row and row.nano or 0
end

-- What requests since `boot` have cost; nil where some of them may have been taken away since.
local function served(boot, pruned)
  if pruned ~= 0 then
    local oldest = sql.row("SELECT min(admitted_ms) AS ms FROM requests").ms
    if not oldest or oldest > boot then return nil end
  end
  return sum("cost_nano", "requests WHERE boot = ?", boot)
end

function audit.run(args)
  local accounts = json.array {}
  for i, of in ipairs(args.accounts or {}) do accounts[i] = spent(of) end
  local row = sql.row("SELECT v FROM meta WHERE k = 'pruned_nano'")
  local pruned = row and row.v or 0
  return {
    requests = sum("cost_nano", "requests"),
    attempts = sum("cost_nano", "attempts WHERE billed = 1"),
    hours = sum("cost_nano", "usage_sums WHERE period = 3600"),
    days = sum("cost_nano", "usage_sums WHERE period = 86400"),
    org = sum("nano", "spend WHERE account = 'org' AND period = 'year'"),
    rolled = sum("nano", "(SELECT cost_nano AS nano FROM requests UNION ALL SELECT ?)", pruned),
    served = served(args.boot or 0, pruned), spent = accounts,
  }
end

return audit
