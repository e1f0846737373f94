-- The part of LiteLLM's management API that people's scripts call, in its shapes, on our keys
-- and teams (ROUTING.md 3.1). What we have no meaning for is refused by name, never ignored.

local fields = require "pipeline.admin.litellm_fields"
local json = require "engine.json"
local limits = require "pipeline.admin.limits"
local logs = require "pipeline.admin.litellm_logs"
local shapes = require "pipeline.admin.litellm_shapes"

local litellm = {}

local function ask(want, verb, args)
  return limits.ask(want, verb, args, fields.WORDS)
end

local function spent(want, account, record)
  local budget = record.budgets and record.budgets[1]
  local args = { account = account, window = budget and budget.window or "ever" }
  local result, err = ask(want, "budgets.spent", args)
  if not result then return nil, err end
  return result.nano
end

-- Keys -------------------------------------------------------------------------------------


-- A record, and what it has spent in its budget's window, as LiteLLM shows a key.
local function info(want, record, more)
  local nano, err = spent(want, "key:" .. record.id, record)
  if not nano then return nil, err end
  return fields.show_key(record, nano, more)
end

local function generate(want)
  local args, _, problem = fields.read(want, {})
  if not args then return nil, problem end
  local record, err = ask(want, "keys.create", args)
  if not record then return nil, err end
  return fields.show_key(record, 0, { key = record.token })
end

local function key_info(want)
  local id = fields.id_of(want, want.query.key)
  local record, err = ask(want, "keys.show", { id = id })
  if not record then return nil, err end
  local shown, problem = info(want, record)
  if not shown then return nil, problem end
  return json.object({ "key", "info" }, { key = id, info = shown })
end

local function key_update(want)
  local id = fields.id_of(want, want.body.key)
  local record, err = ask(want, "keys.show", { id = id })
  if not record then return nil, err end
  local set, clear, problem = fields.read(want, record)
  if not set then return nil, problem end
  record, err = ask(want, "keys.update", {
    id = id, set = json.object({}, set), clear = clear,
  })
  if not record then return nil, err end
  return info(want, record, { key = id })
end

-- All or none: every one must be there before the first goes.
local function key_delete(want)
  local ids = json.array {}
  for i, text in ipairs(want.body.keys) do
    ids[i] = fields.id_of(want, text)
    local record, err = ask(want, "keys.show", { id = ids[i] })
    if not record then
      err.param = err.param or "keys." .. i - 1
      return nil, err
    end
  end
  for _, id in ipairs(ids) do
    local gone, err = ask(want, "keys.delete", { id = id })
    if not gone then return nil, err end
  end
  return { deleted_keys = ids }
end

-- Teams ------------------------------------------------------------------------------------

local function team_new(want)
  local body = want.body
  local name = body.team_id or body.team_alias
  if not name then
    return nil, {
      status = 400, code = "missing_required_parameter", param = "team_id",
      message = "team_id (or team_alias) is missing: a team has one name here",
    }
  end
  if body.team_alias and body.team_alias ~= name then
    return nil, {
      status = 400, code = "invalid_value", param = "team_alias",
      message = "team_alias must be the same as team_id: a team has one name here",
    }
  end
  local args, _, problem = fields.read(want, {})
  if not args then return nil, problem end
  args.name, args.team = name, nil
  local record, err = ask(want, "teams.create", args)
  if not record then return nil, err end
  return fields.show_team(record, 0)
end

local function keys_of(want, team)
  local out, after = json.array {}, nil
  repeat
    local page, err = ask(want, "keys.list", { team = team, after = after, limit = 1000 })
    if not page then return nil, err end
    for _, record in ipairs(page.keys) do
      local shown, problem = info(want, record)
      if not shown then return nil, problem end
      out[#out + 1] = shown
    end
    after = page.next
  until not after
  return out
end

local function team_info(want)
  local name = want.query.team_id
  local record, err = ask(want, "teams.show", { name = name })
  if not record then return nil, err end
  local nano, keys
  nano, err = spent(want, "team:" .. name, record)
  if not nano then return nil, err end
  keys, err = keys_of(want, name)
  if not keys then return nil, err end
  return json.object({ "team_id", "team_info", "keys", "team_memberships" }, {
    team_id = name, team_info = fields.show_team(record, nano), keys = keys,
    team_memberships = json.array {},
  })
end

litellm.operations = {
  { "litellmKeyGenerate", "POST", "/key/generate", who = "team", run = generate,
    body = shapes.new_key, answer = shapes.made_key, says = "LiteLLM: make a key" },
  { "litellmKeyInfo", "GET", "/key/info", who = "team", run = key_info,
    query = shapes.key_query, needs = { "key" }, answer = shapes.key_info,
    says = "LiteLLM: one key and what it has spent" },
  { "litellmKeyUpdate", "POST", "/key/update", who = "team", run = key_update,
    body = shapes.change_key, answer = shapes.changed_key, says = "LiteLLM: change a key" },
  { "litellmKeyDelete", "POST", "/key/delete", who = "team", run = key_delete,
    body = shapes.delete_keys, answer = shapes.deleted_keys, says = "LiteLLM: delete keys" },
  { "litellmTeamNew", "POST", "/team/new", who = "operator", run = team_new,
    body = shapes.new_team, answer = shapes.team, says = "LiteLLM: make a team" },
  { "litellmTeamInfo", "GET", "/team/info", who = "team", run = team_info,
    query = shapes.team_query, needs = { "team_id" }, answer = shapes.team_info,
    says = "LiteLLM: a team, what it has spent, its keys" },
  { "litellmSpendLogs", "GET", "/spend/logs", who = "team", run = logs.list,
    query = shapes.logs_query, answer = shapes.logs,
    says = "LiteLLM: one row a request, the newest first" },
}

return litellm
