-- Loads routes files without a gateway: adapters are tables, variables a table.

require "engine"
local assert = require "luassert"

local config = require "config"

local routes = {}

local ADAPTERS = {
  openai = { fields = { organization = { type = "string" } } },
  openai_compatible = {
    fields = { name = { required = true }, base_url = { required = true } },
  },
  azure = {
    fields = { resource = {}, api_version = {}, style = { one_of = { "v1", "deployments" } } },
    deployment_fields = { api_version = {} },
  },
  anthropic = { fields = {} },
  gemini = { fields = {} },
  mock = { fields = {} },
  acme = {}, -- a drop-in file that declares no fields
}

local read = require("support.file").text

local function load_text(text, chunk, env)
  if text:byte() == 27 then return nil, "text only" end
  local fn, err = loadstring(text, chunk)
  return fn and setfenv(fn, env), err
end

-- An adapter as it is shipped.
local function shipped(name)
  local ok, adapter = pcall(require, "providers." .. name)
  return ok and adapter or nil
end

--- The options of config.load with `env` as variables; `more` overrides.
function routes.options(env, more)
  local names = {}
  for name in pairs(ADAPTERS) do names[#names + 1] = name end
  local opts = {
    load = load_text,
    getenv = function(name) return (env or {})[name] end,
    read_file = function(path)
      if path == "secret.txt" then return "from-a-file\n" end
      return nil, "no such file"
    end,
    adapter = function(name) return ADAPTERS[name] or shipped(name) end,
    adapters = function() return names end,
    now = function() return 1795334400 end, -- 2026-11-22T08:00:00Z
    sha256 = function(text) return "sha256 of " .. text end,
    loopback = true,
  }
  for name, value in pairs(more or {}) do opts[name] = value end
  return opts
end

routes.ENV = { KEY = "sk-1", OTHER = "sk-2", CLIENT = "client-1" }
routes.HEAD = 'local openai = provider "openai" { api_key = env.KEY }\n'
routes.MODEL = routes.HEAD .. 'model "a" { openai "gpt-4o" }\n'

--- Load text as routes.lua: cfg | nil, errors and warnings as lists of "line: message".
function routes.load(text, env, more)
  local opts = routes.options(env or routes.ENV, more)
  local cfg, errors, warnings = config.load(text, "routes.lua", opts)
  local function lines(list)
    local out = {}
    for i, entry in ipairs(list or {}) do
      assert(entry.file == "routes.lua")
      out[i] = entry.line .. ": " .. entry.message
    end
    return out
  end
  return cfg, lines(errors), lines(cfg and cfg.warnings or warnings)
end

--- cfg of a text that must load.
function routes.good(text, env, more)
  local cfg, errors = routes.load(text, env, more)
  assert.same({}, errors)
  return assert(cfg)
end

--- The errors of a text that must not.
function routes.errors_of(text, env, more)
  local cfg, errors = routes.load(text, env, more)
  assert.is_nil(cfg)
  return errors
end

--- Statements after MODEL, which ends on line 2, give these errors.
function routes.refuses(text, ...)
  assert.same({ ... }, routes.errors_of(routes.MODEL .. text))
end

--- luassert cuts the position off an error; here it is the point.
function routes.raises(want, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal(want, tostring(err):sub(1, #want))
end

--- The variables of tests/examples, all set.
routes.variables = setmetatable({}, {
  __index = function(_, name) return "value-of-" .. name end,
})

function routes.load_file(path, env, more)
  return routes.load(read(path), env, more)
end

routes.read = read

return routes
