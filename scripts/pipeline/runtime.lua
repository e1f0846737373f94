-- What one generation remembers between requests: texts and metric handles that depend on the
-- routes only. All of it may be lost; it only saves work.

local json = require "engine.json"
local metrics = require "lib.metrics"
local time = require "engine.time"
local tokens = require "lib.tokens"

local runtime = {}

local MOST = 1000 -- names of models remembered a key
local text = json.encode

-- Weak: groups made from wildcards come and go.
local function by_table()
  return setmetatable({}, { __mode = "k" })
end

--- For cfg.runtime. is_operator(adapter name): a drop-in file, which runs under the guard.
function runtime.new(generation, is_operator)
  metrics.describe()
  return {
    generation = generation, loaded_at = time.now(),
    tokens = { count = 0, keys = {}, bearers = {} }, -- token → key, header → token
    concrete = { count = 0, groups = {} },           -- name → group made from a wildcard
    access = by_table(), -- tokens of providers (pipeline/access.lua)
    deployments = by_table(), asked = by_table(), plans = by_table(), teams = {},
    profiles = tokens.profiles(), -- how a model's tokens are counted
    overhead = metrics.histogram("moongate_overhead_seconds", { stage = "before_call" }),
    operator = metrics.cached(is_operator),
    unrouted = metrics.cached(function(outcome)
      return metrics.counter("moongate_requests_total", {
        dialect = "openai", group = "", model = "_unknown", outcome = outcome,
      })
    end),
  }
end

-- Of a deployment -----------------------------------------------------------------------------

local function remember(dep)
  local label, provider = dep.label or dep.name, dep.provider.name
  local fragment = '"deployment":' .. text(dep.name) .. ',"provider":' .. text(provider)
    .. ',"upstream_model":' .. text(dep.model)
  return {
    urls = {}, tried = metrics.cached(function(status)
      return "{" .. fragment .. ',"status":' .. status .. ',"ms":'
    end),
    fragment = "," .. fragment,
    attempts = metrics.cached(function(result)
      return metrics.counter("moongate_upstream_attempts_total", {
        provider = provider, deployment = label, result = result,
      })
    end),
    duration = metrics.histogram("moongate_upstream_duration_seconds", {
      provider = provider, deployment = label,
    }),
  }
end

--- What is known of a deployment. attempt.lua adds its urls and headers, observe.lua its rates.
function runtime.of(cfg, dep)
  local known = cfg.runtime.deployments
  local found = known[dep]
  if not found then
    found = remember(dep)
    known[dep] = found
  end
  return found
end

-- Of a key, a group and a model's name --------------------------------------------------------

-- Names that clients may choose freely are one label.
local function model_label(call, cfg)
  local name = call.model
  if cfg.aliases[name] then return name end
  local group = cfg.groups[name]
  if group and not group.pattern then return name end
  return group and group.pattern or call.group.pattern or "_unknown"
end

local function text_or_null(value)
  return value and text(value) or "null"
end

-- Handles for what one provider served.
local function served(group, team)
  return metrics.cached(function(provider)
    local where = { group = group, provider = provider }
    local function counter(kind)
      return metrics.counter("moongate_tokens_total", {
        group = group, provider = provider, type = kind, team = team,
      })
    end
    return {
      input_tokens = counter "input", output_tokens = counter "output",
      cache_read_tokens = counter "cache_read", cache_write_tokens = counter "cache_write",
      reasoning_tokens = counter "reasoning",
      cost = metrics.counter("moongate_cost_usd_total", {
        group = group, provider = provider, team = team,
      }),
      ttft = metrics.histogram("moongate_time_to_first_token_seconds", where),
      per_token = metrics.histogram("moongate_time_per_output_token_seconds", where),
    }
  end)
end

local function make(call, group)
  local key, model = call.key, text(call.model:sub(1, 256))
  local label, asked = group.pattern or group.name, model_label(call, call.cfg)
  return {
    journal = ',"key":' .. text(key.name) .. ',"key_id":' .. text_or_null(key.id)
      .. ',"team":' .. text_or_null(key.team) .. ',"tags":' .. text(key.tags)
      .. ',"dialect":"' .. call.dialect .. '","group":' .. text(group.name) .. ',"model":'
      .. model,
    log = ',"group":' .. text(group.name) .. ',"requested_model":' .. model,
    requests = metrics.cached(function(outcome)
      return metrics.counter("moongate_requests_total", {
        dialect = call.dialect, group = label, model = asked, outcome = outcome,
      })
    end),
    duration = metrics.histogram("moongate_request_duration_seconds", {
      dialect = call.dialect, group = label,
    }),
    served = served(label, key.team or ""),
  }
end

--- What is known of requests of this key for this model that `group` serves; without one, the
--- group asked last.
function runtime.asked(call, group)
  group = group or call.served or call.group
  local known = call.cfg.runtime.asked
  local mine = known[call.key]
  if not mine or mine.count >= MOST then
    mine = { count = 0, groups = {} }
    known[call.key] = mine
  end
  local of_group = mine.groups[group]
  if not of_group then
    of_group = {}
    mine.groups[group] = of_group
  end
  local asked = call.dialect .. "\0" .. call.model -- a model's name has no NUL
  local found = of_group[asked]
  if not found then
    found = make(call, group)
    of_group[asked], mine.count = found, mine.count + 1
  end
  return found
end

return runtime
