-- LiteLLM's cost map: each of its traps (ROUTING.md 3.4), and what refuses the whole file.

require "engine"

local cost_map = require "cli.cost_map"
local crypto = require "engine.crypto"
local json = require "engine.json"
local money = require "lib.money"
local price_file = require "lib.price_file"
local writer = require "cli.price_writer"

-- One model's fields as JSON text → the map, its warnings by rule, and what it costs.
local function read(models)
  local map, err = cost_map.read(models)
  if not map then return nil, err end
  local rules = {}
  for _, one in ipairs(map.warnings) do
    rules[one.rule] = (rules[one.rule] or "") .. one.message .. "\n"
  end
  return map, rules
end

local function model(name, fields, provider)
  return ('{"%s":{"litellm_provider":"%s","mode":"chat",%s}}'):format(name,
    provider or "openai", fields)
end

-- The rates that the gateway would read back.
local function rates(text, name, section)
  local map, rules = read(text)
  assert(map, type(rules) == "table" and rules.message)
  local bytes = price_file.write(writer.body(map.sections),
    { date = "2026-07-24", source = "x", source_sha256 = "00" }, crypto.sha256)
  local made = assert(price_file.read(bytes, crypto.sha256))
  local entry = made:exact(section or "openai", name or "m")
  return entry and entry.rates, rules, entry
end

local BOTH = '"input_cost_per_token":1e-06,"output_cost_per_token":4e-06'

describe("a price", function()
  it("is read from its digits, whatever a double would make of them", function()
    local at = rates(model("m", '"input_cost_per_token":1.5e-07,"output_cost_per_token":'
      .. '0.0000006,"cache_read_input_token_cost":7.5E-8,'
      .. '"output_cost_per_reasoning_token":1.5000999999999998e-07'))
    assert.same({ input = 150e6, output = 600e6, cache_read = 75e6, reasoning = 150010000 }, at)
  end)

  it("finer than a nano-dollar a million tokens is rounded half to even", function()
    for text, nano in pairs {
      ["2.5e-15"] = 2, ["3.5e-15"] = 4, ["2.5000001e-15"] = 3, ["8.056640625e-09"] = 8056641,
      ["3.3333333333333335e-05"] = 33333333333,
    } do
      local at = rates(model("m", ('"input_cost_per_token":%s,"output_cost_per_token":1e-06')
        :format(text)))
      assert.equal(nano, at.input, text)
    end
  end)

  it("that cannot be one refuses the file, with the line and the key", function()
    for _, text in ipairs { "-1e-06", '"free"', "true", "1e40", "[]", "{}" } do
      local map, err = read('{\n"a":{"litellm_provider":"openai"},\n'
        .. model("m", '"input_cost_per_token":' .. text):sub(2))
      assert.is_nil(map)
      assert.equal(3, err.line)
      assert.truthy(err.message:find("m: input_cost_per_token must be a price, not ", 1, true))
    end
    for _, text in ipairs { "NaN", "Infinity", "-Infinity", "0x1", ".5", "+1", "1." } do
      local map, err = read(model("m", '\n"input_cost_per_token":' .. text))
      assert.is_nil(map)
      assert.equal(2, err.line, text)
    end
    assert.is_nil((read(model("m", '"output_cost_per_pixel":-1,' .. BOTH))))
    local _, err = read(model("m", '"input_cost_per_token":1e-15,"output_cost_per_token":1,'
      .. '"cache_read_input_token_cost":1,"input_cost_per_token_above_200k_tokens":1'))
    assert.truthy(err.message:find("too large", 1, true))
  end)
end)

describe("a cost map", function()
  it("refuses a model that stands in it twice, with its line, and a field that does", function()
    local map, err = read('{"m":{"litellm_provider":"openai"},\n"n":{},\n"m":{}}')
    assert.is_nil(map)
    assert.truthy(err.message:find('"m" stands in the object twice', 1, true))
    assert.is_number(err.line)
    map, err = read(model("m", BOTH .. ',"input_cost_per_token":2e-06'))
    assert.is_nil(map)
    assert.truthy(err.message:find("twice", 1, true))
  end)

  it("refuses what is no map of models", function()
    for _, text in ipairs { "", "[]", "{", "null", '{"m":1}', '{"m":{"litellm_provider":7}}',
      '{"a b":{"litellm_provider":"openai"}}', '{"*":{"litellm_provider":"openai"}}',
      '{"m":{"input_cost_per_token":1}}' } do
      assert.is_nil((read(text)), text)
    end
  end)

  it("skips sample_spec, and notes that are no model (trap: sample_spec)", function()
    local map = read('{"sample_spec":{"input_cost_per_token":"dollars","litellm_provider":'
      .. '"one of https://…"},"notes":{"rules":[]},' .. model("m", BOTH):sub(2))
    assert.equal(1, map.models)
  end)
end)

