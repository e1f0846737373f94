-- routes.lua and what it may reach → cfg. Used by boot.lua and by the command line.

local adapters_of = require "config.adapters"
local config = require "config"
local crypto = require "engine.crypto"
local guard = require "engine.guard"
local keyring = require "engine.keyring"
local log = require "engine.log"
local metric = require "engine.metric"
local time = require "engine.time"
local vm = require "engine.vm"

local load = {}

-- A provider's file: an adapter | nil, why not.
local function adapter(name)
  if not name:match("^[%w_]+$") then return nil, "no such file" end
  local ok, module = guard.call(require, "providers." .. name)
  if not ok then
    return nil, type(module) == "table" and module.message or tostring(module)
  end
  local why = adapters_of.problem(module)
  if why then return nil, ("providers/%s.lua: %s"):format(name, why) end
  return module
end

--- The names of all providers.
local function adapters()
  local out = {}
  for _, file in ipairs(vm.files()) do
    local name = file:match("^providers/([%w_]+)%.lua$")
    if name then out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

local function options(loopback, ledger_keys)
  return {
    load = vm.load, getenv = vm.getenv, read_file = vm.read_file, string = vm.safe_string(),
    sort = vm.safe_sort(), adapter = adapter, adapters = adapters, now = time.now,
    loopback = loopback,
    ledger_keys = ledger_keys, secret = log.secret, sha256 = crypto.sha256, log = log,
    metric = function(name, value, labels) metric.add(name, labels, value) end,
  }
end

--- A file's text, called `name` in messages; `ledger_keys` is how many keys the ledger has,
--- where this state has no keyring. cfg, or nil, errors, warnings: lists of
--- { file, line, message }.
function load.text(text, name, ledger_keys)
  local cfg, errors, warnings = config.load(text, name, options(vm.options().loopback,
    ledger_keys or keyring.count()))
  if cfg then cfg.file = name end
  return cfg, errors, warnings
end

--- The file this gateway was given.
function load.routes()
  return load.text(vm.source("routes.lua"), vm.options().routes)
end

return load
