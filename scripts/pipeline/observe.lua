-- What a request came to: cost, one journal line, one log line, one set of metrics.

local bills = require "lib.bill"
local counts = require "pipeline.counts"
local hooks = require "lib.hooks"
local limits = require "pipeline.limits"
local log = require "engine.log"
local metrics = require "lib.metrics"
local money = require "lib.money"
local prices = require "lib.prices"
local provider_room = require "pipeline.provider_room"
local rows = require "pipeline.rows"
local runtime = require "pipeline.runtime"
local soft = require "pipeline.soft"
local time = require "engine.time"
local tokens = require "lib.tokens"
local usages = require "lib.usage"
local views = require "lib.views"

local observe = {}

local NOTHING = {} -- never written to
local FREE = { nano = 0, prices = nil }

-- Metrics ---------------------------------------------------------------------------------

--- One try ended.
function observe.attempt(cfg, dep, record)
  local known = runtime.of(cfg, dep)
  known.attempts[record.kind or "ok"]:add(1)
  known.duration:observe(record.ms / 1000)
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

local KINDS = {
  "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
  "reasoning_tokens",
}

local function count_speed(handles, call, reply, facts)
  handles.ttft:observe(facts.ttft)
  local output = reply.usage_total.output_tokens
  if call.stream and output and output > 1 then
    handles.per_token:observe((facts.duration - facts.ttft) / (output - 1))
  end
end

local function count_limits(call)
  local name = call.dep.label or call.dep.name
  for _, kind in ipairs { "requests", "tokens" } do
    local left = provider_room.left(call.provider_headers, kind)
    if left then
      metrics.set("moongate_upstream_ratelimit_remaining",
        { deployment = name, kind = kind }, left)
    end
  end
end

local function count_cost(handles, dep, facts)
  if facts.cost then return handles.cost:add(facts.cost) end
  if not facts.billable then return end
  metrics.add("moongate_unpriced_requests_total", {
    provider = dep.provider.name, model = dep.label and "_unknown" or dep.model,
  }, 1)
end

local function count_answer(call, reply, facts)
  local handles, total = facts.asked.served[call.dep.provider.name], reply.usage_total
  for i = 1, #KINDS do
    local n = total[KINDS[i]]
    if n and n > 0 then handles[KINDS[i]]:add(n) end
  end
  if facts.ttft then count_speed(handles, call, reply, facts) end
  if facts.estimated then metrics.add("moongate_usage_estimated_total", nil, 1) end
  if total.odd then metrics.add("moongate_usage_odd_total", nil, 1) end
  if call.provider_headers then count_limits(call) end
  count_cost(handles, call.dep, facts)
end

local function count(call, reply, cfg, facts)
  local asked = facts.asked
  if not asked then
    cfg.runtime.unrouted[facts.outcome]:add(1)
    return
  end
  asked.requests[facts.outcome]:add(1)
  asked.duration:observe(facts.duration)
  if facts.overhead then cfg.runtime.overhead:observe(facts.overhead) end
  if call.dep then count_answer(call, reply, facts) end
end

-- Facts -----------------------------------------------------------------------------------

local function outcome_of(err)
  if not err then return "ok" end
  if err.kind == "cancelled" or err.kind == "draining" then return "cancelled" end
  if err.kind == "budget_exceeded" then return "budget" end
  if err.status == 429 then return "rate_limited" end
  if err.kind == "internal" or err.kind == "script_error" then return "internal_error" end
  return err.status < 500 and "client_error" or "upstream_error"
end

-- The provider was asked, and perhaps worked, without saying what it counted: bill by what
-- was seen. After a break the count so far may be a stale one.
local function estimate(call, reply, facts)
  if not reply.usage_total.input_tokens then counts.input(call) end
  if not call.fault or reply.ready or reply:is_whole() then return reply:estimate(call) end
  local seen = tokens.of_bytes(reply.seen)
  reply:usage { output_tokens = math.max(seen, reply.usage_total.output_tokens or 0) }
  reply:estimate(call)
  facts.estimated = true
end

local MAY_BILL = { timeout = true, truncated = true, connect = true, invalid_response = true }

-- What a try may have cost: what its provider had said when it broke, else the input alone.
local function suspicion(call, try)
  local said = try.said or NOTHING
  local input = said.input_tokens or call.input_tokens
  local usage = { input_tokens = input, output_tokens = said.output_tokens or 0 }
  return input, money.cost(prices.of(try.dep), usage)
end