describe("trap:", function()
  it("a missing cache_read price is the input price, an explicit 0 is free", function()
    local usage = { input_tokens = 1000, cache_read_tokens = 600, output_tokens = 0 }
    assert.equal(1000 * 1000, money.cost(rates(model("m", BOTH)), usage))
    assert.equal(400 * 1000, money.cost(rates(model("m", BOTH
      .. ',"cache_read_input_token_cost":0.0')), usage))
  end)

  it("reasoning inside completion tokens does not hide the rest (#18599)", function()
    local at = rates(model("m", BOTH .. ',"output_cost_per_reasoning_token":8e-06'))
    assert.equal(800 * 4000 + 200 * 8000, money.cost(at, {
      input_tokens = 0, output_tokens = 1000, reasoning_tokens = 200,
    }))
  end)

  it("Anthropic's writes that are not 1.25 and 2 times the input are warned of", function()
    local at, rules = rates(model("claude-3-opus-20240229", '"input_cost_per_token":1.5e-05,'
      .. '"output_cost_per_token":7.5e-05,"cache_creation_input_token_cost":1.875e-05,'
      .. '"cache_creation_input_token_cost_above_1hr":6e-06,'
      .. '"cache_read_input_token_cost":1.5e-06', "anthropic"), "claude-3-opus-20240229",
      "anthropic")
    assert.equal(6e9, at.cache_write_1h) -- as the file says
    assert.equal("cache_write_1h is $6, where twice the input would be $30\n", rules.anthropic)
    at, rules = rates(model("m", BOTH, "anthropic"), "m", "anthropic")
    assert.same({ 1.25e9, 2e9 }, { at.cache_write, at.cache_write_1h })
    assert.truthy(rules.anthropic:find("cache_write_1h is missing: twice", 1, true))
    at, rules = rates(model("m", BOTH .. ',"cache_read_input_token_cost":2e-06', "anthropic"),
      "m", "anthropic")
    assert.equal(2e9, at.cache_read)
    assert.truthy(rules.read_dear)
  end)

  it("above_1hr is no number of tokens", function()
    local at = rates(model("m", BOTH .. ',"cache_creation_input_token_cost":2e-06,'
      .. '"cache_creation_input_token_cost_above_1hr":3e-06,'
      .. '"cache_creation_input_token_cost_above_1hr_above_200k_tokens":6e-06,'
      .. '"input_cost_per_token_above_200k_tokens":2e-06'))
    assert.equal(3e9, at.cache_write_1h)
    assert.same({ tokens = 200000, input = 2e9, output = 4e9, cache_write = 4e9,
      cache_write_1h = 6e9 }, at.tiers[1])
  end)

  it("a tier without a cache price has it changed as the input's is", function()
    local at, rules = rates(model("m", BOTH .. ',"cache_read_input_token_cost":1e-07,'
      .. '"input_cost_per_token_above_200k_tokens":2e-06,'
      .. '"output_cost_per_token_above_200k_tokens":6e-06'))
    assert.same({ tokens = 200000, input = 2e9, output = 6e9, cache_read = 0.2e9 },
      at.tiers[1])
    assert.truthy(rules.tier:find("cache_read", 1, true))
  end)

  it("a write price below the input's, with no read price, is the read price", function()
    local at, rules = rates(model("gpt-4o", '"input_cost_per_token":2.75e-06,'
      .. '"output_cost_per_token":1.1e-05,"cache_creation_input_token_cost":1.38e-06'),
      "gpt-4o")
    assert.same({ input = 2.75e9, output = 11e9, cache_read = 1.38e9 }, at)
    assert.truthy(rules.write_read)
  end)

  it("tokens written to a cache for nothing are prompt tokens still", function()
    local at, rules = rates(model("m", BOTH .. ',"cache_creation_input_token_cost":0.0'))
    assert.is_nil(at.cache_write)
    assert.truthy(rules.write_free)
  end)

  it("thresholds are sorted as numbers, not as text", function()
    local at = rates(model("m", BOTH .. ',"input_cost_per_token_above_32k_tokens":2e-06,'
      .. '"input_cost_per_token_above_128k_tokens":3e-06,'
      .. '"input_cost_per_token_above_256k_tokens":4e-06'))
    local function cost(n)
      return money.cost(at, { input_tokens = n, output_tokens = 0 }) / n
    end
    assert.same({ 1000, 2000, 2000, 3000, 3000, 4000 },
      { cost(32000), cost(32001), cost(128000), cost(128001), cost(256000), cost(256001) })
  end)

  it("xAI's tier begins at its threshold, others' above it (B-06)", function()
    local fields = BOTH .. ',"input_cost_per_token_above_128k_tokens":2e-06'
    local function cost(provider, n)
      local at = rates(model(provider .. "/m", fields, provider), "m", provider)
      return money.cost(at, { input_tokens = n, output_tokens = 0 }) / n
    end
    assert.same({ 1000, 2000, 2000 }, { cost("xai", 127999), cost("xai", 128000),
      cost("xai", 128001) })
    assert.same({ 1000, 1000, 2000 }, { cost("groq", 127999), cost("groq", 128000),
      cost("groq", 128001) })
  end)

  it("ranges of prices are tiers, too", function()
    local at = rates(model("m", '"tiered_pricing":[{"input_cost_per_token":5e-08,'
      .. '"output_cost_per_token":4e-07,"range":[0,256000.0]},{"input_cost_per_token":2.5e-07,'
      .. '"output_cost_per_token":2e-06,"range":[256000.0,1000000.0]}]'))
    assert.same({ 50e6, { tokens = 256000, input = 250e6, output = 2e9 } },
      { at.input, at.tiers[1] })
  end)

  it("no price, or zeros, is unpriced, never free (B-08)", function()
    for _, fields in ipairs { '"max_tokens":9', '"input_cost_per_token":0.0',
      '"input_cost_per_token":0,"output_cost_per_token":0,"cache_read_input_token_cost":0',
      '"input_cost_per_token":null,"output_cost_per_token":null' } do
      local map = read(model("m", fields))
      assert.same({ "m" }, map.unpriced)
      assert.is_nil((rates(model("m", fields))))
    end
    local at = rates(model("m", '"input_cost_per_token":1e-06,"output_cost_per_token":0.0'))
    assert.is_nil(money.cost(at, { input_tokens = 1, output_tokens = 1 }))
    at = rates('{"e":{"litellm_provider":"openai","mode":"embedding",'
      .. '"input_cost_per_token":2e-08,"output_cost_per_token":0.0}}', "e")
    assert.equal(20, money.cost(at, { input_tokens = 1, output_tokens = 9 }))
  end)

  it("one model under two keys has the price of the one with its provider's prefix", function()
    local text = '{"gemini-x":{"litellm_provider":"gemini",' .. BOTH .. '},"gemini/gemini-x":'
      .. '{"litellm_provider":"gemini","input_cost_per_token":3e-06,'
      .. '"output_cost_per_token":4e-06}}'
    local at, rules = rates(text, "gemini-x", "gemini")
    assert.equal(3e9, at.input)
    assert.truthy(rules.twice)
  end)
end)

