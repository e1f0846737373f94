-- Money: integer nano-dollars, exact sums, one rounding a bill. No float ever holds a total.

local decimal = require "lib.decimal"
local rates = require "lib.rates"

local money = { nano = decimal.nano, rates = rates.read }

local EXACT = 2 ^ 53 -- beyond it a double skips integers
local MILLION = 1e6
local UNKNOWN = 0 / 0
local NONE = {} -- never written to
local floor, min, max = math.floor, math.min, math.max

--- Integer nano-dollars → exact decimal dollars: 13000000 → "0.013", 5e9 → "5". Once a request,
--- so by arithmetic alone.
function money.dollars(nano)
  local whole = floor(nano / 1e9)
  local part, unit = nano - whole * 1e9, 1e9
  if part == 0 then return tostring(whole) end
  while part % 10 == 0 do part, unit = part / 10, unit / 10 end
  return whole .. "." .. string.sub(tostring(unit + part), 2)
end

-- Provider bytes said these numbers: anything but a sane count leaves the bill unknown.
local function count(n)
  if n == nil then return 0 end
  if type(n) ~= "number" or n < 0 or n > 1e9 or n % 1 ~= 0 then return nil end
  return n
end

-- Half to even: over many rows the roundings cancel out. nil for NaN, and what is too large.
local function round(whole, millionths)
  local up = floor(millionths / MILLION)
  local rest = millionths - up * MILLION
  whole = whole + up
  if rest > MILLION / 2 or (rest == MILLION / 2 and whole % 2 == 1) then whole = whole + 1 end
  return whole < EXACT and whole or nil
end

-- A sum of count × rate is two numbers, so that no product passes 2^53 unseen: the part in
-- whole nano-dollars, and the rest in millionths. NaN is a sum that nobody knows.
--
-- Take `said` of the `left` tokens out and bill them: left, whole, rest. A part that says more
-- than the whole is cut to it.
local function take(said, rate, left, whole, rest)
  if said == nil or said == 0 then return left, whole, rest end
  local n = count(said)
  if not n then return left, UNKNOWN, rest end
  n = min(n, left)
  if not rate then return left - n, n > 0 and UNKNOWN or whole, rest end
  local nano = floor(rate / MILLION)
  return left - n, whole + n * nano, rest + n * (rate - nano * MILLION)
end

-- Tokens -----------------------------------------------------------------------------------

-- By all prompt tokens, for the whole request: the last tier whose threshold is passed.
local function tier_of(at, prompt)
  local tiers = at.tiers
  for i = #tiers, 1, -1 do
    if prompt > tiers[i].tokens then return tiers[i] end
  end
  return at
end

-- What was written to a cache, some of it for an hour.
local function written(at, usage, left, whole, rest)
  local all, long = count(usage.cache_write_tokens), count(usage.cache_write_1h_tokens)
  if not (all and long) then return left, UNKNOWN, rest end
  all = min(all, left)
  long = min(long, all)
  local price = at.cache_write or at.input
  left, whole, rest = take(long, at.cache_write_1h or price, left, whole, rest)
  return take(all - long, price, left, whole, rest)
end

-- The prompt's parts are disjoint: read from a cache, written to one, sound, images, text. What
-- was cached costs what the input does where no price is said; a price of 0 says: free.
local function prompt_sum(at, usage, input)
  local price = at.input
  local left, whole, rest = take(usage.cache_read_tokens, at.cache_read or price, input, 0, 0)
  if usage.cache_write_tokens ~= nil then
    left, whole, rest = written(at, usage, left, whole, rest)
  end
  if usage.audio_input_tokens ~= nil then
    left, whole, rest =
      take(usage.audio_input_tokens, at.audio_input or price, left, whole, rest)
  end
  if usage.image_input_tokens ~= nil then
    left, whole, rest =
      take(usage.image_input_tokens, at.image_input or price, left, whole, rest)
  end
  local _
  _, whole, rest = take(left, price, left, whole, rest)
  return whole, rest
end

-- So are the answer's: thought, sound, images, text.
local function answer_sum(at, usage, output, whole, rest)
  local price, left = at.output, output
  left, whole, rest = take(usage.reasoning_tokens, at.reasoning or price, left, whole, rest)
  if usage.audio_output_tokens ~= nil then
    left, whole, rest =
      take(usage.audio_output_tokens, at.audio_output or price, left, whole, rest)
  end
  if usage.image_output_tokens ~= nil then
    left, whole, rest =
      take(usage.image_output_tokens, at.image_output or price, left, whole, rest)
  end
  local _
  _, whole, rest = take(left, price, left, whole, rest)
  return whole, rest
