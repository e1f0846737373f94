-- Names that name other things: aliases, fallbacks, a key's models, fallback verdicts.

local nearest = require "lib.nearest"
local wildcard = require "lib.wildcard"

local links = {}

-- A model that only a wildcard covers gets a group of its own where the file names it; not
-- where a hook makes up its name, since cfg never changes once it serves.
local function group_of(session, cfg, name)
  if cfg.groups[name] then return name end
  local group, text = wildcard.find(cfg.wildcards, name)
  if not group or session.loaded then return nil end
  cfg.groups[name] = wildcard.concrete(group, name, text)
  return name
end

--- The group that `name` leads to, through aliases; nil and true for a circle.
local function resolve(session, cfg, name)
  local seen = {}
  while session.aliases[name] and not cfg.groups[name] do
    if seen[name] then return nil, true end
    seen[name] = true
    name = session.aliases[name].to
  end
  return group_of(session, cfg, name)
end

local function names_of(session, cfg)
  local names = {}
  for name in pairs(cfg.groups) do names[#names + 1] = name end
  for name in pairs(session.aliases) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function aliases(session, cfg)
  for from, alias in pairs(session.aliases) do
    local to, circle = resolve(session, cfg, from)
    if cfg.groups[from] and not cfg.groups[from].pattern then
      alias.at:error("is also the name of a model", from)
    elseif from:find("*", 1, true) then
      alias.at:error("may have no *; only a model may", from)
    elseif circle then
      alias.at:error(('leads in a circle through "%s"'):format(alias.to), from)
    elseif not to and not session.aliases[alias.to] then
      alias.at:error(('leads to "%s", which is not a model%s'):format(
        alias.to, nearest.hint(alias.to, session.names)), from)
    end
    cfg.aliases[from] = to
    cfg.alias_lines[from] = alias.line
  end
end

local function fallback_target(session, cfg, declared, name)
  local to = resolve(session, cfg, name)
  local problem
  if not to then
    problem = ('falls back to "%s", which is not a model%s'):format(
      name, nearest.hint(name, session.names))
  elseif to == declared.name then
    problem = "falls back to itself"
  elseif cfg.groups[to].wildcard then
    problem = ('falls back to "%s", but what would its * be?'):format(name)
  end
  if problem then
    session.report:error(session.source:string(declared.line, name),
      declared.at.label .. ": " .. problem)
  end
  return to
end

local function fallbacks(session, cfg, declared)
  local group, written = cfg.groups[declared.name], declared.fallback
  if not written then return end
  local seen = {}
  for _, name in ipairs(written.list) do
    local to = fallback_target(session, cfg, declared, name)
    if to and not seen[to] then group.fallback[#group.fallback + 1] = to end
    seen[to or name] = true
  end
  for kind, name in pairs(written.by_kind) do
    group.fallback_by_kind[kind] = name and fallback_target(session, cfg, declared, name)
  end
end

-- `fallback "x"` in a hook runs late; a name that is written out can be checked now.
local function verdicts(session, cfg)
  for _, call in ipairs(session.source:calls "fallback") do
    if not resolve(session, cfg, call.text) then
      session.report:error(call.line, ('fallback "%s": there is no such model%s'):format(
        call.text, nearest.hint(call.text, session.names)))
    end
  end
end

-- The groups that one entry of a key's `models` allows, added to `set`. True if any.
local function allow(session, cfg, entry, set)
  if not entry:find("*", 1, true) then
    local to = resolve(session, cfg, entry)
    if to then set[to] = true end
    return to ~= nil
  end
  local pattern, any = wildcard.parse(entry), cfg.groups[entry] ~= nil
  set[entry] = any or nil
  for name in pairs(cfg.groups) do
    if pattern and wildcard.match(pattern, name) then
      set[name], any = true, true
    end
  end
  return any
end

--- What a key may ask for, or a limit lets through: true for everything, else a set of group
--- names.
function links.models(session, cfg, declared)
  local set = {}
  for _, entry in ipairs(declared.models or { "*" }) do
    if entry == "*" and not cfg.groups["*"] then return true end
    if not allow(session, cfg, entry, set) then
      session.report:error(session.source:string(declared.line, entry),
        ('%s: models has "%s", which is not a model%s'):format(
          declared.at.label, entry, nearest.hint(entry, session.names)))
    end
  end
  return set
end

--- Follow every name; fills cfg.aliases and the groups' fallbacks.
function links.follow(session, cfg)
  session.names = names_of(session, cfg)
  session.resolve = function(name) return (resolve(session, cfg, name)) end
  aliases(session, cfg)
  for _, declared in ipairs(session.groups) do fallbacks(session, cfg, declared) end
  verdicts(session, cfg)
end

return links
