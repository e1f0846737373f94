-- Who asks a verb of the ledger: nil is the operator, else a key that administers its team.

local json = require "engine.json"
local problem = require "ledger.problem"
local store = require "ledger.store"

local actor = {}

local function administers(record)
  local over = record.expires_at and record.expires_at * 1000 <= store.now_ms()
  return record.role == "team_admin" and record.team and not record.disabled and not over
end

--- nil for the operator; else the row of the key, as it stands now.
function actor.of(given)
  if given == nil or given == json.null then return nil end
  if type(given) == "table" and given.role == "operator" then return nil end
  local known = type(given) == "table" and given.role == "team_admin"
    and type(given.id) == "string"
  local row = known and store.key(given.id) or nil
  if not row or not administers(row.record) then
    problem.not_permitted(nil, "this key administers no team")
  end
  return row
end

return actor
