-- A key of the ledger as auth gives it: its record, its team's, and which of this generation's
-- models all of them allow.

local json = require "engine.json"
local keyring = require "engine.keyring"
local model_lists = require "lib.model_lists"

local ledger_keys = {}

local REMEMBERED_MOST = 4096

-- nil: all models. The key's list, its maker's where they may differ, its team's: all must.
local function reach(cfg, record, team)
  local lists = { record.models }
  for _, list in ipairs(record.within or {}) do lists[#lists + 1] = list end
  if team and team.models then lists[#lists + 1] = team.models end
  return model_lists.set(cfg, lists)
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

--- The key of a record that the ledger was asked for.
function ledger_keys.of_record(cfg, record)
  local team = record.team and keyring.team(record.team)
  return build(cfg, record, team and json.decode(team) or nil)
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
