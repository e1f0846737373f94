-- What a cost map leaves out or gets wrong, made good or warned of. In order, for each model:
--
--   zero         no price, or nothing but zeros: unpriced. A claim of "free" is the operator's
--                to make (`price` in routes.lua), not a list's; a zero on one side is no price
--   second       input_cost_per_token_cache_hit is the read price where that is missing
--   write_free   tokens written to a cache are the prompt's too: a write price of 0 is none
--   write_read   a write price below the input's where no read price is: it is the read price
--   read_dear    a read price above the input's: kept, warned of
--   anthropic    writes cost 1.25 times the input, for an hour twice: kept where it says
--                otherwise, filled in where it says nothing
--   tier         what a tier of long prompts does not name changes as its side does: cached
--                prompt tokens by the factor of the input, thought by that of the output
--   service      likewise for batch, flex and priority, and for their tiers
--   twice        one model under two keys: the one with the provider's prefix stands
--   dated        a dated name that costs what its base does has its base's services, too:
--                providers answer with dated names, and would be billed as if they had none

local decimal = require "lib.decimal"
local rates = require "lib.rates"

local rules = {}

local OUTPUT = {
  output = true, reasoning = true, audio_output = true, image_output = true,
}
local TALKS = { chat = true, responses = true, completion = true }

