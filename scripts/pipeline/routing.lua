-- A name → the model group that answers to it, for this key.

local fault = require "lib.fault"
local grants = require "lib.grants"
local hooks = require "lib.hooks"
local prices = require "lib.prices"
local views = require "lib.views"
local wildcard = require "lib.wildcard"

local routing = {}

local SHOWN_MOST = 64         -- bytes of a name that a message repeats
local CONCRETE_MOST = 1000    -- remembered groups made from wildcards
local NAME_MOST = 128         -- bytes of a name that a wildcard takes

local function shown(name)
  if #name > SHOWN_MOST then
    name = name:sub(1, SHOWN_MOST):gsub("[\192-\255]?[\128-\191]*$", "") .. "…"
  end
  return (name:gsub("[%c\"`\\]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

-- One text for unknown and not allowed: nobody learns which.
local function not_found(name)
  fault.raise("model_not_found",
    ("The model `%s` does not exist, or this key may not use it."):format(shown(name)),
    { param = "model" })
end

-- What came from a client becomes part of names and perhaps of a URL, in which no part of it
-- may be a step: ".", ".." or nothing.
local function is_plain(name)
  if #name > NAME_MOST or name:find("[^%w%._:/@+-]") or name:find("..", 1, true) then
    return false
  end
  local steps = "/" .. name .. "/"
  return not (steps:find("//", 1, true) or steps:find("/./", 1, true))
end

-- The group a wildcard stands for, remembered so that its decisions can be.
local function from_wildcard(cfg, name)
  local known = cfg.runtime.concrete
  if known.groups[name] then return known.groups[name] end
  local group, text = wildcard.find(cfg.wildcards, name)
  if not group or not is_plain(name) then return nil end
  if known.count >= CONCRETE_MOST then
    known = { count = 0, groups = {} }
    cfg.runtime.concrete = known
  end
  local concrete = wildcard.concrete(group, name, text)
  for i, dep in ipairs(concrete.deployments) do
    dep.label = group.deployments[i].name -- for metrics, which know configured names only
    local listed = not dep.price and prices.listed(dep)
    dep.price = dep.price or listed and listed.price or nil
  end
  known.count = known.count + 1
  known.groups[name] = concrete
  return concrete
end

--- The group a name leads to, or nil: aliases, then exact names, then wildcards.
function routing.resolve(cfg, name)
  name = cfg.aliases[name] or name
  local group = cfg.groups[name]
  if group and not group.wildcard then return group end
  return from_wildcard(cfg, name)
end

-- What the operator's function says: a group, or nil for what was asked.
local function ask(call, cfg, asked)
  local view = views.call(call, asked and asked.name or call.model)
  local name = hooks.run("route", cfg.hooks.route, view)
  if name == nil then return nil end
  local group = type(name) == "string" and routing.resolve(cfg, name)
  if group then return group end
  fault.raise("script_error", nil, {
    detail = "route returned " .. tostring(name) .. ", which is not a model",
  })
end

-- Some providers let a body name further models, to fall back to. Nobody here would look which
-- they are: whoever may not ask for every model names none.
local function check_others(call, cfg)
  local doc = call.doc
  local kind, name = doc:type("models"), "models"
  if kind == nil or kind == "null" then kind, name = doc:type("fallbacks"), "fallbacks" end
  if kind == nil or kind == "null" or grants.all(cfg, call.key) then return end
  fault.raise("invalid_value",
    ("`%s` would name models beside `model`: this key may not use all."):format(name),
    { param = name })
end

--- The group that answers. The key is asked about what the client asked for; where route()
--- leads from there is the operator's choice, as a fallback is.
function routing.choose(call, cfg)
  local asked = routing.resolve(cfg, call.model)
  local chosen = cfg.hooks.route and ask(call, cfg, asked) or nil
  local allowed = asked and grants.allow(cfg, call.key, asked)
    or chosen and grants.allow(cfg, call.key, chosen)
  if not allowed or not (chosen or asked) then not_found(call.model) end
  if call.doc then check_others(call, cfg) end
  return chosen or asked
end

--- Raise what a client hears of a model it cannot have.
routing.not_found = not_found

return routing
