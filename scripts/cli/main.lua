-- The verbs of the command line that are Lua: what each is handed, and which file it is.

local guard = require "engine.guard"
local load = require "load"
local vm = require "engine.vm"

local NOT_THERE = 2 -- ENOENT

local about = vm.options()

-- Text, or nil and why not; and whether it is the built-in file.
local function read(path)
  local file, why, code = io.open(path, "rb")
  if not file and code == NOT_THERE and path == about.routes then
    return vm.source "routes.lua", nil, true -- as the gateway does where the folder has none
  end
  if not file then return nil, (why:gsub("^.*: ", "")) end -- the path is said by who asks
  local text, why_not = file:read("*a")
  file:close()
  return text, why_not
end

local host = { routes = about.routes }

function host.print(text) io.stdout:write(text, "\n") end

function host.complain(text) io.stderr:write(text, "\n") end

--- What a data folder knows of keys: only where it is asked for, since it needs SQLite.
function host.ledger_view() return require "cli.ledger_view" end

--- A routes file as the gateway would load it, beside a ledger of so many keys. cfg, or nil,
--- errors, warnings.
function host.load_config(path, ledger_keys)
  local text, why, embedded = read(path)
  if not text then
    return nil, { { file = path, line = 0, message = "cannot be read: " .. why } }, {}
  end
  local ok, cfg, errors, warnings = guard.load(load.text, text, path, ledger_keys)
  if ok and cfg then cfg.embedded = embedded end
  if ok then return cfg, errors, warnings end
  return nil, { { file = path, line = 0, message = tostring(cfg) } }, {}
end

--- Run a verb with the words behind it: the exit code.
return function(verb, words)
  return require("cli." .. verb)(words, host)
end
