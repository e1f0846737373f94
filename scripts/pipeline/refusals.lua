-- What a client hears of its limits: refusals with the time to come back, and the headers that
-- let it slow down by itself.

local fault = require "lib.fault"
local metrics = require "lib.metrics"
local money = require "lib.money"
local time = require "engine.time"

local refusals = {}

local RATES = {
  rpm = "requests a minute", tpm = "tokens a minute", parallel = "requests at once",
}
local WHO = {
  key = "this key", team = "this key's team", org = "the organisation", tag = "this key's tag",
  user = "this end user",
}
local WINDOWS = {
  minute = "minute's ", hour = "hour's ", day = "day's ", week = "week's ",
  month = "month's ", year = "year's ",
}

local REMAINING = {
  requests = "x-ratelimit-remaining-requests", tokens = "x-ratelimit-remaining-tokens",
}
local RESET = {
  requests = "x-ratelimit-reset-requests", tokens = "x-ratelimit-reset-tokens",
}

-- "team:search" → "team"
local function scope_of(name)
  return name:match("^%a+")
end

local function about_rate(refused)
  local seconds = math.max(1, math.ceil(refused.retry or 1))
  return ("The limit on %s of %s is reached. Try again in %d s."):format(
    RATES[refused.limit], WHO[scope_of(refused.name)], seconds), seconds
end

-- A window begins with a whole second; time.now() has moved on since its rest was measured.
local function next_begin(retry)
  return (time.iso(math.floor(time.now() + retry + 0.5)):gsub("%.000Z$", "Z"))
end

local function about_budget(call, refused)
  local window = refused.limit:match("^budget:(%a+)$")
  local left, who = math.max(0, refused.left or 0), WHO[scope_of(refused.name)]
  local whose = ("The %sbudget of %s"):format(WINDOWS[window] or "", who)
  local text = whose .. " is used up."
  if left > 0 then
    local open = not (call.output_limit or call.media)
    text = ("%s has $%s left, and this request%s may cost $%s."):format(whose,
      money.dollars(left), open and ", which does not limit its answer," or "",
      money.dollars(call.asked_nano or 0))
  end
  if WINDOWS[window] and refused.retry then
    text = text .. " The next one begins at " .. next_begin(refused.retry) .. "."
  end
  return text
end

--- Refuse a call for a limit: { name, limit, retry, left }.
function refusals.raise(call, refused)
  local limit = refused.limit
  metrics.add("moongate_ratelimited_total", {
    scope = scope_of(refused.name), limit = limit:match("^%a+"),
  }, 1)
  if RATES[limit] then
    local message, seconds = about_rate(refused)
    fault.raise("rate_limited", message, { retry_after = seconds })
  end
  fault.raise("budget_exceeded", about_budget(call, refused))
end

--- Refuse a call of a key with a budget, where nobody knows what it would cost.
function refusals.unpriced(call)
  fault.raise("model_unpriced", ("No price is known for the model `%s`, and this key has a "
    .. "budget."):format(call.model:sub(1, 64):gsub("[%c`]", "?")), { param = "model" })
end

local function digits(n)
  return ("%d"):format(n > 0 and n or 0)
end

-- One kind of limit of a plan's headers. What has not changed keeps its text.
local function tell(headers, kind, left, reset)
  headers[REMAINING[kind]] = digits(left)
  local seconds = math.ceil(reset)
  if headers.seconds[kind] == seconds then return end
  headers.seconds[kind] = seconds
  headers[RESET[kind]] = digits(seconds) .. "s"
end

--- x-ratelimit-… of a plan: the tightest limit of each kind. One table a plan, written anew for
--- each request: whoever answers takes the values out.
function refusals.headers(plan)
  local requests, requests_left, requests_reset, tokens, tokens_left, tokens_reset =
    plan.handle:room()
  local headers = plan.headers
  if not headers then
    headers = {
      ["x-ratelimit-limit-requests"] = requests and digits(requests),
      ["x-ratelimit-limit-tokens"] = tokens and digits(tokens), seconds = {},
    }
    plan.headers = headers
  end
  if requests then tell(headers, "requests", requests_left, requests_reset) end
  if tokens then tell(headers, "tokens", tokens_left, tokens_reset) end
  return headers
end

return refusals
