-- What a model costs and how much it can hold: by the table that was imported into the data
-- folder, and where that is silent by the one that is built in (lib/price_list.lua).

local decimal = require "lib.decimal"
local list = require "lib.price_list"
local price_file = require "lib.price_file"
local price_table = require "lib.price_table"
local rates = require "lib.rates"

local prices = {}

-- Which section of a table a provider's models stand in, and which is asked next.
local NEXT = { azure = "openai" }

-- A dated or numbered name costs what its base does, unless it is listed itself.
local SUFFIXES = {
  "%-%d%d%d%d%-%d%d%-%d%d$", "%-%d%d%d%d%d%d%d%d$", "%-preview%-%d%d%-%d%d%d%d$",
  "%-preview%-%d%d%-%d%d$", "%-%d%d%d%d$", "%-%d%d%d$", "%-latest$",
  "@[%w%-]+$", "%-%d%d%-%d%d%d%d$", -- Vertex, Cohere
}

local BUILT_IN = price_table.open(list.text, { date = list.date, built_in = true })
local IMPORTED = price_file.given()

--- The tables in use, the one that is asked first in front.
prices.tables = { IMPORTED or BUILT_IN, IMPORTED and BUILT_IN or nil }
prices.date = prices.tables[1].date

-- A class's price as decimal dollars per million, by name.
local function as_text(entry)
  local out = { model = entry.name, provider = entry.section, max_input = entry.max_input,
    max_output = entry.max_output }
  for _, class in ipairs(rates.TOKENS) do
    local n = entry.rates[class]
    out[class] = n and decimal.text(n, 9)
  end
  return out
end

--- The table that is asked first, for people: { date, version, source, models = list of
--- { model, provider, and dollars per million tokens by class, as text } }.
function prices.table()
  local first = prices.tables[1]
  local out = { date = first.date, version = prices.version(first), models = {},
    source = first.source or "built in" }
  for entry in first:each() do out.models[#out.models + 1] = as_text(entry) end
  return out
end

--- Read all of what was imported; raises { message } where that cannot be.
function prices.check()
  if IMPORTED then IMPORTED:check() end
end

-- Names ------------------------------------------------------------------------------------

-- "openai/gpt-4o", "models/gemini-2.5-pro", "ft:gpt-4o:acme::id" → the name in the list.
local function plain(provider, model)
  local own, rest = model:match("^([%w_]+)/(.+)$")
  if own == provider or own == "models" then model = rest end
  return model:match("^(ft:[^:]+):") or model
end

-- By a name, or the name it is a dated form of. `exact` finds one name.
local function find(exact, name)
  local found = exact(name)
  if found then return found, name end
  for _, suffix in ipairs(SUFFIXES) do
    local base, cut = name:gsub(suffix, "")
    found = cut > 0 and exact(base)
    if found then return found, base end
  end
  return nil
end

local function find_in(one, section, name)
  return find(function(model) return one:exact(section, model) end, name)
end

-- "arn:…/us.anthropic.claude-…", a profile of Bedrock's that spans regions → the profile
local function plain_profile(name)
  return name:match("^arn:.*/([^/]+)$") or name
end

-- … → "anthropic.claude-…", the model; nil for what is none
local function model_of_profile(name)
  return name:match("^[%l%-]+%.(%l+%..+)$")
end

-- A profile that is not listed costs what its model does.
local function find_at_bedrock(one, name)
  name = plain_profile(name)
  local found, as = find_in(one, "bedrock", name)
  local model = not found and model_of_profile(name)
  if not model then return found, as end
  return find_in(one, "bedrock", model)
end

local function find_at(one, provider, model)
  local name = plain(provider, model)
  if provider == "bedrock" then return find_at_bedrock(one, name) end
  local found, as = find_in(one, provider, name)
  if found or not NEXT[provider] then return found, as end
  return find_in(one, NEXT[provider], name)
end

-- Look-ups ---------------------------------------------------------------------------------

--- What is listed for a model at a provider (the name of its adapter, or of a section):
--- { rates, price, max_input, max_output, table }, or nil; and the name it is listed by. An
--- unknown model has no price; it is not free.
function prices.lookup(provider, model)
  for _, one in ipairs(prices.tables) do
    local found, as = find_at(one, provider, model)
    if found then return found, as end
  end
  return nil
end

-- Many servers speak OpenAI's dialect: one that is called as a section of the table is that.
-- An adapter whose section has another name says so in `prices`.
local function section(provider)
  if provider.adapter_name == "openai_compatible" then return provider.name end
  return provider.adapter and provider.adapter.prices or provider.adapter_name
end

--- The same for a deployment, and perhaps the model that its provider says it used.
function prices.listed(dep, served)
  local found, as
  if type(served) == "string" then
    found, as = prices.lookup(section(dep.provider), served)
  end
  if found then return found, as end
  return prices.lookup(section(dep.provider), dep.model)
end

--- What rows say of where a price is from: the table's date, with the head of its sum where it
--- was imported.
function prices.version(one)
  return one.sha256 and one.date .. "#" .. one.sha256:sub(1, 8) or one.date
end

--- The rates (for money.cost) of what a deployment served: its own price, else that of the
--- model the provider says it used, else that of the model it was asked for; nil if unknown.
--- And where they are from: "own", or the table's version.
function prices.of(dep, served)
  if dep.own_price then return dep.rates, "own" end
  local found = prices.listed(dep, served)
  if not found then return nil end
  return found.rates, prices.version(found.table)
end

--- Tokens of an answer whose length neither client nor model nor operator limits.
prices.USUAL_OUTPUT = 4096

--- How many tokens a deployment's model reads and writes at most, where that is known.
function prices.limits(dep)
  local found = prices.listed(dep)
  local output = dep.max_tokens or (found and found.max_output)
  return found and found.max_input, output
end

-- "gemini-pro-latest" is listed itself: its provider's newest, not a "gemini-pro" that is gone.
local function is_newest(model)
  if not model:find("%-latest$") then return false end
  for name in pairs(BUILT_IN.sections) do
    if BUILT_IN:exact(name, model) then return true end
  end
  return false
end

--- Since when a model is switched off at its provider, or nil.
function prices.retired(model)
  if is_newest(model) then return nil end
  return (find(function(name) return list.retired[name] end, model))
end

return prices
