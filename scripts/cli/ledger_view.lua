-- What a data folder's ledger knows of a key, in the shape of routes.lua's keys: for verbs that
-- work on files and must not fail where there is nobody to ask.

local gateway = require "cli.gateway"
local json = require "engine.json"
local model_lists = require "lib.model_lists"
local money = require "lib.money"
local units = require "lib.units"

local ledger_view = {}

local function exists(dir)
  local file = io.open(dir .. "/ledger.db", "r")
  if file then file:close() end
  return file ~= nil
end

--- ask(method, target) of the folder's gateway, or of its ledger; nil where there is none, or
--- nobody answers. And whether it is a gateway that does.
function ledger_view.open(dir)
  if not exists(dir) then return nil end
  local host = { complain = function() end }
  local ask = gateway.open({ data = dir }, host)
  return ask or nil, ask ~= nil and not host.offline
end

--- The seconds that deployments of a model still rest, by name, as the running gateway says.
function ledger_view.rests(ask, model)
  local out = {}
  local trace = ask("GET", gateway.target("/admin/explain", { model = model }))
  for _, group in ipairs(trace and { trace.group, unpack(trace.fallbacks) } or {}) do
    for _, dep in ipairs(group.deployments) do out[dep.name] = dep.rests_s end
  end
  return out
end

--- What accounts have spent and set aside of their budgets, as the running gateway says: a
--- function of an account's name, as engine.accounts.spent.
function ledger_view.spent(ask)
  return function(name)
    local page = ask("GET", gateway.target("/admin/budgets", { account = name }))
    if not page then return nil end
    local out = {}
    for _, row in ipairs(page.data) do
      out[row.window] = {
        spent = money.nano(row.spent_usd), reserved = money.nano(row.reserved_usd),
      }
    end
    return out
  end
end

--- Has it any key?
function ledger_view.has_keys(ask)
  local page = ask("GET", gateway.target("/admin/keys", { limit = 1 }))
  return page ~= nil and #page.data > 0
end

local function given(value)
  if value ~= json.null then return value end
end

local function budgets_of(list)
  local out = {}
  for i, text in ipairs(list) do out[i] = units.budget(text) end
  return out[1] and out
end

-- Of a key or a team.
local function limits_of(record)
  return {
    models = record.models, rpm = given(record.rpm), tpm = given(record.tpm),
    parallel = given(record.parallel), budgets = budgets_of(record.budget),
    soft_budgets = budgets_of(record.soft_budget), disabled = record.disabled,
  }
end

-- Both must allow a model; nil: all of them.
local function models_of(cfg, key, team)
  local lists = {}
  for _, of in ipairs { key, team or {} } do
    if of.models and of.models[1] ~= "*" then lists[#lists + 1] = of.models end
  end
  return #lists > 0 and model_lists.set(cfg, lists) or nil
end

-- Its record, by its name or its id; nil and why where several have the name.
local function record_of(ask, word)
  local page = ask("GET", gateway.target("/admin/keys", { name = word, limit = 2 }))
  if page and #page.data > 1 then
    return nil, ("several keys are called %s; name one by its id"):format(word)
  end
  return page and page.data[1] or ask("GET", "/admin/keys/" .. gateway.escaped(word))
end

local function team_of(ask, name)
  local record = name and ask("GET", "/admin/teams/" .. gateway.escaped(name))
  return record and limits_of(record)
end

--- The key of this name or id | nil, and why not where there is more to say than that.
function ledger_view.key(ask, cfg, word)
  local record, why = record_of(ask, word)
  if not record then return nil, type(why) == "string" and why or nil end
  local out = limits_of(record)
  local team = team_of(ask, given(record.team))
  local expires = given(record.expires)
  out.models, out.model_list = models_of(cfg, record, team), record.models
  out.all = out.models == nil
  out.id, out.name, out.account = record.id, record.name, "key:" .. record.id
  out.team, out.team_limits, out.tags = given(record.team), team, record.tags
  out.expires_at = expires and units.date(expires)
  out.disabled = record.disabled or team and team.disabled or nil
  return out
end

return ledger_view
