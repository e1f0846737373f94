-- Money: integer nano-dollars, exact sums, one rounding a bill. No float ever holds a total.

local money = {}

local EXACT = 2 ^ 53 -- beyond it a double skips integers
local MILLION = 1e6
local CLASSES = {
  "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning",
}

--- "2.50" or 2.5 (dollars) → integer nano-dollars; nil where it is no such amount, finer
--- than a nano-dollar, or too large to be exact.
function money.nano(amount)
  local text = amount
  if type(amount) == "number" then
    text = ("%.14g"):format(amount)
    if text:find("e", 1, true) then text = ("%.12f"):format(amount) end
  end
  if type(text) ~= "string" or #text > 32 then return nil end
  local whole, dot, part = text:match("^(%d+)(%.?)(%d*)$")
  if not whole or (dot == "." and part == "") then return nil end
  part = part:gsub("0+$", "")
  if #part > 9 then return nil end
  local nano = tonumber(whole) * 1e9 + tonumber(part .. ("0"):rep(9 - #part))
  return nano < EXACT and nano or nil
end

--- Integer nano-dollars → exact decimal dollars: 13000000 → "0.013", 5e9 → "5". Once a request,
--- so by arithmetic alone.
function money.dollars(nano)
  local whole = math.floor(nano / 1e9)
  local part, unit = nano - whole * 1e9, 1e9
  if part == 0 then return tostring(whole) end
  while part % 10 == 0 do part, unit = part / 10, unit / 10 end
  return whole .. "." .. string.sub(tostring(unit + part), 2)
end

--- A price in dollars per million tokens (numbers or decimal text) → the same in integer
--- nano-dollars, or nil and the name of the first class that cannot be read.
function money.rates(price)
  local out = {}
  for _, class in ipairs(CLASSES) do
    if price[class] ~= nil then
      out[class] = money.nano(price[class])
      if not out[class] then return nil, class end
    end
  end
  if price.above then
    local above, bad = money.rates(price.above)
    if not above then return nil, "above." .. bad end
    above.tokens = price.above.tokens
    out.above = above
  end
  return out
end

-- Provider bytes said these numbers: anything but a sane count leaves the bill unknown.
local function count(n)
  if n == nil then return 0 end
  if type(n) ~= "number" or n < 0 or n > 1e9 or n % 1 ~= 0 then return nil end
  return n
end

-- Usage as disjoint parts. Input includes cached and written tokens, writes include those
-- for an hour, output includes reasoning.
local function parts(usage, rates)
  local input, output = count(usage.input_tokens), count(usage.output_tokens)
  local read, write = count(usage.cache_read_tokens), count(usage.cache_write_tokens)
  local hour, reasoning = count(usage.cache_write_1h_tokens), count(usage.reasoning_tokens)
  if not (input and output and read and write and hour and reasoning) then return nil end
  if not rates.reasoning then reasoning = 0 end
  hour, reasoning = math.min(hour, write), math.min(reasoning, output)
  return {
    input = math.max(0, input - read - write), output = output - reasoning,
    cache_read = read, cache_write = write - hour, cache_write_1h = hour,
    reasoning = reasoning,
  }
end

-- What a class costs where the price list does not say: cached tokens are input tokens.
local function rate(rates, class)
  if rates[class] then return rates[class] end
  if class == "cache_write_1h" then return rates.cache_write or rates.input end
  return class ~= "output" and rates.input or nil
end

-- Half to even: over many rows the roundings cancel out.
local function round(whole, millionths)
  local up = math.floor(millionths / MILLION)
  local rest = millionths - up * MILLION
  whole = whole + up
  if rest > MILLION / 2 or (rest == MILLION / 2 and whole % 2 == 1) then whole = whole + 1 end
  return whole
end

-- The sum of count × rate, split so that no product passes 2^53: the part in whole
-- nano-dollars a token, and the rest in millionths.
local function sum(tokens, rates)
  local whole, millionths = 0, 0
  for _, class in ipairs(CLASSES) do
    local n = tokens[class]
    local price = n > 0 and rate(rates, class) or 0
    if n > 0 and not rate(rates, class) then return nil end
    local nano = math.floor(price / MILLION)
    whole = whole + n * nano
    millionths = millionths + n * (price - nano * MILLION)
  end
  return whole, millionths
end

--- What a usage costs at these rates: integer nano-dollars, or nil where it cannot be known.
--- Above the threshold (by all prompt tokens) the whole request is billed at the upper tier.
function money.cost(rates, usage)
  if not rates or not usage or not (usage.input_tokens or usage.output_tokens) then
    return nil
  end
  local above = rates.above
  if above and (count(usage.input_tokens) or 0) > above.tokens then rates = above end
  local tokens = parts(usage, rates)
  if not tokens then return nil end
  local whole, millionths = sum(tokens, rates)
  if not whole or whole >= EXACT then return nil end
  return round(whole, millionths)
end

return money
