-- Does the money add up? What each request cost, what its billed attempts cost, the roll-ups,
-- what the accounts have spent and the metric are written in five places by three threads; a
-- gateway that is right says one number in all of them.

local json = require "engine.json"
local money = require "lib.money"
local time = require "engine.time"
local windows = require "lib.windows"

local audit = {}

-- What is on its way between the places arrives between two tries.
local TRIES, PAUSE = 40, 0.05 -- seconds
local SUM = { "name", "nano", "usd", "expected_nano", "expected_usd", "equal" }

-- Nano-dollars beyond what a double holds come as decimal text.
local function usd(nano)
  if type(nano) == "number" then
    return nano < 0 and "-" .. money.dollars(-nano) or money.dollars(nano)
  end
  local digits = ("0"):rep(10 - #nano) .. nano
  local part = digits:sub(-9):gsub("0+$", "")
  return digits:sub(1, -10) .. (part ~= "" and "." .. part or "")
end

local function number(nano)
  return type(nano) == "number" and nano or json.raw(nano)
end

-- What is on the metrics page and what the accounts say, at one moment.
local function look(want)
  local cost, spent = 0, json.array {}
  for text in want.metrics():gmatch("moongate_cost_usd_total%b{} (%S+)") do
    cost = cost + (money.nano(text) or 0)
  end
  for _, account in ipairs(want.accounts and want.accounts.each() or {}) do
    for _, window in ipairs(windows.names) do
      local of = account[window]
      spent[#spent + 1] = of and {
        account = account.name, window = window, start = of.start, nano = of.spent,
      }
    end
  end
  return { cost = cost, spent = spent }
end

local function add(out, name, nano, expected)
  local equal = tostring(nano) == tostring(expected)
  out.equal = out.equal and equal
  out.sums[#out.sums + 1] = json.object(SUM, {
    name = name, nano = number(nano), usd = usd(nano), expected_nano = number(expected),
    expected_usd = usd(expected), equal = equal,
  })
end

-- The sums of one moment, against the ledger's of the same.
local function compared(sums, now)
  local out = { equal = true, sums = json.array {} }
  add(out, "requests", sums.requests, sums.requests)
  add(out, "billed attempts", sums.attempts, sums.requests)
  add(out, "roll-ups by hour", sums.hours, sums.rolled)
  add(out, "roll-ups by day", sums.days, sums.rolled)
  add(out, "spent by org", sums.org, sums.rolled)
  if not now then return out end
  if sums.served then
    add(out, "moongate_cost_usd_total since start", now.cost, sums.served)
  end
  for i, of in ipairs(now.spent) do
    local when = of.window == "ever" and "ever" or "this " .. of.window
    add(out, ("%s, %s"):format(of.account, when), of.nano, sums.spent[i])
  end
  return out
end

-- One try: the comparison, and whether nothing moved while it was made. nil, err
local function try(want)
  local before = want.metrics and look(want) or nil
  local sums, err = want.ask("audit.run", {
    accounts = before and before.spent or nil, boot = want.boot,
  })
  if not sums then return nil, err end
  local after = want.metrics and look(want) or nil
  local settled = json.encode(before or {}) == json.encode(after or {})
  return compared(sums, before), settled
end

--- { equal, settled, sums } | nil, problem
function audit.run(want)
  local found, settled
  for n = 1, TRIES do
    found, settled = try(want)
    if not found then return nil, settled end
    if found.equal and settled then break end
    if not want.metrics then break end
    if n < TRIES then time.sleep(PAUSE) end
  end
  return json.object({ "equal", "settled", "sums" }, {
    equal = found.equal, settled = settled, sums = found.sums,
  })
end

return audit
