-- What `moongate prices` prints: tables, models, and what an import found; for people and as
-- JSON.

local decimal = require "lib.decimal"
local json = require "engine.json"
local prices = require "lib.prices"
local rates = require "lib.rates"
local table_text = require "cli.table_text"

local prices_text = {}

-- Tables -----------------------------------------------------------------------------------

local function count_models(one)
  local n, sections = 0, 0
  for section in pairs(one.sections) do
    n, sections = n + #one:names(section), sections + 1
  end
  return n, sections
end

local function source_of(one)
  return one.built_in and "built in" or "from " .. one.source
end

function prices_text.tables(host, tables)
  for i, one in ipairs(tables) do
    local models, sections = count_models(one)
    host.print(("%s %s: %s of %s, %s"):format(i == 1 and "prices" or "where it is silent",
      prices.version(one), table_text.number(models, "model"),
      table_text.number(sections, "provider"), source_of(one)))
    if one.source_sha256 then host.print("  sha256 of that file: " .. one.source_sha256) end
  end
  host.print("`moongate prices MODEL` shows one, --all all of them.")
end

local TABLE = { "version", "date", "source", "source_sha256", "models", "providers" }

function prices_text.tables_json(tables)
  local out = json.array {}
  for i, one in ipairs(tables) do
    local models, sections = count_models(one)
    out[i] = json.object(TABLE, {
      version = prices.version(one), date = one.date, source = source_of(one),
      source_sha256 = one.source_sha256, models = models, providers = sections,
    })
  end
  return { tables = out }
end

-- Models -----------------------------------------------------------------------------------

local function dollars(nano) return "$" .. decimal.text(nano, 9) end

local function tokens_line(at)
  local out = {}
  for _, class in ipairs(rates.TOKENS) do
    if at[class] then out[#out + 1] = class .. " " .. dollars(at[class]) end
  end
  return table.concat(out, ", ")
end

local function counted_line(at)
  local out = {}
  for _, what in ipairs(rates.EACH) do
    if at[what] then out[#out + 1] = what .. " $" .. decimal.text(at[what], 15) end
  end
  return table.concat(out, ", ")
end

local function show_tiers(host, at, name)
  for _, tier in ipairs(at.tiers or {}) do
    host.print(("  %sabove %s prompt tokens: %s"):format(name, table_text.count(tier.tokens),
      tokens_line(tier)))
  end
end

local function rule_of(found)
  local name = found.entry.name
  if found.asked == name then return "by its name" end
  if found.as == name and found.asked:find(name, 1, true) and found.asked:find("[/:]") then
    return "as " .. name .. ", without its prefix"
  end
  return "as " .. name .. ", of which it is a dated form"
end

local function where_of(found)
  local section = found.entry.section
  return section == found.provider and found.provider
    or ("%s, by the list of %s"):format(found.provider, section)
end

-- How long prompts and answers may be, where the table says.
local function show_most(host, entry)
  local out = {}
  if entry.max_input then
    out[1] = ("reads %s tokens"):format(table_text.count(entry.max_input))
  end
  if entry.max_output then
    out[#out + 1] = ("writes %s"):format(table_text.count(entry.max_output))
  end
  if out[1] then host.print("  " .. table.concat(out, ", ")) end
end

local function show(host, found)
  local entry, at = found.entry, found.entry.rates
  host.print(("%s at %s: %s, in the table %s"):format(found.asked, where_of(found),
    rule_of(found), prices.version(entry.table)))
  host.print("  a million tokens: " .. tokens_line(at))
  show_tiers(host, at, "")
  for _, name in ipairs(rates.SERVICES) do
    local own = at.service and at.service[name]
    if own then
      host.print(("  %s: %s"):format(name, tokens_line(own)))
      show_tiers(host, own, name .. ", ")
    end
  end
  local counted = counted_line(at)
  if counted ~= "" then host.print("  each: " .. counted) end
  show_most(host, entry)
end

--- One model, wherever it is listed.
function prices_text.models(host, list)
  for _, found in ipairs(list) do show(host, found) end
  host.print("`price` of a deployment in routes.lua comes before all of these.")
end

local function cell(at, class) return at[class] and decimal.text(at[class], 9) or "-" end

--- Many models, a line each.
function prices_text.list(host, list)
  local lines = {}
  for i, found in ipairs(list) do
    local at = found.entry.rates
    lines[i] = { found.provider .. "/" .. found.as, cell(at, "input"), cell(at, "output"),
      cell(at, "cache_read"), cell(at, "cache_write"), at.tiers and "yes" or "" }
  end
  host.print(table_text.of({ "model", "input", "output", "cache read", "cache write",
    "long prompts" }, lines))
end

local MODEL = { "model", "provider", "listed_as", "section", "rule", "table", "max_input",
  "max_output", "rates" }

function prices_text.models_json(list)
  local out = json.array {}
  for i, found in ipairs(list) do
    out[i] = json.object(MODEL, {
      model = found.asked, provider = found.provider, listed_as = found.entry.name,
      section = found.entry.section, rule = rule_of(found),
      table = prices.version(found.entry.table), max_input = found.entry.max_input,
      max_output = found.entry.max_output, rates = found.entry.rates,
    })
  end
  return { models = out }
end

-- Imports ----------------------------------------------------------------------------------

local function keys(map)
  local out = {}
  for name in pairs(map) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function imported_json(host, map, made, path)
  local warnings = json.array {}
  for i, one in ipairs(map.warnings) do
    warnings[i] = json.object({ "model", "rule", "message" }, {
      model = one.key, rule = one.rule, message = one.message,
    })
  end
  host.print(json.encode(json.object({ "version", "path", "models", "unpriced", "warnings" }, {
    version = prices.version(made), path = path, models = map.models,
    unpriced = json.array(map.unpriced), warnings = warnings,
  })))
end

--- What an import made of a cost map.
function prices_text.imported(host, map, made, path, as_json)
  if as_json then return imported_json(host, map, made, path) end
  for _, one in ipairs(map.warnings) do
    host.print(("warning: %s: %s (%s)"):format(one.key, one.message, one.rule))
  end
  local unknown = keys(map.unknown)
  if #unknown > 0 then
    host.print(("warning: nothing here is billed by %s"):format(table.concat(unknown, ", ")))
  end
  local without = #map.unpriced == 1 and "; 1 has" or
    ("; %s have"):format(table_text.count(#map.unpriced))
  host.print(("%s: %s in the table %s%s."):format(path, table_text.number(map.models, "model"),
    prices.version(made), #map.unpriced == 0 and "" or without
      .. " no price, or nothing but zeros, and " .. (#map.unpriced == 1 and "stays" or "stay")
      .. " unpriced"))
  host.print("A running gateway takes it up at `moongate reload`.")
end

return prices_text
