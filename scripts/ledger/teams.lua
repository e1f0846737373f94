-- The ledger's teams: the verbs, as in ledger/keys.lua, with `name` in place of `id`.
--
--   create  { actor, name, models?, rpm?, tpm?, parallel?, budgets?, soft_budgets?, disabled?,
--             tags? }                          → record
--   list    { actor, after?, limit? }          → { teams = records, next? }
--   show    { actor, name }                    → record, with `keys`, how many it has
--   update  { actor, name, set, clear }        → record; a team is never renamed
--   disable { actor, name }, enable { … }      → record
--   delete  { actor, name, cascade? }          → record as it was; 409 where it has keys, which
--                                                `cascade = true` deletes too
--
-- A team's administrator sees its own team and changes none.

local actors = require "ledger.actor"
local fields = require "ledger.fields"
local json = require "engine.json"
local problem = require "ledger.problem"
local sql = require "engine.sql"
local store = require "ledger.store"

local teams = {}

local limit_of = fields.whole(1, 1000)
local UPDATABLE, CLEARABLE = {}, {}
for name in pairs(fields.TEAM) do
  if name ~= "name" then UPDATABLE[name] = true end
  if name ~= "name" and name ~= "disabled" then CLEARABLE[name] = true end
end

local function count_of(name)
  return sql.row("SELECT count(*) AS n FROM keys WHERE team = ?", name).n
end

local function shown(row, more)
  local out = {}
  for name, value in pairs(row.record) do out[name] = value end
  out.disabled, out.tags = row.record.disabled == true, row.record.tags or {}
  out.created_at, out.updated_at = row.created_ms / 1000, row.updated_ms / 1000
  for _, name in ipairs { "models", "budgets", "soft_budgets" } do
    if out[name] then json.array(out[name]) end
  end
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

local function visible(actor, name)
  if actor and name ~= actor.record.team then problem.not_found "team" end
  local row = store.team(fields.team(name))
  if not row then problem.not_found "team" end
  return row
end

-- The operator alone changes teams.
local function writable(args)
  local actor = actors.of(args.actor)
  local row = visible(actor, args.name)
  if actor then
    problem.not_permitted(nil, "a team's administrator does not change the team")
  end
  return row
end

local function publish(change, row)
  change[#change + 1] = { team = row.name, text = store.text(row.record) }
end

function teams.create(args)
  local record = fields.check(args, fields.TEAM, { actor = true })
  if not record.name then
    problem.raise(400, "missing_required_parameter", "name is missing", "name")
  end
  return store.durably(function(change)
    if actors.of(args.actor) then
      problem.not_permitted(nil, "a team's administrator makes no teams")
    end
    if store.team(record.name) then
      problem.raise(409, "already_exists", "there is a team of that name already", "name")
    end
    if record.disabled == false then record.disabled = nil end
    local now = store.now_ms()
    local row = { name = record.name, record = record, created_ms = now, updated_ms = now }
    sql.run("INSERT INTO teams (name, record, created_ms, updated_ms) VALUES (?, ?, ?, ?)",
      row.name, store.text(record), now, now)
    publish(change, row)
    store.log(nil, "teams.create", row.name, record)
    return shown(row)
  end)
end

function teams.list(args)
  local actor = actors.of(args.actor)
  fields.check(args, {}, { actor = true, after = true, limit = true })
  if actor then
    return { teams = json.array { shown(visible(actor, actor.record.team)) } }
  end
  if args.after ~= nil and type(args.after) ~= "string" then
    problem.field("after", "must be what an earlier list gave as next")
  end
  local limit = args.limit == nil and 100 or limit_of(args.limit, "limit")
  local rows = sql.rows("SELECT name FROM teams WHERE name > ? ORDER BY name LIMIT ?",
    args.after or "", limit + 1)
  local out = json.array {}
  for i = 1, math.min(#rows, limit) do out[i] = shown(store.team(rows[i].name)) end
  return { teams = out, next = #rows > limit and rows[limit].name or nil }
end

function teams.show(args)
  fields.check(args, {}, { actor = true, name = true })
  local row = visible(actors.of(args.actor), args.name)
  return shown(row, { keys = count_of(row.name) })
end

local function write(change, row)
  row.updated_ms = store.now_ms()
  if row.record.disabled == false then row.record.disabled = nil end
  sql.run("UPDATE teams SET record = ?, updated_ms = ? WHERE name = ?",
    store.text(row.record), row.updated_ms, row.name)
  publish(change, row)
end

function teams.update(args)
  local set = fields.check(args.set or {}, UPDATABLE)
  local clear = fields.cleared(args.clear, CLEARABLE, set)
  fields.check(args, {}, { actor = true, name = true, set = true, clear = true })
  if next(set) == nil and next(clear) == nil then
    problem.raise(400, "invalid_value", "there is nothing to change")
  end
  return store.durably(function(change)
    local row = writable(args)
    for name in pairs(clear) do row.record[name] = nil end
    for name, value in pairs(set) do row.record[name] = value end
    write(change, row)
    store.log(nil, "teams.update", row.name, { set = set, clear = clear })
    return shown(row)
  end)
end

local function switch(args, verb, disabled)
  fields.check(args, {}, { actor = true, name = true })
  return store.durably(function(change)
    local row = writable(args)
    row.record.disabled = disabled
    write(change, row)
    store.log(nil, verb, row.name)
    return shown(row)
  end)
end

function teams.disable(args)
  return switch(args, "teams.disable", true)
end

function teams.enable(args)
  return switch(args, "teams.enable", false)
end

-- A key may have been made by a key of another team: one at a time, as delete does.
local function delete_keys(change, name)
  for _, row in ipairs(sql.rows("SELECT id FROM keys WHERE team = ?", name)) do
    store.delete_key(change, store.key(row.id))
  end
end

function teams.delete(args)
  fields.check(args, {}, { actor = true, name = true, cascade = true })
  if args.cascade ~= nil and type(args.cascade) ~= "boolean" then
    problem.field("cascade", "must be true or false")
  end
  return store.durably(function(change)
    local row = writable(args)
    local n = count_of(row.name)
    if n > 0 and not args.cascade then
      problem.raise(409, "team_not_empty",
        ("the team has %s; delete or move %s first"):format(
          n == 1 and "a key" or n .. " keys", n == 1 and "it" or "them"), "name")
    end
    delete_keys(change, row.name)
    sql.run("DELETE FROM teams WHERE name = ?", row.name)
    change[#change + 1] = { team = row.name }
    store.log(nil, "teams.delete", row.name, { keys = n })
    return shown(row)
  end)
end

return teams
