-- What a key may do, as something that can be compared and cut: a key never grants more than
-- whoever made it has, nor more than its team. Records in, records out; asks nothing.
--
-- A record's rights are its models, rpm, tpm, parallel, budgets, expires_at, without_cluster,
-- and the tags it is billed under (a tag may carry a limit). What is absent is without bound.

local wildcard = require "lib.wildcard"

local rights = {}

--- The fields that grant something, and thus who sets them is who grants.
rights.FIELDS = {
  "models", "rpm", "tpm", "parallel", "budgets", "expires_at", "without_cluster", "tags",
}

local NUMBERS = { "rpm", "tpm", "parallel", "expires_at" }

-- Models ----------------------------------------------------------------------------------

-- Does one entry allow all that another does? Both are names or have one `*`.
local function entry_covers(wide, narrow)
  if wide == narrow or wide == "*" then return true end
  local pattern = wildcard.parse(wide)
  return pattern ~= nil and wildcard.match(pattern, narrow) ~= nil
end

local function any_covers(list, entry)
  for _, wide in ipairs(list) do
    if entry_covers(wide, entry) then return true end
  end
  return false
end

--- Does the list `wide` allow all that `narrow` does? nil is all models.
function rights.models_cover(wide, narrow)
  if wide == nil then return true end
  if narrow == nil then return any_covers(wide, "*") end
  for _, entry in ipairs(narrow) do
    if not any_covers(wide, entry) then return false end
  end
  return true
end

-- What both lists allow. Of two patterns that merely overlap nothing is kept: less, never more.
local function models_both(one, other)
  if not one or not other then return one or other end
  local out, seen = {}, {}
  local function keep(entries, list)
    for _, entry in ipairs(entries) do
      if not seen[entry] and any_covers(list, entry) then
        out[#out + 1], seen[entry] = entry, true
      end
    end
  end
  keep(one, other)
  keep(other, one)
  return out
end

-- A name that another list allows by a pattern only may turn out, in routes.lua, to be an alias
-- of something it does not allow: then that list is asked again where aliases are known.
local function doubtful(narrow, wide)
  local named = {}
  for _, entry in ipairs(wide) do named[entry] = true end
  for _, entry in ipairs(narrow) do
    local alias = not (named[entry] or named["*"] or entry:find("*", 1, true))
    if alias then return true end
  end
  return false
end

local function same(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- The lists that must allow a model beside the record's own.
local function within(record, bound, models)
  local out = {}
  local function add(list)
    for _, known in ipairs(out) do
      if same(known, list) then return end
    end
    if not same(list, models) then out[#out + 1] = list end
  end
  for _, list in ipairs(record.within or {}) do add(list) end
  for _, list in ipairs(bound.within or {}) do add(list) end
  if bound.models and doubtful(models, bound.models) then add(bound.models) end
  return #out > 0 and out or nil
end

-- Budgets ---------------------------------------------------------------------------------

local function by_window(budgets)
  local out = {}
  for _, budget in ipairs(budgets or {}) do out[budget.window] = budget.nano end
  return out
end

-- The stricter of each window.
local function budgets_both(one, other)
  if not one or not other then return one or other end
  local out, theirs, done = {}, by_window(other), {}
  for _, budget in ipairs(one) do
    local window, limit = budget.window, theirs[budget.window]
    out[#out + 1] = { window = window, nano = math.min(budget.nano, limit or budget.nano) }
    done[window] = true
  end
  for _, budget in ipairs(other) do
    if not done[budget.window] then out[#out + 1] = budget end
  end
  return out
end

-- More than `bound` in a window that both name? What only one of them names is no excess.
local function budgets_exceed(said, bound)
  local limits = by_window(bound)
  for _, budget in ipairs(said) do
    local limit = limits[budget.window]
    if limit and budget.nano > limit then return true end
  end
  return false
end

-- Comparing -------------------------------------------------------------------------------

local function tags_differ(said, bound)
  for tag, text in pairs(bound or {}) do
    if said[tag] ~= nil and said[tag] ~= text then return true end
  end
  return false
end

local function first_larger(said, bound)
  for _, name in ipairs(NUMBERS) do
    if said[name] and bound[name] and said[name] > bound[name] then return name end
  end
end

-- Without the cluster, a key that is open may pass its limits. None is unless it says so.
local function is_more_open(said, bound)
  return said == "open" and bound ~= "open"
end

--- The first field that says more than `bound` allows; what is not said is not looked at.
function rights.exceeds(said, bound)
  if said.models and not rights.models_cover(bound.models, said.models) then return "models" end
  local number = first_larger(said, bound)
  if number then return number end
  if said.budgets and budgets_exceed(said.budgets, bound.budgets) then return "budgets" end
  if is_more_open(said.without_cluster, bound.without_cluster) then return "without_cluster" end
  return said.tags and tags_differ(said.tags, bound.tags) and "tags" or nil
end

local function budgets_missing(record, bound)
  local own = by_window(record.budgets)
  for _, budget in ipairs(bound.budgets or {}) do
    if not own[budget.window] then return true end
  end
  return false
end

local function tags_missing(record, bound)
  for tag, text in pairs(bound.tags or {}) do
    if (record.tags or {})[tag] ~= text then return true end
  end
  return false
end

--- The first field in which a whole record grants more than `bound`: here what is not said is
--- without bound.
function rights.beyond(record, bound)
  local first = rights.exceeds(record, bound)
  if first then return first end
  if not rights.models_cover(bound.models, record.models) then return "models" end
  for _, name in ipairs(NUMBERS) do
    if bound[name] and not record[name] then return name end
  end
  if budgets_missing(record, bound) then return "budgets" end
  return tags_missing(record, bound) and "tags" or nil
end

-- Cutting ---------------------------------------------------------------------------------

local function tags_both(record, bound)
  local out
  for _, tags in ipairs { record.tags or {}, bound.tags or {} } do
    for tag, text in pairs(tags) do
      out = out or {}
      out[tag] = text
    end
  end
  return out
end

--- A record with no more rights than `bound` has.
function rights.cut(record, bound)
  local out = {}
  for name, value in pairs(record) do out[name] = value end
  for _, name in ipairs(NUMBERS) do
    local own, limit = record[name], bound[name]
    out[name] = own and limit and math.min(own, limit) or own or limit
  end
  out.models = models_both(record.models, bound.models)
  out.within = out.models and within(record, bound, out.models)
  out.budgets = budgets_both(record.budgets, bound.budgets)
  out.tags = tags_both(record, bound)
  if is_more_open(out.without_cluster, bound.without_cluster) then
    out.without_cluster = "closed"
  end
  return out
end

return rights
