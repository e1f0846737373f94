-- Lists of models as the ledger keeps them, beside the models that this generation has.

local nearest = require "lib.nearest"
local wildcard = require "lib.wildcard"

local model_lists = {}

-- What one entry of a list says of names: aliases lead to groups, patterns are met by groups.
local function entry_allows(cfg, entry, name)
  if entry == "*" or entry == name then return true end
  local pattern = wildcard.parse(entry)
  if pattern then return wildcard.match(pattern, name) ~= nil end
  return cfg.aliases[entry] == name
end

local function list_allows(cfg, list, name)
  for _, entry in ipairs(list) do
    if entry_allows(cfg, entry, name) then return true end
  end
  return false
end

local function all_allow(cfg, lists, name)
  for _, list in ipairs(lists) do
    if not list_allows(cfg, list, name) then return false end
  end
  return true
end

-- Names that may be asked for: groups, and what only a wildcard group answers to.
local function candidates(cfg, lists)
  local out = {}
  for name in pairs(cfg.groups) do out[name] = true end
  for _, list in ipairs(lists) do
    for _, entry in ipairs(list) do
      if not entry:find("*", 1, true) then out[cfg.aliases[entry] or entry] = true end
    end
  end
  return out
end

--- The groups that all of the lists allow, as a set of names; nil where there is no list.
function model_lists.set(cfg, lists)
  if #lists == 0 then return nil end
  local set = {}
  for name in pairs(candidates(cfg, lists)) do
    set[name] = all_allow(cfg, lists, name) or nil
  end
  return set
end

-- Is there anything now that an entry allows?
local function is_met(cfg, entry)
  if entry == "*" or cfg.groups[entry] or cfg.aliases[entry] then return true end
  local pattern = wildcard.parse(entry)
  if not pattern then return wildcard.find(cfg.wildcards, entry) ~= nil end
  for name in pairs(cfg.groups) do
    if wildcard.match(pattern, name) then return true end
  end
  return false
end

local function names_of(cfg)
  local out = {}
  for _, names in ipairs { cfg.groups, cfg.aliases } do
    for name in pairs(names) do out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

--- What people should know of a list before they rely on it: a sentence for each entry that no
--- model of this generation answers to. There may be one tomorrow, so it is no mistake.
function model_lists.unmet(cfg, list)
  local out = {}
  for _, entry in ipairs(list) do
    if not is_met(cfg, entry) then
      out[#out + 1] = ('models has "%s", which is not a model of routes.lua now%s'):format(
        entry, nearest.hint(entry, names_of(cfg)))
    end
  end
  return out
end

return model_lists
