-- The admin listener: one request of an operator, a tool or a team's admin. What it offers is
-- pipeline/admin/registry.lua; who may is pipeline/admin/who.lua. Not for browsers.

local accounts = require "engine.accounts"
local crypto = require "engine.crypto"
local engine_admin = require "engine.admin"
local fault = require "lib.fault"
local json = require "engine.json"
local keyring = require "engine.keyring"
local ledger = require "engine.ledger"
local log = require "engine.log"
local media = require "pipeline.media"
local operation = require "pipeline.admin.operation"
local who = require "pipeline.admin.who"

local admin = {}

local JSON = "application/json"
local TYPES = {
  [401] = "invalid_request_error", [403] = "permission_error", [429] = "rate_limit_error",
}

local STRANGER = {
  status = 403, code = "not_permitted",
  message = "the admin listener is not for browsers or other names",
}

-- What went wrong, with a status: ours, or what the ledger raised.
local function settled(problem)
  if problem.status then return problem end
  if problem.kind == "ledger" or problem.kind == "sql" then
    return { status = 503, code = "ledger_unavailable", message = problem.message }
  end
  return fault.of(problem)
end

local function kind_of(status)
  return TYPES[status] or (status >= 500 and "server_error") or "invalid_request_error"
end

local function failure(problem)
  local body = json.object({ "error", "errors" }, {
    error = json.object({ "message", "type", "param", "code" }, {
      message = problem.message, type = problem.type or kind_of(problem.status),
      param = problem.param or json.null, code = problem.code or json.null,
    }),
    errors = problem.errors,
  })
  return problem.status, json.encode(body), JSON
end

-- The id of the key that a token belongs to.
local function key_id(token)
  local _, text = keyring.find(token)
  local record = text and json.decode(text)
  return record and record.id
end

-- The body's bytes, once it is sure who asks. A problem where it is no JSON of ours.
local function bytes_of(request)
  local bytes, err = request:body()
  if not bytes then return nil, err end
  if bytes ~= "" then
    local problem = media.problem(request)
    if problem then
      return nil, { status = 415, code = "unsupported_media_type", message = problem }
    end
  end
  return bytes
end

-- status, body, media type; or nil, problem. `seen` is for the log.
local function answered(request, cfg, seen)
  if who.is_stranger(request) then return nil, STRANGER end
  local op, path = operation.find(request.method, request.path)
  if not op then return nil, path end
  local actor, refused = who.may(op, request, cfg)
  if not actor then return nil, refused end
  seen.actor = actor.name or actor.role
  local bytes, broken = bytes_of(request)
  if not bytes then return nil, broken end
  local value, status = operation.run(op, {
    query = request.query, bytes = bytes, path = path, cfg = cfg, ask = ledger.ask,
    actor = actor.role == "team_admin" and actor or nil, metrics = engine_admin.metrics,
    accounts = accounts, key_id = key_id, boot = engine_admin.status().boot,
  })
  if value == nil then return nil, status end
  return status, type(value) == "string" and value or json.encode(value), op.media or JSON
end

-- What clients obey before they read a word: whether asking again may help, and when.
local function refuse(headers, problem)
  headers.allow = problem.allow
  headers["x-should-retry"] = tostring(problem.status >= 500 or problem.status == 429)
  if problem.retry_after then
    headers["retry-after"] = tostring(math.ceil(problem.retry_after))
  end
end

--- Serve one request of the admin listener.
function admin.serve(request, cfg)
  local seen, problem = {}, nil
  local status, body, media_type = answered(request, cfg, seen)
  if not status then
    problem = settled(body)
    status, body, media_type = failure(problem)
  end
  local id = crypto.uuid7()
  local headers = {
    ["content-type"] = media_type, ["cache-control"] = "no-store", ["x-request-id"] = id,
    ["x-moongate-request-id"] = id,
  }
  if problem then refuse(headers, problem) end
  log[request.method == "GET" and "debug" or "info"]("admin", {
    request_id = id, method = request.method, path = request.path:sub(1, 80),
    status = status, peer = request.peer, actor = seen.actor,
  })
  request:respond(status, headers, body)
end

--- Something of ours broke while a request was served.
function admin.broken(request, err)
  log.error("admin", {
    method = request.method, path = request.path:sub(1, 80), trace = err.trace,
    message = err.detail or err.message,
  })
  local status, body = failure(err)
  request:respond(status, { ["content-type"] = JSON }, body)
end

return admin
