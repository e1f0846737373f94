-- The admin API's sums: usage, budgets, audit.

local accounts_sum = require "pipeline.admin.audit"
local json = require "engine.json"
local limits = require "pipeline.admin.limits"
local money = require "lib.money"
local prices = require "lib.prices"
local time = require "engine.time"
local units = require "lib.units"

local reports = {}

local NOT_YOURS = {
  status = 403, code = "not_permitted", param = "team",
  message = "a team's admin sees its own team",
}

-- A team's admin sees its team, whatever it asks for. The team to look at | nil, problem
local function team_of(want)
  local team, actor = want.query.team, want.actor
  if not actor then return team end
  if team and team ~= actor.team then return nil, NOT_YOURS end
  return actor.team
end

-- Usage ------------------------------------------------------------------------------------

-- "7d" ago, or a date: a day begins where things are asked since it, and ends where until it.
local function moment(text, is_end)
  if not text then return nil end
  local ago = units.duration(text)
  if ago then return math.floor(time.now() - ago) end
  local at = units.date(text)
  return #text == 10 and not is_end and at - 86400 or at
end

local SUMS = {
  "name", "requests", "failed", "input_tokens", "cached_tokens", "cache_write_tokens",
  "output_tokens", "reasoning_tokens", "spend_nano", "spend_usd", "unpriced", "estimated",
  "suspected_extra_tokens",
}
local REPORT = { "by", "since", "until", "rows", "more", "total", "unsettled" }
local ROWS, PAGE = 1000, 100

local function sum(row)
  local out = {}
  for _, name in ipairs(SUMS) do out[name] = row[name] or 0 end
  out.name, out.spend_usd = row.name, money.dollars(row.spend_nano)
  return json.object(SUMS, out)
end

--- What was asked, what it took and what it cost.
function reports.usage(want)
  local query = want.query
  local team, problem = team_of(want)
  if problem then return nil, problem end
  local since, till = moment(query.since, false), moment(query["until"], true)
  local result, err = want.ask("usage.report", {
    by = query.by or "key", since = since, ["until"] = till, team = team, key = query.key,
    model = query.model, provider = query.provider, deployment = query.deployment,
    user = query.user, tag = query.tag, limit = query.limit or ROWS,
  })
  if not result then return nil, err end
  local rows = json.array {}
  for i, row in ipairs(result.rows) do rows[i] = sum(row) end
  return json.object(REPORT, {
    by = result.by, since = limits.instant(since), ["until"] = limits.instant(till),
    rows = rows, more = result.more, total = sum(result.total),
    unsettled = result.unsettled,
  })
end

-- Budgets ----------------------------------------------------------------------------------

local BUDGET = {
  "account", "name", "window", "soft", "limit_usd", "spent_usd", "reserved_usd",
  "remaining_usd", "resets_at",
}

local function declare(out, account, team, holder)
  if not holder then return end
  out[#out + 1] = {
    account = account, team = team, budgets = holder.budgets,
    soft_budgets = holder.soft_budgets,
  }
end

-- End users with budgets, of whom there may be very many: those of one page.
local function declare_users(out, want, limit)
  local user, query = (want.cfg.limits or {}).user, want.query
  if not user or not (user.budgets or user.soft_budgets) or query.team or want.actor then
    return
  end
  local only = query.account
  if only then
    if only:find "^user:" and want.accounts.spent(only) then declare(out, only, nil, user) end
    return
  end
  for _, name in ipairs(want.accounts.names("user:", query.after, limit + 1)) do
    declare(out, name, nil, user)
  end
end

-- What routes.lua sets limits to. The ledger knows its own.
local function declared(want, limit)
  local out, cfg = json.array {}, want.cfg
  if not cfg then return out end
  for _, key in ipairs(cfg.keys.list) do
    declare(out, key.account or "key:" .. key.name, key.team, key)
  end
  local by = cfg.limits or {}
  declare(out, "org", nil, by.org)
  for name, holder in pairs(by.team or {}) do
    declare(out, "team:" .. name, name, holder)
  end
  for name, holder in pairs(by.tag or {}) do
    declare(out, "tag:" .. name, nil, holder)
  end
  declare_users(out, want, limit)
  return out
end

-- What this process knows of an account is newer than what is written, and knows what is
-- reserved.
local function current(row, accounts)
  local live = accounts and accounts.spent(row.account)
  local of_window = live and live[row.window]
  if not of_window then return row.spent, 0 end
  return of_window.spent, of_window.reserved
end

local function budget(row, accounts)
  local spent, reserved = current(row, accounts)
  local left = math.max(0, row.limit - spent - reserved)
  return json.object(BUDGET, {
    account = row.account, name = row.name, window = row.window, soft = row.soft == true,
    limit_usd = money.dollars(row.limit), spent_usd = money.dollars(spent),
    reserved_usd = money.dollars(reserved), remaining_usd = money.dollars(left),
    resets_at = limits.instant(row.resets),
  })
end

--- Every budget there is, and how much of it is left.
function reports.budgets(want)
  local team, problem = team_of(want)
  if problem then return nil, problem end
  local limit = want.query.limit or PAGE
  local result, err = want.ask("budgets.list", {
    declared = declared(want, limit), team = team, account = want.query.account,
    after = want.query.after, limit = limit,
  })
  if not result then return nil, err end
  local out = json.array {}
  for i, row in ipairs(result.rows) do out[i] = budget(row, want.accounts) end
  return json.object({ "data", "next" }, { data = out, next = limits.or_null(result.next) })
end

--- Do all sums of money agree? (pipeline/admin/audit.lua)
function reports.audit(want)
  return accounts_sum.run(want)
end

-- Prices -----------------------------------------------------------------------------------

--- The table that is asked first.
function reports.prices()
  local used = prices.table()
  return json.object({ "date", "version", "source", "models" }, {
    date = used.date, version = used.version, source = used.source,
    models = json.array(used.models),
  })
end

return reports
