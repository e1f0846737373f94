-- Warnings about what nobody can reach: models no key may ask for, deployments in no model,
-- models that their provider has switched off, or without a price that budgets need.

local prices = require "lib.prices"

local reach = {}

-- A name that only a wildcard covers is declared by that one.
local function reach_one(cfg, reached, name)
  reached[name] = true
  local pattern = cfg.groups[name].pattern
  if pattern then reached[pattern] = true end
end

local function mark(cfg, reached, name)
  if not name then return end
  reach_one(cfg, reached, name)
  local group = cfg.groups[name]
  for _, to in ipairs(group.fallback) do reach_one(cfg, reached, to) end
  for _, to in pairs(group.fallback_by_kind) do
    if to then reach_one(cfg, reached, to) end
  end
end

-- Groups that some key may ask for, and those they fall back to.
local function reached_by_keys(cfg)
  local reached = {}
  for _, key in ipairs(cfg.keys.list) do
    if key.all then return nil end
    for name in pairs(key.models) do mark(cfg, reached, name) end
  end
  return reached
end

local function models(session, cfg)
  -- A hook may choose any group, a file without keys is open to all, and what the ledger's
  -- keys may ask for changes while this file stays.
  local others = cfg.open or #session.keys == 0 or (session.opts.ledger_keys or 0) > 0
  if others or session.hooks.route or session.hooks.on_error then return end
  local reached = reached_by_keys(cfg)
  for _, declared in ipairs(reached and session.groups or {}) do
    if not reached[declared.name] then
      cfg.unreached = true
      session.report:warn(declared.line,
        declared.at.label .. ": no virtual_key may use it, and nothing falls back to it")
    end
  end
end

local function deployment(session, record)
  local since = prices.retired(record.model)
  if not record.used then
    session.report:warn(record.line, ('deployment "%s" is in no model'):format(record.name))
  elseif since then
    session.report:warn(record.line, ('deployment "%s": its provider switched %s off on %s')
      :format(record.name, record.model, since))
  end
end

-- The name of a model that is gone may live on, but people should know what answers to it.
local function namesake(session, declared)
  local since, first = prices.retired(declared.name), declared.items[1]
  if since and first and not prices.retired(first.model) then
    session.report:warn(declared.line, ("%s: the model of this name was switched off on %s; "
      .. "%s answers in its place"):format(declared.at.label, since, first.name))
  end
end

-- Does a budget hold for some key: its own, its team's, a tag's, everybody's?
local function has_budget(limits)
  return limits ~= nil and limits.budgets ~= nil
end

local function is_budgeted(cfg)
  if has_budget(cfg.limits.org) or has_budget(cfg.limits.user) then return true end
  for _, of in ipairs { cfg.limits.team, cfg.limits.tag, cfg.keys.by_name } do
    for _, limits in pairs(of) do
      if has_budget(limits) then return true end
    end
  end
  return false
end

-- Nobody can hold a budget to a price that nobody knows.
local function unpriced(session, cfg)
  if not is_budgeted(cfg) then return end
  for _, name in ipairs(cfg.order) do
    for _, dep in ipairs(cfg.groups[name].deployments) do
      if not dep.wildcard and not prices.of(dep) then
        session.report:warn(dep.line, ('deployment "%s": no price is known, so whoever has a '
          .. "budget cannot use it; say price = { input = …, output = … }"):format(dep.name))
      end
    end
  end
end

--- Warn about models and deployments that no request can get to, or that are gone.
function reach.check(session, cfg)
  models(session, cfg)
  for _, declared in ipairs(session.groups) do namesake(session, declared) end
  for _, record in ipairs(session.records) do
    if not record.broken then deployment(session, record) end
  end
  unpriced(session, cfg)
end

return reach
