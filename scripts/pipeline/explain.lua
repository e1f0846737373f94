-- Why a request would go where: one trace as data, and as text for people.

local grants = require "lib.grants"
local keyring = require "engine.keyring"
local money = require "lib.money"
local payers = require "lib.payers"
local prices = require "lib.prices"
local wildcard = require "lib.wildcard"

local explain = {}

-- The trace ----------------------------------------------------------------------

-- Weights as whole percents that sum to 100: what rounding leaves goes to the largest rests.
local function percents(deployments)
  local sum, out, rests, left = 0, {}, {}, 100
  for _, dep in ipairs(deployments) do sum = sum + dep.weight end
  for i, dep in ipairs(deployments) do
    local exact = dep.weight / sum * 100
    out[i] = math.floor(exact)
    rests[i] = { at = i, rest = exact - out[i] }
    left = left - out[i]
  end
  table.sort(rests, function(a, b)
    if a.rest ~= b.rest then return a.rest > b.rest end
    return a.at < b.at
  end)
  for i = 1, left do out[rests[i].at] = out[rests[i].at] + 1 end
  return out
end

local function deployments(group, rest_of)
  local out, shares = {}, percents(group.deployments)
  for i, dep in ipairs(group.deployments) do
    local max_input, max_output = prices.limits(dep)
    out[i] = {
      name = dep.name, provider = dep.provider.name, model = dep.model, percent = shares[i],
      rpm = dep.rpm, tpm = dep.tpm, region = dep.region, line = dep.line,
      max_input = max_input, max_output = max_output, strict = dep.strict == true,
      drop_unsupported = dep.drop_unsupported == true,
      rests_s = rest_of and rest_of(dep.name) or nil,
    }
  end
  return out
end

local function group_trace(group, rest_of)
  return {
    name = group.name, line = group.line, pattern = group.pattern,
    balance = type(group.balance) == "string" and group.balance or "function",
    retries = group.retries, backoff = group.backoff, timeout = group.timeout,
    cooldown = group.cooldown, deployments = deployments(group, rest_of),
  }
end

-- alias, then name, then wildcard: as a request would.
local function find(cfg, name)
  name = cfg.aliases[name] or name
  local group = cfg.groups[name]
  if group and not group.wildcard then return group end
  local covering, text = wildcard.find(cfg.wildcards, name)
  return covering and wildcard.concrete(covering, name, text)
end

local function by_kind(cfg, group, rest_of)
  local out = {}
  for kind, name in pairs(group.fallback_by_kind) do
    out[#out + 1] = {
      kind = kind, group = name and group_trace(cfg.groups[name], rest_of) or false,
    }
  end
  table.sort(out, function(a, b) return a.kind < b.kind end)
  return out
end

