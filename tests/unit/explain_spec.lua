-- moongate explain and check: what they say, and their exit codes.

local HAS_ENGINE = pcall(require, "engine") and package.preload["engine.json"] ~= nil

local check = require "cli.check"
local config = require "config"
local explain = require "pipeline.explain"
local explain_text = require "pipeline.explain_text"
local explain_verb = require "cli.explain"
local routes = require "routes_helper"

local json_it = HAS_ENGINE and it or pending

local HEAD = routes.HEAD

local function trace(text, ask)
  return explain.trace(routes.good(text), ask)
end

local function text_of(text, ask) return explain_text.of(assert(trace(text, ask))) end

describe("a trace", function()
  it("has shares that sum to 100", function()
    local function shares(...)
      local items = {}
      for i, weight in ipairs { ... } do
        items[i] = ('openai { "m%d", weight = %g }'):format(i, weight)
      end
      local out = {}
      local got = trace(HEAD .. 'model "a" { ' .. table.concat(items, ", ")
        .. " }", { model = "a" })
      for i, dep in ipairs(got.group.deployments) do out[i] = dep.percent end
      return out
    end
    assert.same({ 34, 33, 33 }, shares(1, 1, 1))
    assert.same({ 75, 25 }, shares(3, 1))
    assert.same({ 0, 100 }, shares(0, 5))
    assert.same({ 67, 33 }, shares(2, 1))
    assert.same({ 15, 15, 14, 14, 14, 14, 14 }, shares(1, 1, 1, 1, 1, 1, 1))
  end)

  it("follows aliases and wildcards as a request does", function()
    local text = HEAD .. 'model "o/*" { openai "*" }\nalias { x = "o/gpt-5" }'
    local got = trace(text, { model = "o/gpt-4o" })
    assert.same({ "o/gpt-4o", "o/*", "openai/gpt-4o" },
      { got.group.name, got.group.pattern, got.group.deployments[1].name })
    assert.truthy(explain_text.of(got):find("o/gpt-4o  is covered by  o/*", 1, true))
    assert.same({ to = "o/gpt-5", line = 3 }, trace(text, { model = "x" }).alias)
    local none, why = trace(text, { model = "y" })
    assert.is_nil(none)
    assert.equal('there is no model "y"', why)
  end)

  it("says what a key may not do", function()
    local text = HEAD .. 'model "a" { openai "gpt-4o" } model "b" { openai "gpt-5" }\n'
      .. 'virtual_key "k" { token = env.CLIENT, models = { "a" }, expires = "2027-01-01" }'
    assert.is_false(trace(text, { model = "b", key = "k" }).key.allowed)
    assert.truthy(text_of(text, { model = "b", key = "k" })
      :find("and so not b: this call gets a 404", 1, true))
    assert.truthy(text_of(text, { model = "a", key = "k" })
      :find("may use a · until 2027-01-01", 1, true))
    assert.truthy(text_of(text, { model = "b" }):find("no virtual_key may use it", 1, true))
    assert.truthy(text_of(text, { model = "a" }):find("k may use it", 1, true))
    local _, why = trace(text, { model = "a", key = "nobody" })
    assert.equal('there is no virtual_key "nobody"', why)
  end)

  it("says whose limits hold beside the key's, and what is left of budgets", function()
    local text = HEAD .. [[
model "a" { openai "gpt-4o" }
virtual_key "k" { token = env.CLIENT, team = "red", tags = { tier = "batch" },
  budget = { "$5/day", "$20" } }
limits {
  org = { soft_budget = "$100/month" }, team = { red = { rpm = 600, budget = "$9/day" } },
  tag = { ["tier=batch"] = { parallel = 4 } },
}
]]
    local ask = { model = "a", key = "k" }
    local out = text_of(text, ask)
    for _, want in ipairs {
      "may use every model · $5/day · $20", "team red: 600 rpm · $9/day",
      "org: $100/month (soft)", "tag tier=batch: 4 at once",
    } do
      assert.truthy(out:find(want, 1, true), out)
    end
    assert.is_nil(out:find("left now", 1, true))
    ask.spent_of = function(name)
      local spent = name == "key:k" and 2e9 or 10e9
      return { day = { spent = spent, reserved = 5e8 }, ever = { spent = spent, reserved = 0 } }
    end
    out = text_of(text, ask)
    assert.truthy(out:find("$20 · left now: $2.5/day · $18", 1, true), out)
    assert.truthy(out:find("left now: $0/day", 1, true), out)
  end)

  it("bounds the cost by the dearest deployment and the longest answer", function()
    local text = HEAD .. [[
model "a" {
  openai { "gpt-4o", max_tokens = 1000 }, openai { "gpt-4o-mini", max_tokens = 1000 },
}
model "free" { openai { "own", price = { input = 0, output = 0 } } }
model "long" { openai { "own", name = "long", price = { input = 1, output = 1 } } }
model "dark" { openai "unheard-of" }
]]
    local got = trace(text, { model = "a", tokens = 1200 }).estimate
    assert.equal(1200 * 2500 + 1000 * 10000, got.nano)
    assert.equal("0.013", got.usd)
    local function says(model, tokens, want)
      local out = text_of(text, { model = model, tokens = tokens })
      assert.truthy(out:find(want, 1, true), out)
    end
    says("a", 1200, "about 1,200 tokens in, at most $0.013")
    says("a", 200000, "too long for openai/gpt-4o, which reads 128,000")
    says("free", 10, "at most $0")
    says("long", 1000000, "$1.01 are set aside, 4,096 tokens out; the longest answer of long "
      .. "is not known")
    says("dark", 10, "no price is known for openai/unheard-of")
  end)

  it("knows of the ledger's keys what it is told", function()
    local open = HEAD .. 'model "a" { openai "gpt-4o" }'
    assert.is_false(trace(open, { model = "a", ledger = true }).open)
    assert.truthy(text_of(open, { model = "a", ledger = true })
      :find("keys of the ledger that allow it may use it; --key", 1, true))
    local found = { name = "k", id = "i", account = "key:i", all = true, disabled = true,
      model_list = { "*" }, tags = {} }
    local out = text_of(open, { model = "a", key = "k", found = found })
    assert.truthy(out:find("k     may use every model\n", 1, true)
      or out:find("k  may use every model\n", 1, true), out)
    assert.truthy(out:find("is disabled: this call gets a 403", 1, true), out)
  end)

  it("says what becomes of what a deployment has no word for", function()
    local text = HEAD .. [[
model "a" { openai { "gpt-4o", name = "s", strict = true },
  openai { "gpt-5", name = "d", drop_unsupported = true } }
model "b" { openai "gpt-4o-mini", strict = true }
]]
    local out = text_of(text, { model = "a" })
    assert.truthy(out:find("s: what it has no word for is refused, hints too: a 400", 1, true))
    assert.truthy(out:find("d: what it has no word for is left out, and named", 1, true), out)
    out = text_of(text, { model = "b" })
    assert.truthy(out:find("\n +what it has no word for is refused"), out)
    local deps = trace(text, { model = "a" }).group.deployments
    assert.same({ true, false, false, true }, { deps[1].strict, deps[1].drop_unsupported,
      deps[2].strict, deps[2].drop_unsupported })
    assert.is_nil(text_of(HEAD .. 'model "a" { openai "x" }', { model = "a" })
      :find("no word for", 1, true))
  end)

  it("says who rests, and what follows where all do", function()
    local text = HEAD .. 'model "a" { openai "gpt-4o", openai "gpt-5" }\n'
      .. 'model "t" { openai { "x", name = "x" }, cooldown = { when_all_rest = "try" } }'
    local rests = { ["openai/gpt-5"] = 11.2 }
    local function rest_of(name) return rests[name] end
    local out = text_of(text, { model = "a", rest_of = rest_of })
    assert.truthy(out:find("openai/gpt-5 rests for 12 s more\n", 1, true), out)
    assert.is_nil(out:find("all rest", 1, true))
    rests["openai/gpt-4o"], rests.x = 3, 4
    out = text_of(text, { model = "a", rest_of = rest_of })
    assert.truthy(out:find("all rest: a fallback answers, or a 503 says until when", 1, true))
    out = text_of(text, { model = "t", rest_of = rest_of })
    assert.truthy(out:find("all rest: a fallback answers, or who recovers first is tried, "
      .. "unless it asked to rest", 1, true), out)
  end)

  it("names the answer that a key gets where it is refused", function()
    local text = HEAD .. 'model "a" { openai "gpt-4o" } model "b" { openai "gpt-5" }\n'
      .. 'virtual_key "k" { token = env.CLIENT, models = { "a" }, expires = "2027-01-01" }'
    assert.is_nil(trace(text, { model = "a", key = "k", now = 1.7e9 }).refused)
    assert.is_nil(trace(text, { model = "a" }).refused)
    assert.same({ status = 404, code = "model_not_found" },
      trace(text, { model = "b", key = "k", now = 1.7e9 }).refused)
    local late = { model = "a", key = "k", now = 1.9e9 }
    assert.same({ status = 403, code = "key_expired" }, trace(text, late).refused)
    assert.truthy(text_of(text, late):find("and it has expired: this call gets a 403", 1, true))
    local found = { name = "x", id = "i", account = "key:i", all = true, model_list = { "*" },
      tags = {}, team_disabled = true }
    assert.same({ status = 403, code = "key_disabled" },
      trace(text, { model = "b", key = "x", found = found }).refused)
  end)

  it("names hooks, strategies and kinds of fault", function()
    local out = text_of(HEAD .. [[
model "a" { openai "gpt-4o", balance = "lowest_cost", retries = 1,
  fallback = { rate_limit = "b", content_policy = false } }
model "b" { openai "gpt-5", balance = function() end, retries = 0 }
route(function() end)
on_error(function() end)
]], { model = "a" })
    for _, want in ipairs {
      "picked: whoever is cheapest", "1 retry, 250 ms apart",
        "if rate limited: b → openai/gpt-5",
      "if the provider declines: no fallback", "route() may choose another model",
      "on_error() may decide otherwise", "anyone on this machine may use it",
    } do
      assert.truthy(out:find(want, 1, true), want)
    end
  end)

  json_it("is data, with lists that stay lists", function()
    local json = require "engine.json"
    local text = explain.encode(trace(HEAD .. 'model "a" { openai "gpt-4o" }',
      { model = "a", tokens = 5 }))
    local back = json.decode(text)
    assert.equal("openai/gpt-4o", back.group.deployments[1].name)
    for _, name in ipairs { '"fallbacks":[]', '"hooks":[]', '"keys":[]', '"unpriced":[]' } do
      assert.truthy(text:find(name, 1, true), name)
    end
  end)
end)

