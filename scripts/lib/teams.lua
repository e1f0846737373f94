-- What the ledger says of a team: its limits, in the shape that routes.lua's have.

local json = require "engine.json"
local keyring = require "engine.keyring"

local teams = {}

--- The team's record | nil. Decoded each time: whoever asks often remembers it, until
--- keyring.version() moves.
function teams.record(name)
  local text = keyring.team(name)
  local record = text and json.decode(text)
  return type(record) == "table" and record or nil
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
