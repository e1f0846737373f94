-- May this key ask for that model? Its own list, its team's, its tags' and the organisation's
-- all have to say so.

local teams = require "lib.teams"

local grants = {}

local function names(set, group)
  return set == nil or set[group.name] or (group.pattern and set[group.pattern]) or false
end

local function tags_allow(limits, key, group)
  for name, value in pairs(key.tags or {}) do
    local limit = limits.tag[name .. "=" .. value]
    if limit and not names(limit.models, group) then return false end
  end
  return true
end

-- What routes.lua says of the team and, of a key of routes.lua, what the ledger does: its own
-- keys know that already.
local function team_allows(cfg, key, group)
  local limit = cfg.limits.team[key.team]
  if limit and not names(limit.models, group) then return false end
  if key.id or not cfg.runtime then return true end
  return names(teams.models(cfg, key.team), group)
end

--- True or false. `key` names groups in `models`, unless `all` is set.
function grants.allow(cfg, key, group)
  local limits = cfg.limits
  if not (key.all or names(key.models or {}, group)) then return false end
  if key.team and not team_allows(cfg, key, group) then return false end
  if limits.org and not names(limits.org.models, group) then return false end
  return next(limits.tag) == nil or tags_allow(limits, key, group)
end

local UNNAMED = { name = "" } -- a group that no list names

--- May it ask for whatever there is?
function grants.all(cfg, key)
  return grants.allow(cfg, key, UNNAMED)
end

return grants
