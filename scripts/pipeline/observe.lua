-- What a request came to: cost, one journal line, one log line, one set of metrics.

local hooks = require "lib.hooks"
local log = require "engine.log"
local metrics = require "lib.metrics"
local money = require "lib.money"
local prices = require "lib.prices"
local rows = require "pipeline.rows"
local time = require "engine.time"
local views = require "lib.views"

local observe = {}

-- Metrics ---------------------------------------------------------------------------------

local function split(key)
  local out, n = {}, 0
  for text in key:gmatch("([^\1]*)\1") do
    n = n + 1
    out[n] = text
  end
  return out
end

local function labels(...)
  local names = { ... }
  return function(key)
    local out, values = {}, split(key)
    for i, name in ipairs(names) do out[name] = values[i] end
    return out
  end
end

local function served(kind, name, ...)
  return metrics.family(kind, "moongate_" .. name, labels(...))
end

--- Handles for the hot path, once a generation.
function observe.handles()
  metrics.describe()
  return {
    requests = served("counter", "requests_total", "dialect", "group", "model", "outcome"),
    duration = served("histogram", "request_duration_seconds", "dialect", "group"),
    overhead = served("histogram", "overhead_seconds", "stage"),
    ttft = served("histogram", "time_to_first_token_seconds", "group", "provider"),
    per_token = served("histogram", "time_per_output_token_seconds", "group", "provider"),
    attempts = served("counter", "upstream_attempts_total", "provider", "deployment", "result"),
    upstream = served("histogram", "upstream_duration_seconds", "provider", "deployment"),
    tokens = served("counter", "tokens_total", "group", "provider", "type", "team"),
    cost = served("counter", "cost_usd_total", "group", "provider", "team"),
    left = served("gauge", "upstream_ratelimit_remaining", "deployment", "kind"),
  }
end

local function label_of(dep)
  return dep.label or dep.name
end

--- One try ended.
function observe.attempt(cfg, dep, record)
  local handles = cfg.runtime.metrics
  local who = dep.provider.name .. "\1" .. label_of(dep) .. "\1"
  handles.attempts[who .. (record.kind or "ok") .. "\1"]:add(1)
  handles.upstream[who]:observe(record.ms / 1000)
end

--- The request goes on after a failure: a retry inside its group, or a fallback.
function observe.moved(from, to, err)
  if from == to then
    metrics.add("moongate_retries_total", { reason = err.kind }, 1)
  else
    metrics.add("moongate_fallbacks_total", {
      from = from.pattern or from.name, to = to.pattern or to.name, reason = err.kind,
    }, 1)
  end
end

-- Names that clients may choose freely are one name here.
local function model_label(call, cfg)
  local name = call.model
  if not name or not call.group then return "_unknown" end
  if cfg.aliases[name] then return name end
  local group = cfg.groups[name]
  if group and not group.pattern then return name end
  return group and group.pattern or call.group.pattern or "_unknown"
end

local KINDS = {
  { "input", "input_tokens" }, { "output", "output_tokens" },
  { "cache_read", "cache_read_tokens" }, { "cache_write", "cache_write_tokens" },
  { "reasoning", "reasoning_tokens" },
}

local function count_tokens(handles, total, who, team)
  for i = 1, #KINDS do
    local n = total[KINDS[i][2]]
    if n and n > 0 then handles.tokens[who .. KINDS[i][1] .. "\1" .. team .. "\1"]:add(n) end
  end
end

local function count_speed(handles, call, reply, facts, who)
  if not facts.ttft then return end
  handles.ttft[who]:observe(facts.ttft)
  local output = reply.usage_total.output_tokens
  if call.stream and output and output > 1 then
    handles.per_token[who]:observe((facts.duration - facts.ttft) / (output - 1))
  end
end

local function count_limits(handles, call)
  local name = label_of(call.dep)
  for _, kind in ipairs { "requests", "tokens" } do
    local left = tonumber(call.provider_headers["x-ratelimit-remaining-" .. kind])
    if left then handles.left[name .. "\1" .. kind .. "\1"]:set(left) end
  end
end

local function count_answer(handles, call, reply, facts, group)
  local dep = call.dep
  local who, team = group .. "\1" .. dep.provider.name .. "\1", call.key.tags.team or ""
  count_tokens(handles, reply.usage_total, who, team)
  count_speed(handles, call, reply, facts, who)
  if call.provider_headers then count_limits(handles, call) end
  if facts.estimated then metrics.add("moongate_usage_estimated_total", nil, 1) end
  if facts.cost then
    handles.cost[who .. team .. "\1"]:add(facts.cost)
  elseif facts.billable then
    metrics.add("moongate_unpriced_requests_total",
      { provider = dep.provider.name, model = dep.label and "_unknown" or dep.model }, 1)
  end
end

