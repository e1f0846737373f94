-- Soft budgets that a request carried past their limit: a metric, a line in the log and, where
-- routes.lua names one, a call of the operator's webhook. Nobody waits for it.

local http = require "engine.http"
local json = require "engine.json"
local log = require "engine.log"
local metrics = require "lib.metrics"
local money = require "lib.money"
local shared = require "engine.shared"
local task = require "engine.task"
local time = require "engine.time"

local soft = {}

local AT_ONCE = 8                  -- calls of the webhook; more are not made
local CALLING = "webhooks:calling" -- those that run
local FAILED = "webhook:failed"    -- said so already
local SILENT = 600                 -- seconds until a failure is told again
local TIMEOUT = { connect = 3, total = 10 }
local ORDER = {
  "event", "account", "window", "spent_usd", "soft_budget_usd", "spent_nano",
  "soft_budget_nano", "ts",
}

local function body_of(crossed)
  return json.encode(json.object(ORDER, {
    event = "soft_budget_exceeded", account = crossed.name, window = crossed.window,
    spent_usd = money.dollars(crossed.nano), soft_budget_usd = money.dollars(crossed.soft),
    spent_nano = crossed.nano, soft_budget_nano = crossed.soft, ts = time.iso(),
  }))
end

local function complain(message)
  metrics.add("moongate_webhook_failures_total", nil, 1)
  if shared.get(FAILED) then return end
  shared.set(FAILED, 1, SILENT)
  log.warn("webhook", { message = message })
end

local function call(url, body)
  local held = shared.hold(CALLING, 1)
  local upstream, err = http.open {
    url = url, body = body, timeout = TIMEOUT,
    private = true, -- the operator's own, and it gets neither key nor prompt
    headers = { ["content-type"] = "application/json", ["user-agent"] = "moongate" },
  }
  if not upstream then
    complain("the webhook was not reached: " .. err.message)
  elseif upstream.status >= 300 then
    complain(("the webhook answered %d"):format(upstream.status))
  end
  if upstream then upstream:close() end
  held:settle()
end

local function notify(url, crossed)
  if (shared.get(CALLING) or 0) >= AT_ONCE then return complain "too many calls at once" end
  local body = body_of(crossed)
  task.start(function() call(url, body) end)
end

--- Tell of what settle() said was crossed: a list of { name, window, nano, soft }.
function soft.tell(crossings, cfg)
  for _, crossed in ipairs(crossings) do
    metrics.add("moongate_soft_budget_exceeded_total", {
      scope = crossed.name:match("^%a+"),
    }, 1)
    log.warn("soft_budget", {
      account = crossed.name, window = crossed.window,
      spent_usd = money.dollars(crossed.nano), soft_budget_usd = money.dollars(crossed.soft),
    })
    if cfg.limits.webhook then notify(cfg.limits.webhook, crossed) end
  end
end

return soft