-- Tries whose provider was at work, or perhaps was, and whose answer nobody got: perhaps
-- billed, so reported, but apart.
local function suspect(call, last)
  for _, one in ipairs(call.attempts) do
    local refused = one.status and (one.status < 200 or one.status >= 300)
    if one ~= last and one.sent and MAY_BILL[one.kind] and not refused then
      one.suspected, one.suspected_nano = suspicion(call, one)
    end
  end
end

local function rates_of(call, reply, cfg)
  local known = runtime.of(cfg, call.dep)
  if not known.priced or known.served ~= reply.model then
    known.priced, known.served = true, reply.model
    known.rates, known.prices = prices.of(call.dep, reply.model)
  end
  return known.rates, known.prices
end

-- The faults that end a try whose provider was at work: it bills, though nobody read on.
local LEFT = { cancelled = true, draining = true, script_error = true, internal = true }

-- Was there an answer, or part of one, that a provider bills?
local function is_billable(call, reply)
  if not call.dep then return false end
  if not call.fault or reply.committed or reply:is_whole() then return true end
  local last = call.attempts[#call.attempts]
  if not (last and last.sent and LEFT[last.kind]) then return false end
  return last.status == nil and (last.kind == "cancelled" or last.kind == "draining")
    or last.status ~= nil and last.status < 300
end

-- Cost, and by which prices; it is an estimate, too, where what was sold had to be guessed.
local function price(call, reply, cfg, facts)
  if call.media and call.media.free then
    local sold = call.media.sold or FREE
    facts.cost, facts.prices = sold.nano or nil, sold.prices
    return
  end
  local rates, version = rates_of(call, reply, cfg)
  facts.cost, facts.prices =
    bills.of(rates, version, call, reply.usage_total, not facts.estimated)
  facts.estimated = facts.estimated or bills.guessed(rates, reply.usage_total)
end

local function bill(call, reply, cfg, facts)
  facts.billable = is_billable(call, reply)
  suspect(call, facts.billable and call.attempts[#call.attempts] or nil)
  if not facts.billable then return end
  usages.check(reply.usage_total)
  if not call.fault then counts.compare(call, reply, facts) end
  estimate(call, reply, facts)
  facts.estimated = facts.estimated or reply.estimated == true
  price(call, reply, cfg, facts)
  if not facts.cost and call.plan.budgeted and call.reserved_nano then
    -- Counts that make no sense: a budget is charged what was set aside for it.
    facts.cost, facts.estimated = call.reserved_nano, true
  end
  facts.dollars = facts.cost and money.dollars(facts.cost) or nil
  reply.cost = facts.dollars or "unknown"
end

local function facts_of(call, reply)
  local now = time.monotonic()
  return {
    billable = false, cost = nil, dollars = nil, asked = nil, prices = nil,
    status = call.fault and call.fault.status or reply.own and reply.own.status or 200,
    outcome = outcome_of(call.fault), duration = now - call.started, estimated = false,
    ttft = reply.first_token_at and reply.first_token_at - call.started or nil,
    overhead = call.sent_at and call.sent_at - call.started or nil, counted = nil,
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

-- An answer that was longer, or dearer, than anybody could know beforehand: by so much a budget
-- may have been overspent.
local function exceeded(call, facts)
  local more = facts.cost - call.reserved_nano
  if more <= 0 then return end
  local group = call.served or call.group
  metrics.add("moongate_cost_above_reserved_usd_total",
    { group = group.pattern or group.name, team = call.key.team or "" }, more)
end

-- The fact takes the reservation's place.
local function settle(call, reply, cfg, facts)
  local total = reply.usage_total
  local n = facts.billable and (total.input_tokens or 0) + (total.output_tokens or 0) or 0
  if facts.cost and call.reserved_nano then exceeded(call, facts) end
  local crossed = limits.settle(call, n, facts.cost or 0)
  if crossed then soft.tell(crossed, cfg) end
end

--- Record a request, once. A request that reached no deployment's door leaves no usage line.
function observe.record(call, reply, cfg)
  call.over = true
  local facts = facts_of(call, reply)
  facts.asked = call.group and runtime.asked(call) or nil
  if call.trail then
    bill(call, reply, cfg, facts)
    settle(call, reply, cfg, facts)
    write_journal(call, reply, facts)
  elseif call.hold then
    settle(call, reply, cfg, facts)
  end
  count(call, reply, cfg, facts)
  if call.trail and cfg.hooks.on_usage then tell(call, reply, cfg, facts) end
  write_log(call, reply, facts)
end

return observe
