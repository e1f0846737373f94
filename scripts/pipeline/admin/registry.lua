-- Every operation of the admin listener: method, path, who may, what goes in, what comes out.
-- The router, the OpenAPI description and the tests of rights and of bad input all read this
-- table; what is not in it does not exist. Loaded when it is first asked for: a worker that
-- only answers health checks and metrics has no use for it.

local gateway = require "pipeline.admin.gateway"
local keys = require "pipeline.admin.keys"
local litellm = require "pipeline.admin.litellm"
local openapi = require "pipeline.admin.openapi"
local reports = require "pipeline.admin.reports"
local shapes = require "pipeline.admin.shapes"
local teams = require "pipeline.admin.teams"

local registry = {}

-- who: "open"     whoever reaches the listener
--      "scrape"   the same on this machine; elsewhere with the admin token
--      "team"     the operator, and a team_admin key within its team
--      "operator" the operator alone: the admin token, or where none is configured, whoever
--                 reaches the listener, which then is on this machine only
-- body: its schema; may_lack_body: an empty one counts as {}
local OPERATIONS = {
  { "describe", "GET", "/admin/openapi.json", who = "team", answer = shapes.any,
    run = function() return registry.describe() end,
    says = "This description" },
  { "createKey", "POST", "/admin/keys", who = "team", run = keys.create, status = 201,
    body = shapes.new_key, answer = shapes.made_key,
    says = "Make a key. The answer holds the key itself, this once" },
  { "listKeys", "GET", "/admin/keys", who = "team", run = keys.list,
    query = shapes.key_query, answer = shapes.keys, says = "Keys, page by page" },
  { "getKey", "GET", "/admin/keys/{id}", who = "team", run = keys.get, answer = shapes.key,
    says = "One key" },
  { "updateKey", "PATCH", "/admin/keys/{id}", who = "team", run = keys.update,
    body = shapes.change_key, answer = shapes.key,
    says = "Change what is named; null takes a limit away" },
  { "deleteKey", "DELETE", "/admin/keys/{id}", who = "team", run = keys.delete,
    answer = shapes.deleted_key, says = "Take a key away; its usage stays" },
  { "rotateKey", "POST", "/admin/keys/{id}/rotate", who = "team", run = keys.rotate,
    body = shapes.rotation, may_lack_body = true, answer = shapes.rotated_key,
    says = "A new secret; the old one works for `overlap` longer" },
  { "disableKey", "POST", "/admin/keys/{id}/disable", who = "team", run = keys.disable,
    answer = shapes.key, says = "Refuse a key until it is enabled again" },
  { "enableKey", "POST", "/admin/keys/{id}/enable", who = "team", run = keys.enable,
    answer = shapes.key, says = "Let a disabled key in again" },

  { "createTeam", "POST", "/admin/teams", who = "operator", run = teams.create, status = 201,
    body = shapes.new_team, answer = shapes.team, says = "Make a team" },
  { "listTeams", "GET", "/admin/teams", who = "team", run = teams.list,
    query = shapes.team_query, answer = shapes.teams, says = "Teams, page by page" },
  { "getTeam", "GET", "/admin/teams/{team}", who = "team", run = teams.get,
    answer = shapes.team, says = "One team" },
  { "updateTeam", "PATCH", "/admin/teams/{team}", who = "operator", run = teams.update,
    body = shapes.change_team, answer = shapes.team,
    says = "Change what is named; null takes a limit away" },
  { "deleteTeam", "DELETE", "/admin/teams/{team}", who = "operator", run = teams.delete,
    answer = shapes.deleted_team, says = "Take a team away that has no keys" },
  { "disableTeam", "POST", "/admin/teams/{team}/disable", who = "operator",
    run = teams.disable, answer = shapes.team, says = "Refuse all keys of a team" },
  { "enableTeam", "POST", "/admin/teams/{team}/enable", who = "operator",
    run = teams.enable, answer = shapes.team, says = "Let the keys of a team in again" },

  { "usage", "GET", "/admin/usage", who = "team", run = reports.usage,
    query = shapes.usage_query, answer = shapes.usage,
    says = "Requests, tokens and spend, one row a key, team, model, day …" },
  { "budgets", "GET", "/admin/budgets", who = "team", run = reports.budgets,
    query = shapes.budget_query, answer = shapes.budgets,
    says = "Every budget: its limit, what is spent, reserved and left, when it begins anew" },
  { "audit", "GET", "/admin/audit", who = "operator", run = reports.audit,
    answer = shapes.audit, says = "Do rows, roll-ups, budgets and metrics add up?" },
  { "prices", "GET", "/admin/prices", who = "operator", run = reports.prices,
    answer = shapes.prices, says = "The table of prices in use, and its date" },
}

-- Lists of "a path's steps"; {name} fits any one step.
local function steps_of(path)
  local out = {}
  for step in path:gmatch("[^/]+") do out[#out + 1] = step end
  return out
end

-- All of them in order, and by path and method.
local function build()
  local list, paths = {}, {}
  for _, entries in ipairs { gateway.operations, OPERATIONS, litellm.operations } do
    for _, entry in ipairs(entries) do
      local op = entry.id and entry or gateway.operation(entry)
      if type(op.answer) == "string" then op.answer = shapes[op.answer] end
      list[#list + 1] = op
      paths[op.path] = paths[op.path] or { steps = steps_of(op.path), methods = {} }
      paths[op.path].methods[op.method] = op
    end
  end
  return list, paths
end

local LIST, PATHS = build()

--- All operations: the gateway's own, those above, then LiteLLM's.
function registry.list() return LIST end

local function unescaped(step)
  return (step:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The values of a template's {names} where a path's steps fit it.
local function fitted(template, steps)
  if #template ~= #steps then return nil end
  local values = {}
  for i, want in ipairs(template) do
    local name = want:match("^{(%w+)}$")
    if name then
      values[name] = unescaped(steps[i])
    elseif want ~= steps[i] then
      return nil
    end
  end
  return values
end

--- The operations at a path, by method, and what the path names; nil where there is none.
function registry.find(path)
  if path:sub(-1) == "/" or path:find("//", 1, true) then return nil end
  local exact = PATHS[path]
  if exact then return exact.methods, {} end
  local steps = steps_of(path)
  for _, known in pairs(PATHS) do
    local values = fitted(known.steps, steps)
    if values then return known.methods, values end
  end
  return nil
end

--- The OpenAPI description of all of it.
function registry.describe() return openapi.of(LIST, shapes.failure) end

return registry
