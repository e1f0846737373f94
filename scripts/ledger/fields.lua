-- The fields of keys and teams: what each may hold. Everything that comes in goes through here,
-- whoever has looked at it before.

local json = require "engine.json"
local problem = require "ledger.problem"
local plain = require "lib.plain"

local fields = {}

local EXACT = 2 ^ 53                -- beyond it a double skips integers
local LAST = 253402300799           -- the end of the year 9999
local NAME_MOST, TEXT_MOST = 64, 256
local LIST_MOST, TAGS_MOST = 256, 32
local WINDOWS = {
  minute = true, hour = true, day = true, week = true, month = true, year = true, ever = true,
}

-- Each kind: value, name → what is kept. Raises what the field must be ----------------------

local function whole(least, most, unit)
  return function(value, name)
    if type(value) ~= "number" or not (value >= least and value <= most) or value % 1 ~= 0 then
      problem.field(name, ("must be a whole number%s from %.0f to %.0f"):format(
        unit or "", least, most))
    end
    return value
  end
end

local function label(value, name)
  if type(value) ~= "string" or #value > NAME_MOST
    or not value:find("^[A-Za-z0-9][A-Za-z0-9 ._@:/+-]*$") then
    problem.field(name, "must be text of 1 to 64 letters, digits and ' ._@:/+-', "
      .. "and begin with a letter or a digit")
  end
  return value
end

local function flag(value, name)
  if type(value) ~= "boolean" then problem.field(name, "must be true or false") end
  return value
end

local function one_of(...)
  local words = { ... }
  return function(value, name)
    for _, word in ipairs(words) do
      if value == word then return value end
    end
    problem.field(name, 'must be "' .. table.concat(words, '" or "') .. '"')
  end
end

-- The length of a list without holes or other members; nil for anything else.
local function length(value)
  if type(value) ~= "table" then return nil end
  local count = 0
  for key in pairs(value) do
    if type(key) ~= "number" then return nil end
    count = count + 1
  end
  return count == #value and count or nil
end

local function list(value, name, most, of)
  local n = length(value)
  if not n or n < 1 or n > most then
    problem.field(name, ("must be a list of 1 to %d %s"):format(most, of))
  end
end

local function model(value, name)
  if not plain.is(value, TEXT_MOST) or value:find("%*.*%*") then
    problem.field(name, "must hold names of models, of 1 to 256 bytes, with one * at most")
  end
  return value
end

local function models(value, name)
  list(value, name, LIST_MOST, "names of models; leave it out to allow all")
  local out, seen = json.array {}, {}
  for i, each in ipairs(value) do
    out[i] = model(each, name)
    if seen[each] then problem.field(name, "must not name a model twice") end
    seen[each] = true
  end
  return out
end

local nano = whole(0, EXACT, " of nano-dollars")

local function budget(value, name)
  if type(value) ~= "table" then
    problem.field(name, "must hold objects with window and nano")
  end
  for member in pairs(value) do
    if member ~= "window" and member ~= "nano" then
      problem.field(name, "must hold objects with window and nano, nothing else")
    end
  end
  if not WINDOWS[value.window] then
    problem.field(name, 'has a window that is none of "minute", "hour", "day", "week", '
      .. '"month", "year", "ever"')
  end
  return { window = value.window, nano = nano(value.nano, name) }
end

local function budgets(value, name)
  list(value, name, 7, "budgets, one a window")
  local out, seen = json.array {}, {}
  for i, each in ipairs(value) do
    out[i] = budget(each, name)
    if seen[out[i].window] then problem.field(name, "must not have a window twice") end
    seen[out[i].window] = true
  end
  return out
end

local function tags(value, name)
  if type(value) ~= "table" then problem.field(name, "must be an object of texts") end
  local out, count = {}, 0
  for tag, text in pairs(value) do
    count = count + 1
    if type(tag) ~= "string" or #tag > NAME_MOST or not tag:find("^[%w_.-]+$") then
      problem.field(name, "must have names of 1 to 64 letters, digits and '_.-'")
    elseif tag == "team" then
      problem.field(name, "must not have a team: that is a field of its own")
    elseif not plain.is(text, TEXT_MOST) then
      problem.field(name, "must hold texts of 1 to 256 bytes without control characters")
    end
    out[tag] = text
  end
  if count > TAGS_MOST then problem.field(name, "must hold 32 texts at most") end
  return out
end

-- What a team has, and what a key has beside it -------------------------------------------

local KINDS = {
  name = label, team = label, models = models, rpm = whole(1, 1e9), tpm = whole(1, 1e12),
  parallel = whole(1, 1e6), budgets = budgets, soft_budgets = budgets, tags = tags,
  disabled = flag, expires_at = whole(1, LAST, " of seconds since 1970"),
  on_low_budget = one_of("refuse", "clamp"), without_cluster = one_of("open", "closed"),
  role = one_of("client", "team_admin"),
}

local function set(...)
  local out = {}
  for _, name in ipairs { ... } do out[name] = true end
  return out
end

fields.TEAM = set("name", "models", "rpm", "tpm", "parallel", "budgets", "soft_budgets",
  "disabled", "tags")
fields.KEY = set("name", "team", "models", "rpm", "tpm", "parallel", "budgets", "soft_budgets",
  "disabled", "tags", "expires_at", "on_low_budget", "without_cluster", "role")

-- In the order of their names: which of two wrong fields is told does not depend on chance.
local function sorted(given)
  local names = {}
  for name in pairs(given) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

--- The fields of `given`, each checked. `known` is a set of names; `extra` are arguments of the
--- verb that are no fields.
function fields.check(given, known, extra)
  if type(given) ~= "table" then
    problem.raise(400, "invalid_value", "the fields must be an object")
  end
  local out = {}
  for _, name in ipairs(sorted(given)) do
    if known[name] then
      out[name] = KINDS[name](given[name], name)
    elseif not (extra and extra[name]) then
      problem.raise(400, "unknown_field",
        ("there is no field %s"):format(fields.shown(name)), fields.shown(name))
    end
  end
  return out
end

--- The names in a list of fields to be emptied, as a set.
function fields.cleared(given, known, set_fields)
  local out = {}
  if given == nil then return out end
  if not length(given) then
    problem.raise(400, "invalid_value", "clear must be a list of fields", "clear")
  end
  for _, name in ipairs(given) do
    if type(name) ~= "string" or not known[name] then
      problem.raise(400, "unknown_field",
        ("there is no field %s"):format(fields.shown(name)), fields.shown(name))
    elseif out[name] or set_fields[name] ~= nil then
      problem.field(name, "is given twice")
    end
    out[name] = true
  end
  return out
end

--- Makes a kind: whole numbers within bounds.
fields.whole = whole

--- The id of a key: nothing else is asked of the tables.
function fields.id(value)
  if type(value) ~= "string" or #value ~= 12 or value:find("[^a-z2-7]") then
    problem.not_found "key"
  end
  return value
end

--- The name of a team that must be there.
function fields.team(value)
  if type(value) ~= "string" or #value > NAME_MOST or value:find("[^A-Za-z0-9 ._@:/+-]") then
    problem.not_found "team"
  end
  return value
end

--- A name somebody made up, fit for a message.
function fields.shown(name)
  return (tostring(name):sub(1, NAME_MOST):gsub("[^%w%._-]", "?"))
end

return fields
