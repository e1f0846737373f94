-- Limits as people write them ↔ as the ledger keeps them: "$500/month" ↔ nano-dollars and a
-- window, dates ↔ seconds. Keys and teams have them in common.

local json = require "engine.json"
local model_lists = require "lib.model_lists"
local money = require "lib.money"
local time = require "engine.time"
local units = require "lib.units"

local limits = {}

-- Our word → the ledger's, where they differ.
local LEDGER = { budget = "budgets", soft_budget = "soft_budgets", expires = "expires_at" }

local function budgets(value, param)
  local out, seen = json.array {}, {}
  for i, text in ipairs(type(value) == "table" and value or { value }) do
    local budget = units.budget(text)
    local window = budget.window or "ever"
    if seen[window] then
      return nil, {
        status = 400, code = "invalid_value", param = param,
        message = ("%s has two for the same window (%s)"):format(param, window),
      }
    end
    seen[window] = true
    out[i] = { window = window, nano = budget.nano }
  end
  return out
end

local function is_all(models)
  for _, name in ipairs(models) do
    if name == "*" then return true end
  end
  return false
end

-- One field as the ledger keeps it; nil: none. Or nil, problem.
local function converted(name, value)
  if value == json.null then return nil end
  if name == "budget" or name == "soft_budget" then return budgets(value, name) end
  if name == "expires" then return units.date(value) end
  if name == "models" and is_all(value) then return nil end
  return value
end

--- A checked body → what is set, and the names of what is to be none; nil, nil, problem.
function limits.read(body)
  local set, clear = {}, json.array {}
  for name, value in pairs(body) do
    local stored, problem = converted(name, value)
    if problem then return nil, nil, problem end
    local word = LEDGER[name] or name
    if stored == nil then clear[#clear + 1] = word else set[word] = stored end
  end
  table.sort(clear)
  return set, clear
end

-- The ledger's word → ours.
local function spoken(problem, words)
  local param = problem.param
  if not (param and words[param]) then return problem end
  local out = {}
  for name, value in pairs(problem) do out[name] = value end
  out.param = words[param]
  out.message = problem.message:gsub("^" .. param .. "%f[%W]", out.param)
  return out
end

local OURS = {}
for ours, ledger in pairs(LEDGER) do OURS[ledger] = ours end

--- Ask the ledger, as whoever asks us: result | nil, problem in the caller's words (`words`:
--- the ledger's → theirs; ours where nothing is said).
function limits.ask(want, verb, args, words)
  args.actor = want.actor
  local result, problem = want.ask(verb, args)
  if result ~= nil then return result end
  return nil, spoken(problem, words or OURS)
end

--- Epoch seconds → "2026-12-31T18:00:00Z"; null where there is none.
function limits.instant(seconds)
  if type(seconds) ~= "number" then return json.null end
  return (time.iso(seconds):gsub("%.%d+Z$", "Z"))
end

--- { { window, nano } … } → { "$500/month" … }
function limits.budgets(list)
  local out = json.array {}
  for i, budget in ipairs(list or {}) do
    local window = budget.window or "ever"
    out[i] = "$" .. money.dollars(budget.nano) .. (window == "ever" and "" or "/" .. window)
  end
  return out
end

local function or_null(value)
  if value == nil then return json.null end
  return value
end

--- The members that keys and teams share, put into `out`.
function limits.show(record, out)
  local models = record.models
  out.models = json.array { unpack(models and #models > 0 and models or { "*" }) }
  out.rpm, out.tpm = or_null(record.rpm), or_null(record.tpm)
  out.parallel = or_null(record.parallel)
  out.budget = limits.budgets(record.budgets)
  out.soft_budget = limits.budgets(record.soft_budgets)
  out.tags = json.object({}, record.tags or {})
  out.disabled = record.disabled == true
  out.created = limits.instant(record.created_at)
  out.updated = limits.instant(record.updated_at)
  return out
end

--- Tell who has just set a list of models what in it no model answers to: in `shown`, the
--- answer. Where nobody knows which models there are, nothing.
function limits.warn(want, shown)
  local models = want.body.models
  if not want.cfg or type(models) ~= "table" then return shown end
  local list = model_lists.unmet(want.cfg, models)
  if list[1] then shown.warnings = json.array(list) end
  return shown
end

limits.or_null = or_null

return limits
