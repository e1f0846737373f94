-- Limits' own headers, where a 429 says no more.

local resets = require "lib.resets"

describe("resets", function()
  it("reads durations as providers write them", function()
    for text, want in pairs {
      ["1s"] = 1, ["6m0s"] = 360, ["20ms"] = 0.02, ["1m2s300ms"] = 62.3, ["2m59.5s"] = 179.5,
      ["7.5"] = 7.5, ["0"] = 0, ["1h"] = 3600, ["1d1s"] = 86401,
    } do
      assert.is_true(math.abs(want - resets.duration(text)) < 1e-9, text)
    end
  end)

  it("knows what is none", function()
    for _, text in ipairs {
      "", "soon", "s", "-5", "-5s", "1x", "1s!", "2026-11-22T08:00:00Z",
    } do
      assert.is_nil(resets.duration(text), text)
    end
  end)

  local function of(headers) return resets.of(function(name) return headers[name] end) end

  it("goes by the limit of which nothing is left, and by the later of two", function()
    local limits = {
      ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "2s",
      ["x-ratelimit-remaining-tokens"] = "5", ["x-ratelimit-reset-tokens"] = "9s",
    }
    assert.equal(2, of(limits))
    limits["x-ratelimit-remaining-tokens"] = "0"
    assert.equal(9, of(limits))
    limits["x-ratelimit-reset-tokens"] = "nonsense"
    assert.equal(2, of(limits))
    assert.is_nil(of {})
  end)
end)
