-- A key of the ledger as auth gives it: its record, its team's, and which of this generation's
-- models all of them allow.

local json = require "engine.json"
local keyring = require "engine.keyring"
local wildcard = require "lib.wildcard"

local ledger_keys = {}

local REMEMBERED_MOST = 4096

-- Which models ----------------------------------------------------------------------------

-- What one entry of a list says of names: aliases lead to groups, patterns are met by groups.
local function entry_allows(cfg, entry, name)
  if entry == "*" or entry == name then return true end
  local pattern = wildcard.parse(entry)
  if pattern then return wildcard.match(pattern, name) ~= nil end
  return cfg.aliases[entry] == name
end

local function list_allows(cfg, list, name)
  for _, entry in ipairs(list) do
    if entry_allows(cfg, entry, name) then return true end
  end
  return false
end

local function all_allow(cfg, lists, name)
  for _, list in ipairs(lists) do
    if not list_allows(cfg, list, name) then return false end
  end
  return true
end

-- Names that may be asked for: groups, and what only a wildcard group answers to.
local function candidates(cfg, lists)
  local out = {}
  for name in pairs(cfg.groups) do out[name] = true end
  for _, list in ipairs(lists) do
    for _, entry in ipairs(list) do
      if not entry:find("*", 1, true) then out[cfg.aliases[entry] or entry] = true end
    end
  end
  return out
end

-- nil: all models. The key's list, its maker's where they may differ, its team's: all must.
local function reach(cfg, record, team)
  local lists = { record.models }
  for _, list in ipairs(record.within or {}) do lists[#lists + 1] = list end
  if team and team.models then lists[#lists + 1] = team.models end
  if #lists == 0 then return nil end
  local set = {}
  for name in pairs(candidates(cfg, lists)) do
    set[name] = all_allow(cfg, lists, name) or nil
  end
  return set
end

-- The key ---------------------------------------------------------------------------------

local function tags_of(record, team)
  local out = {}
  for _, tags in ipairs { record.tags or {}, team and team.tags or {} } do
    for name, value in pairs(tags) do out[name] = value end
  end
  return out
end

-- As routes.lua's keys (config/keys.lua), and what only the ledger's have.
local function build(cfg, record, team)
  local models = reach(cfg, record, team)
  return {
    id = record.id, name = record.name, account = "key:" .. record.id, team = record.team,
    all = models == nil or nil, models = models, model_list = record.models or { "*" },
    expires_at = record.expires_at, secret_expires_at = record.secret_expires_at,
    disabled = record.disabled, team_disabled = record.team and (not team or team.disabled),
    tags = tags_of(record, team), rpm = record.rpm, tpm = record.tpm,
    parallel = record.parallel, budgets = record.budgets, soft_budgets = record.soft_budgets,
    on_low_budget = record.on_low_budget, without_cluster = record.without_cluster,
    role = record.role or "client", team_limits = team,
  }
end

--- What is remembered: records by public id, for one generation.
function ledger_keys.memory()
  return { count = 0, known = {} }
end

--- The key of a token, or nil. The same table as long as neither record has changed.
function ledger_keys.find(cfg, memory, token)
  local id, text = keyring.find(token)
  if not id then return nil end
  local known = memory.known[id]
  local team = known and known.team
  local team_text = team and keyring.team(team)
  if known and known.text == text and known.team_text == team_text then return known.key end
  local record = json.decode(text)
  team_text = record.team and keyring.team(record.team) or nil
  local key = build(cfg, record, team_text and json.decode(team_text))
  if memory.count >= REMEMBERED_MOST then memory.known, memory.count = {}, 0 end
  if not memory.known[id] then memory.count = memory.count + 1 end
  memory.known[id] = { text = text, team = record.team, team_text = team_text, key = key }
  return key
end

return ledger_keys
