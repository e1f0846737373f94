-- moongate explain: where a request for a model would go, and what it may cost.

local args = require "cli.args"
local explain = require "pipeline.explain"
local explain_text = require "pipeline.explain_text"
local nearest = require "lib.nearest"

local VERB = {
  flags = { json = true, routes = "FILE", key = "NAME", tokens = "N",
    data = "DIR" }, most = 1,
  usage = [[
moongate explain MODEL [--routes FILE] [--key NAME] [--tokens N] [--providers DIR] [--data DIR]
                 [--json]

Says where a request for MODEL goes: its alias, the deployments and their shares, what
follows a failure. Nothing is sent. Keys are those of the file, and of the ledger in DIR; where
its gateway runs, that says who rests, and what is left of a key's budgets.

  --routes FILE     the routes file (routes.lua)
  --key NAME        with this virtual key, or the one of this id
  --tokens N        with a prompt of about N tokens: what it costs at most
  --providers DIR   adapters of your own, as `moongate serve` takes them
  --data DIR        with the prices that were imported there, and its ledger's keys (data)
  --json            the same as JSON

Exit code: 0 it is served; 1 it is not: there is no such model or key, or the key may not use
it, is disabled or has expired; 3 the routes file is not valid.]],
}

local function invalid(host, errors)
  for _, entry in ipairs(errors) do
    local place = entry.line > 0 and ("%s:%d"):format(entry.file, entry.line) or entry.file
    host.complain(("%s: %s"):format(place, entry.message))
  end
  return 3
end

local function unknown(host, cfg, ask, problem)
  local models, keys = explain.names(cfg)
  local of_key = problem:find("virtual_key", 1, true)
  local hint = of_key and nearest.hint(ask.key, keys) or nearest.hint(ask.model, models)
  host.complain(problem .. hint)
  return 1
end

local function is_count(n) return n and n % 1 == 0 and n >= 0 and n <= 1e9 end

-- What routes.lua does not say: the ledger's key, or whether it has any; and who rests.
local function look_up(host, cfg, parsed, ask)
  local view = host.ledger_view()
  local asks, is_running = view.open(parsed.data or "data")
  if not asks then return end
  if is_running then
    local rests = view.rests(asks, ask.model)
    function ask.rest_of(name) return rests[name] end
    ask.spent_of = ask.key and view.spent(asks) or nil
  end
  if cfg.keys.by_name[ask.key] then return end
  if not ask.key then
    ask.ledger = view.has_keys(asks)
    return
  end
  local why
  ask.found, why = view.key(asks, cfg, ask.key)
  return why
end

local function show(host, parsed, ask)
  local cfg, errors = host.load_config(parsed.routes or host.routes)
  if not cfg then return invalid(host, errors) end
  local several = look_up(host, cfg, parsed, ask)
  if several then
    host.complain(several)
    return 1
  end
  local trace, problem = explain.trace(cfg, ask)
  if not trace then return unknown(host, cfg, ask, problem) end
  host.print(parsed.json and explain.encode(trace) or explain_text.of(trace))
  return trace.refused and 1 or 0
end

return function(list, host)
  local parsed, code = args.read(list, VERB, host)
  if not parsed then return code end
  local tokens = tonumber(parsed.tokens)
  if not parsed[1] then return args.misused(host, VERB.usage, "which model?") end
  if parsed.tokens and not is_count(tokens) then
    return args.misused(host, VERB.usage,
      ("--tokens takes a whole number, not %s"):format(parsed.tokens))
  end
  return show(host, parsed, {
    model = parsed[1], key = parsed.key, tokens = tokens, now = os.time(),
  })
end
