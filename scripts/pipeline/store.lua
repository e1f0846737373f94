-- Who has what is kept for a client: files and batches are a provider account's, and a request
-- about one names no model.
--
-- What was made here goes to the account that made it, which its id tells (lib/tickets.lua).
-- What is to be made goes to the account of the model that `x-moongate-model` or `?model=`
-- names, a batch to that of its file; where nothing is said, to the only account there is.

local fault = require "lib.fault"
local grants = require "lib.grants"
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

-- What a batch will use, and of which models, only its provider knows: who is held to models or
-- to money makes none.
local function check_batch(call, cfg)
  if not (call.door.runs and call.media.op == "create") then return end
  if not grants.all(cfg, call.key) then
    fault.raise("not_permitted", "A batch may name any model of its provider's: this key may "
      .. "not use all.")
  end
  if plans.of(call).budgeted then
    fault.raise("model_unpriced", "Nobody knows what a batch will cost when it is made, and "
      .. "this key has a budget.")
  end
end

--- The group whose account is asked; the call is held to that account.
function store.choose(call, cfg)
  local asked = call.media
  local ticket, name = asked.ticket, named(call)
  check_batch(call, cfg)
  local one = ticket and by_ticket(call, cfg, ticket)
    or name and by_name(call, cfg, name) or the_only(call, cfg)
  call.model, call.pinned = one.group.name, one.provider
  if ticket and asked.op == "create" then
    asked.input_file = ticket.id
  elseif ticket then
    asked.id = ticket.id
  end
  return one.group
end

return store
