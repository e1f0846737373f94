-- The examples that people copy answer, with nothing changed but where their providers live.

local helper = require "helper"
local process = require "support.process"

local ENV = {
  OPENAI_API_KEY = "up-openai", ANTHROPIC_API_KEY = "up-anthropic", AZURE_API_KEY = "up-azure",
  AZURE_KEY_EU = "up-eu", AZURE_KEY_US = "up-us", AZURE_KEY_APAC = "up-apac",
  ACME_SECRET = "up-acme", MOONGATE_KEY = "mg-me", SEARCH_KEY = "mg-search",
  BATCH_KEY = "mg-batch", PRODUCT_KEY = "mg-product",
}

local CLAUDE = helper.message "claude"

describe("the example", function()
  local up, gw

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function()
    up:reset()
    for _, lane in ipairs { "openai", "eu", "us", "apac", "gpu" } do
      up:reply(lane, { body = helper.completion(lane) })
    end
    up:reply("anthropic", { body = CLAUDE })
    up:reply("acme", { body = '{"out":"acme","n_in":7,"n_out":3}' })
  end)
  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  -- Serve an example; `moves` says which of its text names the test's provider instead.
  local function serve(name, moves)
    local text = process.read("tests/examples/" .. name .. ".lua")
    moves['provider "openai" +{'] = ('%%0 base_url = %q,'):format(up:url "openai" .. "/v1")
    moves['provider "anthropic" +{'] = ('%%0 base_url = %q,'):format(up:url "anthropic")
    for pattern, replacement in pairs(moves) do text = text:gsub(pattern, replacement) end
    local env = {}
    for variable, value in pairs(ENV) do env[variable] = value end
    gw = helper.gateway {
      routes = text, env = env, args = { "--providers", "@adapters" },
      files = {
        ["adapters/acme.lua"] = process.read "tests/examples/providers/acme.lua",
      },
    }
  end

  local function said(model, key, more)
    local response = gw:chat(helper.ask(model, more), { key = key })
    assert.equal(200, response.status, response.body)
    return response.json.choices[1].message.content, response
  end

  it("minimal.lua is a whole gateway", function()
    serve("minimal", {})
    assert.equal("openai", (said("gpt-4o-mini", "mg-me")))
    assert.equal(401, gw:chat(helper.ask "gpt-4o-mini", { key = "mg-other" }).status)
  end)

  it("team.lua spreads, falls back, and keeps its keys apart", function()
    serve("team", {
      ['resource = "acme%-eu"'] = ("base_url = %q"):format(up:url "eu"),
      ["http://gpu%-1:8000"] = up:url "gpu",
    })
    local seen = {}
    for _ = 1, 100 do -- 3 to 1: by chance the other way once in 10^7 runs
      local text = said("gpt-4o", "mg-search")
      seen[text] = (seen[text] or 0) + 1
    end
    assert.is_true(seen.eu > seen.openai, helper.json.encode(seen))
    assert.equal(404, gw:chat(helper.ask "claude", { key = "mg-search" }).status)
    assert.equal(404, gw:chat(helper.ask "smart", { key = "mg-batch" }).status)
    assert.is_true(({ gpu = true, openai = true })[(said("default", "mg-search"))])
  end)

  it("advanced.lua picks by region, length and percentage, and counts its spend", function()
    serve("advanced", {
      ['resource    = "acme%-" .. region'] = ("base_url = %q .. region"):format(up:url ""),
      ["http://models.internal"] = up:url "acme",
    })
    local near = { eu = true, acme = true } -- acme: 5 % of all users
    for i = 1, 10 do
      local text = said("smart", "mg-product", ('"user":"u%d"'):format(i))
      assert.is_true(near[text], text)
    end
    assert.equal("acme", (said("smart-next", "mg-product")))
    local long = helper.json.encode { { role = "user", content = ("word "):rep(200e3) } }
    local response = gw:chat(('{"model":"smart","messages":%s}'):format(long),
      { key = "mg-product" })
    assert.equal(200, response.status, response.body)
    assert.equal("long", response.headers["x-moongate-deployment"])
    assert.is_true(gw:metric("acme_spend_usd", { team = "product", model = "smart" }) > 0)
  end)

  it("routes.lua, with every key there, answers by the names that people know", function()
    local text = process.read "routes.lua"
    for pattern, replacement in pairs {
      ['provider "openai" {'] = ("%%0 base_url = %q,"):format(up:url "openai" .. "/v1"),
      ['provider "anthropic" {'] = ("%%0 base_url = %q,"):format(up:url "anthropic"),
      ['provider "gemini" {'] = ("%%0 base_url = %q,"):format(up:url "gemini"),
      ["resource = env.AZURE_RESOURCE"] = ("base_url = %q"):format(up:url "eu"),
    } do text = text:gsub(pattern, replacement) end
    up:reply("gemini", { body = '{"candidates":[{"content":{"role":"model","parts":'
      .. '[{"text":"gemini"}]},"finishReason":"STOP"}],'
      .. '"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}' })
    gw = helper.gateway { routes = text, env = {
      OPENAI_API_KEY = "k1", ANTHROPIC_API_KEY = "k2", GEMINI_API_KEY = "k3",
      AZURE_API_KEY = "k4", AZURE_RESOURCE = "r",
    } }
    for model, deployment in pairs {
      ["gpt-4o-mini"] = "openai/gpt-4o-mini", ["claude-3-opus"] = "anthropic/claude-opus-4-5",
      ["gemini-pro"] = "gemini/gemini-pro-latest", ["azure/gpt-4"] = "azure/gpt-4o",
      ["azure/gpt-4-turbo"] = "azure/gpt-4-turbo", ["openai/gpt-5"] = "openai/gpt-5",
      ["anthropic/claude-opus-4-5"] = "anthropic/claude-opus-4-5",
      cheap = "mock/mock-reasoning",
    } do
      local _, response = said(model)
      assert.equal(deployment, response.headers["x-moongate-deployment"])
    end
  end)
end)
