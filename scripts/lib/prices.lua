-- What a model costs and how much it can hold: lib/price_list.lua, and how to look it up.

local list = require "lib.price_list"
local money = require "lib.money"

local prices = { date = list.date }

local COLUMNS = { "input", "output", "cache_read", "cache_write", "cache_write_1h" }

-- Which list a provider's models stand in, and which is asked next.
local NEXT = { azure = "openai" }

-- A dated or numbered name costs what its base does, unless it is listed itself.
local SUFFIXES = {
  "%-%d%d%d%d%-%d%d%-%d%d$", "%-%d%d%d%d%d%d%d%d$", "%-preview%-%d%d%-%d%d%d%d$",
  "%-preview%-%d%d%-%d%d$", "%-%d%d%d%d$", "%-%d%d%d$", "%-latest$",
}

local function columns(words, first)
  local dollars = {}
  for i, class in ipairs(COLUMNS) do
    local word = words[first + i - 1]
    if word and word ~= "-" then dollars[class] = word end
  end
  return dollars
end

local function numbers(dollars)
  local out = {}
  for class, text in pairs(dollars) do out[class] = tonumber(text) end
  return out
end

local function entry(line)
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  local dollars = columns(words, 4)
  local price = numbers(dollars) -- for policies, which compare and never sum
  if words[9] then
    dollars.above = columns(words, 10)
    dollars.above.tokens = tonumber(words[9]:match("^>(%d+)$"))
  end
  return words[1], {
    price = price, rates = assert(money.rates(dollars)),
    max_input = tonumber(words[2]), max_output = tonumber(words[3]),
  }
end

local function section(text)
  local out = {}
  for line in text:gmatch("[^\n]+") do
    local model, what = entry(line)
    out[model] = what
  end
  return out
end

local SECTIONS = {}
for name, text in pairs(list) do
  if type(text) == "string" and text:find("\n", 1, true) then SECTIONS[name] = section(text) end
end

-- "openai/gpt-4o", "models/gemini-2.5-pro", "ft:gpt-4o:acme::id" → the name in the list.
local function plain(provider, model)
  local own, rest = model:match("^([%w_]+)/(.+)$")
  if own == provider or own == "models" then model = rest end
  return model:match("^(ft:[^:]+):") or model
end

local function find(models, model)
  if models[model] then return models[model] end
  for _, suffix in ipairs(SUFFIXES) do
    local base, cut = model:gsub(suffix, "")
    if cut > 0 and models[base] then return models[base] end
  end
  return nil
end

--- What is listed for a model at a provider (the name of its adapter): { rates, price,
--- max_input, max_output }, or nil. An unknown model has no price; it is not free.
function prices.lookup(provider, model)
  local models = SECTIONS[provider]
  if not models then return nil end
  local name = plain(provider, model)
  local found = find(models, name)
  if found or not NEXT[provider] then return found end
  return find(SECTIONS[NEXT[provider]], name)
end

--- The rates (for money.cost) of what a deployment served: its own price, else that of the
--- model the provider says it used, else that of the model it was asked for; nil if unknown.
function prices.of(dep, served)
  if dep.own_price then return dep.rates end
  local provider = dep.provider.adapter_name
  local found = type(served) == "string" and prices.lookup(provider, served)
    or prices.lookup(provider, dep.model)
  return found and found.rates or nil
end

--- How many tokens a deployment's model reads and writes at most, where that is known.
function prices.limits(dep)
  local found = prices.lookup(dep.provider.adapter_name, dep.model)
  local output = dep.max_tokens or (found and found.max_output)
  return found and found.max_input, output
end

-- "gemini-pro-latest" is listed itself: its provider's newest, not a "gemini-pro" that is gone.
local function is_newest(model)
  if not model:find("%-latest$") then return false end
  for _, models in pairs(SECTIONS) do
    if models[model] then return true end
  end
  return false
end

--- Since when a model is switched off at its provider, or nil.
function prices.retired(model)
  if is_newest(model) then return nil end
  return find(list.retired, model)
end

return prices
