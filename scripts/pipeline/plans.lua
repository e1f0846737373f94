-- Which accounts a request is reserved with: its key's, its team's, the organisation's.

local json = require "engine.json"

local plans = {}

local function make(key)
  local names = json.array { key.account or "key:" .. key.name }
  if key.team then names[#names + 1] = "team:" .. key.team end
  names[#names + 1] = "org"
  return { names = json.encode(names) }
end

--- The plan of a call, remembered by its key.
function plans.of(call)
  local known = call.cfg.runtime.plans
  local found = known[call.key]
  if not found then
    found = make(call.key)
    known[call.key] = found
  end
  return found
end

return plans
