-- A table of prices as text: what lib/price_list.lua holds, and DATA/prices, which
-- `moongate prices import` writes. One model a line, under the section of its provider:
--
--   [openai]
--   *                - - - -  code_interpreter=0.03
--   gpt-5       272000 128000  1.25 10 0.125
--     flex 0.625 5 0.0625
--     >200000 2.5 20 0.25
--     flex>200000 1.25 10 0.125
--     + web_search=0.01
--
-- A model, how many tokens it reads and writes at most, and dollars per million tokens: input,
-- output, cache read, cache write, the same for an hour; `-` is unknown, and what is left out
-- at the end, too. Then other classes of tokens by name, and what is counted, in dollars each.
-- Indented lines go on: prices above so many prompt tokens (`>=`: from so many), of a tier of
-- service (or its factor: `batch x0.5`), more words (`+`). `*` holds for all models there.

local rates = require "lib.rates"

local price_table = {}

local COLUMNS = { "input", "output", "cache_read", "cache_write", "cache_write_1h" }

local KNOWN = { search_once = true }
for _, list in ipairs { rates.TOKENS, rates.EACH } do
  for _, name in ipairs(list) do KNOWN[name] = true end
end
local SERVICES = {}
for _, name in ipairs(rates.SERVICES) do SERVICES[name] = true end

local function wrong(line, why)
  error({ kind = "prices", message = ("%s: %s"):format(line, why) }, 0)
end

-- Reading a model --------------------------------------------------------------------------

local function split(line)
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  return words
end

-- Prices in columns and by name from the words of `line` that begin at `first`, into `into`.
local function prices(into, words, first, line)
  local column = 0
  for i = first, #words do
    local name, amount = words[i]:match("^([%l%d_]+)=([%d.]+)$")
    if name then
      local known = KNOWN[name] or rates.is_picture(name)
      if not known then wrong(line, "knows no price called " .. name) end
      into[name] = amount
    else
      column = column + 1
      if not COLUMNS[column] then wrong(line, "has a word too many: " .. words[i]) end
      if words[i] ~= "-" then into[COLUMNS[column]] = words[i] end
    end
  end
  return into
end

-- Which tier a line is of: a table to fill.
local function tier(price, name, above, line)
  local into = price
  if name ~= "" then
    if not SERVICES[name] then wrong(line, "knows no service called " .. name) end
    if type(price[name]) ~= "table" then price[name] = {} end
    into = price[name]
  end
  if not above then return into end
  local rule, tokens = above:match("^(>=?)(%d+)$")
  if not rule then wrong(line, "has no threshold") end
  into.above = into.above or {}
  local new = { tokens = tonumber(tokens) - (rule == ">=" and 1 or 0) }
  into.above[#into.above + 1] = new
  return new
end

local function continue(price, line)
  local words = split(line)
  local head = words[1]
  if head == "+" then return prices(price, words, 2, line) end
  local name, above = head:match("^([%l+]*)(>.*)$")
  name = name or head
  local factor = words[2] and words[2]:match("^x([%d.]+)$")
  if factor then
    if above or words[3] or not SERVICES[name] then wrong(line, "is no factor of a service") end
    price[name] = factor
    return
  end
  prices(tier(price, name, above, line), words, 2, line)
end

-- The price in words of the line at `at` of a section's text, and of those that go on from it.
local function words_at(text, at)
  local last = text:find("\n", at, true)
  local line = text:sub(at, last - 1)
  local words = split(line)
  local price = prices({}, words, 4, line)
  while text:sub(last + 1, last + 2) == "  " do
    local stop = text:find("\n", last + 1, true)
    continue(price, text:sub(last + 1, stop - 1))
    last = stop
  end
  return price, words, line
end

local function numbers(price)
  local out = {}
  for _, class in ipairs(rates.TOKENS) do out[class] = tonumber(price[class]) end
  return out
end

local function section_default(self, section)
  local text = self.sections[section]
  local at = text:find("\n* ", 1, true)
  return at and words_at(text, at + 1) or {}
end

-- { rates, price, max_input, max_output } of the line at `at`.
local function entry(self, section, at)
  local price, words, line = words_at(self.sections[section], at)
  local tokens = numbers(price) -- for policies, which compare and never sum
  for name, amount in pairs(section_default(self, section)) do
    price[name] = price[name] or amount
  end
  local found, bad = rates.read(price)
  if not found then wrong(line, "cannot be read: " .. bad) end
  return {
    name = words[1], section = section, price = tokens, rates = found,
    max_input = tonumber(words[2]), max_output = tonumber(words[3]),
    table = self,
  }
end

-- The table ----------------------------------------------------------------------------------

local Table = {}
Table.__index = Table

-- Entries by name, once they were looked for and found: of no more names than there are lines.
local function entries_of(self, section)
  return setmetatable({}, { __index = function(known, name)
    local at = self.sections[section]:find("\n" .. name .. " ", 1, true)
    if not at or name == "*" or name:find("%s") or name == "" then return nil end
    local found = entry(self, section, at + 1)
    rawset(known, name, found)
    return found
  end })
end

--- A table of the sections in `text`. `about` is kept: date, source, sha256.
function price_table.open(text, about)
  local self = setmetatable({ sections = {}, entries = {} }, Table)
  for name, value in pairs(about) do self[name] = value end
  text = "\n" .. text .. "\n["
  local _, last, section = text:find("\n%[([%w_-]+)%]\n")
  while section do
    local stop = text:find("\n[", last, true)
    self.sections[section] = text:sub(last, stop)
    self.entries[section] = entries_of(self, section)
    _, last, section = text:find("\n%[([%w_-]+)%]\n", stop)
  end
  return self
end

--- The entry of just this name, or nil.
function Table:exact(section, name)
  local entries = self.entries[section]
  return entries and entries[name]
end

--- All sections, by name.
function Table:section_names()
  local out = {}
  for name in pairs(self.sections) do out[#out + 1] = name end
  table.sort(out)
  return out
end

--- All names of a section, in the order of its lines.
function Table:names(section)
  local out = {}
  for name in self.sections[section]:gmatch("\n(%S+) ") do
    if name ~= "*" then out[#out + 1] = name end
  end
  return out
end

-- Where each model's line begins: { section, place } one after the other.
local function places(self)
  local out = {}
  for _, section in ipairs(self:section_names()) do
    for at, name in self.sections[section]:gmatch("\n()(%S+) ") do
      if name ~= "*" then out[#out + 1], out[#out + 2] = section, at end
    end
  end
  return out
end

--- All entries, section by section, in the order of their lines; none is kept.
function Table:each()
  local list, i = places(self), -1
  return function()
    i = i + 2
    return list[i] and entry(self, list[i], list[i + 1])
  end
end

--- Read every line. Raises { kind = "prices", message } at the first that is wrong.
function Table:check()
  local models, seen = 0, {}
  for found in self:each() do
    local name = "[" .. found.section .. "] " .. found.name
    if seen[name] then wrong(found.name, "stands in [" .. found.section .. "] twice") end
    seen[name], models = true, models + 1
  end
  return models
end

return price_table
