-- One operation of the registry, from text to answer: query and body are taken apart, checked
-- against their schemas, and only then does anything happen. Knows no listener: the command
-- line runs the same operations on a ledger that it opened itself.

local check = require "pipeline.admin.check"
local formats = require "pipeline.admin.formats"
local gateway = require "pipeline.admin.gateway"
local json = require "engine.json"
local nearest = require "lib.nearest"

local operation = {}

local IDS = { id = formats.id, team = formats.name }

local function wrong(code, param, message)
  return { status = 400, code = code, param = param, message = message }
end

local NOWHERE = {
  status = 404, code = "unknown_url",
  message = "there is nothing at this address; GET /admin/openapi.json tells what there is",
}

-- Where -----------------------------------------------------------------------------------

local function allowed(methods)
  local out = {}
  for name in pairs(methods) do out[#out + 1] = name end
  if methods.GET then out[#out + 1] = "HEAD" end
  table.sort(out)
  return table.concat(out, ", ")
end

--- The operation that a method and a raw path ask for, and what the path names:
--- op, values | nil, problem
function operation.find(method, path)
  local methods, values = gateway.find(path), {}
  if not methods then methods, values = require("pipeline.admin.registry").find(path) end
  if not methods then return nil, NOWHERE end
  local op = methods[method == "HEAD" and "GET" or method]
  if op then return op, values end
  local list = allowed(methods)
  return nil, {
    status = 405, code = "method_not_allowed", allow = list,
    message = "this address takes " .. list .. " only",
  }
end

-- What no object can be called is not there.
local function misnamed(values)
  for name, value in pairs(values) do
    local format = IDS[name]
    if value == "" or #value > format.most or not format.is(value) then
      return { status = 404, code = "not_found", message = "there is no such " .. (
        name == "id" and "key" or name) }
    end
  end
end

-- The query -------------------------------------------------------------------------------

local function unescaped(text)
  text = text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return text
end

local function names_of(schemas)
  local out = {}
  for name in pairs(schemas) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function plain(text)
  return (text:gsub("[^\33-\126]", "?"):sub(1, 64))
end

local function parameter(out, schemas, pair)
  local name, value = pair:match("^([^=]*)=?(.*)$")
  name, value = unescaped(name), unescaped(value)
  local schema = schemas[name]
  if not schema then
    return wrong("unknown_parameter", plain(name), ('there is no parameter "%s"%s'):format(
      plain(name), nearest.hint(name, names_of(schemas))))
  end
  if out[name] ~= nil then
    return wrong("duplicate_parameter", name, name .. " came twice")
  end
  local problem
  out[name], problem = check.parameter(schema, value, name)
  return problem
end

-- "by=team&since=7d" → { by = "team", since = "7d" } | nil, problem
local function query_of(op, text)
  local out = {}
  for pair in (text or ""):gmatch("[^&]+") do
    local problem = parameter(out, op.query or {}, pair)
    if problem then return nil, problem end
  end
  for _, name in ipairs(op.needs or {}) do
    if out[name] == nil then
      return nil, wrong("missing_required_parameter", name, ("this needs a %s: ?%s=…"):format(
        name, name))
    end
  end
  return out
end

-- The body --------------------------------------------------------------------------------

-- The index sees names that come twice at the top; objects inside are indexed here.
local function twice_inside(doc, schema)
  for name in pairs(schema.properties) do
    if doc:type(name) == "object" then
      local _, err = json.index(doc:raw(name))
      if err then
        local param = err.param and name .. "." .. err.param or name
        return wrong(err.code, param, err.message)
      end
    end
  end
end

-- The checked body, and its document for who wants digits as written; nil, nil, problem.
local function body_of(op, bytes)
  if not op.body then
    if not bytes or bytes == "" then return {} end
    return nil, nil, wrong("invalid_value", nil, "this takes no request body")
  end
  if bytes == "" and op.may_lack_body then bytes = "{}" end
  local doc, err = json.index(bytes or "")
  if not doc then
    return nil, nil, wrong(err.code, err.param, "The request body cannot be read: "
      .. err.message)
  end
  local body = doc:decode()
  local problem = check.body(op.body, body) or twice_inside(doc, op.body)
  if problem then return nil, nil, problem end
  return body, doc
end

-- All together ----------------------------------------------------------------------------

--- Run an operation. want: query (text), bytes (the body's), path (values of its names), actor
--- (nil: the operator), ask (the ledger); in a gateway also cfg, accounts, metrics, boot and
--- key_id. Returns value (a table, or text), status; or nil, problem.
function operation.run(op, want)
  local problem = misnamed(want.path)
  if problem then return nil, problem end
  local query, body, doc
  query, problem = query_of(op, want.query)
  if not query then return nil, problem end
  body, doc, problem = body_of(op, want.bytes)
  if not body then return nil, problem end
  local value, why, status = op.run {
    path = want.path, query = query, body = body, doc = doc, actor = want.actor,
    ask = want.ask, cfg = want.cfg, accounts = want.accounts, metrics = want.metrics,
    boot = want.boot, key_id = want.key_id,
  }
  if value == nil then return nil, why end
  return value, status or op.status
end

return operation
