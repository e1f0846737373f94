-- The admin API's keys: requests → the ledger's verbs, records → answers.

local json = require "engine.json"
local limits = require "pipeline.admin.limits"
local units = require "lib.units"

local keys = {}

local ORDER = {
  "id", "name", "team", "role", "models", "rpm", "tpm", "parallel", "budget", "soft_budget",
  "expires", "disabled", "tags", "on_low_budget", "without_cluster", "created", "updated",
  "key", "previous_until", "warnings",
}
local PAGE = 100

--- A key's record as answers show it. Never with what could open a door: the token is only in
--- what `made` shows.
function keys.show(record)
  return json.object(ORDER, limits.show(record, {
    id = record.id, name = record.name, team = limits.or_null(record.team),
    role = record.role or "client", expires = limits.instant(record.expires_at),
    on_low_budget = record.on_low_budget or "refuse",
    without_cluster = record.without_cluster or "closed",
  }))
end

local function made(record)
  local out = keys.show(record)
  out.key = record.token
  return out
end

local function rotated(record)
  local out = made(record)
  out.previous_until = limits.instant(record.previous_until)
  return out
end

local function asked(want, verb, args, show)
  local result, problem = limits.ask(want, "keys." .. verb, args)
  if not result then return nil, problem end
  return show(result)
end

function keys.create(want)
  local args, _, problem = limits.read(want.body)
  if not args then return nil, problem end
  return asked(want, "create", args, function(record)
    return limits.warn(want, made(record))
  end)
end

local function page(result)
  local out = json.array {}
  for i, record in ipairs(result.keys) do out[i] = keys.show(record) end
  return json.object({ "data", "next" }, { data = out, next = limits.or_null(result.next) })
end

function keys.list(want)
  local query = want.query
  return asked(want, "list", {
    team = query.team, name = query.name, disabled = query.disabled, after = query.after,
    limit = query.limit or PAGE,
  }, page)
end

function keys.get(want)
  return asked(want, "show", { id = want.path.id }, keys.show)
end

function keys.update(want)
  local set, clear, problem = limits.read(want.body)
  if not set then return nil, problem end
  local args = { id = want.path.id, set = json.object({}, set), clear = clear }
  return asked(want, "update", args, function(record)
    return limits.warn(want, keys.show(record))
  end)
end

function keys.rotate(want)
  local overlap = want.body.overlap
  if overlap == json.null then overlap = nil end
  local seconds = overlap and math.floor(units.duration(overlap)) or 0
  return asked(want, "rotate", { id = want.path.id, overlap = seconds }, rotated)
end

function keys.disable(want)
  return asked(want, "disable", { id = want.path.id }, keys.show)
end

function keys.enable(want)
  return asked(want, "enable", { id = want.path.id }, keys.show)
end

function keys.delete(want)
  return asked(want, "delete", { id = want.path.id }, function()
    return json.object({ "id", "deleted" }, { id = want.path.id, deleted = true })
  end)
end

return keys
