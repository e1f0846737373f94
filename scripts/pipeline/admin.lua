-- The admin listener: health, metrics, reload, explain. For this machine, not for browsers.

local cooldown = require "policy.cooldown"
local engine_admin = require "engine.admin"
local explain = require "pipeline.explain"
local json = require "engine.json"
local log = require "engine.log"
local metric = require "engine.metric"
local shared = require "engine.shared"
local welcome = require "pipeline.welcome"

local admin = {}

local JSON = "application/json"
local LOCAL = { localhost = true, ["::1"] = true }

local function answer(status, value)
  return status, type(value) == "string" and value or json.encode(value), JSON
end

local function problem(status, message)
  return answer(status, json.object({ "error" }, { error = message }))
end

-- What the paths do -----------------------------------------------------------------------

local function live()
  return answer(200, '{"status":"ok"}')
end

local function ready()
  local status = engine_admin.status()
  if status.draining then return answer(503, '{"status":"draining"}') end
  return answer(200, json.object({ "status" }, {
    status = "ok", generation = status.generation,
  }))
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

local function metrics(_, cfg)
  look(cfg)
  return 200, engine_admin.metrics(), "text/plain; version=0.0.4; charset=utf-8"
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

local function reload()
  local ok, err = engine_admin.reload()
  if ok then return answer(200, { generation = engine_admin.generation() }) end
  local message = err.message or "the reload failed"
  if message:find("too many reloads", 1, true) then return problem(409, message) end
  return answer(422, json.object({ "error", "errors" }, {
    error = message, errors = lines(message),
  }))
end

local function decoded(text)
  text = text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return text
end

local function parameters(query)
  local out = {}
  for name, value in (query or ""):gmatch("([^&=]+)=([^&]*)") do
    out[decoded(name)] = decoded(value)
  end
  return out
end

local function explained(request, cfg)
  local want = parameters(request.query)
  if not want.model then return problem(400, "explain needs a model: ?model=NAME") end
  local trace, why = explain.trace(cfg, {
    model = want.model, key = want.key, tokens = tonumber(want.tokens),
  })
  if not trace then return problem(404, why) end
  return answer(200, explain.encode(trace))
end

local function welcomed(request, cfg)
  return 200, welcome.text(cfg, parameters(request.query).listen), "text/plain; charset=utf-8"
end

local PATHS = {
  ["/healthz"]         = { "GET", live },
  ["/health/live"]     = { "GET", live },
  ["/health/ready"]    = { "GET", ready },
  ["/metrics"]         = { "GET", metrics },
  ["/admin/reload"]    = { "POST", reload },
  ["/admin/explain"]   = { "GET", explained },
  ["/admin/welcome"]   = { "GET", welcomed },
}

-- Who may ask ------------------------------------------------------------------------------

-- A page in a browser could be made to call us: it names its origin, or a host that is not us.
local function is_stranger(request)
  if request:header("origin") or request:header_count("host") > 1 then return true end
  local host = (request:header("host") or ""):lower()
  host = host:match("^%[(.-)%]") or host:match("^([^:]*)")
  return not (LOCAL[host] or host:match("^127%.%d+%.%d+%.%d+$"))
end

local function route(request, cfg)
  if is_stranger(request) then
    return problem(403, "the admin listener is not for browsers or other names")
  end
  local path = PATHS[request.path]
  if not path then return problem(404, "there is nothing at this address") end
  local method = request.method == "HEAD" and "GET" or request.method
  if method ~= path[1] then return problem(405, "this address takes " .. path[1] .. " only") end
  return path[2](request, cfg)
end

--- Serve one request of the admin listener.
function admin.serve(request, cfg)
  local status, body, media_type = route(request, cfg)
  local path = PATHS[request.path]
  local headers = { ["content-type"] = media_type, ["cache-control"] = "no-store" }
  if status == 405 then headers.allow = path[1] end
  log[request.method == "POST" and "info" or "debug"]("admin", {
    method = request.method, path = request.path:sub(1, 80), status = status,
    peer = request.peer,
  })
  request:respond(status, headers, body)
end

return admin