end

-- What is counted --------------------------------------------------------------------------

-- What one costs. A search of some size costs what searches do where all sizes cost the same.
local function each_rate(at, what)
  return at[what] or what:find("^web_search_") and at.web_search or nil
end

-- Some providers bill one search a request, however often they looked.
local function times(at, what, n)
  return at.search_once and n and what:find("^web_search") and min(n, 1) or n
end

local function each_sum(at, units, whole, rest)
  local _
  if at.request then _, whole, rest = take(1, at.request, 1, whole, rest) end
  for what, said in pairs(units or {}) do
    local n = times(at, what, count(said))
    if not n then return UNKNOWN, 0 end
    _, whole, rest = take(n, each_rate(at, what), n, whole, rest)
    local up = floor(rest / MILLION)
    whole, rest = whole + up, rest - up * MILLION
  end
  return whole, rest
end

-- Bills ------------------------------------------------------------------------------------

-- As the provider says it served, where that has prices of its own.
local function in_service(at, usage)
  return at.service and at.service[usage.service_tier] or at
end

--- What a usage (lib/usage.lua) costs at these rates (lib/rates.lua): integer nano-dollars, or
--- nil where it cannot be known.
function money.cost(at, usage)
  if not at or not usage then return nil end
  local input, output = count(usage.input_tokens), count(usage.output_tokens)
  if not (input and output and (usage.input_tokens or usage.output_tokens)) then return nil end
  at = in_service(at, usage)
  local now = at.tiers and tier_of(at, input) or at
  local whole, rest = prompt_sum(now, usage, input)
  whole, rest = answer_sum(now, usage, output, whole, rest)
  if at.request or usage.units then whole, rest = each_sum(at, usage.units, whole, rest) end
  return round(whole, rest)
end

-- Bounds -----------------------------------------------------------------------------------

local function dearest(at, ...)
  local price
  for _, class in ipairs { ... } do
    price = price and max(price, at[class] or 0) or at[class]
    if not price then return nil end
  end
  return price
end

-- The dearest rate of each side, by the rates that have them. Forgotten with them.
local WORST = setmetatable({}, { __mode = "k", __index = function(self, at)
  local found = {
    input = dearest(at, "input", "cache_read", "cache_write", "cache_write_1h", "audio_input",
      "image_input"),
    output = dearest(at, "output", "reasoning", "audio_output", "image_output"),
  }
  rawset(self, at, found)
  return found
end })

-- At the prices of one tier of `at`.
local function tier_bound(at, tier, input, output, units)
  local worst = WORST[tier]
  local _, whole, rest = take(input, worst.input, input, 0, 0)
  _, whole, rest = take(output, worst.output, output, whole, rest)
  if at.request or units then whole, rest = each_sum(at, units, whole, rest) end
  return round(whole, rest)
end

-- Up to the tier that so many prompt tokens reach: a shorter prompt may be dearer, if a list
-- says so.
local function bound_at(at, input, output, units)
  local most = tier_bound(at, at, input, output, units)
  for _, tier in ipairs(most and at.tiers or NONE) do
    local other = input > tier.tokens and tier_bound(at, tier, input, output, units)
    if other == nil then return nil end
    most = other and max(most, other) or most
  end
  return most
end

-- May the tier of this name be what serves a wish for `service`?
local function may_serve(name, service)
  return service == nil or name == service or name == "us" or name == "us+" .. service
end

--- The most that any usage of at most so many tokens can cost, rounded as a bill is: integer
--- nano-dollars, or nil where that cannot be known. `service` is the tier of service that was
--- asked for ("default" where none was; the provider may fall back to that); nil: any. Where
--- it runs is nobody's wish, but the account's.
--- `units` are searches and the like, at most.
function money.bound(at, input_tokens, output_tokens, service, units)
  local input, output = count(input_tokens), count(output_tokens)
  if not (at and input and output) then return nil end
  local most = bound_at(at, input, output, units)
  if not at.service then return most end
  for name, other in pairs(at.service) do
    if may_serve(name, service) then
      local bound = bound_at(other, input, output, units)
      most = most and bound and max(most, bound)
    end
  end
  return most
end

return money