local function fallbacks(cfg, group, rest_of)
  local out = {}
  for _, name in ipairs(group.fallback) do
    out[#out + 1] = group_trace(cfg.groups[name], rest_of)
  end
  return out
end

-- Every deployment that this request may reach.
local function reachable(cfg, group)
  local out, names = {}, { group.name }
  for _, name in ipairs(group.fallback) do names[#names + 1] = name end
  for _, name in pairs(group.fallback_by_kind) do names[#names + 1] = name or nil end
  for i, name in ipairs(names) do
    local from = i == 1 and group or cfg.groups[name]
    for _, dep in ipairs(from.deployments) do out[#out + 1] = dep end
  end
  return out
end

-- The most that so many tokens in may cost, be they written to a cache, with the longest answer
-- a deployment gives; where nobody knows it, with what is set aside for one.
local function estimate(cfg, group, tokens)
  local out = { input_tokens = tokens, nano = 0, unpriced = {}, unbounded = {} }
  for _, dep in ipairs(reachable(cfg, group)) do
    local _, most = prices.limits(dep)
    local nano = money.bound((prices.of(dep)), tokens, most or prices.USUAL_OUTPUT,
      "default")
    if not nano then
      out.unpriced[#out.unpriced + 1] = dep.name
    elseif nano >= out.nano then
      out.nano, out.output_tokens = nano, most or prices.USUAL_OUTPUT
      out.deployment = dep.name
    end
    if nano and nano > 0 and not most then out.unbounded[#out.unbounded + 1] = dep.name end
  end
  out.usd = money.dollars(out.nano)
  return out
end

-- What is left of each budget, where there is somebody to ask.
local function left_of(name, budgets, spent_of)
  local found, out = budgets and spent_of and spent_of(name), {}
  if not found then return nil end
  for i, budget in ipairs(budgets) do
    local window = found[budget.window]
    local spent = window and window.spent + window.reserved or 0
    out[i] = { window = budget.window, nano = math.max(0, budget.nano - spent) }
  end
  return out[1] and out
end

-- Whom else a key's requests count for, where that has limits.
local function others(cfg, key, spent_of)
  local out = {}
  for i, one in ipairs(payers.of(cfg, key)) do
    local limited = one.rpm or one.tpm or one.parallel or one.budgets or one.soft
    if i > 1 and limited then
      out[#out + 1] = {
        name = one.name, rpm = one.rpm, tpm = one.tpm, parallel = one.parallel,
        budget = one.budgets, soft_budget = one.soft,
        left = left_of(one.name, one.budgets, spent_of),
      }
    end
  end
  return out
end

local function key_trace(cfg, ask, group)
  local key = cfg.keys.by_name[ask.key] or ask.found
  return key and {
    name = key.name, line = key.line, models = key.model_list,
    disabled = key.disabled or key.team_disabled or nil,
    allowed = grants.allow(cfg, key, group),
    expired = key.expires_at and ask.now and key.expires_at <= ask.now or nil,
    expires_at = key.expires_at, tags = key.tags, rpm = key.rpm, tpm = key.tpm,
    parallel = key.parallel, budget = key.budgets, soft_budget = key.soft_budgets,
    left = left_of(key.account, key.budgets, ask.spent_of),
    accounts = others(cfg, key, ask.spent_of),
  }
end

local function keys_for(cfg, group)
  local out = {}
  for _, key in ipairs(cfg.keys.list) do
    if grants.allow(cfg, key, group) then out[#out + 1] = key.name end
  end
  return out
end

local function hooks(cfg)
  local out = {}
  for _, name in ipairs { "route", "on_error" } do
    if cfg.hooks[name] then out[#out + 1] = name end
  end
  return out
end

-- What a request with this key is answered instead, in the order it would be; nil: nothing.
local function refusal(key)
  if not key then return nil end
  if key.disabled then return { status = 403, code = "key_disabled" } end
  if key.expired then return { status = 403, code = "key_expired" } end
  return not key.allowed and { status = 404, code = "model_not_found" } or nil
end

--- What a request for `ask.model` would meet: ask = { model, key = name | nil, tokens = n |
--- nil, spent_of = engine.accounts.spent | nil, found = the key where the ledger has it | nil,
--- ledger = whether that has any, now = epoch seconds | nil, rest_of(deployment's name) = the
--- seconds it still rests | nil }. nil and a reason where there is no such model or key.
function explain.trace(cfg, ask)
  local group, rest_of = find(cfg, ask.model), ask.rest_of
  if not group then return nil, ('there is no model "%s"'):format(ask.model) end
  local key = ask.key and key_trace(cfg, ask, group)
  if ask.key and not key then return nil, ('there is no virtual_key "%s"'):format(ask.key) end
  local alias, ledger = cfg.aliases[ask.model], ask.ledger or keyring.count() > 0
  return {
    asked = ask.model, file = cfg.file,
    alias = alias and { to = alias, line = cfg.alias_lines[ask.model] },
    group = group_trace(group, rest_of), fallbacks = fallbacks(cfg, group, rest_of),
    fallbacks_by_kind = by_kind(cfg, group, rest_of), hooks = hooks(cfg), key = key,
    refused = refusal(key),
    keys = not key and keys_for(cfg, group) or nil,
    open = cfg.open and not ledger and not keyring.is_closed(), ledger = ledger,
    estimate = ask.tokens and estimate(cfg, group, ask.tokens),
  }
end

--- Every name that can be asked for, and every key: for suggestions.
function explain.names(cfg)
  local models, keys = {}, {}
  for name in pairs(cfg.groups) do models[#models + 1] = name end
  for name in pairs(cfg.aliases) do models[#models + 1] = name end
  for name in pairs(cfg.keys.by_name) do keys[#keys + 1] = name end
  return models, keys
end

local LISTS = {
  deployments = true, fallbacks = true, fallbacks_by_kind = true, hooks = true, keys = true,
  unpriced = true, unbounded = true, models = true, budget = true, soft_budget = true,
  left = true, accounts = true,
}

local function marked(json, value, name)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = marked(json, item, key) end
  return LISTS[name] and json.array(out) or out
end

--- The trace as JSON text; empty lists stay lists.
function explain.encode(trace)
  local json = require "engine.json" -- here, so that the trace can be tested without an engine
  return json.encode(marked(json, trace))
end

return explain
