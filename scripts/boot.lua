-- The first file of a generation: load routes.lua, hand the engine a function for each request.

local crypto = require "engine.crypto"
local fault = require "lib.fault"
local later = require "lib.later"
local load = require "load"
local log = require "engine.log"
local prices = require "lib.prices"
local vm = require "engine.vm"

local about = vm.options()

-- Imported prices that are whole but cannot be read are somebody's work, and refused as a wrong
-- routes.lua is.
local function check_prices()
  local fine, err = pcall(prices.check)
  if fine then return end
  local message = type(err) == "table" and err.message or tostring(err)
  error({ kind = "config", errors = { { file = "prices", line = 0, message = message } } }, 0)
end

-- Damaged ones are an alarm; the last good ones stand in.
local function tell_prices()
  local metrics = require "lib.metrics"
  metrics.set("moongate_prices_refused", nil, about.prices_problem and 1 or 0)
  if not about.prices_problem then return end
  log.error("prices_refused", {
    message = ("%s; the table of %s stands"):format(about.prices_problem, prices.date),
  })
end

if about.trial then check_prices() end

local cfg, errors, warnings = load.routes()

if about.trial then
  for _, warning in ipairs(warnings or cfg.warnings) do
    log.warn("routes", { file = warning.file, line = warning.line, message = warning.message })
  end
end
if not cfg then error({ kind = "config", errors = errors }, 0) end

-- What read routes.lua has done its work: only the operator's functions may still hold it.
for name in pairs(package.loaded) do
  if name == "load" or name == "config" or name:find("^config%.") then
    package.loaded[name] = nil
  end
end

local overload = require "pipeline.overload"
local pipeline = require "pipeline"
local runtime = require "pipeline.runtime"

-- One seed for a test that replays what was picked, else another one in each state.
math.randomseed(tonumber(vm.getenv("MOONGATE_SEED"))
  or tonumber(crypto.random_hex(6), 16))

cfg.runtime = runtime.new(about.generation, function(name)
  return vm.is_operator("providers/" .. name .. ".lua")
end)

if about.trial then tell_prices() end
overload.tell()

-- Whatever is raised, where it was raised: a bug keeps its traceback, for the log.
function cfg.caught(err)
  local caught = fault.of(err)
  if type(err) ~= "table" then caught.trace = debug.traceback(nil, 2) end
  return caught
end

-- Who hangs up while the ledger is asked ends this task, and nothing is wrong.
local function administer(request)
  local admin = later "pipeline.admin"
  local ok, err = xpcall(admin.serve, cfg.caught, request, cfg)
  if ok or err.kind == "cancelled" then return end
  admin.broken(request, fault.of(err))
end

return function(request)
  if request.admin then return administer(request) end
  return pipeline.serve(request, cfg)
end
