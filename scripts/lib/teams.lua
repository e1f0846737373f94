-- What the ledger says of a team: its limits, in the shape that routes.lua's have.

local json = require "engine.json"
local keyring = require "engine.keyring"
local model_lists = require "lib.model_lists"

local teams = {}

--- The team's record | nil. Decoded each time: whoever asks often remembers it, until
--- keyring.version() moves.
function teams.record(name)
  local text = keyring.team(name)
  local record = text and json.decode(text)
  return type(record) == "table" and record or nil
end

-- A disabled team may ask for none.
local function models_of(cfg, record)
  if record and record.disabled then return {} end
  return record and record.models and model_lists.set(cfg, { record.models }) or false
end

--- Which of this generation's models the ledger lets a team ask for: a set of names, nil for
--- all. `cfg.runtime` remembers it until something in the ledger's keys or teams changes.
function teams.models(cfg, name)
  local known, version = cfg.runtime.teams, keyring.version()
  if known.version ~= version then
    known = { version = version, models = {} }
    cfg.runtime.teams = known
  end
  local found = known.models[name]
  if found == nil then
    found = models_of(cfg, teams.record(name))
    known.models[name] = found
  end
  return found or nil
end

--- Every budget of a team, of routes.lua and of the ledger: a list of { window, nano }.
function teams.budgets(cfg, name)
  local out = {}
  for _, of in ipairs { cfg.limits.team[name] or {}, teams.record(name) or {} } do
    for _, budget in ipairs(of.budgets or {}) do out[#out + 1] = budget end
  end
  return out
end

return teams
