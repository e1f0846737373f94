-- What is set aside is never less than a bill within it, and no more than the prices say.

local world = require "unit.world"

local MODELS = {
  openai = { "gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-4.1", "o3" },
  anthropic = { "claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku-4-5" },
  gemini = { "gemini-2.5-pro", "gemini-2.5-flash" },
}

local function routes()
  local out = {
    'local openai = provider "openai" { api_key = "k" }',
    'local anthropic = provider "anthropic" { api_key = "k" }',
    'local gemini = provider "gemini" { api_key = "k" }',
    'model "odd" { openai { "own", price = { input = "0.123456", output = 7.5 } } }',
  }
  for provider, models in pairs(MODELS) do
    for _, name in ipairs(models) do
      out[#out + 1] = ('model "%s" { %s "%s" }'):format(name, provider, name)
    end
  end
  return table.concat(out, "\n")
end

describe("bounds", function()
  local w, bounds, bills, prices, json

  setup(function()
    w = world.new(routes())
    bounds, bills = require "pipeline.bounds", require "lib.bill"
    prices, json = require "lib.prices", require "engine.json"
  end)

  local function call_of(group, output, choices, more)
    return {
      cfg = w.cfg, group = group, dep = group.deployments[1], choices = choices,
      output_limit = output, doc = json.index('{"model":"m"' .. (more or "") .. "}"),
    }
  end

  -- Any usage of so many tokens at most.
  local function usage(input, output)
    local read = math.random(0, input)
    local write = math.random(0, input - read)
    return {
      input_tokens = input, output_tokens = output, cache_read_tokens = read,
      cache_write_tokens = write, cache_write_1h_tokens = math.random(0, write),
      reasoning_tokens = math.random(0, output),
    }
  end

  it("are never below a bill, at any model's prices", function()
    for name, group in pairs(w.cfg.groups) do
      local dep = group.deployments[1]
      for _ = 1, 200 do
        local input, output = math.random(0, 300000), math.random(1, 100000)
        local call = call_of(group, output, 1)
        local n, nano = bounds.at(call, dep, input)
        assert.equal(input + output, n)
        local said = usage(math.random(0, input), math.random(0, output))
        local cost = bills.cost(prices.of(dep), call, said)
        assert.is_true(nano >= cost, ("%s: %f < %f"):format(name, nano, cost))
        local exact = bills.bound(prices.of(dep), call, dep, input, output)
        assert.is_true(math.abs(nano - exact) <= 1, name)
      end
    end
  end)

  it("know that a faster service is dearer", function()
    local group = w.cfg.groups["gpt-5"]
    local _, plain = bounds.at(call_of(group, 1000, 1), group.deployments[1], 1000)
    local _, fast = bounds.at(call_of(group, 1000, 1, ',"service_tier":"priority"'),
      group.deployments[1], 1000)
    assert.is_true(fast > plain)
  end)

  it("take each choice, and the longest answer where nobody says", function()
    local group = w.cfg.groups["gpt-4o"]
    local dep = group.deployments[1]
    assert.equal(100 + 3 * 50, (bounds.at(call_of(group, 50, 3), dep, 100)))
    local _, most = prices.limits(dep)
    assert.equal(100 + 2 * most, (bounds.at(call_of(group, false, 2), dep, 100)))
    assert.equal(100 + 4096, (bounds.at(call_of(w.cfg.groups.odd, false, 1),
      w.cfg.groups.odd.deployments[1], 100)))
  end)

  it("say how long an answer some money pays for, to the token", function()
    for name, group in pairs(w.cfg.groups) do
      local dep = group.deployments[1]
      local call = call_of(group, 5000, 2)
      local _, least = bounds.at(call_of(group, 1, 2), dep, 1000)
      assert.equal(0, bounds.affordable(call, dep, 1000, least - 1), name)
      for _ = 1, 20 do
        local left = least + math.random(0, 3e8)
        local n = bounds.affordable(call, dep, 1000, left)
        local function cost(output)
          return (select(2, bounds.at(call_of(group, output, 2), dep, 1000)))
        end
        assert.is_true(n >= 1 and n <= 5000 and cost(n) <= left, name)
        assert.is_true(n == 5000 or cost(n + 1) > left, name)
      end
    end
  end)
end)
