-- What routes.lua builds, and what it refuses: every error at once, with its line.

local routes = require "routes_helper"

local ENV = { KEY = "sk-1", OTHER = "sk-2", CLIENT = "client-1" }
local HEAD = 'local openai = provider "openai" { api_key = env.KEY }\n'
local MODEL = HEAD .. 'model "a" { openai "gpt-4o" }\n'

local function load(text, env, more) return routes.load(text, env or ENV, more) end

local function good(text, env, more)
  local cfg, errors = load(text, env, more)
  assert.same({}, errors)
  return assert(cfg)
end

local function errors_of(text, env, more)
  local cfg, errors = load(text, env, more)
  assert.is_nil(cfg)
  return errors
end

-- luassert cuts the position off an error; here it is the point.
local function raises(want, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal(want, tostring(err):sub(1, #want))
end

-- The errors of statements that follow MODEL, which ends on line 2.
local function refuses(text, ...)
  assert.same({ ... }, errors_of(MODEL .. text))
end

describe("the five errors of the design", function()
  it("read as promised", function()
    assert.same({
      "1: environment variable MISSING is not set",
      '1: provider "openai" has no field "api_kee"; did you mean "api_key"?',
      '1: unknown word "virtualkey"; did you mean "virtual_key"?',
      '2: model "smart" has no field "fallbck"; did you mean "fallback"?',
    }, errors_of('local o = provider "openai" { api_kee = env.MISSING } virtualkey "x" {}\n'
      .. 'model "smart" { o "gpt-4o", fallbck = {} }'))
    assert.same({ '1: model "a": two deployments are called "openai/gpt-4o"; give one a name' },
      errors_of 'local o = provider "openai" {} model "a" { o "gpt-4o", o "gpt-4o" }')
  end)
end)

describe("lines", function()
  it("are those of the field, however deep", function()
    assert.same({
      '4: deployment "openai/gpt-4o" has no field "wieght"; did you mean "weight"?',
      '6: deployment "openai/gpt-4o": timeout has no field "conect"; did you mean "connect"?',
      '7: deployment "openai/gpt-4o": timeout.total must be written with its unit, '
        .. 'such as "5s", not 5',
      '10: model "a": retries must be a whole number from 0 to 7, not "two"',
    }, errors_of(HEAD .. [[
model "a" {
  openai { "gpt-4o",
    wieght = 1, -- timeout = { total = 1 } in a comment is no field
    timeout = {
      conect = "1s",
      total = 5,
    },
  },
  retries = "two",
}
]]))
  end)

  it("are found in a table made elsewhere, or in the call", function()
    assert.same({ '3: model "a" has no field "retires"; did you mean "retries"?' }, errors_of(
      HEAD .. 'local a = { openai "x" }\na.retires = 3\nmodel "a" (a)'))
    assert.same({ '3: model "a" has no field "retires"; did you mean "retries"?' }, errors_of(
      HEAD .. 'local a, name = { openai "x" }, "retires"\na[name] = 3 model "a" (a)'))
  end)

  it("survive strings and long comments", function()
    refuses('--[==[\nmodel "b" { reties = 1 }\n]==]\nlocal s = [[\n\n]] .. "\\"--\\n"\n'
      .. 'alias { x = s, y = "nobody" }',
        '9: alias "x": leads to "?"--?", which is not a model',
      '9: alias "y": leads to "nobody", which is not a model')
  end)

  it("come with errors of Lua itself", function()
    assert.same({ "2: '}' expected (to close '{' at line 1) near 'y'" },
      errors_of 'model "a" {\nx y = }')
    refuses('local t = nil\nlocal u = t.x', "4: attempt to index local 't' (a nil value)")
    refuses('error "no"', "3: no")
    refuses('error { message = "a table" }', "2: a table")
    refuses("local function f() return f() + 1 end f()", "3: stack overflow")
  end)
end)

describe("words", function()
  it("are known by name only", function()
    refuses('x = 1\nprint(x)', '3: "x" is not declared; write: local x = …',
      '4: unknown word "print"')
    refuses('model = 5', '3: "model" is a word of routes.lua; call yours something else')
    refuses('modle "b" { openai "x" }', '3: unknown word "modle"; did you mean "model"?')
  end)

  it("take a name and a table", function()
    refuses('model "b"', '3: model "b" is not followed by a table in braces')
    refuses('model "b" "c"', '3: model "b" takes a table in braces, not "c"')
    refuses('model { openai "c" }', '3: model needs a name: model "name" { }')
    refuses("alias 'x'", '3: alias takes a table in braces, not "x"')
    refuses("route(5)", "3: route takes a function, not 5")
    refuses("on_error(function() end)\non_error(function() end)",
      "4: on_error is already set on line 3")
  end)

  it("leave flags to the command line (C-09)", function()
    local tail = " and cannot change while the gateway runs"
    refuses('listen = "0.0.0.0:80"',
      '3: "listen" is not set here: it is a flag, moongate serve --listen,' .. tail)
    refuses('defaults { workers = 4 }',
      '3: "workers" is not set here: it is a flag, moongate serve --workers,' .. tail)
    refuses('port(4000)',
      '3: "port" is not set here: it is a flag, moongate serve --listen,' .. tail)
  end)

  it("that declare do nothing in a hook", function()
    local cfg = good(MODEL .. 'route(function() model "late" { } end)\n'
      .. 'on_usage(function() undeclared = 1 end) on_error(function() return undeclared end)')
    raises('routes.lua:3: "model" declares, so it stands at the top', cfg.hooks.route)
    raises('routes.lua:4: "undeclared" is not declared', cfg.hooks.on_usage)
    raises('routes.lua:4: unknown word "undeclared"', cfg.hooks.on_error)
    assert.is_nil(cfg.groups.late)
  end)
end)

describe("the sandbox", function()
  it("has no way out", function()
    for _, name in ipairs {
      "io", "os", "debug", "package", "require", "load", "loadstring", "loadfile", "dofile",
      "setfenv", "getfenv", "collectgarbage", "newproxy", "rawset", "rawget", "setmetatable",
      "getmetatable", "coroutine", "jit", "ffi", "module", "_G", "pcall", "xpcall", "gcinfo",
    } do
      assert.same({ ('3: unknown word "%s"'):format(name) },
        { (errors_of(MODEL .. "local x = " .. name)[1]:gsub(";.*", "")) })
    end
    refuses('string.dump(math.abs)', "3: attempt to call field 'dump' (a nil value)")
    refuses("math.randomseed(1)", "3: attempt to call field 'randomseed' (a nil value)")
  end)

  it("takes text only", function()
    assert.same({ "1: text only" }, errors_of(string.dump(function() end)))
  end)

  it("lends copies", function()
    good(MODEL .. "string.format = nil table.insert = nil math.abs = nil")
    assert.is_function(string.format)
    assert.is_function(table.insert)
    assert.is_function(math.abs)
  end)

  it("keeps the environment shut", function()
    refuses("env.KEY = 'mine'", "3: env is read only")
  end)

  it("copies what it is given", function()
    local cfg = good(MODEL .. 'local tags = { team = "x" }\nvirtual_key "k" '
      .. "{ token = env.CLIENT, tags = tags }\ntags.team = 'y'")
    assert.equal("x", cfg.keys.by_name.k.tags.team)
  end)
end)

describe("secrets", function()
  it("come from variables and files", function()
    local seen = {}
    local cfg = good('local o = provider "openai" { api_key = file "secret.txt" }\n'
      .. 'model "a" { o "x" }\nvirtual_key "k" { token = env.CLIENT }', ENV,
      { secret = function(value) seen[value] = true end })
    assert.equal("from-a-file", cfg.groups.a.deployments[1].provider.api_key)
    assert.is_true(seen["from-a-file"])
    assert.is_true(seen["client-1"])
  end)

  it("missing are errors, unless asked for", function()
    refuses("local x = env.NOPE .. env.EMPTY:upper()",
      "3: environment variable EMPTY is not set", "3: environment variable NOPE is not set")
    refuses('local x = file "nowhere"', '3: file "nowhere" cannot be read: no such file')
    good(MODEL .. 'if env "NOPE" or env "EMPTY" then model "b" {} end', { KEY = "x",
      EMPTY = "" })
  end)

  it("in the file are warned of, and never shown", function()
    local _, _, warnings = load('local o = provider "openai" { \n api_key = "sk-abcdefghij" }\n'
      .. 'model "a" { o "x" }')
    assert.same(
      { '2: provider "openai": api_key is written in the file; use env.NAME or file' },
      warnings)
    local errors = errors_of('local o = provider "openai" { api_key = "sk-abc defg" }\n'
      .. 'model "a" { o "x" }')
    assert.same({ '1: provider "openai": api_key holds a space or a line break' }, errors)
  end)
end)

describe("providers", function()
  it("are adapters that exist", function()
    assert.same({ '1: unknown provider "opnai"; did you mean "openai"?' },
      errors_of 'local o = provider "opnai" {}\nmodel "a" { o "x" }')
    assert.same(
      { '1: provider "openai": its adapter does not load: providers/openai.lua:3: no' },
      errors_of('local o = provider "openai" {}\nmodel "a" { o "x" }', ENV, {
        adapter = function() return nil, "providers/openai.lua:3: no" end,
      }))
  end)

  it("have their adapter's fields", function()
    assert.same({ '1: provider "openai_compatible": needs the field "base_url"',
      '1: provider "openai_compatible": needs the field "name"' },
      errors_of 'local o = provider "openai_compatible" {}\nmodel "a" { o "x" }')
    assert.same({ '1: provider "azure": style must be one of "v1", "deployments", not "v2"' },
      errors_of 'local o = provider "azure" { style = "v2" }\nmodel "a" { o "x" }')
    local cfg = good('local o = provider "acme" { base_url = "http://x/", flavour = "any" }\n'
      .. 'model "a" { o "x" }')
    local provider = cfg.groups.a.deployments[1].provider
    assert.same({ "http://x", "any" }, { provider.base_url, provider.flavour })
    assert.same({ '1: provider "acme" has no field "basurl"; did you mean "base_url"?' },
      errors_of 'local o = provider "acme" { basurl = "http://x" }\nmodel "a" { o "x" }')
  end)

  it("have one name each", function()
    refuses('local b = provider "openai" {} model "b" { b { "y", name = "b" } }',
      '3: provider "openai": two providers are called "openai"; give one a name')
    good(MODEL .. 'local b = provider "openai" { name = "b" } model "b" { b "gpt-4o" }')
  end)

  it("do not send keys in the clear unnoticed", function()
    local function warnings_of(url)
      local _, _, warnings = load(('local o = provider "openai" { api_key = env.KEY,\n'
        .. 'base_url = "%s" }\nmodel "a" { o "x" }'):format(url))
      return warnings
    end
    assert.same(
      { '2: provider "openai": base_url is http, so the API key travels unencrypted' },
      warnings_of "http://models.example/v1")
    for _, url in ipairs { "https://x.example/v1", "http://localhost:1/v1",
      "http://127.0.0.1" } do
      assert.same({}, warnings_of(url))
    end
  end)

  it("have an address that is one", function()
    for _, url in ipairs { "example.com", "ftp://x", "https://", "https://u:p@h",
      "https://h/?x" } do
      assert.equal(1, #errors_of(('local o = provider "openai" { base_url = "%s" }\n'
        .. 'model "a" { o "x" }'):format(url)), url)
    end
  end)
end)

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
      drop_unsupported = "1", price = "5", region = "{}", name = "'a b'",
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

  it("have prices with both ends, and whole upper tiers", function()
    refuses('model "b" { openai { "x", price = { input = 1 } } }',
      '3: deployment "openai/x": price needs the field "output"')
    refuses('model "b" { openai { "x", price = { input = -1, output = "1.5x" } } }',
      '3: deployment "openai/x": price.input must be dollars per million tokens, not -1',
      '3: deployment "openai/x": price.output must be dollars per million tokens, not "1.5x"')
    refuses('model "b" { openai { "x", price = { input = 1, output = 2, cache_read = 0.1,\n'
      .. "above = { tokens = 200e3, input = 2, output = 4 } } } }",
      '3: deployment "openai/x": price names cache_read, so above must name it too')
    local cfg = good(MODEL
      .. 'model "b" { openai { "x", price = { input = 1, output = "2.5" } } }')
    local dep = cfg.groups.b.deployments[1]
    assert.same({ input = 1, output = "2.5" }, dep.price)
    assert.same({ input = 1e9, output = 2.5e9 }, dep.rates)
    assert.equal(2.5e9, cfg.groups.a.deployments[1].rates.input) -- gpt-4o, from the list
    assert.equal(2.5, cfg.groups.a.deployments[1].price.input)
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
    assert.same({ connect = 4, first_token = 1, idle = 8, total = 300, stream_total = 300 },
      cfg.groups.b.deployments[1].timeout)
    assert.same({ connect = 2, first_token = 60, idle = 60, total = 300, stream_total = 300 },
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

  it("say what is not enforced yet", function()
    local _, _, warnings = load(key "token = env.CLIENT,\n rpm = 5, budget = '$5/day'")
    assert.same({ '4: virtual_key "k": rpm, budget are read, but not enforced yet' }, warnings)
  end)

  it("are needed away from loopback", function()
    local cfg = good(MODEL)
    assert.is_true(cfg.open)
    assert.same(
      { "1: no virtual_key is declared, so anyone who reaches this address could spend "
      .. 'your money; declare one, such as virtual_key "me" { token = env.MOONGATE_KEY }, or '
      .. "listen on 127.0.0.1" }, errors_of(MODEL, ENV, { loopback = false }))
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
