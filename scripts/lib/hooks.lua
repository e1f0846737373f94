-- Operator functions: run under the guard, counted, and put to rest when they keep failing. The
-- rest is their generation's: who mends one and reloads need not wait for its end.

local fault = require "lib.fault"
local guard = require "engine.guard"
local log = require "engine.log"
local metric = require "engine.metric"
local shared = require "engine.shared"
local time = require "engine.time"
local vm = require "engine.vm"

local hooks = {}

local STRIKES, WINDOW = 5, 60 -- failures in so many seconds; then a minute's rest
local REST = 60
local GENERATION = vm.options().generation
local RESTS, FAILS = ("hook:%d:"):format(GENERATION), ("strikes:%d:"):format(GENERATION)

local function resting(what)
  local until_s = shared.get(RESTS .. what)
  return until_s and until_s > time.monotonic()
end

local function strike(what, err)
  local text = type(err) == "table" and (err.message or err.kind) or tostring(err)
  log.error("script_error", { hook = what, message = text })
  if shared.take(FAILS .. what, 1, STRIKES, WINDOW) then return text end
  shared.max(RESTS .. what, time.monotonic() + REST, REST)
  log.error("script_disabled", { hook = what, seconds = REST })
  return text
end

local function count(name, result, began)
  metric.add("moongate_lua_calls_total", { hook = name, result = result }, 1)
  metric.observe("moongate_lua_duration_seconds", { hook = name }, time.monotonic() - began)
end

-- `what` is the function that rests, alone; `name` its kind, which metrics know.
local function try(name, what, fn, ...)
  if resting(what) then return false, what .. " failed too often and rests" end
  local began = time.monotonic()
  local ok, result = guard.call(fn, ...)
  count(name, ok and "ok" or "error", began)
  if ok then return true, result end
  return false, strike(what, result)
end

local function run(name, what, fn, ...)
  local ok, result = try(name, what, fn, ...)
  if ok then return result end
  fault.raise("script_error", nil, { detail = what .. ": " .. result })
end

--- true, result | false, message: for what may fail without the request failing.
function hooks.try(name, fn, ...) return try(name, name, fn, ...) end

--- The function's first result. Its failure is the request's: 500 script_error.
function hooks.run(name, fn, ...) return run(name, name, fn, ...) end

--- The same, of a function that not only one model group has.
function hooks.run_of(group, name, fn, ...)
  return run(name, name .. " of " .. group.name, fn, ...)
end

return hooks
