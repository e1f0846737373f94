-- What a request may cost at most: no usage within the token counts that were reserved may ever
-- cost more, or a budget would be overshot.

require "engine"
local bill = require "lib.bill"
local json = require "engine.json"
local money = require "lib.money"
local rates = require "lib.rates"

local ROUNDS = tonumber(os.getenv "MOONGATE_BOUND_ROUNDS") or 20000

-- Amounts in dollars, some of them fractions of a nano-dollar a token.
local function amount()
  local kind = math.random(4)
  if kind == 1 then return tostring(math.random(0, 200)) end
  if kind == 2 then return ("%.3f"):format(math.random(0, 30000) / 1000) end
  if kind == 3 then return ("%.9f"):format(math.random(0, 1e9) / 1e9) end
  return "0.000000001"
end

local function some_prices(price)
  price.input, price.output = amount(), amount()
  for i = 3, #rates.TOKENS do
    if math.random(3) == 1 then price[rates.TOKENS[i]] = amount() end
  end
  return price
end

local function some_tiers(price)
  if math.random(3) > 1 then return price end
  price.above = {}
  for i = 1, math.random(3) do
    price.above[i] = some_prices { tokens = math.random(0, 300000) }
  end
  return price
end

local function some_rates()
  local price = some_tiers(some_prices {})
  if math.random(3) == 1 then price.priority = some_tiers(some_prices {}) end
  if math.random(3) == 1 then price.batch = ("%.6f"):format(math.random(1, 3e6) / 1e6) end
  if math.random(4) == 1 then price.request = "0.005" end
  if math.random(4) == 1 then price.web_search = { low = "0.01", medium = "0.02" } end
  return assert(money.rates(price))
end

local COUNTS = {
  "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
  "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens",
}

-- Any usage of at most so many tokens, what providers say that cannot be among them.
local function some_usage(input, output)
  local usage = { input_tokens = math.random(0, input), output_tokens = math.random(0, output) }
  for _, name in ipairs(COUNTS) do
    if math.random(2) == 1 then usage[name] = math.random(0, input + output) end
  end
  usage.service_tier = ({ "batch", "priority", "default", "scale" })[math.random(6)]
  return usage
end

describe("a bound", function()
  it("is never below what any usage within it costs", function()
    math.randomseed(4711)
    for _ = 1, ROUNDS / 10 do
      local at = some_rates()
      local input, output = math.random(0, 400000), math.random(0, 200000)
      local bound = assert(money.bound(at, input, output))
      for _ = 1, 10 do
        local usage = some_usage(input, output)
        assert.is_true(money.cost(at, usage) <= bound)
        local asked = usage.service_tier or "default"
        assert.is_true(money.cost(at, usage) <= money.bound(at, input, output, asked))
      end
    end
  end)

  it("is reached by the dearest usage", function()
    local at = money.rates { input = "2", output = "8", cache_write = "2.5", reasoning = "9" }
    assert.equal(1000 * 2500 + 100 * 9000, money.bound(at, 1000, 100))
    assert.equal(1000 * 2500 + 100 * 9000, money.cost(at, {
      input_tokens = 1000, cache_write_tokens = 1000, output_tokens = 100,
      reasoning_tokens = 100,
    }))
  end)

  it("knows the tier that a prompt may reach, and the dearer one below it", function()
    local up = money.rates { input = 1, output = 1, above = { tokens = 10, input = 3,
      output = 1 } }
    assert.equal(10 * 1000, money.bound(up, 10, 0))
    assert.equal(11 * 3000, money.bound(up, 11, 0))
    local down = money.rates { input = 3, output = 3, above = { tokens = 10, input = 1,
      output = 1 } }
    assert.equal(20 * 3000, money.bound(down, 20, 0))
  end)

  it("takes the service that was asked for, or the usual one where that is dearer", function()
    local at = money.rates { input = 2, output = 2, batch = 0.5, priority = 2 }
    assert.equal(4000, money.bound(at, 1, 0))
    assert.equal(2000, money.bound(at, 1, 0, "default"))
    assert.equal(4000, money.bound(at, 1, 0, "priority"))
    assert.equal(2000, money.bound(at, 1, 0, "batch")) -- the provider may not have done it so
  end)

  it("takes the quick way that Anthropic's own dialect may ask for", function()
    local at = money.rates { input = 1, output = 1, fast = 6, ["us+fast"] = "6.6", us = "1.1" }
    local function bound(body, dialect)
      local call = { dialect = dialect, doc = json.index(body) }
      local dep = { provider = { adapter = { natives = { anthropic = {} } } }, model = "m" }
      return bill.bound(at, call, dep, 1000, 0)
    end
    assert.equal(1100000, bound("{}", "anthropic"))
    assert.equal(6600000, bound('{"speed":"fast"}', "anthropic"))
    assert.equal(1100000, bound('{"speed":"fast"}', "openai")) -- which does not tell it
  end)

  it("has what is counted in it", function()
    local at = money.rates { input = 1, output = 1, request = "0.005", web_search = "0.01" }
    assert.equal(5000000 + 1000 + 3 * 10000000, money.bound(at, 1, 0, nil,
      { web_search_high = 3 }))
    assert.is_nil(money.bound(at, 1, 0, nil, { code_interpreter = 1 }))
  end)

  it("is unknown where the cost may be", function()
    assert.is_nil(money.bound(nil, 1, 1))
    assert.is_nil(money.bound(money.rates { input = 1 }, 1, 1))
    assert.equal(1000, money.bound(money.rates { input = 1 }, 1, 0))
    for _, odd in ipairs { -1, 0.5, 1 / 0, 0 / 0, "7" } do
      assert.is_nil(money.bound(money.rates { input = 1, output = 1 }, odd, 1))
    end
    local dear = money.rates { input = "9000000", output = 1 }
    assert.is_nil(money.bound(dear, 1e9, 0))
  end)
end)