describe("tiers of service", function()
  local TIERS = BOTH .. ',"cache_read_input_token_cost":2.5e-07,'
    .. '"input_cost_per_token_above_200k_tokens":2e-06,'
    .. '"cache_read_input_token_cost_above_200k_tokens":5e-07,'
    .. '"output_cost_per_token_above_200k_tokens":6e-06,'
  local FLEX = '"input_cost_per_token_flex":5e-07,"output_cost_per_token_flex":2e-06'

  it("have their own prices, and what they do not name by their factor (B-30)", function()
    local at = rates(model("m", TIERS .. FLEX))
    assert.same({ input = 0.5e9, output = 2e9, cache_read = 0.125e9, tiers = {
      { tokens = 200000, input = 1e9, output = 3e9, cache_read = 0.25e9 },
    } }, at.service.flex)
    at = rates(model("m", TIERS .. FLEX .. ',"cache_read_input_token_cost_flex":1.3e-07,'
      .. '"input_cost_per_token_above_200k_tokens_flex":1.1e-06'))
    assert.same({ input = 0.5e9, output = 2e9, cache_read = 0.13e9, tiers = {
      { tokens = 200000, input = 1.1e9, output = 3e9, cache_read = 0.26e9 },
    } }, at.service.flex)
  end)

  it("of a dated name are its base's, where both cost the same", function()
    local text = '{"m":{"litellm_provider":"openai","mode":"chat",' .. BOTH .. "," .. FLEX
      .. '},"m-2026-01-02":{"litellm_provider":"openai","mode":"chat",' .. BOTH .. "}}"
    assert.equal(0.5e9, rates(text, "m-2026-01-02").service.flex.input)
    text = text:gsub("1e%-06", "9e-06", 1)
    assert.is_nil(rates(text, "m-2026-01-02").service)
  end)

  it("may be factors: Anthropic's speed and place", function()
    local at = rates(model("m", BOTH .. ',"provider_specific_entry":{"us":1.1,"fast":6.0}',
      "anthropic"), "m", "anthropic")
    assert.same({ 1.1e9, 6e9, 6.6e9 }, { at.service.us.input, at.service.fast.input,
      at.service["us+fast"].input })
  end)
end)

