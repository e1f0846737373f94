-- Declared models → the groups that routing reads: defaults merged in, names unique.

local families = require "lib.families"
local money = require "lib.money"
local prices = require "lib.prices"
local wildcard = require "lib.wildcard"

local groups = {}

-- MATRICES.md 3.4, where routes.lua says nothing. A stream may last longer than a whole answer.
local TIMEOUT = {
  connect = 3, first_token = 60, idle = 60, event = 300, total = 600, stream_total = 3600,
}
local COOLDOWN = { allowed_fails = 3, within = 60, time = 30 }
local RETRIES, BACKOFF = 2, 0.25

-- Later tables win. A `total` that is said is the total of streams too.
local function merge(...)
  local out = {}
  for i = 1, select("#", ...) do
    for name, value in pairs(select(i, ...) or {}) do
      if type(value) == "number" or type(value) == "string" then out[name] = value end
      if name == "total" and i > 1 then out.stream_total = value end
    end
  end
  return out
end

--- What `defaults` amounts to.
function groups.defaults(session)
  local own = session.defaults or {}
  return {
    timeout = merge(TIMEOUT, own.timeout),
    cooldown = merge(COOLDOWN, own.cooldown),
    retries = own.retries or RETRIES,
    backoff = own.backoff or BACKOFF,
    on_disconnect = own.on_disconnect or "cancel",
    strict = own.strict == true,
  }
end

local function numbers(price)
  local out = {}
  for class, amount in pairs(price) do out[class] = tonumber(amount) end
  return out
end

-- The operator's own price wins over the list. `price` is for policies, `rates` for bills.
local function price_of(dep, own)
  dep.own_price = own ~= nil
  local listed = not own and prices.listed(dep)
  if own then
    dep.price, dep.rates = numbers(own), money.rates(own)
  elseif listed then
    dep.price, dep.rates = listed.price, listed.rates
  end
end

-- The nearest word on it: a deployment that may drop all is not strict.
local function strictness(session, record, group)
  if record.strict and record.drop_unsupported then
    session.report:error(record.line, ('deployment "%s": strict refuses what drop_unsupported '
      .. "drops; say one of them"):format(record.name))
  end
  if record.strict ~= nil then return record.strict end
  return group.strict and not record.drop_unsupported
end

local function deployment(session, record, group, declared)
  local dep = {}
  for name, value in pairs(record) do dep[name] = value end
  dep.at, dep.broken = nil, nil
  dep.weight = record.weight or 1
  dep.drop_unsupported = record.drop_unsupported == true
  dep.strict = strictness(session, record, group)
  dep.wildcard = record.model:find("*", 1, true) ~= nil
  dep.provider = families.provider(record.provider, dep)
  dep.timeout = merge(group.defaults, record.provider.timeout, declared.timeout, record.timeout)
  price_of(dep, record.price)
  return dep
end

local function stars(session, declared, pattern)
  local at = declared.at
  if declared.name:find("*", 1, true) and not pattern then
    at:error "may have one * in its name"
  end
  for _, record in ipairs(declared.items) do
    local model = record.model
    if not record.broken and model:find("*", 1, true) then
      if not pattern then
        session.report:error(record.line, ('%s: the * of deployment "%s" has nothing to stand '
          .. 'for; name the model "…/*"'):format(at.label, record.name))
      elseif not wildcard.parse(model) then
        session.report:error(record.line,
          ('%s: deployment "%s" may have one *'):format(at.label, record.name))
      end
    end
  end
end

-- Counters and cooldowns go by name, so one name is one deployment.
local function unique(session, declared, record)
  local owner = session.owners[record.name]
  if not owner then
    session.owners[record.name] = { record = record, group = declared }
  elseif owner.group == declared then
    session.report:error(record.line, ('%s: two deployments are called "%s"; give one a name')
      :format(declared.at.label, record.name))
  elseif owner.record ~= record then
    session.report:error(record.line, ('%s: model "%s" has a deployment called "%s" too; '
      .. "give one a name, or share it with a local"):format(
      declared.at.label, owner.group.name, record.name))
  end
end

local function weights(declared)
  local sum = 0
  for _, record in ipairs(declared.items) do sum = sum + (record.weight or 1) end
  if #declared.items > 0 and sum == 0 then
    declared.at:error "gives every deployment the weight 0, so none can be picked"
  end
end

--- One declared model → a group. Its fallbacks are filled in by config/links.lua.
function groups.build(session, declared, defaults)
  local pattern = wildcard.parse(declared.name)
  stars(session, declared, pattern)
  weights(declared)
  local group = {
    name = declared.name, line = declared.line, wildcard = pattern, deployments = {},
    defaults = defaults.timeout, fallback = {}, fallback_by_kind = {},
    retries = declared.retries or defaults.retries,
    backoff = declared.backoff or defaults.backoff,
    balance = declared.balance or "weighted",
    on_disconnect = declared.on_disconnect or defaults.on_disconnect,
    cooldown = merge(defaults.cooldown, declared.cooldown),
    timeout = merge(defaults.timeout, declared.timeout), strict = defaults.strict,
  }
  if declared.strict ~= nil then group.strict = declared.strict end
  for _, record in ipairs(declared.items) do
    if not record.broken then
      unique(session, declared, record)
      record.used = true
      group.deployments[#group.deployments + 1] = deployment(session, record, group, declared)
    end
  end
  group.defaults = nil
  return group
end

return groups
