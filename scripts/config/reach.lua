-- Warnings about what nobody can reach: models no key may ask for, deployments in no model.

local reach = {}

local function mark(cfg, reached, name)
  if not name or reached[name] then return end
  reached[name] = true
  local group = cfg.groups[name]
  for _, to in ipairs(group.fallback) do reached[to] = true end
  for _, to in pairs(group.fallback_by_kind) do
    if to then reached[to] = true end
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
  -- A hook may choose any group, and a file without keys is open to all.
  if cfg.open or session.hooks.route or session.hooks.on_error then return end
  local reached = reached_by_keys(cfg)
  for _, declared in ipairs(reached and session.groups or {}) do
    if not reached[declared.name] then
      session.report:warn(declared.line,
        declared.at.label .. ": no virtual_key may use it, and nothing falls back to it")
    end
  end
end

--- Warn about models and deployments that no request can get to.
function reach.check(session, cfg)
  models(session, cfg)
  for _, record in ipairs(session.records) do
    if not record.used and not record.broken then
      session.report:warn(record.line, ('deployment "%s" is in no model'):format(record.name))
    end
  end
end

return reach