local function warn(out, entry, rule, text, ...)
  out.warnings[#out.warnings + 1] = { key = entry.key, rule = rule, message = text:format(...) }
end

local function dollars(nano) return "$" .. decimal.text(nano, 9) end

-- Zeros ------------------------------------------------------------------------------------

local function any_price(prices)
  for _, n in pairs(prices) do
    if n > 0 then return true end
  end
  return false
end

-- A zero beside a price of the other side is no price either, where both sides have tokens.
local function zero_sides(out, entry)
  local tokens = entry.tokens
  for _, side in ipairs { "input", "output" } do
    if tokens[side] == 0 and TALKS[entry.mode or "chat"] then
      tokens[side] = nil
      warn(out, entry, "zero", "an %s price of 0 is taken for none", side)
    end
  end
end

local function zeros(out, entry)
  for what, n in pairs(entry.each) do
    if n == 0 then entry.each[what] = nil end
  end
  if not any_price(entry.tokens) then
    entry.tokens, entry.tiers, entry.service = {}, {}, {}
  end
  local first = next(entry.tiers)
  if not entry.tokens.input and first and entry.tiers[first].input then
    warn(out, entry, "zero", "has a price for long prompts only")
  end
  zero_sides(out, entry)
  return next(entry.tokens) ~= nil or next(entry.each) ~= nil
end

-- The cache --------------------------------------------------------------------------------

local function second(_, entry)
  entry.tokens.cache_read = entry.tokens.cache_read or entry.second.cache_read
end

local function writes(out, entry, at)
  if at.cache_write == 0 and (at.input or 0) > 0 then
    at.cache_write = nil
    warn(out, entry, "write_free", "cache writes cost nothing: taken for the input price")
  end
  if at.cache_write and at.input and at.cache_write < at.input and not at.cache_read then
    at.cache_read, at.cache_write = at.cache_write, nil
    warn(out, entry, "write_read", "the price of cache writes, %s, is below the input's: "
      .. "taken for the price of reads", dollars(at.cache_read))
  end
end

local function reads(out, entry, at)
  if at.cache_read and at.input and at.cache_read > at.input then
    warn(out, entry, "read_dear", "cached tokens cost %s, more than fresh ones, %s",
      dollars(at.cache_read), dollars(at.input))
  end
end

local WRITES = { { "cache_write", 5, 4, "1.25 times" }, { "cache_write_1h", 2, 1, "twice" } }

local function anthropic(out, entry, at)
  if entry.section ~= "anthropic" or not at.input then return end
  for _, rule in ipairs(WRITES) do
    local class, right = rule[1], decimal.ratio(at.input, rule[2], rule[3])
    if not at[class] then
      at[class] = right
      warn(out, entry, "anthropic", "%s is missing: %s the input, %s", class, rule[4],
        dollars(right))
    elseif at[class] ~= right then
      warn(out, entry, "anthropic", "%s is %s, where %s the input would be %s", class,
        dollars(at[class]), rule[4], dollars(right))
    end
  end
end

-- Tiers ------------------------------------------------------------------------------------

local function scale(n, to, from)
  if from == 0 then return n end
  local scaled = decimal.ratio(n, to, from)
  if scaled then return scaled end
  error({ message = "a price that follows from others is too large" }, 0)
end

-- Fill `into` with what it does not name of `base`, changed as its sides are.
local function derive(base, into)
  local named = {}
  into.input, into.output = into.input or base.input, into.output or base.output
  for _, class in ipairs(rates.TOKENS) do
    local side = OUTPUT[class] and "output" or "input"
    if base[class] and not into[class] then
      into[class] = base[side] and scale(base[class], into[side], base[side]) or base[class]
      named[#named + 1] = class
    end
  end
  return named
end

local function thresholds(tiers)
  local out = {}
  for above in pairs(tiers) do out[#out + 1] = above end
  table.sort(out)
  return out
end

local function derive_tiers(out, entry)
  for _, above in ipairs(thresholds(entry.tiers)) do
    local tier = entry.tiers[above]
    writes(out, entry, tier)
    local named = derive(entry.tokens, tier)
    if #named > 0 then
      warn(out, entry, "tier", "above %d tokens, %s: as the %s price changes", above,
        table.concat(named, ", "), OUTPUT[named[1]] and "output" or "input")
    end
  end
end

-- The usual prices for so long a prompt.
local function usual_at(entry, above)
  local found = entry.tokens
  for _, each in ipairs(thresholds(entry.tiers)) do
    if each <= above then found = entry.tiers[each] end
  end
  return found
end

-- Each class of a service's tier: the usual tier's, changed as the service changes the class.
local function derive_service_tier(entry, own, above)
  local usual, tier = usual_at(entry, above), own.tiers[above] or {}
  own.tiers[above] = tier
  for _, class in ipairs(rates.TOKENS) do
    if usual[class] and not tier[class] then
      local base = entry.tokens[class]
      tier[class] = base and scale(usual[class], own.tokens[class], base) or usual[class]
    end
  end
end

local function same(a, b)
  for _, class in ipairs(rates.TOKENS) do
    if a[class] ~= b[class] then return false end
  end
  return true
end

local function changes(entry, own)
  if not same(entry.tokens, own.tokens) then return true end
  for above, tier in pairs(own.tiers) do
    if not same(tier, usual_at(entry, above)) then return true end
  end
  return false
end

local function derive_services(_, entry)
  for name, own in pairs(entry.service) do
    derive(entry.tokens, own.tokens)
    for above in pairs(entry.tiers) do own.tiers[above] = own.tiers[above] or {} end
    for above in pairs(own.tiers) do derive_service_tier(entry, own, above) end
    if not changes(entry, own) then entry.service[name] = nil end
  end
end

-- Sections ---------------------------------------------------------------------------------

local SEARCHES = { "web_search_low", "web_search_medium", "web_search_high" }

local function one_search_price(_, entry)
  local each = entry.each
  local low, medium, high = each[SEARCHES[1]], each[SEARCHES[2]], each[SEARCHES[3]]
  if not medium or low ~= medium or high ~= medium then return end
  each.web_search = medium
  for _, size in ipairs(SEARCHES) do each[size] = nil end
end

-- What a search costs with all models of a section that say so: with the others, too.
local function common_search(list)
  local common
  for _, entry in ipairs(list) do
    local n = entry.each.web_search
    if entry.each.web_search_medium or (n and common and n ~= common) then return nil end
    common = n or common
  end
  return common
end

local function add(out, sections, entry)
  local section = sections[entry.section] or { list = {}, by_name = {}, default = {} }
  sections[entry.section] = section
  if entry.name == "container" and not next(entry.tokens) then
    section.default = entry.each
    return
  end
  local other = section.by_name[entry.name]
  if other then
    local kept = (entry.prefixed and not other.prefixed) and entry or other
    warn(out, kept == entry and other or entry, "twice", "is %s under another key; that stands",
      kept.key)
    if kept == other then return end
    section.list[other.at] = entry
    entry.at = other.at
  else
    entry.at = #section.list + 1
    section.list[entry.at] = entry
  end
  section.by_name[entry.name] = entry
end

local DATES = { "%-%d%d%d%d%-%d%d%-%d%d$", "%-%d%d%d%d%d%d%d%d$" }

local function dated_form(section, entry)
  for _, suffix in ipairs(DATES) do
    local base, cut = entry.name:gsub(suffix, "")
    if cut > 0 then return section.by_name[base] end
  end
end

--- Do two models cost the same, but for services and what is counted?
function rules.same_tokens(a, b)
  if not same(a.tokens, b.tokens) then return false end
  for above, tier in pairs(a.tiers) do
    if not b.tiers[above] or not same(tier, b.tiers[above]) then return false end
  end
  for above in pairs(b.tiers) do
    if not a.tiers[above] then return false end
  end
  return true
end

local function dated(_, section)
  for _, entry in ipairs(section.list) do
    local base = dated_form(section, entry)
    if base and rules.same_tokens(entry, base) then
      for _, part in ipairs { "service", "factors", "each" } do
        for name, value in pairs(base[part]) do
          entry[part][name] = entry[part][name] or value
        end
      end
    end
  end
end

--- See the head of this file. { sections = name → { list, default }, warnings, models,
--- unpriced }.
function rules.apply(entries)
  local out = { warnings = {}, unpriced = {}, models = 0, sections = {} }
  for _, entry in ipairs(entries) do
    second(out, entry)
    if zeros(out, entry) then
      writes(out, entry, entry.tokens)
      reads(out, entry, entry.tokens)
      anthropic(out, entry, entry.tokens)
      derive_tiers(out, entry)
      derive_services(out, entry)
      one_search_price(out, entry)
      add(out, out.sections, entry)
    else
      out.unpriced[#out.unpriced + 1] = entry.key
    end
  end
  for name, section in pairs(out.sections) do
    table.sort(section.list, function(a, b) return a.name < b.name end)
    dated(out, section)
    if name == "anthropic" then section.default.web_search = common_search(section.list) end
    out.models = out.models + #section.list
  end
  return out
end

return rules
