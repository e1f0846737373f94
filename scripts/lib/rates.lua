-- A price in words (dollars, as routes.lua and price tables write them) → rates that
-- lib/money.lua bills by: integer nano-dollars per million of everything.
--
--   { input =, output =, cache_read =, …,                  a million tokens of a class
--     web_search_low =, request =, code_interpreter =, …,  a million of what is counted
--     tiers = { { tokens =, input =, … }, … },             above so many prompt tokens, upwards
--     service = { batch = rates, flex = rates, … } }       where the provider says it used one

local decimal = require "lib.decimal"

local rates = {}

rates.TOKENS = {
  "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input",
  "audio_output", "image_input", "image_output",
}
rates.SERVICES = { "batch", "flex", "priority", "fast", "us", "us+fast" }

-- Dollars each. Milliseconds are billed in place of seconds, so that counts are whole.
rates.EACH = {
  "request", "web_search", "web_search_low", "web_search_medium", "web_search_high",
  "code_interpreter", "file_search", "image", "image_read", "page", "query", "character_input",
  "character_output", "ms_input", "ms_output",
}

local MILLION = 1e6
local MS, SIDES = 1000, { "input", "output" }

-- Images may have prices by quality and size: image_hd_1024x1792, image_1024x1024.
local PICTURE = "^image_([%l%d_]*)$"
local NO_PICTURE = { read = true, input = true, output = true }

--- Is this the name of a price of images of one kind?
function rates.is_picture(name)
  local kind = name:match(PICTURE)
  return kind ~= nil and kind ~= "" and not NO_PICTURE[kind]
end

local function classes(price, out)
  for _, class in ipairs(rates.TOKENS) do
    if price[class] ~= nil then
      out[class] = decimal.nano(price[class])
      if not out[class] then return nil, class end
    end
  end
  return out
end

-- What one costs, at most nine digits behind the point in a price of ours, fifteen in a table.
local function one(amount)
  if type(amount) == "number" then
    local nano = decimal.nano(amount)
    return nano and nano * MILLION < 2 ^ 53 and nano * MILLION or nil
  end
  return (decimal.scaled(amount, 15))
end

local function pictures(price, out)
  for what, amount in pairs(price) do
    if type(what) == "string" and rates.is_picture(what) then
      out[what] = one(amount)
      if not out[what] then return nil, what end
    end
  end
  return out
end

local function each(price, out)
  out.may_search = price.web_search ~= nil or price.web_search_medium ~= nil or nil
  for _, side in ipairs(SIDES) do -- people say seconds
    local second = price["second_" .. side]
    if second ~= nil then
      local nano = one(second)
      if not nano then return nil, "second_" .. side end
      out["ms_" .. side] = decimal.ratio(nano, 1, MS)
    end
  end
  for _, what in ipairs(rates.EACH) do
    local amount = price[what]
    if type(amount) == "table" then
      for size, value in pairs(amount) do
        out[what .. "_" .. size] = one(value)
        if not out[what .. "_" .. size] then return nil, what .. "." .. size end
      end
    elseif amount ~= nil then
      out[what] = one(amount)
      if not out[what] then return nil, what end
    end
  end
  return out
end

local function tiers(price, out)
  local list = price.above
  if not list then return out end
  if list.tokens then list = { list } end
  out.tiers = {}
  for i, above in ipairs(list) do
    local tier, bad = classes(above, { tokens = above.tokens })
    if not tier then return nil, "above." .. bad end
    out.tiers[i] = tier
  end
  table.sort(out.tiers, function(a, b) return a.tokens < b.tokens end)
  return out
end

-- All token prices of `from` by a factor: m millionths.
local function scaled(from, m)
  local out = { tokens = from.tokens }
  for _, class in ipairs(rates.TOKENS) do
    if from[class] then
      out[class] = decimal.ratio(from[class], m, MILLION)
      if not out[class] then return nil end
    end
  end
  for i, tier in ipairs(from.tiers or {}) do
    out.tiers = out.tiers or {}
    out.tiers[i] = scaled(tier, m)
    if not out.tiers[i] then return nil end
  end
  return out
end

local function multiplied(from, factor)
  local text = type(factor) == "number" and ("%.14g"):format(factor) or factor
  local m, exact = decimal.scaled(text, 6)
  return exact and m > 0 and scaled(from, m) or nil
end

local function special(said, usual)
  if type(said) ~= "table" then return multiplied(usual, said) end
  local own, bad = classes(said, {})
  if not own then return nil, bad end
  return tiers(said, own)
end

-- A tier of service has prices of its own, or a factor; what is counted costs the same.
local function service(price, out)
  for _, name in ipairs(rates.SERVICES) do
    if price[name] ~= nil then
      local own, bad = special(price[name], out)
      if not own then return nil, bad and name .. "." .. bad or name end
      for _, what in ipairs(rates.EACH) do own[what] = out[what] end
      pictures(price, own)
      own.search_once, own.may_search = out.search_once, out.may_search
      out.service = out.service or {}
      out.service[name] = own
    end
  end
  return out
end

--- nil and the name of the first class that cannot be read.
function rates.read(price)
  local out = { search_once = price.search_once }
  for _, part in ipairs { classes, each, pictures, tiers, service } do
    local ok, bad = part(price, out)
    if not ok then return nil, bad end
  end
  return out
end

return rates
