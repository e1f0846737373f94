-- Who has what is kept for a client: files and batches are a provider account's, and a request
-- about one names no model.
--
-- What was made here goes to the account that made it, which its id tells (lib/tickets.lua).
-- What is to be made goes to the account of the model that `x-moongate-model` or `?model=`
-- names, a batch to that of its file, or of its first request's model; where nothing is said,
-- to the only account there is.

local fault = require "lib.fault"
local grants = require "lib.grants"
local json = require "engine.json"
local natives = require "lib.natives"
local plans = require "pipeline.plans"
local routing = require "pipeline.routing"
local tickets = require "lib.tickets"

local store = {}

-- Of a group's deployments, one whose provider does what is asked; nil where none does.
local function able(call, group)
  for _, dep in ipairs(group.deployments) do
    if natives.of(call.dialect, dep) then return dep end
  end
end

-- A group of each account that this key may use, in the order of the groups' names.
local function accounts(call, cfg)
  local names, list, seen = {}, {}, {}
  for name in pairs(cfg.groups) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local group = cfg.groups[name]
    local dep = grants.allow(cfg, call.key, group) and able(call, group)
    if dep and not seen[dep.provider.name] then
      seen[dep.provider.name] = true
      list[#list + 1] = { group = group, provider = dep.provider.name }
    end
  end
  return list
end

local function by_ticket(call, cfg, ticket)
  local owner = tickets.owner(call.key)
  for _, one in ipairs(accounts(call, cfg)) do
    if tickets.is_at(ticket, one.provider)
      and tickets.is_good(ticket, one.provider, owner) then return one end
  end
  fault.raise("absent")
end

local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function named(call)
  local header = call.request:header("x-moongate-model")
  if header and header ~= "" then return header end
  local said = ("&" .. (call.request.query or "")):match("&model=([^&]+)")
  return said and unescape(said)
end

local function by_name(call, cfg, name)
  local group = not name:find("\0", 1, true) and routing.resolve(cfg, name)
  if not group or not grants.allow(cfg, call.key, group) then routing.not_found(name) end
  local dep = able(call, group)
  if not dep then
    fault.raise("bad_request", ("%s %s."):format(group.name, call.door.makes),
      { param = "model", code = "unsupported_endpoint" })
  end
  return { group = group, provider = dep.provider.name }
end

local function the_only(call, cfg)
  local list = accounts(call, cfg)
  if #list == 1 then return list[1] end
  if #list == 0 then
    fault.raise("bad_request", "No model of this key is of a provider that has these.",
      { code = "unsupported_endpoint" })
  end
  fault.raise("missing_required_parameter", "Several providers would have it: name a model of "
    .. "the one that is meant, by the header `x-moongate-model` or by `?model=`.",
    { param = "model" })
end

-- Anthropic's batches ------------------------------------------------------------------------

-- The deployment at this account that one request's model is, where this key may use it.
local function named_by(call, cfg, request, provider)
  local params = type(request) == "table" and request.params
  local name = type(params) == "table" and params.model
  local group = type(name) == "string" and not name:find("\0", 1, true)
    and routing.resolve(cfg, name)
  if not group or not grants.allow(cfg, call.key, group) then return nil end
  for _, dep in ipairs(group.deployments) do
    if dep.provider.name == provider then return dep end
  end
end

-- Its requests name models in the body: those of ours become the provider's. Whether this key
-- may use them all.
local function put_models(call, cfg, provider)
  local list = json.decode(call.doc:raw("requests"), { ordered = true })
  local all, changed = true, false
  for _, request in ipairs(list) do
    local dep = named_by(call, cfg, request, provider)
    all = all and dep ~= nil
    if dep and request.params.model ~= dep.model then
      request.params.model, changed = dep.model, true
    end
  end
  if changed then call:reread(call.doc:splice { requests = list }) end
  return all
end

-- The account of the first request's model, where it is one of ours.
local function by_first(call, cfg)
  local name = call.doc:at("requests.0.params.model")
  local group = type(name) == "string" and not name:find("\0", 1, true)
    and routing.resolve(cfg, name)
  local dep = group and grants.allow(cfg, call.key, group) and able(call, group)
  return dep and { group = group, provider = dep.provider.name } or nil
end

-- What a batch will use only its provider knows: who is held to money makes none, and who is
-- held to models only one whose models are seen.
local function check_batch(call, cfg, provider)
  local names_all = call.door.lists_models and put_models(call, cfg, provider)
  if not (names_all or grants.all(cfg, call.key)) then
    fault.raise("not_permitted", "A batch may name any model of its provider's: this key may "
      .. "not use all.")
  end
  if plans.of(call).budgeted then
    fault.raise("model_unpriced", "Nobody knows what a batch will cost when it is made, and "
      .. "this key has a budget.")
  end
end

local function account(call, cfg, making)
  if call.media.ticket then return by_ticket(call, cfg, call.media.ticket) end
  local name = named(call)
  if name then return by_name(call, cfg, name) end
  return making and call.door.lists_models and by_first(call, cfg) or the_only(call, cfg)
end

--- The group whose account is asked; the call is held to that account.
function store.choose(call, cfg)
  local asked = call.media
  local ticket, making = asked.ticket, asked.op == "create"
  local one = account(call, cfg, making)
  call.model, call.pinned = one.group.name, one.provider
  if making and call.door.runs then check_batch(call, cfg, one.provider) end
  if ticket and making then
    asked.input_file = ticket.id
  elseif ticket then
    asked.id = ticket.id
  end
  return one.group
end

return store
