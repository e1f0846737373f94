-- What the admin listener tells of the running gateway itself: health, metrics, reload,
-- explain. These few operations are found here, without the rest of the registry.

local accounts = require "engine.accounts"
local cooldown = require "policy.cooldown"
local engine_admin = require "engine.admin"
local json = require "engine.json"
local later = require "lib.later"
local ledger_keys = require "pipeline.ledger_keys"
local metric = require "engine.metric"
local nearest = require "lib.nearest"
local shared = require "engine.shared"
local teams = require "lib.teams"
local time = require "engine.time"
local welcome = require "pipeline.welcome"

local gateway = {}

function gateway.live()
  return { status = "ok" }
end

function gateway.ready()
  local status = engine_admin.status()
  if status.draining then return { status = "draining" }, nil, 503 end
  -- Why a reload was refused quotes the file: for those at this machine.
  local refused = not (status.last_reload_ok or status.admin_remote) and status.error or nil
  return json.object({ "status" },
    { status = "ok", generation = status.generation, reload_refused = refused })
end

-- Gauges of what engine.shared knows: set when somebody looks.
local function look(cfg)
  metric.set("moongate_streams_open", nil, shared.get("streams:open") or 0)
  for _, group in pairs(cfg.groups) do
    for _, dep in ipairs(group.deployments) do
      local up = cooldown.state(dep) == "up"
      if not dep.wildcard then
        metric.set("moongate_deployment_up", { deployment = dep.name }, up and 1 or 0)
      end
    end
  end
end

-- Of a team's budgets the one with least left.
local function look_at_budgets(cfg)
  for _, account in ipairs(accounts.each("team:")) do
    local name, least = account.name:sub(6), nil
    for _, budget in ipairs(teams.budgets(cfg, name)) do
      local window = account[budget.window]
      local left = budget.nano - (window and window.spent or 0)
      least = math.min(least or left, left)
    end
    if least then
      metric.set("moongate_budget_remaining_usd", { team = name }, math.max(0, least) / 1e9)
    end
  end
end

function gateway.metrics(want)
  look(want.cfg)
  look_at_budgets(want.cfg)
  return engine_admin.metrics()
end

-- "routes.lua:17: what is wrong" → a table.
local function lines(message)
  local out = json.array {}
  for line in message:gmatch("[^\n]+") do
    local file, number, text = line:match("^(.-):(%d+): (.*)$")
    out[#out + 1] = json.object({ "file", "line", "message" }, {
      file = file, line = tonumber(number), message = text or line,
    })
  end
  return out
end

function gateway.reload()
  local ok, err = engine_admin.reload()
  if ok then return { generation = engine_admin.generation() } end
  local message = err.message or "the reload failed"
  if message:find("too many reloads", 1, true) then
    return nil, { status = 409, code = "too_many_reloads", message = message }
  end
  return nil, {
    status = 422, code = "routes_invalid", message = message, errors = lines(message),
  }
end

-- The ledger's record of a key, by its name or its id; nil where there is none, and a problem
-- where that is not all.
local function record_of(want, word)
  local found, problem = want.ask("keys.list", { name = word, limit = 2 })
  if not found then return nil, problem end
  if #found.keys > 1 then
    return nil, { status = 409, code = "ambiguous", param = "key",
      message = ("several keys are called %s; name one by its id"):format(word) }
  end
  if found.keys[1] then return found.keys[1] end
  found, problem = want.ask("keys.show", { id = word })
  if problem and problem.status == 404 then problem = nil end
  return found, problem
end

-- A key that routes.lua does not have, as a request has it; nil, or nil and a problem.
local function found_key(want, word)
  if not word or want.cfg.keys.by_name[word] then return nil end
  local record, problem = record_of(want, word)
  return record and ledger_keys.of_record(want.cfg, record), problem
end

-- The seconds that a deployment still rests.
local function rest_of(name)
  local state, left = cooldown.state { name = name }
  return state == "resting" and left or nil
end

local function absent(explain, cfg, query, why)
  local models, keys = explain.names(cfg)
  local param = why:find("virtual_key", 1, true) and "key" or "model"
  return { status = 404, code = "not_found", param = param,
    message = why .. nearest.hint(query[param], param == "key" and keys or models) }
end

function gateway.explain(want)
  local explain, query = later "pipeline.explain", want.query
  local found, problem = found_key(want, query.key)
  if problem then return nil, problem end
  local trace, why = explain.trace(want.cfg, {
    model = query.model, key = query.key, tokens = query.tokens, found = found,
    spent_of = accounts.spent, rest_of = rest_of, now = time.now(),
  })
  if not trace then return nil, absent(explain, want.cfg, query, why) end
  return explain.encode(trace)
end

function gateway.welcome(want)
  return welcome.text(want.cfg, want.query.listen)
end

-- The operations ---------------------------------------------------------------------------

local TEXT = "text/plain; charset=utf-8"
local PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

--- An entry { id, method, path, … } as an operation.
function gateway.operation(entry)
  local op = { id = entry[1], method = entry[2], path = entry[3], status = 200 }
  for name, value in pairs(entry) do
    if type(name) == "string" then op[name] = value end
  end
  return op
end

-- As in registry.lua; answers are named as in shapes.lua, which nobody needs before a
-- description is asked for.
local OPERATIONS = {
  { "live", "GET", "/health/live", who = "open", run = gateway.live, answer = "health",
    says = "Is the process alive?" },
  { "ready", "GET", "/health/ready", who = "open", run = gateway.ready, answer = "health",
    says = "Does it take requests? 503 while it is stopping" },
  { "health", "GET", "/healthz", who = "open", run = gateway.live, answer = "health",
    says = "The same as /health/live" },
  { "metrics", "GET", "/metrics", who = "scrape", run = gateway.metrics, media = PROMETHEUS,
    says = "Prometheus metrics" },
  { "reload", "POST", "/admin/reload", who = "operator", run = gateway.reload,
    answer = "reloaded",
    says = "Read all files again; 422 with every reason where one is wrong" },
  { "explain", "GET", "/admin/explain", who = "operator", run = gateway.explain,
    query = {
      model = { type = "string", format = "text" }, key = { type = "string", format = "name" },
      tokens = { type = "integer", minimum = 0, maximum = 1e9 },
    },
    needs = { "model" }, answer = "any", says = "Where a request for a model would go" },
  { "welcome", "GET", "/admin/welcome", who = "operator", run = gateway.welcome,
    query = { listen = { type = "string", format = "text" } }, media = TEXT,
    says = "What can be asked for, for people" },
}

local function built()
  local list, paths = {}, {}
  for i, entry in ipairs(OPERATIONS) do
    list[i] = gateway.operation(entry)
    paths[list[i].path] = { [list[i].method] = list[i] }
  end
  return list, paths
end

local PATHS
gateway.operations, PATHS = built()

--- The operations at one of these paths, by method.
function gateway.find(path) return PATHS[path] end

return gateway
