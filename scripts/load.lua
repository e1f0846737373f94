-- routes.lua and what it may reach → cfg. Used by boot.lua and by the command line.

local config = require "config"
local crypto = require "engine.crypto"
local guard = require "engine.guard"
local keyring = require "engine.keyring"
local log = require "engine.log"
local metric = require "engine.metric"
local time = require "engine.time"
local vm = require "engine.vm"

local load = {}

-- What the members of an adapter may be, in the order they are looked at.
local PLACE, CODE = { string = true, ["function"] = true }, { ["function"] = true }
local MEMBERS = {
  { "base_url", PLACE }, { "path", PLACE }, { "headers", CODE }, { "encode", CODE },
  { "decode", CODE }, { "stream", CODE }, { "classify", CODE }, { "sign", CODE },
  { "answer", CODE }, { "natives", { table = true } }, { "keeps", { table = true } },
}
local NEEDED = { encode = true, decode = true, stream = true } -- unless it answers by itself

-- What an adapter lacks, or holds in a wrong shape; nil where it is one.
local function problem(module)
  if type(module) ~= "table" then return "it returns no adapter" end
  for _, member in ipairs(MEMBERS) do
    local name, kinds = member[1], member[2]
    local kind = type(module[name])
    if kind == "nil" and NEEDED[name] and not module.answer then
      return ("it has no %s; does it return chat.adapter { … }?"):format(name)
    elseif kind ~= "nil" and not kinds[kind] then
      return ("its %s is a %s"):format(name, kind)
    end
  end
end

-- A provider's file: an adapter | nil, why not.
local function adapter(name)
  if not name:match("^[%w_]+$") then return nil, "no such file" end
  local ok, module = guard.call(require, "providers." .. name)
  if not ok then
    return nil, type(module) == "table" and module.message or tostring(module)
  end
  local why = problem(module)
  if why then return nil, why end
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

local function options(loopback)
  return {
    load = vm.load, getenv = vm.getenv, read_file = vm.read_file, string = vm.safe_string(),
    adapter = adapter, adapters = adapters, now = time.now, loopback = loopback,
    ledger_keys = keyring.count(), secret = log.secret, sha256 = crypto.sha256, log = log,
    metric = function(name, value, labels) metric.add(name, labels, value) end,
  }
end

--- A file's text, called `name` in messages. cfg, or nil, errors, warnings: lists of
--- { file, line, message }.
function load.text(text, name)
  local cfg, errors, warnings = config.load(text, name, options(vm.options().loopback))
  if cfg then cfg.file = name end
  return cfg, errors, warnings
end

--- The file this gateway was given.
function load.routes()
  return load.text(vm.source("routes.lua"), vm.options().routes)
end

return load
