-- Every account that has a budget, and what the ledger knows it has spent in each window.
--
--   list  { declared, team?, account? }
--     → { rows = { { account, name, window, soft, limit, spent, resets? } … } }; `declared` are
--     routes.lua's accounts, unknown to the ledger: { account, team?, budgets?, soft_budgets? }
--   spent { account, window } → { nano }

local json = require "engine.json"
local sql = require "engine.sql"
local time = require "engine.time"
local windows = require "lib.windows"

local budgets = {}

local HAS_ONE = " WHERE (json_extract(record, '$.budgets') IS NOT NULL"
  .. " OR json_extract(record, '$.soft_budgets') IS NOT NULL)"

local function spent_in(account, window, now)
  local row = sql.row("SELECT nano FROM spend WHERE period = ? AND start_s = ? AND account = ?",
    window, windows.start(window, now), account)
  return row and tonumber(row.nano) or 0
end

local function add(out, holder, list, soft, now)
  for _, budget in ipairs(list or {}) do
    local window = budget.window or "ever"
    out[#out + 1] = {
      account = holder.account, name = holder.name or holder.account, window = window,
      soft = soft, limit = budget.nano, spent = spent_in(holder.account, window, now),
      resets = windows.finish(window, now),
    }
  end
end

-- Those of the ledger's own tables.
local function known()
  local out = {}
  for _, row in ipairs(sql.rows("SELECT name, record FROM teams" .. HAS_ONE)) do
    local record = json.decode(row.record)
    record.account, record.team, record.name = "team:" .. row.name, row.name, nil
    out[#out + 1] = record
  end
  for _, row in ipairs(sql.rows("SELECT id, name, team, record FROM keys" .. HAS_ONE)) do
    local record = json.decode(row.record)
    record.account, record.team, record.name = "key:" .. row.id, row.team, "key:" .. row.name
    out[#out + 1] = record
  end
  return out
end

function budgets.list(args)
  local now, out = math.floor(time.now()), json.array {}
  for _, holders in ipairs { args.declared or {}, known() } do
    for _, holder in ipairs(holders) do
      local wanted = (not args.team or holder.team == args.team)
        and (not args.account or holder.account == args.account)
      if wanted then
        add(out, holder, holder.budgets, false, now)
        add(out, holder, holder.soft_budgets, true, now)
      end
    end
  end
  return { rows = out }
end

function budgets.spent(args)
  return { nano = spent_in(args.account, args.window, math.floor(time.now())) }
end

return budgets
