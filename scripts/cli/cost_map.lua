-- LiteLLM's cost map (model_prices_and_context_window.json) → prices in our words: integer
-- nano-dollars per million, by section (a provider) and model. Prices are read from the digits
-- in the file; what cannot be a price refuses the whole file, what looks wrong is warned of.

local decimal = require "lib.decimal"
local json = require "engine.json"
local rules = require "cli.cost_rules"

local cost_map = {}

-- Dollars a token.
local TOKENS = {
  input_cost_per_token = "input", output_cost_per_token = "output",
  cache_read_input_token_cost = "cache_read", cache_creation_input_token_cost = "cache_write",
  cache_creation_input_token_cost_above_1hr = "cache_write_1h",
  output_cost_per_reasoning_token = "reasoning", input_cost_per_audio_token = "audio_input",
  output_cost_per_audio_token = "audio_output", input_cost_per_image_token = "image_input",
  output_cost_per_image_token = "image_output",
}
local SECOND_NAMES = { input_cost_per_token_cache_hit = "cache_read" }

-- Dollars each, and how many the price is for as a power of ten: a second is 10^3 of ours.
local EACH = {
  input_cost_per_request = { "request", 0 }, input_cost_per_query = { "query", 0 },
  code_interpreter_cost_per_session = { "code_interpreter", 0 },
  file_search_cost_per_1k_calls = { "file_search", 3 }, ocr_cost_per_page = { "page", 0 },
  output_cost_per_image = { "image", 0 }, input_cost_per_image = { "image_read", 0 },
  input_cost_per_character = { "character_input", 0 },
  output_cost_per_character = { "character_output", 0 },
  input_cost_per_second = { "ms_input", 3 }, output_cost_per_second = { "ms_output", 3 },
}
local SIZES = {
  search_context_size_low = "web_search_low", search_context_size_high = "web_search_high",
  search_context_size_medium = "web_search_medium",
}
local SERVICE = { batches = "batch", flex = "flex", priority = "priority" }
local LISTS = { search_context_cost_per_query = true, tiered_pricing = true }

-- Sections that are one provider under several names.
local SECTIONS = {
  ["text-completion-openai"] = "openai", azure_text = "azure", cohere_chat = "cohere",
  bedrock_converse = "bedrock", ["text-completion-codestral"] = "codestral",
  ["fireworks_ai-embedding-models"] = "fireworks_ai",
}

local function section_of(provider)
  return SECTIONS[provider] or (provider:gsub("^vertex_ai%-.*$", "vertex_ai"))
end

-- Fields -----------------------------------------------------------------------------------

-- "input_cost_per_token_above_200k_tokens_priority" → "input_cost_per_token", 200000,
-- "priority". "above_1hr" is no number of tokens.
local function split(name)
  local base, service = name:match("^(.*)_(%l+)$")
  service = SERVICE[service]
  if not service then base = name end
  local rest, thousands = base:match("^(.*)_above_(%d+)k_tokens$")
  return rest or base, thousands and tonumber(thousands) * 1000, service
end

local function refuse(state, field, text)
  local why = ("%s: %s must be a price, not %s"):format(state.key, field, text:sub(1, 40))
  error({ key = state.key, field = field, message = why }, 0)
end

local function price(state, field, text, places)
  local n = decimal.scaled(text, places)
  if not n or n >= 2 ^ 52 then refuse(state, field, text) end
  return n
end

-- Where a field's price goes: the base, a tier, a service, a tier of a service.
local function place(entry, above, service)
  local at = entry
  if service then
    entry.service[service] = entry.service[service] or { tokens = {}, tiers = {} }
    at = entry.service[service]
  end
  if not above then return at.tokens end
  at.tiers[above] = at.tiers[above] or {}
  return at.tiers[above]
end

local function take_search(state, entry, text)
  local sizes, err = json.decode(text, { raw = SIZES })
  if type(sizes) ~= "table" then
    refuse(state, "search_context_cost_per_query", tostring(err and err.message or text))
  end
  for name, value in pairs(sizes) do
    if SIZES[name] and value ~= json.null then
      entry.each[SIZES[name]] = price(state, name, json.text(value), 15)
    end
  end
end

local TIER = { raw = { input_cost_per_token = true, output_cost_per_token = true,
  cache_read_input_token_cost = true, output_cost_per_reasoning_token = true } }

-- A list of ranges, each with prices of its own; the first is the base.
local function take_ranges(state, entry, text)
  local list = json.decode(text, TIER)
  for _, range in ipairs(type(list) == "table" and list or {}) do
    local from = type(range.range) == "table" and tonumber(range.range[1])
    if from then
      local at = place(entry, from > 0 and from or nil)
      for name in pairs(TIER.raw) do
        local said = range[name]
        if said then at[TOKENS[name]] = price(state, name, json.text(said), 15) end
      end
    end
  end
end

local function take(state, entry, name, text)
  if text == "null" then return end
  if name == "search_context_cost_per_query" then return take_search(state, entry, text) end
  if name == "tiered_pricing" then return take_ranges(state, entry, text) end
  local base, above, service = split(name)
  local class = TOKENS[base]
  if class then
    place(entry, above, service)[class] = price(state, name, text, 15)
  elseif SECOND_NAMES[name] then
    entry.second[SECOND_NAMES[name]] = price(state, name, text, 15)
  elseif EACH[name] then
    entry.each[EACH[name][1]] = price(state, name, text, 15 - EACH[name][2])
  elseif name:find("_cost", 1, true) then
    price(state, name, text, 9) -- of a kind that nothing here is billed by, but a number
    state.unknown[name] = (state.unknown[name] or 0) + 1
  end
