-- List prices: looked up by any of a model's names, and free of the reference's known errors.

local money = require "lib.money"
local prices = require "lib.prices"
local rates = require "lib.rates"
local wildcard = require "lib.wildcard"

local function input(provider, model)
  local found = prices.lookup(provider, model)
  return found and found.rates.input
end

describe("a look-up", function()
  it("finds exact, dated and prefixed names alike (B-09)", function()
    for _, name in ipairs {
      "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini",
    } do
      assert.equal(150e6, input("openai", name), name)
    end
    for _, name in ipairs {
      "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5",
      "claude-sonnet-4-5-latest",
    } do
      assert.equal(3e9, input("anthropic", name), name)
    end
    for _, name in ipairs {
      "gemini-2.5-pro", "models/gemini-2.5-pro", "gemini-2.5-pro-preview-05-06",
      "gemini-2.5-pro-001",
    } do
      assert.equal(1.25e9, input("gemini", name), name)
    end
    assert.equal(2.5e9, input("openai", "gpt-4o-2024-08-06"))
    assert.equal(5e9, input("openai", "gpt-4o-2024-05-13")) -- dated, and priced by itself
    assert.equal(3.75e9, input("openai", "ft:gpt-4o-2024-08-06:acme::id"))
  end)

  it("asks OpenAI's list for Azure's models, after Azure's own", function()
    assert.equal(165e6, input("azure", "gpt-4o-mini"))
    assert.equal(2e9, input("azure", "gpt-4.1"))
    assert.equal(1.25e9, input("azure", "azure/gpt-5-2025-08-07"))
  end)

  it("takes a region's profile of Bedrock's for its model where it is not listed", function()
    local base, ours = 3e9, 3.3e9
    for name, price in pairs {
      ["anthropic.claude-sonnet-4-5-20250929-v1:0"] = base,
      ["global.anthropic.claude-sonnet-4-5-20250929-v1:0"] = base,
      ["ca.anthropic.claude-sonnet-4-5-20250929-v1:0"] = base,
      ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"] = ours,
      ["arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929"
        .. "-v1:0"] = ours,
    } do
      assert.equal(price, input("bedrock", name), name)
    end
    for _, name in ipairs {
      "arn:aws:bedrock:us-east-1:1:application-inference-profile/1arbu", "us.who.knows-v1:0",
      "claude-sonnet-4-5",
    } do
      assert.is_nil(input("bedrock", name), name)
    end
  end)

  it("knows nothing of what is not listed", function()
    for _, case in ipairs {
      { "openai", "claude-sonnet-4-5" }, { "openai_compatible", "gpt-4o" }, { "mock", "mock" },
      { "openai", "gpt-4oo" }, { "openai", "" }, { "azure", "our-deployment" },
      { "openai", "anthropic/gpt-4o" }, { "openai", "ft:unknown:x::y" },
    } do
      assert.is_nil(prices.lookup(case[1], case[2]), case[2])
    end
  end)

  it("prefers the operator's price, then the served model's", function()
    local dep = { model = "gpt-4o", provider = { adapter_name = "openai" } }
    assert.equal(2.5e9, prices.of(dep).input)
    assert.equal(5e9, prices.of(dep, "gpt-4o-2024-05-13").input)
    assert.equal(2.5e9, prices.of(dep, "who-knows").input)
    dep.own_price, dep.rates = true, { input = 7, output = 7 }
    assert.equal(7, prices.of(dep, "gpt-4o-2024-05-13").input)
    assert.is_nil(prices.of { model = "x", provider = { adapter_name = "openai" } })
  end)

  it("knows limits", function()
    local dep = { model = "gpt-4o", provider = { adapter_name = "openai" } }
    assert.same({ 128000, 16384 }, { prices.limits(dep) })
    dep.max_tokens = 100
    assert.same({ 128000, 100 }, { prices.limits(dep) })
  end)

  it("knows what is switched off", function()
    assert.equal("2026-05-01", prices.retired "claude-3-opus-20240229")
    assert.equal("2025-10-28", prices.retired "claude-3-5-sonnet-latest")
    assert.is_nil(prices.retired "claude-opus-4-5")
    assert.is_nil(prices.retired "gemini-pro-latest")
  end)
end)

