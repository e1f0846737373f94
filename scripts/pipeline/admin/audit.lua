-- Does the money add up? What each request cost, what its billed attempts cost, the roll-ups,
-- what the accounts have spent and the metric are written in five places by three threads; a
-- gateway that is right says one number in all of them.

local json = require "engine.json"
local money = require "lib.money"
local time = require "engine.time"
local windows = require "lib.windows"

local audit = {}

-- A usage line is on file when its worker's turn ends, just after its cost is counted. What is
-- on its way for longer arrives between two tries.
local TURN, TRIES, PAUSE = 0.01, 40, 0.05 -- seconds, times, seconds
local SUM = { "name", "nano", "usd", "expected_nano", "expected_usd", "equal" }
local REPORT = { "equal", "settled", "sums", "accounts", "different" }
local MOST_SHOWN = 100

-- Comparing ----------------------------------------------------------------------------------

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

-- Sums only grow: what the ledger says must lie between what was seen before it was asked and
-- after. Where nothing moves, those two are one number.
local function is_within(first, nano, last)
  if type(first) == "number" and type(nano) == "number" and type(last) == "number" then
    return first <= nano and nano <= last
  end
  return tostring(first) == tostring(nano)
end

-- `found` is what a place says, `last` what it says a moment later.
local function sum_of(name, found, expected, last)
  return json.object(SUM, {
    name = name, nano = number(found), usd = usd(found), expected_nano = number(expected),
    expected_usd = usd(expected), equal = is_within(found, expected, last or found),
  })
end

-- What the gateway says beside what the ledger says: `look` is asked before and after. What is
-- on its way from the one to the other gets a few moments to arrive, until `judge` says that
-- they agree. { sums, first, last, quiet } | nil, problem
local function beside(job, look, judge)
  local seen, want = {}, job.want
  repeat
    local err
    seen.first = look()
    if want.metrics then time.sleep(TURN) end
    seen.sums, err = want.ask("audit.run", {
      accounts = seen.first.accounts, boot = want.boot,
    })
    if not seen.sums then return nil, err end
    seen.last = look()
    seen.quiet = json.encode(seen.first) == json.encode(seen.last)
    if judge(seen) or not want.metrics or job.tries == 0 then return seen end
    job.tries = job.tries - 1
    time.sleep(PAUSE)
  until false
end

-- The places ---------------------------------------------------------------------------------

local function metric_of(want)
  if not want.metrics then return {} end
  local cost = 0
  for text in want.metrics():gmatch("moongate_cost_usd_total%b{} (%S+)") do
    cost = cost + (money.nano(text) or 0)
  end
  return { cost = cost }
end

local function places_of(seen)
  local sums = seen.sums
  local out = json.array {
    sum_of("requests", sums.requests, sums.requests),
    sum_of("billed attempts", sums.attempts, sums.requests),
    sum_of("roll-ups by hour", sums.hours, sums.rolled),
    sum_of("roll-ups by day", sums.days, sums.rolled),
    sum_of("spent by org", sums.org, sums.rolled),
  }
  if seen.first.cost and sums.served then
    out[#out + 1] = sum_of("moongate_cost_usd_total since start", seen.first.cost, sums.served,
      seen.last.cost)
  end
  return out
end

local function all_equal(list)
  for _, sum in ipairs(list) do
    if not sum.equal then return false end
  end
  return true
end

local function add_places(report, job)
  local seen, problem = beside(job, function() return metric_of(job.want) end,
    function(seen) return all_equal(places_of(seen)) end)
  if not seen then return problem end
  report.sums = places_of(seen)
  report.equal, report.settled = all_equal(report.sums), seen.quiet
end

-- The accounts -------------------------------------------------------------------------------

-- A hundred thousand keys do not fit into a worker at once: they are looked at by the first
-- letter of their names or ids. End users' names are chosen by clients, so by shares.
local USER_SHARES = 64

local function shares()
  local out = { { "org" }, { "team:" }, { "tag:" } }
  for byte = 33, 126 do out[#out + 1] = { "key:" .. string.char(byte) } end
  for part = 0, USER_SHARES - 1 do out[#out + 1] = { "user:", part, USER_SHARES } end
  return out
end

local function accounts_at(want, share)
  local out = json.array {}
  for _, account in ipairs(want.accounts.each(unpack(share))) do
    for _, window in ipairs(windows.names) do
      local of = account[window]
      out[#out + 1] = of and {
        account = account.name, window = window, start = of.start, nano = of.spent,
      }
    end
  end
  return { accounts = out }
end

-- Of one account and window: what it had spent at first and at last. A window may have ended.
local function is_right(seen, i)
  local first, last = seen.first.accounts[i], seen.last.accounts[i]
  local same = last and last.account == first.account and last.window == first.window
    and last.start == first.start
  return is_within(first.nano, seen.sums.spent[i], same and last.nano or first.nano)
end

local function all_right(seen)
  for i in ipairs(seen.first.accounts) do
    if not is_right(seen, i) then return false end
  end
  return true
end

local function add_difference(report, of, expected)
  report.equal = false
  if #report.different >= MOST_SHOWN then return end
  local when = of.window == "ever" and "ever" or "this " .. of.window
  report.different[#report.different + 1] =
    sum_of(("%s, %s"):format(of.account, when), of.nano, expected)
end

local function add_accounts(report, job, share)
  if #job.want.accounts.each(unpack(share)) == 0 then return nil end
  local function look() return accounts_at(job.want, share) end
  local seen, problem = beside(job, look, all_right)
  if not seen then return problem end
  report.settled = report.settled and seen.quiet
  for i, of in ipairs(seen.first.accounts) do
    report.accounts = report.accounts + 1
    if not is_right(seen, i) then add_difference(report, of, seen.sums.spent[i]) end
  end
end

--- { equal, settled, sums, accounts, different } | nil, problem: `accounts` is how many sums of
--- accounts and windows were compared, `different` those that are wrong.
function audit.run(want)
  local report = { accounts = 0, different = json.array {} }
  local job = { want = want, tries = TRIES }
  local problem = add_places(report, job)
  if problem then return nil, problem end
  for _, share in ipairs(want.accounts and shares() or {}) do
    problem = add_accounts(report, job, share)
    if problem then return nil, problem end
  end
  return json.object(REPORT, report)
end

return audit
