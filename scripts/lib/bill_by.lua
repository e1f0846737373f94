-- Bills of what is not sold by the token alone: images, sound, searches, pages. A usage's `by`
-- says what there was of each, `kind` which images; what has a price counts.

local money = require "lib.money"
local rates = require "lib.rates"

local bill_by = {}

-- Images cost what their quality and size do, their size, or what images do:
-- image_high_1024x1536, image_1024x1536, image.
local function priced(at, what, kind)
  if what ~= "image" or not kind then return at[what] and what end
  local size = kind:match("_([^_]*)$") or kind
  for _, name in ipairs { "image_" .. kind, "image_" .. size } do
    if at[name] then return name end
  end
  return at.image and "image"
end

local function dearest_image(at)
  local name
  for what, rate in pairs(at) do
    if what:find("^image_%w+") and rates.is_picture(what) and rate > (at[name] or -1) then
      name = what
    end
  end
  return name
end

-- { name of a rate = how many } of what there was; nil where nothing of it has a price.
local function units_of(at, usage, guess)
  local out
  for what, n in pairs(usage.by) do
    local name = priced(at, what, usage.kind)
    if not name and what == "image" and guess then name = dearest_image(at) end
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

local function with(usage, units, input, output)
  local out = {}
  for name, value in pairs(usage) do out[name] = value end
  out.units, out.input_tokens, out.output_tokens = units, input, output
  return out
end

local NOTHING = {} -- never written to

--- The usage as `at` (lib/rates.lua) bills it: by its tokens where those have a price and
--- somebody counted them, else by what has one.
function bill_by.chosen(at, usage)
  local input, output = usage.input_tokens or 0, usage.output_tokens or 0
  local units = units_of(at, usage, false)
  if input + output > 0 and sells_tokens(at) or not units then return usage end
  local out = with(NOTHING, units, 0, 0)
  out.service_tier = usage.service_tier
  return out
end

--- The most that it can cost: nano-dollars, or nil where nothing of it has a price.
function bill_by.bound(at, usage, input, output, service)
  local units = units_of(at, usage, true)
  if units and not (at.input or at.output) then input, output = 0, 0 end
  return money.bound(at, input, output, service, units)
end

return bill_by
