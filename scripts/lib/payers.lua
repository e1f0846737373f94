-- Who pays for a key's requests, and what limits each has: the key, its team, the organisation,
-- and those of its tags that routes.lua limits.

local teams = require "lib.teams"

local payers = {}

-- The same limits twice: routes.lua's and the ledger's. Both hold.
local function stricter(list, limits)
  if limits then list[#list + 1] = limits end
end

--- Add an account with these limits to a list.
function payers.add(list, name, limits)
  list[#list + 1] = {
    name = name, rpm = limits.rpm, tpm = limits.tpm, parallel = limits.parallel,
    budgets = limits.budgets, soft = limits.soft_budgets, open = list.open,
  }
end

-- The limits of an account from each place that has some; one without any is counted all the
-- same, so that what it spent is known.
local function each(list, name, found)
  if #found == 0 then found[1] = {} end
  for _, limits in ipairs(found) do payers.add(list, name, limits) end
end

local function tags_of(cfg, key, list)
  local limited = cfg.limits.tag
  for name, value in pairs(key.tags or {}) do
    local limits = limited[name .. "=" .. value]
    if limits then payers.add(list, "tag:" .. name .. "=" .. value, limits) end
  end
end

--- All but end users: a list of accounts as engine.accounts.plan takes it.
function payers.of(cfg, key)
  -- A key that may go on without the cluster does so for all that it is charged to.
  local list, team = { open = key.without_cluster == "open" }, key.team
  payers.add(list, key.account or "key:" .. key.name, key)
  if team then
    local found = {}
    stricter(found, cfg.limits.team[team])
    stricter(found, key.team_limits or teams.record(team))
    each(list, "team:" .. team, found)
  end
  each(list, "org", { cfg.limits.org })
  tags_of(cfg, key, list)
  return list
end

return payers
