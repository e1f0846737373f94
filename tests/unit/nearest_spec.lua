-- The nearest right word, and no undeclared globals.

local nearest = require "lib.nearest"
local strict = require "lib.strict"

describe("distance", function()
  it("counts insertions, deletions, changes and swaps", function()
    for _, case in ipairs {
      { "", "", 0 }, { "abc", "abc", 0 }, { "abc", "", 3 }, { "", "abc", 3 }, { "abc", "abd",
        1 },
      { "abc", "acb", 1 }, { "abc", "ab", 1 }, { "ab", "abc", 1 }, { "kitten", "sitting", 3 },
      { "abcd", "badc", 2 }, { "ca", "abc", 3 },
    } do
      assert.equal(case[3], nearest.distance(case[1], case[2]), case[1] .. " " .. case[2])
      assert.equal(case[3], nearest.distance(case[2], case[1]), case[2] .. " " .. case[1])
    end
  end)
end)

describe("the nearest name", function()
  local names = { "virtual_key", "fallback", "model", "env", "rpm", "tpm", "on_error" }

  it("is at most two slips away, fewer for short words", function()
    for word, want in pairs {
      virtualkey = "virtual_key", fallbck = "fallback", modle = "model", Model = "model",
      onerror = "on_error", envv = "env", fallbackks = "fallback",
    } do
      assert.equal(want, nearest.find(word, names), word)
    end
    for _, word in ipairs { "virtue", "x", "xy", "os", "modelling", "", ("a"):rep(200) } do
      assert.is_nil(nearest.find(word, names), word)
    end
    assert.is_nil(nearest.find(5, names))
  end)

  it("is the same in every run, and never the word itself", function()
    assert.equal("rpm", nearest.find("xpm", { "tpm", "rpm" }))
    assert.equal("rpm", nearest.find("xpm", { "rpm", "tpm" }))
    assert.is_nil(nearest.find("model", { "model" }))
  end)

  it("ends a message", function()
    assert.equal('; did you mean "model"?', nearest.hint("modle", names))
    assert.equal("", nearest.hint("nothing", names))
  end)
end)

describe("strict", function()
  it("refuses what is not there", function()
    local env = strict.close { known = 1 }
    assert.equal(1, env.known)
    assert.has_error(function() return env.unknown end)
    assert.has_error(function() env.unknown = 1 end)
    env.known = 2
    assert.equal(2, env.known)
    assert.is_false(getmetatable(env))
  end)

  it("can stand in front of names that stay as they are", function()
    local known, asked, written = { word = 1 }, {}, {}
    local env = strict.front(known, function(name) asked[#asked + 1] = name end,
      function(name, value) written[name] = value end)
    assert.equal(1, env.word)
    assert.is_nil(env.other)
    env.word, env.mine = 2, 3
    assert.same({ "other" }, asked)
    assert.same({ word = 2, mine = 3 }, written)
    assert.equal(1, known.word)
  end)
end)