local function count(call, reply, cfg, facts)
  local handles = cfg.runtime.metrics
  local asked = call.served or call.group
  local group = asked and (asked.pattern or asked.name) or ""
  local door = call.dialect .. "\1" .. group .. "\1"
  handles.requests[door .. model_label(call, cfg) .. "\1" .. facts.outcome .. "\1"]:add(1)
  handles.duration[door]:observe(facts.duration)
  if facts.overhead then handles.overhead["before_call\1"]:observe(facts.overhead) end
  if call.dep then count_answer(handles, call, reply, facts, group) end
end

-- Facts -----------------------------------------------------------------------------------

local function outcome_of(err)
  if not err then return "ok" end
  if err.kind == "cancelled" then return "cancelled" end
  if err.status == 429 then return "rate_limited" end
  if err.kind == "internal" or err.kind == "script_error" then return "internal_error" end
  return err.status < 500 and "client_error" or "upstream_error"
end

-- The provider was asked, and perhaps worked, without saying what it counted: bill by what
-- was seen. After a break the count so far may be a stale one.
local function estimate(call, reply, facts)
  if not call.fault then return reply:estimate(call) end
  local said = reply.usage_total.output_tokens
  reply.usage_total.output_tokens = nil
  reply:estimate(call)
  reply.usage_total.output_tokens = math.max(said or 0, reply.usage_total.output_tokens)
  facts.estimated = true
end

local MAY_BILL = { timeout = true, truncated = true, connect = true }

-- Tries that were sent and never answered: perhaps billed, so reported, but apart.
local function suspect(call, last)
  for _, one in ipairs(call.attempts) do
    local answered = one == last or (one.status and one.kind ~= "truncated")
    if one.sent and MAY_BILL[one.kind] and not answered then
      one.suspected = call.input_tokens
    end
  end
end

local function rates_of(call, reply, cfg)
  local known, dep = cfg.runtime.rates, call.dep
  local mine = known[dep]
  if not mine or mine.served ~= reply.model then
    mine = { served = reply.model, rates = prices.of(dep, reply.model) }
    known[dep] = mine
  end
  return mine.rates
end

-- Was there an answer, or part of one, that a provider bills?
local function is_billable(call, reply)
  if not call.dep then return false end
  if not call.fault or reply.committed then return true end
  local last = call.attempts[#call.attempts]
  return call.fault.kind == "cancelled" and last ~= nil and last.sent == true
end

local function bill(call, reply, cfg, facts)
  facts.billable = is_billable(call, reply)
  suspect(call, facts.billable and call.attempts[#call.attempts] or nil)
  if not facts.billable then return end
  estimate(call, reply, facts)
  facts.estimated = facts.estimated or reply.estimated == true
  facts.cost = money.cost(rates_of(call, reply, cfg), reply.usage_total)
  facts.dollars = facts.cost and money.dollars(facts.cost) or nil
  reply.cost = facts.dollars or "unknown"
end

local function facts_of(call, reply)
  local now = time.monotonic()
  return {
    status = call.fault and call.fault.status or reply.own and reply.own.status or 200,
    outcome = outcome_of(call.fault), duration = now - call.started, estimated = false,
    ttft = reply.first_token_at and reply.first_token_at - call.started or nil,
    overhead = call.sent_at and call.sent_at - call.started or nil,
  }
end

-- on_usage -----------------------------------------------------------------------------

-- Where nobody knows the price, `cost` is 0 and `priced` false.
local function tell(call, reply, cfg, facts)
  local usage = {
    cost = (facts.cost or 0) / 1e9, priced = facts.cost ~= nil, estimated = facts.estimated,
    outcome = facts.outcome, status = facts.status, duration = facts.duration,
    deployment = call.dep and call.dep.name, provider = call.dep and call.dep.provider.name,
  }
  for name, value in pairs(reply.usage_total) do usage[name] = value end
  hooks.try("on_usage", cfg.hooks.on_usage, usage, views.call(call, call.group.name))
end

-- The record ------------------------------------------------------------------------------

local LEVEL = { internal_error = "error", upstream_error = "warn" }

local function write_log(call, reply, facts)
  local level = LEVEL[facts.outcome] or "info"
  if call.quiet and facts.outcome == "ok" then level = "debug" end
  rows.log(level, call, reply, facts)
end

local function write_journal(call, reply, facts)
  local ok, err = rows.usage(call, reply, facts)
  if ok then return end
  log.error("journal", {
    request_id = call.id, message = type(err) == "table" and err.message or tostring(err),
  })
end

--- Record a request, once. A request that reached no deployment's door leaves no usage line.
function observe.record(call, reply, cfg)
  local facts = facts_of(call, reply)
  if call.trail then
    bill(call, reply, cfg, facts)
    write_journal(call, reply, facts)
  end
  count(call, reply, cfg, facts)
  if call.trail and cfg.hooks.on_usage then tell(call, reply, cfg, facts) end
  write_log(call, reply, facts)
end

return observe
