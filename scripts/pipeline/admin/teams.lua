-- The admin API's teams: requests → the ledger's verbs, records → answers.

local json = require "engine.json"
local limits = require "pipeline.admin.limits"

local teams = {}

local ORDER = {
  "name", "models", "rpm", "tpm", "parallel", "budget", "soft_budget", "disabled", "tags",
  "created", "updated", "warnings",
}
local PAGE = 100

--- A team's record as answers show it.
function teams.show(record)
  return json.object(ORDER, limits.show(record, { name = record.name }))
end

local function asked(want, verb, args, show)
  local result, problem = limits.ask(want, "teams." .. verb, args)
  if not result then return nil, problem end
  return show(result)
end

function teams.create(want)
  local args, _, problem = limits.read(want.body)
  if not args then return nil, problem end
  return asked(want, "create", args, function(record)
    return limits.warn(want, teams.show(record))
  end)
end

local function page(result)
  local out = json.array {}
  for i, record in ipairs(result.teams) do out[i] = teams.show(record) end
  return json.object({ "data", "next" }, { data = out, next = limits.or_null(result.next) })
end

function teams.list(want)
  local query = want.query
  return asked(want, "list", {
    after = query.after, limit = query.limit or PAGE,
  }, page)
end

function teams.get(want)
  return asked(want, "show", { name = want.path.team }, teams.show)
end

function teams.update(want)
  local set, clear, problem = limits.read(want.body)
  if not set then return nil, problem end
  local args = { name = want.path.team, set = json.object({}, set), clear = clear }
  return asked(want, "update", args, function(record)
    return limits.warn(want, teams.show(record))
  end)
end

function teams.disable(want)
  return asked(want, "disable", { name = want.path.team }, teams.show)
end

function teams.enable(want)
  return asked(want, "enable", { name = want.path.team }, teams.show)
end

function teams.delete(want)
  return asked(want, "delete", { name = want.path.team }, function()
    return json.object({ "name", "deleted" }, { name = want.path.team, deleted = true })
  end)
end

return teams
