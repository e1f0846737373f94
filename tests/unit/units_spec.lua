-- Written units, in both directions.

local units = require "lib.units"

describe("units", function()
  it("reads durations", function()
    for text, seconds in pairs {
      ["250ms"] = 0.25, ["30s"] = 30, ["1m"] = 60, ["1m30s"] = 90, ["1.5h"] = 5400,
      ["1d"] = 86400, ["0s"] = 0,
    } do
      assert.equal(seconds, units.duration(text), text)
    end
  end)

  it("refuses what is no duration", function()
    for _, text in ipairs { "", "5", "s", "5 s", "-1s", "5sec", "1.s.", "1e3s", "400d",
      "5s " } do
      assert.is_nil(units.duration(text), text)
    end
    assert.is_nil(units.duration(5))
    assert.is_nil(units.duration(nil))
  end)

  it("reads budgets as integers", function()
    assert.same({ nano = 500e9, window = "month" }, units.budget "$500/month")
    assert.same({ nano = 20.25e9, window = "day" }, units.budget "$20.25/day")
    assert.same({ nano = 1 }, units.budget "$0.000000001")
    for _, text in ipairs { "500/month", "$/month", "$5/fortnight", "$5/", "$5 /day", "$-5" } do
      assert.is_nil(units.budget(text), text)
    end
  end)

  it("reads dates, a day to its end", function()
    assert.equal(1798761600, units.date "2026-12-31")
    assert.equal(1798743600, units.date "2026-12-31T19:00:00Z")
    assert.equal(86400, units.date "1970-01-01")
    for _, text in ipairs {
      "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "tomorrow", "2026-12-31T25:00:00Z",
      "2026-12-31 10:00", "2026-12-310",
    } do
      assert.is_nil(units.date(text), text)
    end
    assert.is_truthy(units.date "2028-02-29")
  end)

  it("knows the calendar", function()
    for epoch = -86400 * 800, 86400 * 40000, 86400 * 331 + 4321 do
      local want = os.date("!*t", epoch)
      local got = units.civil(epoch)
      assert.same(
        { want.year, want.month, want.day, want.hour, want.min, want.sec, (
          want.wday + 5) % 7 + 1 },
        { got.year, got.month, got.day, got.hour, got.minute, got.second, got.weekday })
    end
  end)

  it("writes them back", function()
    assert.equal("250 ms", units.show_duration(0.25))
    assert.equal("30 s", units.show_duration(30))
    assert.equal("5 min", units.show_duration(300))
    assert.equal("900", units.show_count(900))
    assert.equal("450k", units.show_count(450e3))
    assert.equal("1.5M", units.show_count(1.5e6))
    assert.equal("999", units.show_tokens(999))
    assert.equal("1,200", units.show_tokens(1200))
    assert.equal("1,234,567", units.show_tokens(1234567))
  end)
end)