-- The verbs run against a host that reads one text.
local function host(text)
  local out = { said = {}, complaints = {}, routes = "routes.lua" }
  out.print = function(line) out.said[#out.said + 1] = line end
  out.complain = function(line) out.complaints[#out.complaints + 1] = line end
  out.ledger_view = function() return { open = function() end } end -- a data folder lies about
  out.load_config = function(path)
    out.path = path
    return config.load(text, path, routes.options(routes.ENV))
  end
  return out
end

local GOOD = routes.MODEL .. 'virtual_key "k" { token = env.CLIENT, rpm = 5 }'
local ODD = routes.MODEL .. 'virtual_key "k" { token = env.CLIENT, expires = "2020-01-01" }'
local BAD = routes.MODEL .. 'modle "b" {}\nmodel "c" {}'

describe("moongate check", function()
  it("has a verdict for a valid file", function()
    local h = host(GOOD)
    assert.equal(0, check({}, h))
    assert.same({ "routes.lua is valid: 1 model, 1 key." }, h.said)
    h = host(ODD)
    assert.equal(0, check({}, h))
    assert.same({
      'routes.lua:3: warning: virtual_key "k": has expired',
      "routes.lua is valid: 1 model, 1 key, 1 warning.",
    }, h.said)
    h = host(routes.MODEL)
    assert.equal(0, check({ "other.lua" }, h))
    assert.same({ "other.lua is valid: 1 model, 0 keys." }, h.said)
  end)

  it("is silent about models that keys of the ledger may ask for", function()
    local text = routes.MODEL .. 'model "b" { openai "gpt-5" }\n'
      .. 'virtual_key "k" { token = env.CLIENT, models = { "b" } }'
    local warning = 'routes.lua:2: warning: model "a": no virtual_key may use it, and nothing '
      .. "falls back to it"
    local h = host(text)
    assert.equal(0, check({}, h))
    assert.equal(warning, h.said[1])
    h = host(text)
    h.dirs = {}
    h.load_config = function(path, ledger_keys)
      return config.load(text, path, routes.options(routes.ENV, { ledger_keys = ledger_keys }))
    end
    local keys = true
    h.ledger_view = function()
      return {
        open = function(dir)
          h.dirs[#h.dirs + 1] = dir
          return "asks"
        end,
        has_keys = function() return keys end,
      }
    end
    assert.equal(0, check({ "--data", "there" }, h))
    assert.same({ "routes.lua is valid: 2 models, 1 key." }, h.said)
    assert.same({ "there" }, h.dirs)
    keys = false
    assert.equal(0, check({}, h))
    assert.equal(warning, h.said[2])
    assert.same({ "there", "data" }, h.dirs)
  end)

  it("prints every error, and leaves with 3", function()
    local h = host(BAD)
    assert.equal(3, check({}, h))
    assert.same({
      'routes.lua:3: unknown word "modle"; did you mean "model"?',
      'routes.lua:4: model "c": has no deployment', "2 errors, 0 warnings.",
    }, h.said)
  end)

  json_it("says the same as JSON", function()
    local h = host(BAD)
    assert.equal(3, check({ "--json" }, h))
    local back = require("engine.json").decode(h.said[1])
    assert.is_false(back.valid)
    assert.same({ 3, 4 }, { back.errors[1].line, back.errors[2].line })
    h = host(ODD)
    assert.equal(0, check({ "--json" }, h))
    assert.truthy(h.said[1]:find(
      '^{"valid":true,"models":1,"keys":1,"errors":%[%],"warnings":%[{'))
  end)

  it("knows its flags", function()
    for list, want in pairs {
      [{ "--jsn" }] = 'unknown flag --jsn; did you mean "--json"?',
      [{ "a", "b" }] = "one word too many: b",
      [{ "--json=1" }] = "--json takes no value",
      [{ "--routes" }] = "--routes needs a value: FILE",
    } do
      local h = host(GOOD)
      assert.equal(2, check(list, h))
      assert.equal(want, h.complaints[1])
      assert.truthy(h.complaints[2]:find "^moongate check")
      assert.same({}, h.said)
    end
    local h = host(GOOD)
    assert.equal(0, check({ "--help" }, h))
    assert.truthy(h.said[1]:find "^moongate check")
  end)
end)

describe("moongate explain", function()
  it("prints the trace", function()
    local h = host(GOOD)
    assert.equal(0, explain_verb({ "a", "--key", "k", "--tokens=10", "--routes", "x.lua" }, h))
    assert.equal("x.lua", h.path)
    assert.truthy(h.said[1]:find("100 %  openai/gpt-4o", 1, true))
    assert.truthy(h.said[1]:find("about 10 tokens in, at most $0.164", 1, true))
  end)

  it("leaves with 1 where the key is refused, and says all the same", function()
    for text, want in pairs {
      [routes.MODEL .. 'model "b" { openai "gpt-5" }\n'
        .. 'virtual_key "k" { token = env.CLIENT, models = { "b" } }'] =
          "and so not a: this call gets a 404",
      [ODD] = "and it has expired: this call gets a 403",
    } do
      local h = host(text)
      assert.equal(1, explain_verb({ "a", "--key", "k" }, h))
      assert.truthy(h.said[1]:find(want, 1, true), h.said[1])
    end
  end)

  it("hears from a running gateway who rests", function()
    local h = host(GOOD)
    h.ledger_view = function()
      return {
        open = function() return "asks", true end, has_keys = function() return false end,
        rests = function(_, model) return { ["openai/gpt-4o"] = model == "a" and 9 or nil } end,
      }
    end
    assert.equal(0, explain_verb({ "a" }, h))
    assert.truthy(h.said[1]:find("openai/gpt-4o rests for 9 s more", 1, true), h.said[1])
  end)

  json_it("prints it as JSON", function()
    local h = host(GOOD)
    assert.equal(0, explain_verb({ "a", "--json" }, h))
    assert.equal("a", require("engine.json").decode(h.said[1]).asked)
  end)

  it("fails with a reason", function()
    for list, want in pairs {
      [{ "aa1" }] = { 1, 'there is no model "aa1"' },
      [{ "a", "--key", "nope" }] = { 1, 'there is no virtual_key "nope"' },
      [{}] = { 2, "which model?" },
      [{ "a", "--tokens", "many" }] = { 2, "--tokens takes a whole number, not many" },
      [{ "a", "--kye", "k" }] = { 2, 'unknown flag --kye; did you mean "--key"?' },
    } do
      local h = host(GOOD)
      assert.equal(want[1], explain_verb(list, h))
      assert.equal(want[2], h.complaints[1])
    end
    local h = host(BAD)
    assert.equal(3, explain_verb({ "a" }, h))
    assert.equal('routes.lua:3: unknown word "modle"; did you mean "model"?', h.complaints[1])
  end)
end)
