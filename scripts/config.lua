-- routes.lua → cfg, or every error in it at once. Reads no file and no variable by itself:
-- what it needs from outside is handed in.

local groups = require "config.groups"
local keys = require "config.keys"
local limits = require "config.limits"
local links = require "config.links"
local reach = require "config.reach"
local report = require "config.report"
local sandbox = require "config.sandbox"
local source = require "config.source"
local words = require "config.words"

local config = {}

local function session_of(text, file, opts)
  return {
    opts = opts, report = report.new(file), source = source.new(file, text),
    secret = opts.secret or function() end,
    sha256 = opts.sha256 or function(token) return require("engine.crypto").sha256(token) end,
    pending = {}, providers = {}, makers = {}, deployments = {}, records = {}, groups = {},
    group_by_name = {}, owners = {}, aliases = {}, keys = {}, hooks = {}, oauths = {},
    loaded = false,
  }
end

-- "routes.lua:17: what happened" → on its line; what carries no line goes to the last one run.
local function report_failure(session, err)
  local message = type(err) == "string" and err
    or type(err) == "table" and type(err.message) == "string" and err.message
    or "error: a " .. type(err) .. " was thrown"
  local file, line, rest = message:match("^(.-):(%d+): (.*)$")
  if file and file:gsub("^[@=]+", "") == session.source.name then
    session.report:error(tonumber(line), rest)
  else
    session.report:error(session.source.last or 1, message)
  end
end

-- Run the file. Its words note down what they declare.
local function run(session)
  local env = sandbox.env(session, words.of(session))
  local chunk, err = session.opts.load(session.source.text, "@" .. session.source.name, env)
  if not chunk then return report_failure(session, err) end
  local ok, failure = pcall(chunk)
  if not ok then report_failure(session, failure) end
  words.unfinished(session)
end

local function longest_first(a, b)
  local of_a, of_b = #a.name, #b.name
  if of_a ~= of_b then return of_a > of_b end
  return a.name < b.name
end

local function build(session)
  local cfg = {
    groups = {}, wildcards = {}, order = {}, aliases = {}, alias_lines = {}, hooks = {},
    keys = { by_hash = {}, by_name = {}, list = {} }, defaults = groups.defaults(session),
  }
  for _, declared in ipairs(session.groups) do
    local group = groups.build(session, declared, cfg.defaults)
    cfg.groups[group.name], cfg.order[#cfg.order + 1] = group, group.name
    if group.wildcard then cfg.wildcards[#cfg.wildcards + 1] = group end
  end
  table.sort(cfg.wildcards, longest_first)
  for name, hook in pairs(session.hooks) do cfg.hooks[name] = hook.fn end
  links.follow(session, cfg)
  limits.build(session, cfg)
  keys.build(session, cfg)
  return cfg
end

local EMPTY = 'no model is declared; a file needs one, such as model "small" '
  .. '{ openai "gpt-4o-mini" }'

--- Load a routes.lua. `text` is its bytes, `file` how messages call it. `opts`:
--- load(text, chunk, env) → function | nil, message; getenv(name); read_file(path);
--- adapter(name) → module | nil, err; adapters() → names; now() → epoch; loopback = bool;
--- and where there are any: string (safe functions), secret(value), sha256(text),
--- metric(name, value, labels), log = { debug, info, warn, error }.
--- Returns cfg, or nil, errors, warnings: lists of { file, line, message }.
function config.load(text, file, opts)
  local session = session_of(text, file:gsub("^[@=]+", ""), opts)
  run(session)
  local cfg = build(session)
  local errors = session.report.errors
  if #session.groups == 0 and #errors == 0 then session.report:error(1, EMPTY) end
  if #errors == 0 then reach.check(session, cfg) end
  local _, warnings = session.report:done()
  if #errors > 0 then return nil, errors, warnings end
  session.loaded = true
  cfg.warnings, cfg.file = warnings, session.report.file
  return cfg
end

return config
