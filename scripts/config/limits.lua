-- The word `limits`: what the organisation, teams, tags and end users may take, whatever their
-- keys say.

local links = require "config.links"
local void = require "config.void"

local limits = {}

local function given(value)
  return value ~= nil and value ~= void and value or nil
end

-- One declared limit in the shape that keys have too.
local function limit(session, cfg, declared, name)
  local at = session.limits.at
  local models = given(declared.models) and links.models(session, cfg, {
    models = declared.models, at = { label = at.label .. ": " .. name }, line = at.line,
  })
  if models == true then models = nil end
  return {
    models = models, rpm = given(declared.rpm), tpm = given(declared.tpm),
    parallel = given(declared.parallel), budgets = given(declared.budget),
    soft_budgets = given(declared.soft_budget), header = given(declared.header),
  }
end

local function each(session, cfg, declared, word)
  local out = {}
  for name, item in pairs(declared or {}) do
    out[name] = limit(session, cfg, item, word .. " " .. name)
  end
  return out
end

-- "tier=batch": what else would a limit of tags go by?
local function check_tags(session, tags)
  for name in pairs(tags) do
    if not name:match("^[^=]+=.+$") then
      session.limits.at:error(('tag "%s" is written ["name=value"]'):format(name), "tag")
    end
  end
end

--- Build cfg.limits.
function limits.build(session, cfg)
  local declared = session.limits or {}
  cfg.limits = {
    org = declared.org and limit(session, cfg, declared.org, "org"),
    team = each(session, cfg, declared.team, "team"),
    tag = each(session, cfg, declared.tag, "tag"),
    user = declared.user and limit(session, cfg, declared.user, "user"),
    webhook = declared.webhook,
  }
  check_tags(session, cfg.limits.tag)
end

return limits
