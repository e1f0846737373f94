-- The words that decide and help: verdicts, secrets, and small tools for hooks.

local kinds = require "config.kinds"
local nearest = require "lib.nearest"
local units = require "lib.units"
local void = require "config.void"

local helpers = {}

-- Secrets ----------------------------------------------------------------------

-- An empty variable is one that somebody forgot to fill.
local function variable(session, name)
  local value = type(name) == "string" and session.opts.getenv(name) or nil
  return value ~= "" and value or nil
end

-- While loading, a missing thing is reported; in a hook it raises.
local function missing(session, message)
  if session.loaded then error(message, 3) end
  session.report:error(session.source:line(), message)
  return void
end

local function env_of(session)
  local function must(_, name)
    local value = variable(session, name)
    if not value then
      value = missing(session, ("environment variable %s is not set"):format(tostring(name)))
    end
    return value
  end
  return setmetatable({}, {
    __index = must,
    __call = function(_, name) return variable(session, name) end,
    __newindex = function() error("env is read only", 2) end,
    __metatable = false,
  })
end

local function file_of(session)
  return function(path)
    local text, err
    if type(path) == "string" then text, err = session.opts.read_file(path) end
    if text then return (text:gsub("%s+$", "")) end
    local value = missing(session, ("file %s cannot be read: %s"):format(
      kinds.name(path), tostring(err or "a path is needed")))
    return value
  end
end

-- Verdicts ---------------------------------------------------------------------

local function fallback_of(session)
  return function(group)
    if type(group) ~= "string" then error("fallback needs the name of a model", 2) end
    if session.loaded and not session.resolve(group) then
      error(('fallback "%s": there is no such model%s'):format(
        group, nearest.hint(group, session.names)), 2)
    end
    return { verdict = "fallback", group = session.loaded and session.resolve(group) or group }
  end
end

local function retry() return { verdict = "retry" } end

local function wait(time)
  local seconds = type(time) == "number" and time or units.duration(time)
  if not seconds or not (seconds >= 0 and seconds < 86400) then
    error('wait takes seconds, or a duration such as "500ms"', 2)
  end
  return { verdict = "wait", seconds = seconds }
end

local function fail(message)
  if type(message) ~= "string" then error("fail needs a message for the client", 2) end
  return { verdict = "fail", message = message }
end

-- Tools ------------------------------------------------------------------------

--- The item with the highest score; the first of equals; nil scores are passed over.
local function best(list, score)
  local winner, most
  for _, item in ipairs(list) do
    local value = score(item)
    if type(value) == "number" and value == value and (not most or value > most) then
      winner, most = item, value
    end
  end
  return winner
end

local PARTS = { "year", "month", "day", "hour", "minute", "second", "weekday" }

-- clock.hour() and its like, in UTC.
local function clock_of(session)
  local clock = { now = session.opts.now }
  for _, part in ipairs(PARTS) do
    clock[part] = function() return units.civil(session.opts.now())[part] end
  end
  return clock
end

local function metric_of(session)
  return function(name, value, labels)
    if type(name) ~= "string" or not name:match("^[%a_][%w_]*$") then
      error("metric needs a name of letters, digits and _", 2)
    end
    if name:match("^moongate_") then error("metrics named moongate_… are the gateway's", 2) end
    if type(value) ~= "number" or value ~= value then error("metric needs a number", 2) end
    if session.opts.metric then session.opts.metric(name, value, labels) end
  end
end

local LEVELS = { "debug", "info", "warn", "error" }

local function log_of(session)
  local log = {}
  for _, level in ipairs(LEVELS) do
    log[level] = function(event, fields)
      local write = session.opts.log and session.opts.log[level]
      if write then write(tostring(event), fields) end
    end
  end
  return log
end

function helpers.of(session)
  return {
    env = env_of(session), file = file_of(session),
    fallback = fallback_of(session), retry = retry, wait = wait, fail = fail,
    best = best, clock = clock_of(session), metric = metric_of(session), log = log_of(session),
  }
end

return helpers
