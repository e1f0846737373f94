-- What routes.lua builds: deployments, models, names that name others, keys, verdicts.

local routes = require "routes_helper"

local ENV, HEAD, MODEL = routes.ENV, routes.HEAD, routes.MODEL
local load, good, errors_of = routes.load, routes.good, routes.errors_of
local raises, refuses = routes.raises, routes.refuses

describe("deployments", function()
  it("have unique names across the file", function()
    refuses('model "b" { openai { "gpt-4o", weight = 2 } }',
      '3: model "b": model "a" has a deployment called "openai/gpt-4o" too; give one a name, '
        .. "or share it with a local")
    good(MODEL .. 'model "b" { openai { "gpt-4o", name = "mine" } }')
    good(HEAD .. 'local d = openai "x" model "b" { d } model "c" { d }')
  end)

  it("name one model", function()
    refuses("model 'b' { openai {} }",
      '3: deployment "openai/?": begins with the model\'s name, such as { "gpt-4o", weight '
        .. '= 2 }')
    refuses('model "b" { openai { "x", "y" } }',
      '3: deployment "openai/x": holds one model; give each its own deployment')
    refuses('model "b" { "gpt-4o", openai }',
      '3: model "b": "gpt-4o" is not a deployment; write it with its provider, such as '
        .. 'openai "gpt-4o"',
      '3: model "b": "openai" needs a model\'s name, such as openai "gpt-4o"')
  end)

  it("have numbers that are ones", function()
    for field, value in pairs {
      weight = "-1", rpm = "0", tpm = "1.5", max_tokens = "'many'", weight_nan = "0/0",
      drop_unsupported = "1", strict = "'yes'", price = "5", region = "{}", name = "'a b'",
    } do
      local name = field:gsub("_nan", "")
      local errors = errors_of(HEAD
        .. ('model "b" { openai { "x", %s = %s } }'):format(name, value))
      assert.equal(1, #errors, field)
      assert.truthy(errors[1]:find(": " .. name .. " must", 1, true), errors[1])
    end
    refuses('model "b" { openai { "x", weight = 0 } }',
      '3: model "b": gives every deployment the weight 0, so none can be picked')
  end)

  it("are strict as their nearest word says", function()
    local function strict(defaults, group, own)
      local cfg = good(HEAD .. ('defaults { %s }\nmodel "b" { openai { "x", name = "n"%s }%s }')
        :format(defaults, own, group))
      return cfg.groups.b.deployments[1].strict
    end
    assert.is_false(strict("", "", ""))
    assert.is_true(strict("strict = true", "", ""))
    assert.is_false(strict("strict = true", ", strict = false", ""))
    assert.is_true(strict("", ", strict = false", ", strict = true"))
    assert.is_false(strict("strict = true", ", strict = true", ", strict = false"))
    assert.is_false(strict("strict = true", "", ", drop_unsupported = true"))
    refuses('model "b" { openai { "x", strict = true, drop_unsupported = true } }',
      '3: deployment "openai/x": strict refuses what drop_unsupported drops; say one of them')
  end)

  it("have prices with both ends, and whole upper tiers", function()
    refuses('model "b" { openai { "x", price = { input = 1 } } }',
      '3: deployment "openai/x": price needs the field "output"')
    refuses('model "b" { openai { "x", price = { input = -1, output = "1.5x" } } }',
      '3: deployment "openai/x": price.input must be dollars per million tokens, not -1',
      '3: deployment "openai/x": price.output must be dollars per million tokens, not "1.5x"')
    refuses('model "b" { openai { "x", price = { input = 1, output = 2, cache_read = 0.1,\n'
      .. "above = { tokens = 200e3, input = 2, output = 4 } } } }",
      '3: deployment "openai/x": price names cache_read, so above must name it too')
    refuses('model "b" { openai { "x", price = { input = 1, output = 2, priority = {\n'
      .. "input = 2, output = 4 }, above = { { tokens = 200e3, input = 2, output = 4 } } } } }",
      '3: deployment "openai/x": price names above, so priority must name it too')
    refuses('model "b" { openai { "x", price = { input = 1, output = 2, audio_input = 3,\n'
      .. "flex = { input = 2, output = 4 } } } }",
      '3: deployment "openai/x": price names audio_input, so flex must name it too')
    local cfg = good(MODEL
      .. 'model "b" { openai { "x", price = { input = 1, output = "2.5" } } }')
    local dep = cfg.groups.b.deployments[1]
    assert.same({ input = 1, output = 2.5 }, dep.price)
    assert.same({ input = 1e9, output = 2.5e9 }, dep.rates)
    assert.equal(2.5e9, cfg.groups.a.deployments[1].rates.input) -- gpt-4o, from the list
    assert.equal(2.5, cfg.groups.a.deployments[1].price.input)
  end)

  it("have prices of all that is billed", function()
    local cfg = good(MODEL .. [[
model "b" { openai { "x", price = {
  input = 1, output = "2.5", cache_read = 0, audio_input = 40, image_output = 30,
  above = {
    { tokens = 200e3, input = 2, output = 5, cache_read = 0, audio_input = 80,
      image_output = 60 },
    { tokens = 128e3, input = 1.5, output = 3, cache_read = 0, audio_input = 60,
      image_output = 45 },
  },
  batch = 0.5, request = "0.005",
  web_search = { low = 0.03, medium = 0.035, high = 0.05 },
} } }]])
    local rates = cfg.groups.b.deployments[1].rates
    assert.same({ 128000, 200000 }, { rates.tiers[1].tokens, rates.tiers[2].tokens })
    assert.same({ 0.5e9, 1e9, 40e9 }, { rates.service.batch.input,
      rates.service.batch.tiers[2].input, rates.service.batch.tiers[2].audio_input })
    assert.same({ 5e12, 35e12, 0 }, { rates.request, rates.web_search_medium,
      rates.cache_read })
  end)

  it("have prices that are ones", function()
    local function price(more, ...)
      refuses(('model "b" { openai { "x", price = { input = 1, output = 2, %s } } }')
        :format(more), ...)
    end
    local at = '3: deployment "openai/x": price'
    price("request = 10", at .. ".request must be dollars for one, not 10")
    price("batch = 0", at .. ".batch must be prices in braces, or a factor such as 0.5, not 0")
    price("flex = { input = 1 }", at .. '.flex needs the field "output"')
    price("above = { {} }", at .. '.above.1 needs the field "input"',
      at .. '.above.1 needs the field "output"', at .. '.above.1 needs the field "tokens"')
    price("web_search = { low = 1, medium = 1, high = 1, huge = 2 }",
      '3: deployment "openai/x": price.web_search has no field "huge"')
    price("audio = 1", '3: deployment "openai/x": price has no field "audio"')
    refuses('model "b" { openai { "x", price = { input = 9e6, output = 1, priority = 2 } } }',
      at .. " has a factor priority that makes it too large")
  end)
end)

describe("models", function()
  it("have a deployment, and one name", function()
    refuses('model "b" {}', '3: model "b": has no deployment')
    refuses('model "a" { openai { "y" } }',
      '3: model "a": is declared twice; the first is on line 2')
    assert.same({ '1: no model is declared; a file needs one, such as model "small" '
      .. '{ openai "gpt-4o-mini" }' }, errors_of "")
  end)

  it("fall back to models, in order", function()
    local cfg = good(MODEL .. [[
model "b" { openai "b", fallback = { "c", nil, "a", context_window = "c",
  bad_request = false } }
model "c" { openai "c", fallback = { env "NOPE" and "a", "x", "b" } }
alias { x = "y", y = "a" }
]])
    assert.same({ "c", "a" }, cfg.groups.b.fallback)
    assert.same({ context_window = "c", bad_request = false }, cfg.groups.b.fallback_by_kind)
    assert.same({ "a", "b" }, cfg.groups.c.fallback)
    assert.same({ x = "a", y = "a" }, cfg.aliases)
  end)

  it("fall back to nothing else", function()
    refuses('model "smart" { openai "s",\n  fallback = {\n "smrt",\n "b" },\n}\nmodel "b" '
      .. '{ openai'
      .. ' "b", fallback = { "b" } }',
      '5: model "smart": falls back to "smrt", which is not a model; did you mean "smart"?',
      '8: model "b": falls back to itself')
    refuses('model "b" { openai "b", fallback = "a" }',
      '3: model "b": fallback must be a list: '
      .. '{ "a" }')
    refuses('model "b" { openai "b", fallback = { contxt_window = "a" } }', '3: model "b": '
      .. 'fallback knows no kind of fault "contxt_window"; did you mean "context_window"?')
    refuses('on_error(function() return fallback "aa" or fallback "b" end)',
      '3: fallback "aa": there is no such model', '3: fallback "b": there is no such model')
  end)

  it("balance as told", function()
    refuses('model "b" { openai "b", balance = "least_bussy" }',
      '3: model "b": balance must be '
      .. 'a function or one of "weighted", "least_busy", "lowest_latency", "lowest_cost", not '
      .. '"least_bussy"; did you mean "least_busy"?')
    local cfg = good(MODEL
      .. 'model "b" { openai "b", balance = function(list) return list[1] end'
      .. " }")
    assert.is_function(cfg.groups.b.balance)
    assert.equal("weighted", cfg.groups.a.balance)
  end)

  it("inherit, the nearest word last", function()
    local cfg = good(MODEL .. [[
defaults { timeout = { connect = "2s", total = "5m" }, retries = 1, cooldown = { time = "9s" } }
local slow = provider "openai" { name = "slow", timeout = { connect = "4s", idle = "7s" } }
model "b" { slow { "x", timeout = { first_token = "1s" } }, timeout = { idle = "8s" },
  retries = 0 }
]])
    assert.same({ connect = 4, first_token = 1, idle = 8, event = 300, total = 300,
      stream_total = 300 },
      cfg.groups.b.deployments[1].timeout)
    assert.same({ connect = 2, first_token = 60, idle = 60, event = 300, total = 300,
      stream_total = 300 },
      cfg.groups.a.timeout)
    assert.same({ 0, 1 }, { cfg.groups.b.retries, cfg.groups.a.retries })
    assert.same({ allowed_fails = 3, within = 60, time = 9 }, cfg.groups.a.cooldown)
    assert.same({ 3600, 600, 0.25, 2 }, (function()
      local plain = good(MODEL).groups.a
      return { plain.timeout.stream_total, plain.timeout.total, plain.backoff, plain.retries }
    end)())
    refuses("defaults {}\ndefaults {}", "4: defaults: are set twice; put both in one table")
  end)
end)

describe("wildcards", function()
  it("are groups with one *, the longest first", function()
    local cfg = good(MODEL
      .. 'local az = provider "azure" {}\nmodel "*" { openai "gpt-4o-mini" }\n'
      .. 'model "azure/*" { az "*" }\nmodel "azure/gpt-*-eu" { az { "eu-*", name = "eu" } }')
    assert.same({ "azure/gpt-*-eu", "azure/*", "*" },
      { cfg.wildcards[1].name, cfg.wildcards[2].name, cfg.wildcards[3].name })
    assert.same({ prefix = "azure/gpt-", suffix = "-eu" }, cfg.wildcards[1].wildcard)
    assert.is_true(cfg.wildcards[2].deployments[1].wildcard)
    assert.equal("azure/*", cfg.wildcards[2].deployments[1].name)
    assert.is_false(cfg.wildcards[3].deployments[1].wildcard)
    assert.is_nil(cfg.wildcards[2].deployments[1].rates)
  end)

  it("stand for something", function()
    refuses('model "b" { openai "*" }',
      '3: model "b": the * of deployment "openai/*" has nothing '
      .. 'to stand for; name the model "…/*"')
    refuses('model "b/*" { openai "*-*" }',
      '3: model "b/*": deployment "openai/*-*" may have one *')
    refuses('model "*/*" { openai "x" }', '3: model "*/*": may have one * in its name')
  end)

  it("become groups where the file names one of theirs", function()
    local cfg = good(HEAD .. 'model "o/*" { openai "*" }\nmodel "b" { openai "b", '
      .. 'fallback = { "o/gpt-4o" } }\nalias { x = "o/gpt-5" }')
    assert.equal("openai/gpt-4o", cfg.groups["o/gpt-4o"].deployments[1].name)
    assert.equal("gpt-5", cfg.groups["o/gpt-5"].deployments[1].model)
    assert.equal(1.25e9, cfg.groups["o/gpt-5"].deployments[1].rates.input)
    assert.same({ "o/*", "b" }, cfg.order)
    assert.same({ '3: model "b": falls back to "o/*", but what would its * be?' },
      errors_of(HEAD
        .. 'model "o/*" { openai "*" }\nmodel "b" { openai "b", fallback = { "o/*" } }'))
  end)
end)

describe("aliases", function()
  it("lead to models", function()
    refuses('alias { b = "nobody", c = "aa" }\nalias { a = "a" }\nalias { d = "e", e = "d" }',
      '3: alias "b": leads to "nobody", which is not a model',
      '3: alias "c": leads to "aa", which is not a model',
      '4: alias "a": is also the name of a model',
      '5: alias "d": leads in a circle through "e"',
      '5: alias "e": leads in a circle through "d"')
    refuses('alias { b = "a" }\nalias { b = "a" }', '4: alias "b": is declared twice')
    refuses("alias { 'a' }", '3: alias "1": is written from = "to", both names')
    refuses('alias { ["x/*"] = "a" }', '3: alias "x/*": may have no *; only a model may')
  end)
end)

describe("virtual keys", function()
  local function key(fields) return MODEL .. 'virtual_key "k" { ' .. fields .. " }" end

  it("are known by their hash", function()
    local hash = ("0aF9"):rep(16)
    local cfg = good(key(('hash = "sha256:%s", models = { "a" }, tags = { team = "x", n = 1 },'
      .. ' expires = "2027-01-01"'):format(hash)))
    local k = cfg.keys.by_hash[hash:lower()]
    assert.equal(cfg.keys.by_name.k, k)
    assert.same({ a = true }, k.models)
    assert.same({ team = "x", n = "1" }, k.tags)
    assert.equal(1798848000, k.expires_at)
    assert.is_nil(k.all)
    assert.is_false(cfg.open)
    assert.is_true(good(key "token = env.CLIENT").keys.by_hash["sha256 of client-1"].all)
  end)

  it("have a token or a hash", function()
    local hash = ("a"):rep(64)
    for fields, message in pairs {
      ["models = { 'a' }"] = "needs a token (env.NAME) or a hash",
      ["hash = 'sha256:12'"] = 'hash must be "sha256:" and 64 hexadecimal digits',
      [("token = env.CLIENT, hash = 'sha256:%s'"):format(hash)] =
        "has a token and a hash; one of them is enough",
      ["token = env.CLIENT, models = {}"] = "models is an empty list; leave it out to "
        .. "allow all",
      ["token = env.CLIENT, expires = '2026-02-30'"] =
        'expires must be a date such as "2026-12-31", not "2026-02-30"',
      ["token = env.CLIENT, budget = { '$1/day', '5' }"] = "budget must be an amount such as "
        .. '"$500/month" (minute, hour, day, week, month, year), not "5"',
      ["token = env.CLIENT, models = { 'aa', 'a' }"] =
        'models has "aa", which is not a model',
    } do
      assert.same({ '3: virtual_key "k": ' .. message }, errors_of(key(fields)))
    end
    assert.same({ '3: environment variable NOPE is not set' }, errors_of(
      key "token = env.NOPE"))
  end)

  it("are told apart", function()
    refuses('virtual_key "k" { token = env.CLIENT }\nvirtual_key "l" { token = env.CLIENT }\n'
      .. 'virtual_key "k" { token = env.OTHER }',
      '4: virtual_key "l": has the same token as virtual_key "k"',
      '5: virtual_key "k": is declared twice; the first is on line 3')
  end)

  it("may use patterns of models", function()
    local cfg = good(HEAD
      .. 'model "o/*" { openai "*" } model "o/x" { openai { "x", name = "n" } }\n'
      .. 'model "b" { openai "b" } virtual_key "k" { token = env.CLIENT, models = { "o/*" } }')
    assert.same({ ["o/*"] = true, ["o/x"] = true }, cfg.keys.list[1].models)
  end)

  it("may belong to a team, and have limits beside their own", function()
    local cfg = good(key 'token = env.CLIENT, team = "red shift", on_low_budget = "clamp"'
      .. [[

limits {
  org  = { budget = { "$5/day", "$20" }, soft_budget = "$4/day" },
  team = { ["red shift"] = { rpm = 5, models = { "a" } } },
  tag  = { ["tier=low cost"] = { parallel = 2 } },
  user = { tpm = 100, header = "X-User" }, webhook = "https://example.com/hook",
}]])
    assert.same({ "red shift", "clamp", "key:k" },
      { cfg.keys.list[1].team, cfg.keys.list[1].on_low_budget, cfg.keys.list[1].account })
    local limits = cfg.limits
    assert.same({ { window = "day", nano = 5e9 }, { window = "ever", nano = 20e9 } },
      limits.org.budgets)
    assert.same({ rpm = 5, models = { a = true } }, limits.team["red shift"])
    assert.equal(2, limits.tag["tier=low cost"].parallel)
    assert.same({ 100, "x-user" }, { limits.user.tpm, limits.user.header })
    assert.equal("https://example.com/hook", limits.webhook)
  end)

  for text, want in pairs {
    ['limits { teams = {} }'] = 'limits has no field "teams"; did you mean "team"?',
    ['limits { org = { rpm = 0 } }'] = "limits: org.rpm must be a whole number from 1, not 0",
    ['limits { team = { a = { rmp = 5 } } }'] =
      'limits: team.a has no field "rmp"; did you mean "rpm"?',
    ['limits { team = { a = 5 } }'] = "limits: team holds a = 5, which is no table",
    ['limits { team = { { rpm = 5 } } }'] =
      "limits: team is written by name, such as { search = { rpm = 60 } }",
    ['limits { tag = { batch = {} } }'] = 'limits: tag "batch" is written ["name=value"]',
    ['limits { user = { header = "authorization" } }'] =
      "limits: user.header names a header that holds a credential",
    ['limits { user = { models = { "a" } } }'] = 'limits: user has no field "models"',
    ['limits { org = { models = { "b" } } }'] =
      'limits: org: models has "b", which is not a model',
    ['limits { org = { budget = "5" } }'] = 'limits: org.budget must be an amount such as '
      .. '"$500/month" (minute, hour, day, week, month, year), not "5"',
    ['limits { webhook = "example" }'] =
      'limits: webhook must be an address such as "https://api.example.com/v1", not "example"',
    ['limits {} limits {}'] = "limits: are set twice; put both in one table",
    ['virtual_key "l" { token = env.OTHER, on_low_budget = "clam" }'] =
      'virtual_key "l": on_low_budget must be one of "refuse", "clamp", not "clam"; '
      .. 'did you mean "clamp"?',
  } do
    it("are told what is wrong with " .. text, function()
      local found = errors_of(key "token = env.CLIENT" .. "\n" .. text)
      assert.same({ 1 }, { #found })
      assert.equal(want, (found[1]:gsub("^%d+: ", "")))
    end)
  end

  it("are needed away from loopback", function()
    local cfg = good(MODEL)
    assert.is_true(cfg.open)
    assert.same(
      { "1: no virtual_key is declared and the ledger has no key either, so anyone who "
      .. "reaches this address could spend your money; declare one, such as virtual_key "
      .. '"me" { token = env.MOONGATE_KEY }, make one with \'moongate keys create NAME\', or '
      .. "listen on 127.0.0.1" }, errors_of(MODEL, ENV, { loopback = false }))
    cfg = good(MODEL, ENV, { loopback = false, ledger_keys = 1 })
    assert.is_false(cfg.open) -- not even once the last one is deleted
    good(key "token = env.CLIENT", ENV, { loopback = false })
  end)
end)

describe("warnings", function()
  local KEY = '\nvirtual_key "k" { token = env.CLIENT, models = { "b" } }'

  it("name what nobody can reach", function()
    local _, _, warnings = load(MODEL .. 'model "b" { openai "b" }' .. KEY)
    assert.same({ '2: model "a": no virtual_key may use it, and nothing falls back to it' },
      warnings)
    _, _, warnings = load(MODEL .. 'model "b" { openai "b", fallback = { "a" } }' .. KEY)
    assert.same({}, warnings)
    _, _, warnings = load(MODEL .. 'local x = openai "unused"')
    assert.same({ '3: deployment "openai/unused" is in no model' }, warnings)
  end)

  it("say nothing of a wildcard by which a key, or a fallback, reaches a model", function()
    local function warnings(text)
      local _, _, list = load(MODEL .. 'model "o/*" { openai "*" }\n' .. text
        .. '\nvirtual_key "k" { token = env.CLIENT, models = { "a", "b" } }')
      return list
    end
    assert.same({ '3: model "o/*": no virtual_key may use it, and nothing falls back to it' },
      warnings 'model "b" { openai "b" }')
    assert.same({}, warnings 'model "b" { openai "b", fallback = { "o/gpt-5" } }')
    assert.same({}, warnings 'model "b" { openai "b", fallback = { timeout = "o/gpt-5" } }')
    assert.same({}, warnings 'alias { b = "o/gpt-5" }')
  end)

  it("name what has expired", function()
    local _, _, warnings = load(MODEL
      .. 'virtual_key "k" { token = env.CLIENT, expires = "2026-11-21" }')
    assert.same({ '3: virtual_key "k": has expired' }, warnings)
  end)
end)

describe("verdicts and helpers", function()
  local function hook(body, more)
    local cfg = good(MODEL .. 'model "long" { openai "l" }\nroute(function(x) ' .. body
      .. " end)",
      ENV, more)
    return cfg.hooks.route
  end

  it("are tables", function()
    assert.same({ verdict = "fallback", group = "long" }, hook 'return fallback "long"' ())
    assert.same({ verdict = "retry" }, hook "return retry()" ())
    assert.same({ verdict = "wait", seconds = 1 }, hook "return wait(1)" ())
    assert.same({ verdict = "wait", seconds = 0.5 }, hook 'return wait "500ms"' ())
    assert.same({ verdict = "fail", message = "no" }, hook 'return fail "no"' ())
    raises('routes.lua:4: fallback "lung": there is no such model; did you mean "long"?',
      hook "local v = fallback(x) return v", "lung")
    raises("routes.lua:4: wait takes seconds", hook "local v = wait(-1) return v")
  end)

  it("best picks by score", function()
    assert.same({ 3 }, hook "return best(x, function(d) return d[1] end)" { { 1 }, { 3 },
      { 2 } })
    assert.same({ "a", 1 }, hook "return best(x, function(d) return d[2] end)" { { "a", 1 },
      { "b", 1 } })
    assert.is_nil(hook "return best(x, function() end)" { 1, 2 })
  end)

  it("clock tells UTC", function()
    assert.same({ 8, 22, 7 }, hook "return { clock.hour(), clock.day(), clock.weekday() }" ())
  end)

  it("metric and log pass on what is sound", function()
    local said = {}
    local more = {
      metric = function(...) said[#said + 1] = { ... } end,
      log = { warn = function(...) said[#said + 1] = { ... } end },
    }
    hook([[metric("acme_usd", 1.5, { team = "x" }) log.warn("dear", { usd = 2 })]], more)()
    assert.same({ { "acme_usd", 1.5, { team = "x" } }, { "dear", { usd = 2 } } }, said)
    assert.error_matches(hook [[metric("moongate_x", 1)]], "are the gateway's")
    assert.error_matches(hook [[metric("a b", 1)]], "letters, digits")
    assert.error_matches(hook [[metric("x", "1")]], "needs a number")
  end)
end)
