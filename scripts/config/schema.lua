-- Which fields each word takes, and of which kind. One table a word; scripts/meta/routes.lua
-- says the same to editors and to the manual, and a test keeps the two equal.

local families = require "lib.families"
local kinds = require "config.kinds"
local fallbacks = require "config.fallbacks"
local oauth = require "config.oauth"

local schema = {}

schema.timeout = {
  fields = {
    connect = kinds.duration, first_token = kinds.duration, idle = kinds.duration,
    event = kinds.duration, total = kinds.duration,
  },
}

schema.cooldown = {
  fields = {
    allowed_fails = kinds.count, within = kinds.duration, time = kinds.duration,
    when_all_rest = kinds.one_of { "refuse", "try" },
  },
}

local timeout = kinds.record(schema.timeout)
local cooldown = kinds.record(schema.cooldown)

local on_disconnect = kinds.one_of { "cancel", "drain" }

schema.provider = {
  fields = {
    name = kinds.label, api_key = kinds.secret, base_url = kinds.url, headers = kinds.headers,
    timeout = timeout, secret = kinds.secret, token = oauth.token, private = kinds.flag,
  },
}

schema.oauth = oauth.schema

schema.deployment = {
  list = true, -- [1] is the model
  fields = {
    name = kinds.label, weight = kinds.weight, rpm = kinds.count, tpm = kinds.count,
    price = kinds.price, region = kinds.text, max_tokens = kinds.count, timeout = timeout,
    drop_unsupported = kinds.flag, strict = kinds.flag,
  },
}

schema.model = {
  list = true, -- the deployments
  fields = {
    fallback = fallbacks.kind, retries = kinds.retries, backoff = kinds.duration,
    cooldown = cooldown, balance = kinds.balance, timeout = timeout,
    on_disconnect = on_disconnect, strict = kinds.flag,
  },
}

schema.virtual_key = {
  fields = {
    token = kinds.secret, hash = kinds.hash, models = kinds.texts, rpm = kinds.count,
    tpm = kinds.count, parallel = kinds.count, budget = kinds.budget,
    soft_budget = kinds.budget, expires = kinds.date, tags = kinds.pairs, team = kinds.title,
    on_low_budget = kinds.one_of { "refuse", "clamp" },
    without_cluster = kinds.one_of { "open", "closed" },
  },
}

local function limit_with(own)
  local fields = {
    rpm = kinds.count, tpm = kinds.count, parallel = kinds.count, budget = kinds.budget,
    soft_budget = kinds.budget,
  }
  for name, kind in pairs(own) do fields[name] = kind end
  return { fields = fields }
end

schema.limit = limit_with { models = kinds.texts }
schema.user_limit = limit_with { header = kinds.header }

schema.limits = {
  fields = {
    org = kinds.record(schema.limit), team = kinds.each(schema.limit),
    tag = kinds.each(schema.limit), user = kinds.record(schema.user_limit),
    webhook = kinds.url,
  },
}

schema.defaults = {
  fields = {
    timeout = timeout, retries = kinds.retries, backoff = kinds.duration, cooldown = cooldown,
    on_disconnect = on_disconnect, strict = kinds.flag,
  },
}

--- The kinds that an adapter's own fields may have.
schema.types = {
  string = kinds.text, secret = kinds.secret, url = kinds.url, number = kinds.number,
  count = kinds.count, boolean = kinds.flag, duration = kinds.duration, table = kinds.pairs,
}

local function kind_of(field)
  if field.one_of then return kinds.one_of(field.one_of) end
  if field.secret then return kinds.secret end
  return schema.types[field.type or "string"]
end

local function extend(base, own)
  local out = { list = base.list, fields = {}, required = {}, open = not own and kinds.text }
  for name, kind in pairs(base.fields) do out.fields[name] = kind end
  for name, field in pairs(own or {}) do
    out.fields[name] = base.fields[name] or kind_of(field)
    if field.required then out.required[#out.required + 1] = name end
  end
  table.sort(out.required)
  return out
end

--- The fields of a provider: the common ones and the adapter's own. An adapter that lists
--- none takes any text. `needs` lists fields of which one must be there.
function schema.provider_of(adapter)
  local out = extend(schema.provider, adapter.fields)
  out.one_of = adapter.needs
  return out
end

--- The fields of a deployment at such a provider.
function schema.deployment_of(adapter)
  local out = extend(schema.deployment, adapter.deployment_fields or {})
  local names = families.names(adapter)
  if names then out.fields.family = kinds.one_of(names) end
  return out
end

return schema
