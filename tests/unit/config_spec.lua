-- What routes.lua may say: words, lines, the sandbox, secrets, providers.

local routes = require "routes_helper"

local ENV, HEAD, MODEL = routes.ENV, routes.HEAD, routes.MODEL
local load, good, errors_of = routes.load, routes.good, routes.errors_of
local raises, refuses = routes.raises, routes.refuses

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

  it("lends libraries that nobody can change", function()
    for _, name in ipairs { "string.format", "table.insert", "math.abs" } do
      refuses(name .. " = nil", "3: " .. name .. " cannot be changed")
    end
    refuses("string.mine = 1", "3: string.mine cannot be changed")
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
      { '1: unknown provider "inhouse"; adapters of your own are found with --providers DIR' },
      errors_of 'local o = provider "inhouse" {}\nmodel "a" { o "x" }')
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
