-- What lib/tokens says of recorded requests, beside what their providers reported: a table by
-- family; with `all`, a line for each before it. `make tokens-table`
--
-- The last two columns are of the recordings that teach nothing: their median error before, and
-- after the gateway has learned from the others.

package.path = "./scripts/?.lua;./tests/?.lua;" .. package.path
package.cpath = (os.getenv "MOONGATE_TOOLS" or "./build/tests") .. "/?.so;" .. package.cpath
require "engine"

local exchanges = require "tokens.exchanges"
local learned = require "engine.tokens"
local tokens = require "lib.tokens"

local FOLDER = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic"

local function group_of(one, profile, about)
  if about.images then return about.sized and "apart: sized images" or "apart: files" end
  local kind = exchanges.kind(one)
  return kind:find "^apart" and kind or profile.family.label .. ", " .. kind
end

local function off(n, one)
  return math.abs(n - one.reported) / one.reported * 100
end

local function add(groups, name, one, n, about)
  local group = groups[name]
  if not group then
    group = { errors = {}, within = 0, held = {}, taught = {} }
    groups[name] = group
  end
  group.errors[#group.errors + 1] = off(n, one)
  if about.low <= one.reported and one.reported <= about.high then
    group.within = group.within + 1
  end
end

local function print_one(name, one, n, about)
  print(("%-36s %6d counted %6d %+5d  %d to %d  %s %s"):format(name, one.reported, n,
    n - one.reported, about.low, about.high, one.model, one.file:match "[^/]*$"))
end

local function measure(list, profiles, all)
  local groups = {}
  for _, one in ipairs(list) do
    local profile = profiles:of(one.model)
    local n, about = tokens.count_doc(one.doc, profile)
    local name = group_of(one, profile, about)
    one.group, one.before, one.about = name, n, about
    add(groups, name, one, n, about)
    if all then print_one(name, one, n, about) end
  end
  return groups
end

-- Every second recording of a model teaches; the others are counted again.
local function learn(list, profiles, groups)
  local seen, taught = {}, {}
  for _, one in ipairs(list) do
    local key = one.model .. one.about.lesson
    seen[key] = (seen[key] or 0) + 1
    one.teaches = seen[key] % 2 == 1
    if one.teaches and not one.about.exact and not one.group:find "^apart" then
      taught[key] = true
      learned.learn(one.model, one.about.lesson, one.reported / one.about.plain)
    end
  end
  for _, one in ipairs(list) do
    if not one.teaches and taught[one.model .. one.about.lesson] then
      local group = groups[one.group]
      group.held[#group.held + 1] = off(one.before, one)
      group.taught[#group.taught + 1] =
        off((tokens.count_doc(one.doc, profiles:of(one.model))), one)
    end
  end
end

local function median(list)
  table.sort(list)
  return #list > 0 and ("%.1f %%"):format(list[math.ceil(#list / 2)]) or ""
end

local list, profiles, order = exchanges.all(FOLDER), tokens.profiles(), {}
local groups = measure(list, profiles, arg[1] == "all")
learn(list, profiles, groups)
for name in pairs(groups) do order[#order + 1] = name end
table.sort(order)
print("| what | requests | median error | of nine in ten | worst | within bounds | held out "
  .. "| taught |")
print "| --- | --- | --- | --- | --- | --- | --- | --- |"
for _, name in ipairs(order) do
  local group = groups[name]
  local e = group.errors
  table.sort(e)
  print(("| %s | %d | %.1f %% | %.1f %% | %.1f %% | %d | %s | %s |"):format(name, #e,
    e[math.ceil(#e / 2)], e[math.ceil(#e * 0.9)], e[#e], group.within, median(group.held),
    median(group.taught)))
end
