-- The field `price` of a deployment: dollars per million tokens by class, for long prompts and
-- tiers of service too, and dollars for what is counted one by one.

local decimal = require "lib.decimal"
local rates = require "lib.rates"

local SERVICES = { "batch", "flex", "priority" }

local function must(kinds, what, value)
  return nil, ("must be %s, not %s"):format(what, kinds.name(value))
end

-- Values of single fields; `kinds` is config/kinds.lua, which asks for this file.
local function values(kinds)
  local out = {}
  function out.amount(value)
    if not decimal.nano(value) then return must(kinds, "dollars per million tokens", value) end
    return value
  end
  function out.each(value)
    local nano = decimal.nano(value)
    if not nano or nano >= 9e9 then return must(kinds, "dollars for one", value) end
    return value
  end
  function out.factor(value)
    local text = type(value) == "number" and ("%.14g"):format(value) or value
    local m, exact = decimal.scaled(text, 6)
    if not exact or m == 0 or m > 1e9 then
      return must(kinds, "prices in braces, or a factor such as 0.5", value)
    end
    return value
  end
  return out
end

-- Fields that all prices have, and some that not all have.
local function schema(amount, extra, required)
  local fields = {}
  for _, class in ipairs(rates.TOKENS) do fields[class] = amount end
  for name, kind in pairs(extra) do fields[name] = kind end
  return { fields = fields, required = required or { "input", "output" } }
end

-- Every class that `usual` names stands in `other`, too: one left out would be billed at the
-- wrong rate. How the sentence goes on where it does not.
local function lacks(usual, other, name)
  for i = 3, #rates.TOKENS do -- input and output are asked for by themselves
    local class = rates.TOKENS[i]
    if usual[class] and not other[class] then
      return ("names %s, so %s must name it too"):format(class, name)
    end
  end
end

local function list_of(above)
  if not above then return {} end
  return above.tokens and { above } or above
end

local function whole_tiers(usual, tiers, name)
  for _, tier in ipairs(list_of(tiers)) do
    local problem = lacks(usual, tier, name)
    if problem then return problem end
  end
end

local function same_thresholds(usual, own, name)
  for i, tier in ipairs(list_of(usual.above)) do
    local other = list_of(own.above)[i]
    if not other or other.tokens ~= tier.tokens then
      return ("names above, so %s must name it too"):format(name)
    end
  end
end

local function whole_service(usual, own, name)
  if type(own) ~= "table" then return nil end
  return lacks(usual, own, name) or same_thresholds(usual, own, name)
    or whole_tiers(usual, own.above, name .. ".above")
end

local function problem_of(price)
  local problem = whole_tiers(price, price.above, "above")
  for _, name in ipairs(SERVICES) do
    problem = problem or whole_service(price, price[name], name)
  end
  return problem
end

-- One tier, or a list of them, each with its own place in messages.
local function tiers_kind(kinds, tier)
  local one = kinds.record(tier)
  return function(value, place)
    if type(value) ~= "table" or value[1] == nil then return one(value, place) end
    local out = {}
    for i = 1, #value do
      local problem
      out[i], problem = one(value[i], place:inside(tostring(i)))
      if problem then return nil, problem end
    end
    return out
  end
end

local function either(kind, other)
  return function(value, place)
    if type(value) == "table" then return kind(value, place) end
    return other(value)
  end
end

-- Dollars for an image by its quality and size, or its size: { ["high_1024x1536"] = 0.25 }.
local function pictures(kinds, each)
  return function(said)
    for name, amount in pairs(said) do
      if type(name) ~= "string" or not rates.is_picture("image_" .. name) then
        return must(kinds, "prices by quality and size, such as high_1024x1536", name)
      end
      local _, problem = each(amount)
      if problem then return nil, problem end
    end
    return said
  end
end

-- What a factor makes too large is said here, where there is a line to name.
local function too_large(price)
  local ok, name = rates.read(price)
  local value = not ok and price[name]
  return (type(value) == "number" or type(value) == "string")
    and ("has a factor %s that makes it too large"):format(name) or nil
end

return function(kinds)
  local value = values(kinds)
  local above = tiers_kind(kinds, schema(value.amount, { tokens = kinds.count },
    { "tokens", "input", "output" }))
  local service = either(kinds.record(schema(value.amount, { above = above })), value.factor)
  local sizes = kinds.record { fields = {
    low = value.each, medium = value.each, high = value.each,
  }, required = { "low", "medium", "high" } }
  local price = kinds.record(schema(value.amount, {
    above = above, batch = service, flex = service, priority = service,
    request = value.each, web_search = either(sizes, value.each),
    code_interpreter = value.each, file_search = value.each,
    query = value.each, page = value.each, character_input = value.each,
    second_input = value.each, second_output = value.each, image_read = value.each,
    image = either(pictures(kinds, value.each), value.each),
  }))
  return {
    price = function(said, place)
      local out, problem = price(said, place)
      if not out then return nil, problem end
      problem = problem_of(out) or too_large(out)
      if problem then return nil, problem end
      return out
    end,
  }
end
