-- Who has what a call goes on from: `previous_response_id` and `conversation` name things that
-- only the provider account that made them can find.
--
-- Where a model has one such account, it is that one. Where it has several, the gateway has to
-- remember which of them answered, for a while.

local crypto = require "engine.crypto"
local fault = require "lib.fault"
local natives = require "lib.natives"
local shared = require "engine.shared"

local pins = {}

local KEPT = 3600 -- seconds that it is remembered who made a response

local function number_of(text)
  return tonumber(crypto.sha256(text):sub(1, 12), 16)
end

local function key_of(id)
  return "response:" .. crypto.sha256(id):sub(1, 32)
end

-- Does this deployment speak the call's dialect, and is something kept there?
local function keeps(call, dep)
  return not dep.provider.adapter.forgets and natives.of(call.dialect, dep) ~= nil
end

-- The accounts of a group that keep responses: names in order.
local function accounts(call)
  local list, seen = {}, {}
  for _, dep in ipairs(call.group.deployments) do
    local name = dep.provider.name
    if keeps(call, dep) and not seen[name] then
      list[#list + 1], seen[name] = name, true
    end
  end
  return list
end

--- Remember who made this response, where that is a question.
function pins.remember(call, id)
  if not (call.keeps and id and call.group.deployments[2]) then return end
  local dep = call.dep
  if not keeps(call, dep) or #accounts(call) < 2 then return end
  shared.set(key_of(id), number_of(dep.provider.name), KEPT)
end

local function refuse(name, message)
  fault.raise("bad_request", message, { param = name, code = "unsupported_parameter" })
end

local function maker(list, id)
  local known = type(id) == "string" and shared.get(key_of(id))
  for _, name in ipairs(list) do
    if known == number_of(name) then return name end
  end
  return nil
end

--- Hold a call that goes on from something to the account that has it; raises where none does.
function pins.find(call)
  local name = call.goes_on
  if not name then return end
  local list = accounts(call)
  if #list == 0 then
    refuse(name, ("No provider of this model keeps responses, so `%s` finds nothing: send the "
      .. "whole conversation as `input`, with `store` false."):format(name))
  end
  local id = call.doc:get(name)
  call.pinned = #list == 1 and list[1] or maker(list, id)
  if call.pinned then return end
  refuse(name, ("It is not known which provider of this model has what `%s` names: send the "
    .. "whole conversation as `input`."):format(name))
end

--- May this deployment take the call?
function pins.allow(call, dep)
  if not call.pinned then return true end
  return dep.provider.name == call.pinned and keeps(call, dep)
end

return pins
