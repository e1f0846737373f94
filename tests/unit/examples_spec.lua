-- The files that people copy: they load as they stand, and explain themselves.

local explain = require "pipeline.explain"
local explain_text = require "pipeline.explain_text"
local routes = require "routes_helper"

local function load(path, env)
  local cfg, errors, warnings = routes.load_file(path, env or routes.variables)
  assert.same({}, errors)
  return assert(cfg), warnings
end

describe("tests/examples", function()
  it("minimal.lua is a gateway in three statements", function()
    local cfg, warnings = load "tests/examples/minimal.lua"
    assert.same({}, warnings)
    assert.same({ "gpt-4o-mini" }, cfg.order)
    assert.is_true(cfg.keys.by_hash["sha256 of value-of-MOONGATE_KEY"].all)
    local dep = cfg.groups["gpt-4o-mini"].deployments[1]
    assert.equal("openai/gpt-4o-mini", dep.name)
    assert.equal("value-of-OPENAI_API_KEY", dep.provider.api_key)
  end)

  it("minimal.lua says what is missing", function()
    local _, errors = routes.load_file("tests/examples/minimal.lua", {})
    assert.same({ "3: environment variable OPENAI_API_KEY is not set",
      "7: environment variable MOONGATE_KEY is not set" }, errors)
  end)

  it("team.lua has weights, fallbacks, limits and keys", function()
    local cfg, warnings = load "tests/examples/team.lua"
    local smart = cfg.groups.smart
    assert.same({ 3, 1 }, { smart.deployments[1].weight, smart.deployments[2].weight })
    assert.same({ 900, 450e3 }, { smart.deployments[1].rpm, smart.deployments[1].tpm })
    assert.same({ "claude", "small" }, smart.fallback)
    assert.same({ context_window = "long" }, smart.fallback_by_kind)
    assert.same({ allowed_fails = 3, within = 60, time = 30 }, smart.cooldown)
    assert.equal(900, cfg.groups.long.deployments[1].timeout.total)
    assert.equal(300, smart.deployments[1].timeout.total)
    assert.equal("least_busy", cfg.groups.small.balance)
    assert.same({ ["gpt-4o"] = "smart", ["gpt-4o-mini"] = "small", default = "small" },
      cfg.aliases)
    assert.same({ smart = true, small = true }, cfg.keys.by_name.search.models)
    assert.same({ { nano = 500e9, window = "month" } }, cfg.keys.by_name.search.budgets)
    assert.equal(1798761600, cfg.keys.by_name["nightly-batch"].expires_at)
    assert.same({}, warnings)
  end)

  it("advanced.lua has loops and functions that run", function()
    local cfg = load "tests/examples/advanced.lua"
    local smart = cfg.groups.smart
    local names = {}
    for i, dep in ipairs(smart.deployments) do names[i] = dep.name end
    assert.same({ "azure-eu/gpt-4o", "azure-us/gpt-4o", "azure-apac/gpt-4o" }, names)
    assert.equal("value-of-AZURE_KEY_EU", smart.deployments[1].provider.api_key)
    assert.equal("value-of-ACME_SECRET",
      cfg.groups["smart-next"].deployments[1].provider.secret)

    local call = { key = { tags = { region = "us" } }, input_tokens = 10, model = "smart",
      percent = function() return 50 end }
    local function view(region, in_flight)
      return { region = region, price = { output = 10 },
        stats = { first_token_p95 = 1, in_flight = in_flight } }
    end
    assert.equal("us", smart.balance({ view("eu", 0), view("us", 50) }, call).region)
    assert.is_nil(cfg.hooks.route(call))
    call.input_tokens = 200e3
    assert.equal("long", cfg.hooks.route(call))
    assert.same({ verdict = "fallback", group = "long" },
      cfg.hooks.on_error { kind = "context_window" })
    assert.equal("fail", cfg.hooks.on_error({ kind = "content_policy" }).verdict)
    assert.is_nil(cfg.hooks.on_error { kind = "timeout" })
  end)

  it("are explained", function()
    local cfg = load "tests/examples/team.lua"
    local text = explain_text.of(explain.trace(cfg,
      { model = "gpt-4o", key = "search", tokens = 1200 }))
    assert.equal([[

  gpt-4o  is an alias of  smart                                routes.lua:45

  smart   75 %  azure/gpt-4o    900 rpm  450k tpm
          25 %  openai/gpt-4o
          2 retries, 250 ms apart, doubling
          then    claude → anthropic/claude-sonnet-4-5
          then    small  → gpu/qwen2.5-32b-instruct  90 %, openai/gpt-4o-mini  10 %
          if too long for the context: long → openai/gpt-4.1

  search  may use smart, small · 120 rpm · 200k tpm · 16 at once · $500/month
          this call: about 1,200 tokens in, at most $0.265
]], text)
  end)
end)

describe("the shipped routes.lua", function()
  it("loads with no variable set, and without a warning", function()
    local cfg, warnings = load("routes.lua", {})
    assert.same({}, warnings)
    assert.same({ "mock", "cheap", "accurate" }, cfg.order)
    assert.is_true(cfg.open)
    assert.same({ "accurate" }, cfg.groups.cheap.fallback)
  end)

  it("adds providers as their keys appear", function()
    local cfg = load("routes.lua", routes.variables)
    local function target(name) return cfg.groups[name].deployments[1].name end
    assert.equal("openai/gpt-4o-mini", target "gpt-4o-mini")
    assert.equal("anthropic/claude-opus-4-5", target "claude-3-opus")
    assert.equal("gemini/gemini-pro-latest", target "gemini-pro")
    assert.equal("azure/value-of-AZURE_DEPLOYMENT", target "azure/gpt-4")
    assert.same({ "claude-3-opus" }, cfg.groups["gpt-4o-mini"].fallback)
    assert.equal(14, #cfg.wildcards)
    assert.equal("groq/*", target "groq/*")
    for _, name in ipairs { "gpt-4o-mini", "claude-3-opus", "gemini-pro" } do
      assert.is_table(cfg.groups[name].deployments[1].rates, name .. " has a price")
    end
  end)

  it("says where an old name leads", function()
    local _, warnings = load("routes.lua", { ANTHROPIC_API_KEY = "x", GEMINI_API_KEY = "x" })
    assert.same({
      '31: model "claude-3-opus": the model of this name was switched off on '
        .. "2026-05-01; anthropic/claude-opus-4-5 answers in its place",
      '38: model "gemini-pro": the model of this name was switched off on '
        .. "2025-02-15; gemini/gemini-pro-latest answers in its place",
    }, warnings)
  end)

  it("is the first thing people read, so it is short", function()
    local _, lines = routes.read("routes.lua"):gsub("\n", "")
    assert.is_true(lines <= 60)
  end)
end)
