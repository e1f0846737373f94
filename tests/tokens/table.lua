-- What lib/tokens says of recorded requests, beside what their providers reported: a table by
-- family; with `all`, a line for each before it. `make tokens-table`

package.path = "./scripts/?.lua;./tests/?.lua;" .. package.path
package.cpath = (os.getenv "MOONGATE_TOOLS" or "./build/tests") .. "/?.so;" .. package.cpath
require "engine"

local exchanges = require "tokens.exchanges"
local tokens = require "lib.tokens"

local FOLDER = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic"

local function group_of(one, profile, about)
  if about.images then return about.sized and "apart: sized images" or "apart: files" end
  local kind = exchanges.kind(one)
  return kind:find "^apart" and kind or profile.family.label .. ", " .. kind
end

local function add(groups, name, one, n, about)
  local group = groups[name]
  if not group then
    group = { errors = {}, within = 0 }
    groups[name] = group
  end
  group.errors[#group.errors + 1] = math.abs(n - one.reported) / one.reported * 100
  if about.low <= one.reported and one.reported <= about.high then
    group.within = group.within + 1
  end
end

local function print_one(name, one, n, about)
  print(("%-36s %6d counted %6d %+5d  %d to %d  %s %s"):format(name, one.reported, n,
    n - one.reported, about.low, about.high, one.model, one.file:match "[^/]*$"))
end

local function measure(all)
  local profiles, groups = tokens.profiles(), {}
  for _, one in ipairs(exchanges.all(FOLDER)) do
    local profile = profiles:of(one.model)
    local n, about = tokens.count_doc(one.doc, profile)
    local name = group_of(one, profile, about)
    add(groups, name, one, n, about)
    if all then print_one(name, one, n, about) end
  end
  return groups
end

local groups, order = measure(arg[1] == "all"), {}
for name in pairs(groups) do order[#order + 1] = name end
table.sort(order)
print "| what | requests | median error | of nine in ten | worst | within bounds |"
print "| --- | --- | --- | --- | --- | --- |"
for _, name in ipairs(order) do
  local e = groups[name].errors
  table.sort(e)
  print(("| %s | %d | %.1f %% | %.1f %% | %.1f %% | %d |"):format(name, #e,
    e[math.ceil(#e / 2)], e[math.ceil(#e * 0.9)], e[#e], groups[name].within))
end
