-- Money is exact: nano-dollars, no float sum, one rounding a bill.

local money = require "lib.money"

local function rates(price) return assert(money.rates(price)) end

local GPT_4O = rates { input = "2.50", output = "10.00", cache_read = "1.25" }
local SONNET = rates {
  input = "3", output = "15", cache_read = "0.30", cache_write = "3.75", cache_write_1h = "6",
}
local LONG = rates {
  input = "3", output = "15", cache_read = "0.3", cache_write = "3.75", cache_write_1h = "6",
  above = {
    tokens = 200000, input = "6", output = "22.5", cache_read = "0.6", cache_write = "7.5",
    cache_write_1h = "12",
  },
}

describe("amounts", function()
  it("are read without loss", function()
    for text, nano in pairs {
      ["2.50"] = 2500000000, ["0.075"] = 75000000, ["0"] = 0, ["0.000000001"] = 1,
      ["1000"] = 1e12,
    } do
      assert.equal(nano, money.nano(text), text)
    end
    assert.equal(75000000, money.nano(0.075))
    assert.equal(300000000, money.nano(0.1 + 0.2))
    assert.equal(100, money.nano(1e-7))
  end)

  it("that are none are refused", function()
    for _, text in ipairs { "", "-1", "1e3", "0.0000000001", "1.", ".5", "nan", "1,5" } do
      assert.is_nil(money.nano(text), text)
    end
    for _, amount in ipairs { -1, 1 / 0, 0 / 0, 1e12 } do assert.is_nil(money.nano(amount)) end
    assert.is_nil(money.nano({}))
  end)

  it("are written without loss", function()
    for nano, text in pairs {
      [0] = "0", [1] = "0.000000001", [13000000] = "0.013", [5e9] = "5",
      [1234567890] = "1.23456789", [2 ^ 53 - 1] = "9007199.254740991",
    } do
      assert.equal(text, money.dollars(nano))
    end
  end)
end)

describe("a bill", function()
  it("has cached tokens at the cached rate, the rest at the input rate (B-02)", function()
    assert.equal((20212 - 16298) * 2500 + 16298 * 1250,
      money.cost(GPT_4O, { input_tokens = 20212, cache_read_tokens = 16298,
        output_tokens = 0 }))
  end)

  it("has reads and writes inside the prompt (B-03)", function()
    assert.equal(200 * 3000 + 2000 * 300 + 400 * 3750, money.cost(SONNET, {
      input_tokens = 2600, cache_read_tokens = 2000, cache_write_tokens = 400,
    }))
  end)

  it("has four rates for Anthropic's input (B-04)", function()
    assert.equal(100 * 3000 + 10000 * 300 + 2000 * 3750 + 500 * 6000, money.cost(SONNET, {
      input_tokens = 100 + 10000 + 2500, cache_read_tokens = 10000,
      cache_write_tokens = 2500, cache_write_1h_tokens = 500, output_tokens = 0,
    }))
  end)

  it("has reasoning inside the output, once (B-05)", function()
    local usage = { input_tokens = 0, output_tokens = 1000, reasoning_tokens = 200 }
    assert.equal(1000 * 10000, money.cost(GPT_4O, usage))
    local dear = rates { input = "1", output = "2", reasoning = "4" }
    assert.equal(800 * 2000 + 200 * 4000, money.cost(dear, usage))
  end)

  it("moves to the upper tier above the threshold, by the whole prompt (B-06, B-07)", function()
    for prompt, upper in pairs { [199999] = false, [200000] = false, [200001] = true } do
      local scale = upper and 2 or 1
      local output = upper and 22500 or 15000
      local usage = {
        input_tokens = prompt, cache_read_tokens = 150000, cache_write_tokens = 40000,
        cache_write_1h_tokens = 10000, output_tokens = 100,
      }
      assert.equal(scale * ((prompt - 190000) * 3000 + 150000 * 300 + 30000 * 3750
        + 10000 * 6000) + 100 * output, money.cost(LONG, usage))
    end
  end)

  it("takes a missing cache price for the input price, and 0 for free", function()
    local usage = { input_tokens = 1000, cache_read_tokens = 600, output_tokens = 0 }
    assert.equal(1000 * 1000, money.cost(rates { input = 1, output = 1 }, usage))
    assert.equal(400 * 1000, money.cost(rates { input = 1, output = 1, cache_read = 0 }, usage))
  end)

  it("is unknown, never 0, where it cannot be known", function()
    assert.is_nil(money.cost(nil, { input_tokens = 1, output_tokens = 1 }))
    assert.is_nil(money.cost(GPT_4O, nil))
    assert.is_nil(money.cost(GPT_4O, {}))
    assert.is_nil(money.cost(rates { input = 1 }, { input_tokens = 1, output_tokens = 1 }))
    for _, odd in ipairs { -1, 0.5, 1 / 0, 1e300, "7" } do
      assert.is_nil(money.cost(GPT_4O, { input_tokens = odd, output_tokens = 1 }))
    end
    local free = rates { input = 0, output = 0 }
    assert.equal(0, money.cost(free, { input_tokens = 9, output_tokens = 9 }))
  end)

  it("rounds once, half to even", function()
    local half = rates { input = "0.0005", output = "0.0005" } -- half a nano-dollar a token
    local function of(input, output)
      return money.cost(half, { input_tokens = input, output_tokens = output })
    end
    assert.same({ 0, 1, 2, 2, 2 }, { of(1, 0), of(1, 1), of(3, 0), of(2, 2), of(5, 0) })
    assert.equal(2, of(2, 1)) -- 1.5
  end)

  it("stays exact where a product of doubles would not", function()
    local odd = rates { input = "123456.789012345", output = "0.000000007" }
    -- 123456789012345 × 7000001 / 10^6 = 864197646543204.012345; the product has 22 digits
    assert.equal(864197646543204, money.cost(odd, { input_tokens = 7000001,
      output_tokens = 0 }))
    -- more than 2^53 nano-dollars: nine million dollars for one call is nobody's bill
    assert.is_nil(money.cost(odd, { input_tokens = 999999999, output_tokens = 0 }))
  end)
end)
