-- Declared virtual keys → what auth reads.

local links = require "config.links"

local keys = {}

local function add(session, cfg, declared)
  local at, hash = declared.at, declared.hash or session.sha256(declared.token)
  local twin, namesake = cfg.keys.by_hash[hash], cfg.keys.by_name[declared.name]
  if namesake then
    at:error(("is declared twice; the first is on line %d"):format(namesake.line))
  elseif twin then
    at:error(('has the same token as virtual_key "%s"'):format(twin.name))
  end
  local models = links.models(session, cfg, declared)
  local tags = declared.tags or {}
  local key = {
    name = declared.name, hash = hash, line = declared.line,
    all = models == true or nil, models = models ~= true and models or nil,
    model_list = declared.models or { "*" }, expires_at = declared.expires,
    tags = tags, team = declared.team or tags.team, account = "key:" .. declared.name,
    rpm = declared.rpm, tpm = declared.tpm, parallel = declared.parallel,
    budgets = declared.budget, soft_budgets = declared.soft_budget,
    on_low_budget = declared.on_low_budget, without_cluster = declared.without_cluster,
  }
  cfg.keys.by_hash[hash], cfg.keys.by_name[key.name] = key, key
  cfg.keys.list[#cfg.keys.list + 1] = key
end

local function warn_expired(session, declared)
  local expires = declared.expires
  if expires and expires <= session.opts.now() then
    session.report:warn(declared.at:line_of("expires"), declared.at.label .. ": has expired")
  end
end

local OPEN = "no virtual_key is declared and the ledger has no key either, so anyone who "
  .. "reaches this address could spend your money; declare one, such as virtual_key \"me\" "
  .. "{ token = env.MOONGATE_KEY }, make one with 'moongate keys create NAME', or listen on "
  .. "127.0.0.1"

--- Build cfg.keys. A file without keys serves whoever asks, so only on loopback, and only while
--- the ledger has no key (pipeline/auth.lua).
function keys.build(session, cfg)
  for _, declared in ipairs(session.keys) do
    if declared.token or declared.hash then add(session, cfg, declared) end
    warn_expired(session, declared)
  end
  local none, reached = #session.keys == 0, session.opts.loopback == false
  cfg.open = none and not reached
  if none and reached and (session.opts.ledger_keys or 0) == 0 then
    session.report:error(1, OPEN)
  end
end

return keys
