-- Decimal text, exactly; and B-33: no float holds money, nothing overflows unseen.

local decimal = require "lib.decimal"
local money = require "lib.money"

describe("decimal text", function()
  it("becomes whole numbers, half to even, and says where digits were lost", function()
    for _, case in ipairs {
      { "1.5e-07", 15, 150000000, true }, { "0.00000015", 15, 150000000, true },
      { "15E-8", 15, 150000000, true }, { "2.5", 9, 2500000000, true }, { "0", 15, 0, true },
      { "0.0", 0, 0, true }, { "007.50", 2, 750, true }, { "1e0", 0, 1, true },
      { "0.5", 0, 0, false }, { "1.5", 0, 2, false }, { "2.5", 0, 2, false },
      { "2.51", 0, 3, false }, { "0.49", 0, 0, false }, { "0.51", 0, 1, false },
      { "9", -1, 1, false }, { "5", -1, 0, false }, { "15", -1, 2, false },
      { "4", -2, 0, false }, { "1e-300", 15, 0, false }, { "95", -2, 1, false },
      { "9007199254740991", 0, 9007199254740991, true },
      { "1.5000999999999998e-07", 15, 150010000, false },
    } do
      local n, exact = decimal.scaled(case[1], case[2])
      assert.same({ case[3], case[4] }, { n, exact }, case[1])
    end
    for _, text in ipairs { "", "-1", "+1", ".5", "1.", "1e", "e5", "1e5000", "nan", "inf",
      "1 ", "0x10", "1,5", "9007199254740992", "1e16", ("1"):rep(65) } do
      assert.is_nil((decimal.scaled(text, 0)), text)
    end
    assert.is_nil((decimal.scaled(1, 0)))
  end)

  it("comes from whole numbers without loss", function()
    for _, case in ipairs {
      { 150000000, 9, "0.15" }, { 0, 9, "0" }, { 1, 15, "0.000000000000001" },
      { 25e8, 9, "2.5" }, { 3e9, 9, "3" }, { 9007199254740991, 9, "9007199.254740991" },
    } do
      assert.equal(case[3], decimal.text(case[1], case[2]))
      assert.equal(case[1], (decimal.scaled(case[3], case[2])))
    end
  end)

  it("has ratios rounded once, half to even", function()
    for _, case in ipairs {
      { 3, 1, 2, 2 }, { 5, 1, 2, 2 }, { 7, 1, 2, 4 }, { 1, 1, 3, 0 }, { 2, 1, 3, 1 },
      { 0, 5, 7, 0 }, { 4503599627370495, 3, 3, 4503599627370495 },
      { 9007199254740991, 1e6, 1e6, 9007199254740991 },
      { 123456789012345, 1100000, 1000000, 135802467913580 }, -- … 579.5: up, to even
    } do
      assert.equal(case[4], decimal.ratio(case[1], case[2], case[3]))
    end
    assert.is_nil(decimal.ratio(9007199254740991, 2, 1))
  end)
end)

describe("B-33", function()
  it("10^9 tokens and 10^12 nano-dollars do not overflow, and 10^6 rows a day for a year",
    function()
    local at = money.rates { input = "1000", output = "0.000000001" }
    assert.equal(1e15, money.cost(at, { input_tokens = 1e9, output_tokens = 0 }))
    assert.equal(1, money.cost(at, { input_tokens = 0, output_tokens = 1e6 }))
    local dear = money.rates { input = "9007199.254740991", output = "9007199.254740991" }
    assert.equal(9007199254740991,
      money.cost(dear, { input_tokens = 1e6, output_tokens = 0 }))
    assert.is_nil(money.cost(dear, { input_tokens = 1e9, output_tokens = 1e9 }))
    assert.is_nil(money.cost(dear, { input_tokens = 1e6, output_tokens = 1 }))
    -- A cent a request, a million a day, for a year: an int64 holds 2,500 such gateways,
    -- a double a year of two.
    assert.is_true(365 * 1e6 * 1e7 < 2 ^ 53 and 365 * 1e6 * 1e7 * 2500 < 2 ^ 63)
  end)

  it("sums of many roundings are those of exact ones, within half a nano-dollar a row",
    function()
    local at = money.rates { input = "0.0625", output = "1" } -- 62.5 nano-dollars a token
    local sum = 0
    for n = 1, 10000 do
      sum = sum + money.cost(at, { input_tokens = n, output_tokens = 0 })
    end
    assert.equal(62.5 * 10000 * 10001 / 2, sum) -- half to even: the halves cancel out
  end)

  it("files that hold money divide by powers of ten and of nothing else, and make no dollars",
    function()
    local bad = {}
    for _, name in ipairs { "money", "bill", "rates", "decimal" } do
      local path = "scripts/lib/" .. name .. ".lua"
      local file = assert(io.open(path, "rb"))
      local n = 0
      for line in file:lines() do
        n = n + 1
        local code = line:gsub("%-%-.*$", ""):gsub('"[^"]*"', '""')
        local divides = code:find "/" and not code:find "/ ?MILLION"
          and not code:find "MILLION / 2" and not code:find "/ 1e9" and not code:find "/ 10"
          and not code:find "0 / 0" and not code:find "%) / c"
          and not code:find "/ 2$"
        local fraction = code:find "%f[%w]%d*%.%d+%f[%W]" or code:find "1e%-"
          or code:find "%f[%w]math%.pow"
        if divides or fraction then bad[#bad + 1] = path .. ":" .. n .. ": " .. line end
      end
      file:close()
    end
    assert.same({}, bad)
  end)
end)