end

local FACTORS = { us = true, fast = true }

-- { "us": 1.1, "fast": 6 }: all prices of tokens times that, and both where both are said.
local function take_factors(state, entry, model)
  local said = model.provider_specific_entry
  if entry.section ~= "anthropic" or type(said) ~= "table" then return end
  for name in pairs(FACTORS) do
    if said[name] then
      entry.factors[name] = price(state, name, json.text(said[name]), 6)
    end
  end
  local us, fast = entry.factors.us, entry.factors.fast
  if us and fast then entry.factors["us+fast"] = decimal.ratio(us, fast, 1e6) end
end

-- Models that make images have them written as if they were read, or with tokens that are never
-- text.
local function take_images(entry)
  local each, classes = entry.each, entry.tokens
  if entry.mode ~= "image_generation" then return end
  if not each.image then each.image, each.image_read = each.image_read, nil end
  classes.output = classes.output or classes.image_output
end

-- Models -----------------------------------------------------------------------------------

local function tokens(model, name)
  local n = tonumber(model[name])
  return n and n >= 1 and n <= 1e9 and n % 1 == 0 and n or nil
end

local function name_of(key, provider, section)
  for _, prefix in ipairs { provider .. "/", section .. "/" } do
    if key:sub(1, #prefix) == prefix and #key > #prefix then
      return key:sub(#prefix + 1), true
    end
  end
  return key, false
end

local function entry_of(state, key, model, fields)
  local provider = model.litellm_provider
  if type(provider) ~= "string" or not provider:find("^[%w_%-]+$") then
    error({ key = key, message = key .. ": has no litellm_provider" }, 0)
  end
  if key:find("[%s%c]") or key == "*" or key:find("^[%[%+>]") then
    error({ key = key, message = key .. ": is no name of a model" }, 0)
  end
  local section = section_of(provider)
  local name, prefixed = name_of(key, provider, section)
  local entry = {
    key = key, section = section, name = name, prefixed = prefixed, mode = model.mode,
    max_input = tokens(model, "max_input_tokens"),
    max_output = tokens(model, "max_output_tokens"),
    tokens = {}, tiers = {}, service = {}, each = {}, second = {}, factors = {},
    at_least = section == "xai",
    search_once = section == "gemini" and model.web_search_billing_unit ~= "per_query",
  }
  state.key = key
  for field, text in pairs(fields) do take(state, entry, field, text) end
  take_factors(state, entry, model)
  take_images(entry)
  return entry
end

-- The file ---------------------------------------------------------------------------------

local function line_of(text, byte)
  local _, lines = text:sub(1, byte):gsub("\n", "")
  return lines + 1
end

-- Where a key stands, for messages.
local function line_of_key(text, key)
  local at = key and text:find(('"%s"'):format(key), 1, true)
  return at and line_of(text, at) or nil
end

local function bad_json(text, err)
  local byte = tonumber(err.message:match("byte (%d+)"))
  local twice = err.message:match('^"(.*)" stands in the object twice')
  local line = byte and line_of(text, byte)
  if twice then line = line_of_key(text, twice) end
  error({ line = line, message = err.message }, 0)
end

-- Members of a document as JSON text, where `wanted` is true of their names.
local function index(text, whole, offset)
  local doc, err = json.index(text)
  if not doc then
    if offset then err.message = ("%s: %s"):format(offset, err.message) end
    bad_json(whole, err)
  end
  return doc
end

local function is_price(name)
  return name:find("_cost", 1, true) ~= nil or LISTS[name] ~= nil
end

-- A model's prices as text: field → digits.
local function fields_of(doc, model)
  local out = {}
  for name in pairs(model) do
    if is_price(name) then out[name] = doc:raw(name) end
  end
  return out
end

local function by_key(entries)
  table.sort(entries, function(a, b) return a.key < b.key end)
  return entries
end

local function read(text)
  local state = { unknown = {} }
  local doc = index(text, text)
  local all, entries, skipped = doc:decode(), {}, 0
  for key, model in pairs(all) do
    if key == "sample_spec" or key == "last_updated" then
      skipped = skipped + 1
    elseif type(model) ~= "table" then
      error({ key = key, message = key .. ": is no model" }, 0)
    else
      local fields = fields_of(index(doc:raw(key), text, key), model)
      if model.litellm_provider or next(fields) then
        entries[#entries + 1] = entry_of(state, key, model, fields)
      else
        skipped = skipped + 1 -- notes of theirs, such as fallback_generalizations
      end
    end
  end
  local out = rules.apply(by_key(entries))
  out.unknown, out.skipped = state.unknown, skipped
  return out
end

--- The text of a cost map → { sections = name → list of entries, warnings = list of { key,
--- rule, message }, unpriced, models, unknown }; or nil, { message, line, key }.
function cost_map.read(text)
  local ok, out = pcall(read, text)
  if ok then return out end
  local err = out
  if type(err) ~= "table" then error(err, 0) end
  err.line = err.line or line_of_key(text, err.key)
  return nil, err
end

return cost_map
