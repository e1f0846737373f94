-- moongate check: is a routes file right, and if not, where not.

local args = require "cli.args"

local VERB = {
  flags = { json = true, routes = "FILE", data = "DIR" }, most = 1,
  usage = [[
moongate check [FILE] [--providers DIR] [--data DIR] [--json]

Reads a routes file as the gateway would and prints what is wrong with it, one line each:
file:line: what. FILE is routes.lua where none is named.

  --providers DIR   adapters of your own, as `moongate serve` takes them
  --data DIR        with the prices that were imported there; where its ledger has keys, models
                    that no key of the file may use are nothing to warn of (data)
  --json            errors and warnings as JSON, for editors

Exit code: 0 the file is valid, 3 it is not.]],
}

local function count(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function valid(cfg, path)
  if cfg.embedded then path = ("There is no %s here; the built-in file"):format(path) end
  local text = ("%s is valid: %s, %s"):format(path, count(#cfg.order, "model"),
    count(#cfg.keys.list, "key"))
  local warnings = #cfg.warnings
  return text .. (warnings > 0 and (", %s."):format(count(warnings, "warning")) or ".")
end

-- Line 0 is the file itself: one that cannot be read.
local function show(host, list, mark)
  for _, entry in ipairs(list) do
    local place = entry.line > 0 and ("%s:%d"):format(entry.file, entry.line) or entry.file
    host.print(("%s: %s%s"):format(place, mark, entry.message))
  end
end

local function show_text(host, path, cfg, errors, warnings)
  show(host, errors, "")
  show(host, warnings, "warning: ")
  host.print(cfg and valid(cfg, path)
    or ("%s, %s."):format(count(#errors, "error"), count(#warnings, "warning")))
end

local function show_json(host, cfg, errors, warnings)
  local json = require "engine.json"
  local function marked(list)
    local out = json.array {}
    for i, entry in ipairs(list) do
      out[i] = json.object({ "file", "line", "message" }, {
        file = entry.file, line = entry.line, message = entry.message,
      })
    end
    return out
  end
  local order = { "valid", "models", "keys", "errors", "warnings" }
  host.print(json.encode(json.object(order, {
    valid = cfg ~= nil, models = cfg and #cfg.order, keys = cfg and #cfg.keys.list,
    errors = marked(errors), warnings = marked(warnings),
  })))
end

-- Keys of the ledger may ask for what no key of the file does. They are only looked for where
-- that makes a difference.
local function load(host, path, dir)
  local cfg, errors, warnings = host.load_config(path)
  if not cfg then return nil, errors, warnings end
  if cfg.unreached then
    local view = host.ledger_view()
    local ask = view.open(dir)
    if ask and view.has_keys(ask) then cfg = host.load_config(path, 1) end
  end
  return cfg, {}, cfg.warnings
end

return function(list, host)
  local parsed, code = args.read(list, VERB, host)
  if not parsed then return code end
  local path = parsed[1] or parsed.routes or host.routes
  local cfg, errors, warnings = load(host, path, parsed.data or "data")
  if parsed.json then
    show_json(host, cfg, errors, warnings)
  else
    show_text(host, path, cfg, errors, warnings)
  end
  return cfg and 0 or 3
end