describe("what is counted (B-29)", function()
  it("has prices each: requests, searches, sessions, images, seconds, queries", function()
    local at = rates(model("m", '"input_cost_per_token":0.0,"input_cost_per_request":0.005,'
      .. '"search_context_cost_per_query":{"search_context_size_low":0.03,'
      .. '"search_context_size_medium":0.035,"search_context_size_high":0.05},'
      .. '"code_interpreter_cost_per_session":0.03,"file_search_cost_per_1k_calls":2.5,'
      .. '"output_cost_per_image":0.039,"input_cost_per_second":0.0001,'
      .. '"input_cost_per_query":0.002,"input_cost_per_character":1.5e-05'))
    local function cost(units)
      return money.cost(at, { input_tokens = 0, output_tokens = 0, units = units })
    end
    assert.equal(5e6, cost())
    assert.equal(5e6 + 2 * 30e6, cost { web_search_low = 2 })
    assert.equal(5e6 + 3 * 30e6 + 4 * 2.5e6, cost { code_interpreter = 3, file_search = 4 })
    assert.equal(5e6 + 39e6 + 1234 * 100, cost { image = 1, ms_input = 1234 })
    assert.equal(5e6 + 2e6 + 7 * 15000, cost { query = 1, character_input = 7 })
    assert.is_nil(cost { page = 1 })
    assert.is_nil(cost { web_search = 1 }) -- of what size?
    assert.is_nil(cost { image = -1 })
    assert.equal(5e6, cost { page = 0 })
  end)

  it("is one search a prompt at Gemini, but where it is billed by query", function()
    local search = ',"search_context_cost_per_query":{"search_context_size_low":0.035,'
      .. '"search_context_size_medium":0.035,"search_context_size_high":0.035}'
    local usage = { input_tokens = 0, output_tokens = 0, units = { web_search = 3 } }
    local at = rates(model("gemini/m", BOTH .. search, "gemini"), "m", "gemini")
    assert.equal(35e6, money.cost(at, usage))
    at = rates(model("gemini/m", BOTH .. search .. ',"web_search_billing_unit":"per_query"',
      "gemini"), "m", "gemini")
    assert.equal(3 * 35e6, money.cost(at, usage))
  end)

  it("costs what the provider's container says, for all its models", function()
    local at = rates('{"openai/container":{"litellm_provider":"openai","mode":"chat",'
      .. '"code_interpreter_cost_per_session":0.03},' .. model("m", BOTH):sub(2))
    assert.equal(30e12, at.code_interpreter)
  end)
end)

describe("the whole map of 2026-07-24", function()
  local file = io.open("../shared/reference/model_prices_and_context_window.json", "rb")
  local text = file and file:read "*a"

  it("is read, written, and read again the same", function()
    if not text then return pending "no reference" end
    local map = assert(cost_map.read(text))
    assert.is_true(map.models > 2500)
    local bytes = price_file.write(writer.body(map.sections),
      { date = "2026-07-24", source = "x", source_sha256 = "00" }, crypto.sha256)
    local made = assert(price_file.read(bytes, crypto.sha256))
    assert.equal(map.models, made:check())
    for _, line in ipairs { "azure/eu/gpt-4o-2024-11-20", "ft:gpt-4o-2024-11-20" } do
      assert.truthy(json.encode(map.warnings):find(json.encode(line):gsub("%p", "%%%0")))
    end
  end)
end)
