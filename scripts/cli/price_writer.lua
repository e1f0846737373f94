-- Prices as cli/cost_rules.lua leaves them → the lines of lib/price_table.lua.

local decimal = require "lib.decimal"
local rates = require "lib.rates"

local price_writer = {}

local COLUMNS = { "input", "output", "cache_read", "cache_write", "cache_write_1h" }
local IN_COLUMN = {}
for _, class in ipairs(COLUMNS) do IN_COLUMN[class] = true end

local WIDE = 92 -- of a line, as far as words can be parted

local function columns(prices)
  local out, last = {}, 0
  for i, class in ipairs(COLUMNS) do
    out[i] = prices[class] and decimal.text(prices[class], 9) or "-"
    if prices[class] then last = i end
  end
  return table.concat(out, " ", 1, last)
end

-- Other classes by name.
local function more(prices)
  local out = {}
  for _, class in ipairs(rates.TOKENS) do
    if prices[class] and not IN_COLUMN[class] then
      out[#out + 1] = class .. "=" .. decimal.text(prices[class], 9)
    end
  end
  return out
end

local function counted(each)
  local out = {}
  for _, what in ipairs(rates.EACH) do
    if each[what] then out[#out + 1] = what .. "=" .. decimal.text(each[what], 15) end
  end
  return out
end

-- One line, and `+` lines for the words that it has no room for.
local function put(lines, head, words)
  local line = head
  for _, word in ipairs(words) do
    if #line + #word + 1 > WIDE then
      lines[#lines + 1], line = line, "  +"
    end
    line = line .. " " .. word
  end
  lines[#lines + 1] = line
end

local function tiers(lines, name, list, rule)
  local above = {}
  for tokens in pairs(list) do above[#above + 1] = tokens end
  table.sort(above)
  for _, tokens in ipairs(above) do
    local prices = list[tokens]
    local words = columns(prices) .. " " .. table.concat(more(prices), " ")
    lines[#lines + 1] =
      (("  %s%s%d %s"):format(name, rule, tokens, words):gsub("%s+$", ""))
  end
end

local function services(lines, entry, rule)
  for _, name in ipairs(rates.SERVICES) do
    local own = entry.service[name]
    if own then
      local words = columns(own.tokens) .. " " .. table.concat(more(own.tokens), " ")
      lines[#lines + 1] = (("  %s %s"):format(name, words):gsub("%s+$", ""))
      tiers(lines, name, own.tiers, rule)
    elseif entry.factors[name] then
      lines[#lines + 1] = ("  %s x%s"):format(name, decimal.text(entry.factors[name], 6))
    end
  end
end

local function model(lines, entry)
  local words = more(entry.tokens)
  for _, word in ipairs(counted(entry.each)) do words[#words + 1] = word end
  if entry.search_once and entry.each.web_search then words[#words + 1] = "search_once=1" end
  put(lines, (("%-28s %s %s %s"):format(entry.name, entry.max_input or "-",
    entry.max_output or "-", columns(entry.tokens)):gsub("%s+$", "")), words)
  local rule = entry.at_least and ">=" or ">"
  tiers(lines, "", entry.tiers, rule)
  services(lines, entry, rule)
end

--- The lines of one section.
function price_writer.section(section)
  local lines = {}
  if next(section.default) then put(lines, "* - -", counted(section.default)) end
  for _, entry in ipairs(section.list) do model(lines, entry) end
  return table.concat(lines, "\n") .. "\n"
end

--- The lines of all sections (cli/cost_rules.lua), in the order of their names.
function price_writer.body(sections)
  local names, out = {}, {}
  for name in pairs(sections) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    out[#out + 1] = ("[%s]\n%s"):format(name, price_writer.section(sections[name]))
  end
  return table.concat(out, "\n")
end

return price_writer
