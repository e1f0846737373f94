-- One language, said in four places: config.lua, meta/routes.lua, .luacheckrc, docs/routes.md.

local fallbacks = require "config.fallbacks"
local kinds = require "config.kinds"
local manual = require "tools.manual"
local place = require "config.place"
local rates = require "lib.rates"
local routes = require "routes_helper"
local schema = require "config.schema"
local words = require "config.words"

local adapters = require "config.adapters" -- it needs the engine, which the helper brings

local meta = manual.read(routes.read "scripts/meta/routes.lua")

local function sorted(names)
  table.sort(names)
  return names
end

local function keys(t)
  local out = {}
  for name in pairs(t) do out[#out + 1] = name end
  return sorted(out)
end

-- The fields that a kind of record accepts: those it does not call unknown.
local function accepts(kind, names)
  local out = {}
  for _, name in ipairs(names) do
    local refused = false
    local session = {
      report = {
        error = function(_, _, text) refused = refused or text:find "has no field" end,
      },
      source = { field = function() return 1 end },
    }
    kind({ [name] = false }, place.new(session, "x", 1))
    if not refused then out[#out + 1] = name end
  end
  return out
end

local function documented(class)
  local out = {}
  for _, field in ipairs(meta.classes[class].fields) do
    if field.name:sub(1, 1) ~= "[" then out[#out + 1] = field.name end
  end
  return sorted(out)
end

describe("the words", function()
  it("are twenty, and the same everywhere", function()
    local known = keys(words.of { opts = {}, hooks = {}, pending = {} })
    assert.equal(20, #known)
    assert.same(known, sorted { unpack(meta.words) })
    local rc = setfenv(assert(loadfile ".luacheckrc"), { stds = {}, files = {} })
    rc()
    assert.same(known, sorted { unpack(getfenv(rc).stds.routes.read_globals) })
  end)

  it("have the fields that editors are told of", function()
    for class, of in pairs {
      Provider = schema.provider, Deployment = schema.deployment, ModelGroup = schema.model,
      VirtualKey = schema.virtual_key, Defaults = schema.defaults, Timeout = schema.timeout,
      Cooldown = schema.cooldown, Limits = schema.limits, Limit = schema.limit,
      UserLimit = schema.user_limit, OAuth = schema.oauth,
    } do
      assert.same(keys(of.fields), documented(class), class)
    end
    local price = documented "Price"
    assert.same(price, accepts(kinds.price, price))
    assert.same({}, accepts(kinds.price, { "prompt", "tokens" }))
    local token_classes = sorted { unpack(rates.TOKENS) }
    assert.same(sorted { "tokens", unpack(token_classes) }, documented "PriceAbove")
    assert.same(sorted { "above", unpack(token_classes) }, documented "PriceService")
  end)

  it("have the members of adapters that editors are told of", function()
    local classes = manual.read(routes.read "scripts/meta/adapter.lua").classes
    for class, of in pairs {
      Adapter = adapters.members, AdapterField = adapters.field, Quirks = adapters.quirks,
    } do
      local names = {}
      for _, field in ipairs(classes[class].fields) do
        names[#names + 1] = field.name
        assert.truthy(field.optional, field.name)
      end
      assert.same(keys(of), sorted(names), class)
    end
    local types = {}
    for _, field in ipairs(classes.AdapterField.fields) do
      for name in field.name == "type" and field.kind:gmatch '"(%w+)"' or function() end do
        types[#types + 1] = name
      end
    end
    assert.same(keys(schema.types), sorted(types))
  end)

  it("know the same kinds of fault", function()
    local out = {}
    for _, kind in ipairs(meta.kinds) do out[#out + 1] = kind.name end
    assert.same(sorted { unpack(fallbacks.kinds) }, sorted(out))
  end)

  it("have a type for every function of the manual", function()
    for _, class in pairs(meta.classes) do
      for _, field in ipairs(class.fields) do
        assert.truthy(field.kind ~= "", class.name .. "." .. field.name)
      end
    end
  end)
end)

describe("the manual", function()
  it("is not stale", function()
    assert.equal(manual.write(routes.read "scripts/meta/routes.lua"),
      routes.read "docs/routes.md",
      "run: luajit tests/tools/manual.lua > docs/routes.md")
  end)

  local PRELUDE = [[
local openai = provider "openai" { name = "sample", api_key = env.KEY }
local azure = provider "azure" { name = "sample-azure", resource = "acme", api_key = env.KEY }
]]

  -- An example stands among providers and models that it may name.
  local function around(code)
    local declares = code:find('provider "openai" {', 1, true)
    local out = { declares and PRELUDE or PRELUDE:gsub('name = "sample", ', ""), code }
    for i, name in ipairs { "smart", "small", "claude", "long" } do
      if not code:find('model "' .. name .. '"', 1, true) then
        out[#out + 1] = ('model "%s" { openai { "gpt-4o", name = "n%d" } }'):format(name, i)
      end
    end
    return table.concat(out, "\n")
  end

  for _, word in ipairs(meta.words) do
    it("has examples of " .. word .. " that load", function()
      assert.is_true(#meta.examples[word] > 0)
      for _, code in ipairs(meta.examples[word]) do
        local cfg, errors = routes.load(around(code), routes.variables)
        assert.same({}, errors)
        assert.is_table(cfg)
      end
    end)
  end
end)
