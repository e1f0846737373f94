-- What fuzz_usage.c asks: read this usage as its dialect does, compare with the reference, and
-- bill it.

package.path = "./scripts/?.lua;./tests/fuzz/usage/?.lua;" .. package.path

local json = require "engine.json"
local money = require "lib.money"
local reference = require "reference"
local usage = require "lib.usage"

local CLASSES = {
  "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input",
  "audio_output", "image_input", "image_output",
}
local FIELDS = {
  "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
  "cache_write_1h_tokens", "reasoning_tokens", "audio_input_tokens", "audio_output_tokens",
  "image_input_tokens", "image_output_tokens",
}

local READERS = {
  openai = usage.from_openai,
  anthropic = function(said) return require("lib.messages_usage").read({}, said) end,
  gemini = function(said)
    return require("lib.gemini_usage").read({}, { usageMetadata = said }, false)
  end,
  responses = function(said) return require("lib.responses_usage").read { usage = said } end,
  cohere = require("lib.cohere_usage").read,
}
-- The letter before the object; none: OpenAI's.
local DIALECTS = { a = "anthropic", g = "gemini", r = "responses", c = "cohere" }

-- A member that is there twice may be read either way.
local function is_clear(text)
  local seen = {}
  for name in text:gmatch '"([%w_]+)"%s*:' do
    if seen[name] and name ~= "audio_tokens" then return false end
    seen[name] = true
  end
  return not text:find("\\", 1, true)
end

local function same(total, want, how)
  for _, name in ipairs(FIELDS) do
    if total[name] ~= want[name] then
      error(("%s, %s: %s, not %s"):format(how, name, tostring(total[name]),
        tostring(want[name])))
    end
  end
end

-- Read without being decoded, where the text says only one thing.
local function from_doc(text, want)
  local doc = json.index('{"usage":' .. text .. "}")
  if not doc or not is_clear(text) then return end
  local total = usage.merge({}, usage.safe(usage.from_doc(doc) or {}))
  for _, name in ipairs(FIELDS) do
    if not name:find "audio" then
      assert(total[name] == want[name], name .. " is read in two ways")
    end
  end
end

local function read(text)
  local dialect = DIALECTS[text:sub(1, 1)] or "openai"
  if dialect ~= "openai" then text = text:sub(2) end
  local said = json.decode(text)
  if type(said) ~= "table" or json.is_raw(said) or text:sub(1, 1) ~= "{" then return nil end
  local got, want = READERS[dialect](said), reference[dialect](said)
  if not got then return nil end
  local total = usage.merge({}, got)
  same(total, want, dialect)
  if dialect == "openai" then
    same(usage.merge({}, usage.safe(got)), want, "made safe")
    from_doc(text, want)
  end
  usage.check(total)
  return total
end

local function rates_of(prices, from, search)
  local at = { web_search = search }
  for i, name in ipairs(CLASSES) do at[name] = prices[from + i] end
  return at
end

-- A count of searches: -1: none; -2: what cannot be one.
local function searches(total)
  local n = total.units and total.units.web_search
  if n == nil then return -1 end
  return n >= 0 and n <= 1e9 and n % 1 == 0 and n or -2
end

-- The rates, the usual ones first, then those above the threshold and of every tier of service;
-- false: none.
local function rates_at(threshold, search, ...)
  local prices = { ... }
  for i = 1, 20 do prices[i] = prices[i] or nil end
  local at, other = rates_of(prices, 0, search or nil), rates_of(prices, 10, search or nil)
  at.service = { flex = other, fast = other, us = other, ["us+fast"] = other, priority = other }
  if threshold then
    at.tiers = { rates_of(prices, 10) }
    at.tiers[1].tokens = threshold
  end
  return at
end

-- Bill, bound, served by a tier or not, searches, and the counts; -1: none.
return function(text, ...)
  local total = read(text)
  if not total then return nil end
  local at, bound = rates_at(...), nil
  if total.input_tokens and total.output_tokens then
    bound = money.bound(at, total.input_tokens, total.output_tokens, nil, total.units)
  end
  local served = at.service[total.service_tier] and 1 or 0
  local out = { money.cost(at, total) or -1, bound or -1, served, searches(total) }
  for _, name in ipairs(FIELDS) do out[#out + 1] = total[name] or -1 end
  return unpack(out)
end
