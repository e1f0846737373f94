-- The gateway's metrics by name: what they say, and handles for the hot path.

local metric = require "engine.metric"

local metrics = {
  add = metric.add, set = metric.set, observe = metric.observe, counter = metric.counter,
  gauge = metric.gauge, histogram = metric.histogram,
}

local LATENCY = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120 }
local FIRST_TOKEN = {
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
}
local A_TOKEN = { 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5 }
local OVERHEAD = { 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.05 }

local FAMILIES = {
  { "requests_total", "counter", "Requests, by how they ended." },
  { "request_duration_seconds", "histogram", "From a request's head to its end.", LATENCY },
  { "overhead_seconds", "histogram", "Time the gateway itself took, by stage.", OVERHEAD },
  { "time_to_first_token_seconds", "histogram", "Until the first piece of an answer.",
    FIRST_TOKEN },
  { "time_per_output_token_seconds", "histogram", "Between tokens of a stream.", A_TOKEN },
  { "upstream_attempts_total", "counter", "Calls to deployments, by result." },
  { "upstream_duration_seconds", "histogram", "Calls to deployments, first to last byte.",
    LATENCY },
  { "retries_total", "counter", "Further tries inside a model group, by reason." },
  { "fallbacks_total", "counter", "Moves to another model group." },
  { "deployment_up", "gauge", "0 while a deployment rests." },
  { "deployment_cooldowns_total", "counter", "Rests a deployment was given, by reason." },
  { "upstream_ratelimit_remaining", "gauge", "What the provider says is left." },
  { "tokens_total", "counter", "Tokens, by kind." },
  { "cost_usd_total", "counter", "Dollars spent." },
  { "unpriced_requests_total", "counter", "Answers whose price nobody knows." },
  { "prices_refused", "gauge", "1 while a damaged table of prices is set aside." },
  { "usage_estimated_total", "counter", "Answers whose tokens had to be estimated." },
  { "upstream_blocked_total", "counter",
    "Calls not made: a public name led to a private address." },
  { "usage_odd_total", "counter", "Answers whose provider reported counts that cannot be." },
  { "token_drift_ratio", "gauge", "Tokens counted for those that providers reported." },
  { "shed_total", "counter", "Requests refused unread for want of room, by what was short." },
  { "shedding", "gauge", "1 while requests are refused for want of it." },
  { "memory_ceiling_bytes", "gauge", "What the process is to stay below; 0: it need not." },
  { "auth_delayed_total", "counter", "Wrong keys whose answer had to wait." },
  { "budget_remaining_usd", "gauge", "What a team may still spend." },
  { "cost_above_reserved_usd_total", "counter",
    "What answers cost beyond what was set aside for them." },
  { "soft_budget_exceeded_total", "counter", "Soft budgets that were passed." },
  { "webhook_failures_total", "counter", "Calls of the operator's webhook that failed." },
  { "user_accounts_full_total", "counter",
    "Requests of end users that share an account, as there was no room for one of their own." },
  { "ratelimited_total", "counter", "Refusals for a limit." },
  { "lua_calls_total", "counter", "Calls of operator functions." },
  { "lua_duration_seconds", "histogram", "Time operator functions took.", OVERHEAD },
}

--- Tell the engine what each family is. Once a generation.
function metrics.describe()
  for _, family in ipairs(FAMILIES) do
    metric.describe("moongate_" .. family[1], family[2], family[3], family[4])
  end
end

--- A table whose members are made by `make(name)` when first asked for. For handles: bounded by
--- the configuration, which names all members.
function metrics.cached(make)
  return setmetatable({}, {
    __index = function(self, name)
      local value = make(name)
      rawset(self, name, value)
      return value
    end,
  })
end

return metrics
