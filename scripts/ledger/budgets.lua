-- Every account that has a budget, and what the ledger knows it has spent in each window.
--
--   list  { declared, team?, account?, after?, limit }
--     → { rows, next? }, of { account, name, window, soft, limit, spent, resets? }: accounts in
--     the order of their names, all of one on one page; `declared` are routes.lua's, unknown
--     to the ledger: { account, team?, budgets?, soft_budgets? }
--   spent { account, window } → { nano }

local json = require "engine.json"
local sql = require "engine.sql"
local time = require "engine.time"
local windows = require "lib.windows"

local budgets = {}

local TEAMS = "SELECT * FROM (SELECT name AS id, name, name AS team, record FROM teams)"
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

local function wanted(holder, args)
  return (not args.team or holder.team == args.team)
    and (not args.account or holder.account == args.account)
    and (not args.after or holder.account > args.after)
end

local CHOSEN = HAS_ONE .. " AND id > ?1 AND (?2 IS NULL OR team = ?2)"
  .. " AND (?3 IS NULL OR id = ?3) ORDER BY id LIMIT ?4"

-- Those of the ledger's own tables.
local function take_known(out, args, text, prefix)
  local function inside(account)
    return account and account:sub(1, #prefix) == prefix and account:sub(#prefix + 1) or nil
  end
  local id = inside(args.account)
  local passed = args.after and args.after > prefix .. "~" -- names are ASCII letters
  if passed or (args.account and not id) then return end
  for _, row in ipairs(sql.rows(text .. CHOSEN, inside(args.after) or "", args.team, id,
    args.limit + 1)) do
    local record = json.decode(row.record)
    out[#out + 1] = {
      account = prefix .. row.id, name = prefix .. row.name, team = row.team,
      budgets = record.budgets, soft_budgets = record.soft_budgets,
    }
  end
end

local function holders_of(args)
  local out = {}
  for _, holder in ipairs(args.declared or {}) do
    if wanted(holder, args) then out[#out + 1] = holder end
  end
  take_known(out, args, TEAMS, "team:")
  take_known(out, args, "SELECT id, name, team, record FROM keys", "key:")
  table.sort(out, function(a, b) return a.account < b.account end)
  return out
end

function budgets.list(args)
  local now, out, last = math.floor(time.now()), json.array {}, nil
  for _, holder in ipairs(holders_of(args)) do
    -- An account may be declared twice, here and there: both, on the same page.
    if #out >= args.limit and holder.account ~= last then return { rows = out, next = last } end
    add(out, holder, holder.budgets, false, now)
    add(out, holder, holder.soft_budgets, true, now)
    last = holder.account
  end
  return { rows = out }
end

function budgets.spent(args)
  return { nano = spent_in(args.account, args.window, math.floor(time.now())) }
end

return budgets
