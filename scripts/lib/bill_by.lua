-- Bills of what is not sold by the token alone: images, sound, searches, pages. A usage's `by`
-- says what there was of each, `kind` which images; what has a price counts.

local money = require "lib.money"
local rates = require "lib.rates"

local bill_by = {}

-- Images cost what their quality and size do, else their size: image_high_1024x1536,
-- image_1024x1536.
local function picture(at, kind)
  local size = kind:match("_([^_]*)$") or kind
  for _, name in ipairs { "image_" .. kind, "image_" .. size } do
    if at[name] then return name end
  end
end

local function dearest_picture(at)
  local name = at.image and "image"
  for what, rate in pairs(at) do
    if rates.is_picture(what) and rate > (at[name] or -1) then name = what end
  end
  return name
end

-- The name of the price that something has, or the dearest that it may have.
local function priced(at, what, kind, most)
  if what ~= "image" then return at[what] and what end
  return picture(at, kind or "") or most and dearest_picture(at) or at.image and "image"
end

-- { name of a rate = how many } of what there was; nil where nothing of it has a price.
local function units_of(at, by, kind, most)
  local out
  for what, n in pairs(by or {}) do
    local name = priced(at, what, kind, most)
    if name then
      out = out or {}
      out[name] = (out[name] or 0) + n
    end
  end
  return out
end

local function sells_tokens(at)
  for _, class in ipairs(rates.TOKENS) do
    if at[class] and at[class] > 0 then return true end
  end
  return false
end

-- The units of a usage, and whether they are a guess.
local function chosen_units(at, usage)
  local units = units_of(at, usage.by, usage.kind)
  if units then return units, false end
  units = units_of(at, usage.guess, usage.kind)
  return units, units ~= nil
end

local function by_tokens(at, usage)
  return (usage.input_tokens or 0) + (usage.output_tokens or 0) > 0 and sells_tokens(at)
end

--- The usage as `at` (lib/rates.lua) bills it: by its tokens where those have a price and
--- somebody counted them, else by what has one.
function bill_by.chosen(at, usage)
  local units = not by_tokens(at, usage) and chosen_units(at, usage)
  if not units then return usage end
  return { units = units, input_tokens = 0, output_tokens = 0,
    service_tier = usage.service_tier }
end

--- Is it billed by what nobody said?
function bill_by.guessed(at, usage)
  if not at or by_tokens(at, usage) then return false end
  local _, guessed = chosen_units(at, usage)
  return guessed
end

--- The most that it can cost: nano-dollars, or nil where nothing of it has a price.
function bill_by.bound(at, usage, service, input, output)
  local units = units_of(at, usage.by, usage.kind, true)
  if units and not (at.input or at.output) then input, output = 0, 0 end
  return money.bound(at, input, output, service, units)
end

return bill_by
