-- What the ledger reads: the two journal lines of a request.

local world = require "unit.world"


local ROUTES = [[
local a = provider "openai_compatible" { name = "a", base_url = "http://a/v1" }
local b = provider "openai_compatible" { name = "b", base_url = "http://b/v1" }
model "one" { a { "m", price = { input = 1, output = 2 } }, retries = 0, fallback = { "two" } }
model "two" { b { "n", price = { input = 3, output = 4 } }, retries = 0 }
virtual_key "search" { token = env.KEY, tags = { team = "red" } }
]]

describe("the journal's lines", function()
  local w

  before_each(function() w = world.new(ROUTES, { KEY = "secret-key" }) end)

  local function of(kind)
    local out = {}
    for _, line in ipairs(w.journal) do
      if line.type == kind then out[#out + 1] = line end
    end
    return out
  end

  it("say who asked, when the request was let in, and which accounts pay", function()
    w.answers.a = { world.completion "hi" }
    w:chat("one", { user = "u-1" })
    local intent, usage = of("intent")[1], of("usage")[1]
    for _, line in ipairs { intent, usage } do
      assert.equal("search", line.key)
      assert.equal("red", line.team)
      assert.same({ "key:search", "team:red", "org" }, { unpack(line.accounts) })
      assert.equal("one", line.group)
      assert.equal("one", line.model)
      assert.equal("openai", line.dialect)
      assert.equal("m", line.upstream_model)
      assert.equal(1800001000000, line.admitted)
    end
    assert.is_number(intent.reserve.tokens)
    assert.equal("u-1", usage.user)
    assert.equal("chatcmpl-up", usage.provider_id)
    assert.equal("own", usage.prices) -- the deployment says its price
  end)

  it("name every try's deployment, and what the unanswered ones may cost (B-11)", function()
    w.answers.a = { { error = { kind = "timeout", message = "late", sent = true } } }
    w.answers.b = { world.completion "hi" }
    w:chat "one"
    local intents, usage = of "intent", of("usage")[1]
    assert.same({ "one", "two" }, { intents[1].group, intents[2].group })
    assert.same({ 1, 2 }, { intents[1].attempt, intents[2].attempt })
    local lost, billed = usage.attempts[1], usage.attempts[2]
    assert.same({ "a/m", "a", "m" }, { lost.deployment, lost.provider, lost.upstream_model })
    assert.same({ "b/n", "b", "n" },
      { billed.deployment, billed.provider, billed.upstream_model })
    assert.is_true(lost.suspected_extra.input > 0)
    assert.equal(lost.suspected_extra.input * 1000, lost.suspected_extra.nano)
    assert.is_nil(billed.suspected_extra)
    assert.equal(10 * 3000 + 5 * 4000, usage.cost_nano)
  end)
end)