describe("the list", function()
  local built_in = prices.tables[#prices.tables]

  local function each(check)
    for _, provider in ipairs { "openai", "azure", "anthropic", "gemini" } do
      for _, name in ipairs(built_in:names(provider)) do
        check(provider, name, built_in:exact(provider, name))
      end
    end
  end

  -- The usual prices, those of its services, and of long prompts.
  local function all(entry)
    local out = { entry.rates }
    for _, own in pairs(entry.rates.service or {}) do out[#out + 1] = own end
    for i = 1, #out do
      for _, tier in ipairs(out[i].tiers or {}) do out[#out + 1] = tier end
    end
    return out
  end

  -- Images, sound: by the piece, or by tokens of which nobody says how many there may be.
  local function sold_apart(at)
    for name in pairs(at) do
      if rates.is_picture(name) then return true end
    end
    return (at.image_input or at.ms_input or at.ms_output or at.character_input) ~= nil
  end

  it("has whole lines, each model once", function()
    assert.is_true(built_in:check() >= 140)
    each(function(_, name, entry)
      local each_one = sold_apart(entry.rates)
      if not entry.rates.input then return assert.is_true(each_one, name) end
      assert.is_number(entry.rates.output, name)
      if not each_one then assert.is_number(entry.max_input, name) end
    end)
  end)

  it("never prices a cached token above a fresh one, nor leaves a class out of a tier",
    function()
    each(function(_, name, entry)
      for _, one in ipairs(entry.rates.input and all(entry) or {}) do
        assert.is_true((one.cache_read or 0) <= one.input, name)
        assert.is_true((one.cache_write or one.input) >= one.input, name)
        for _, class in ipairs(rates.TOKENS) do
          assert.equal(entry.rates[class] ~= nil, one[class] ~= nil, name .. " " .. class)
        end
      end
    end)
  end)

  it("has Anthropic's cache writes at 1.25 and 2 times the input", function()
    for _, name in ipairs(built_in:names "anthropic") do
      for _, one in ipairs(all(built_in:exact("anthropic", name))) do
        assert.equal(one.input * 2, one.cache_write_1h, name)
        if name ~= "claude-3-haiku" then -- 0.30 there, by its own price page
          assert.equal(one.input * 1.25, one.cache_write, name)
        end
      end
    end
  end)

  it("has dearer prices above a threshold, and for priority; cheaper ones for flex and batch",
    function()
    each(function(_, name, entry)
      local usual, service = entry.rates, entry.rates.service or {}
      for _, tier in ipairs(usual.tiers or {}) do
        assert.is_true(tier.input >= usual.input and tier.output >= usual.output, name)
      end
      for _, cheap in ipairs { "batch", "flex" } do
        assert.is_true(not service[cheap] or service[cheap].input < usual.input, name)
      end
      for _, dear in ipairs { "priority", "fast", "us" } do
        assert.is_true(not service[dear] or service[dear].input >= usual.input, name)
      end
    end)
  end)

  it("has the four prices of everybody's first example", function()
    local mini = prices.lookup("openai", "gpt-4o-mini").rates
    assert.same({ 150e6, 600e6, 75e6, 75e6 },
      { mini.input, mini.output, mini.cache_read, mini.service.batch.input })
    local opus = prices.lookup("anthropic", "claude-3-opus-20240229").rates
    assert.same({ input = 15e9, output = 75e9, cache_read = 1.5e9, cache_write = 18.75e9,
      cache_write_1h = 30e9, web_search = 10e12, may_search = true, service = {
        batch = { input = 7.5e9, output = 37.5e9, cache_read = 0.75e9, cache_write = 9.375e9,
          cache_write_1h = 15e9, web_search = 10e12, may_search = true },
      } }, opus)
    assert.equal(30e9, input("azure", "gpt-4"))
    local pro = prices.lookup("gemini", "gemini-2.5-pro").rates
    assert.same({ tokens = 200000, input = 2.5e9, output = 15e9, cache_read = 0.25e9 },
      pro.tiers[1])
    assert.equal(200001 * 2500 + 15000,
      money.cost(pro, { input_tokens = 200001, output_tokens = 1 }))
  end)

  it("is of the date that rows are told", function()
    assert.equal("2026-07-24", prices.date)
    assert.equal("2026-07-24", prices.version(built_in))
    local dep = { model = "gpt-4o", provider = { adapter_name = "openai" } }
    assert.equal("2026-07-24", select(2, prices.of(dep)))
    dep.own_price, dep.rates = true, { input = 1 }
    assert.equal("own", select(2, prices.of(dep)))
  end)
end)

describe("wildcards", function()
  it("match with something for the *", function()
    local pattern = wildcard.parse "azure/gpt-*-eu"
    assert.equal("4o", wildcard.match(pattern, "azure/gpt-4o-eu"))
    for _, name in ipairs { "azure/gpt--eu", "azure/gpt-4o", "xazure/gpt-4o-eu", "" } do
      assert.is_nil(wildcard.match(pattern, name), name)
    end
    assert.is_nil(wildcard.parse "none")
    assert.is_nil(wildcard.parse "*/*")
  end)

  it("fill names as they are", function()
    local provider = { name = "p", adapter_name = "openai" }
    local group = { name = "o/*", wildcard = wildcard.parse "o/*", deployments = {
      { model = "*", name = "p/*", provider = provider, wildcard = true },
      { model = "eu-*", name = "eu", provider = provider, wildcard = true },
      { model = "fixed", name = "p/fixed", provider = provider },
    } }
    local one = wildcard.concrete(group, "o/100%1", "100%1")
    assert.same({ "100%1", "p/100%1" }, { one.deployments[1].model, one.deployments[1].name })
    assert.same({ "eu-100%1", "eu/100%1" }, { one.deployments[2].model,
      one.deployments[2].name })
    assert.same({ "fixed", "p/fixed" }, { one.deployments[3].model,
      one.deployments[3].name })
    assert.same({ "o/100%1", "o/*" }, { one.name, one.pattern })
    assert.equal("*", group.deployments[1].model)
    assert.equal(2.5e9, wildcard.concrete(group, "o/gpt-4o",
      "gpt-4o").deployments[1].rates.input)
  end)
end)
