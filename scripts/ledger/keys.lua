-- The ledger's keys: the verbs behind the admin API and the command line.
--
-- Every verb takes one table and returns one; it refuses by raising { status, code, message,
-- param } (ledger/problem.lua), and then nothing has changed. `actor` is nil for the operator,
-- or { role = "team_admin", id = <key id> } for a team's own administrator, whose rights are
-- read anew. What it may not see is not found.
--
--   create  { actor, name, team?, models?, rpm?, tpm?, parallel?, budgets?, soft_budgets?,
--             expires_at?, tags?, on_low_budget?, without_cluster?, role?, disabled? }
--                                              → record, token (only here and in rotate)
--   list    { actor, team?, name?, disabled?, after?, limit? } → { keys = records, next? }
--   show    { actor, id }                      → record
--   update  { actor, id, set = fields but role, clear = { "rpm", … } } → record
--   rotate  { actor, id, overlap? (seconds) }  → record, token, previous_until?
--   disable { actor, id }, enable { actor, id } → record
--   delete  { actor, id }                      → record as it was
--
-- A record is the contract's (see scripts/pipeline/auth.lua) with created_at and updated_at.

local actors = require "ledger.actor"
local fields = require "ledger.fields"
local json = require "engine.json"
local nearest = require "lib.nearest"
local problem = require "ledger.problem"
local rights = require "ledger.rights"
local sql = require "engine.sql"
local store = require "ledger.store"

local keys = {}

local OVERLAP_MOST = 30 * 86400 -- seconds
local SECRETS_MOST = 8          -- of a key that is rotated again and again
local DEPTH_MOST = 100

local function set_without(known, ...)
  local out = {}
  for name in pairs(known) do out[name] = true end
  for _, name in ipairs { ... } do out[name] = nil end
  return out
end

local UPDATABLE = set_without(fields.KEY, "role")
local CLEARABLE = set_without(fields.KEY, "role", "name", "disabled")
local ACTOR = { actor = true }
local LISTING = { name = true, team = true, disabled = true }
local overlap_of = fields.whole(0, OVERLAP_MOST, " of seconds (30 days)")
local limit_of = fields.whole(1, 1000)

local GRANTS = {}
for _, name in ipairs(rights.FIELDS) do GRANTS[name] = true end

-- What is answered --------------------------------------------------------------------------

local function shown(row, more)
  local out = {}
  for name, value in pairs(row.record) do out[name] = value end
  out.within, out.disabled = nil, row.record.disabled == true
  out.role, out.tags = row.record.role or "client", row.record.tags or {}
  out.created_at, out.updated_at = row.created_ms / 1000, row.updated_ms / 1000
  for _, name in ipairs { "models", "budgets", "soft_budgets" } do
    if out[name] then json.array(out[name]) end
  end
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

-- Who asks ----------------------------------------------------------------------------------

local function actor_of(args)
  return actors.of(args.actor)
end

-- A key this actor may know of.
local function visible(actor, id)
  local row = store.key(fields.id(id))
  if not row or (actor and row.record.team ~= actor.record.team) then
    problem.not_found "key"
  end
  return row
end

-- With a new secret, or a changed record, comes what the key may do: no more than the actor.
local function check_hold(actor, row)
  if not actor then return end
  local field = rights.beyond(row.record, actor.record)
  if field then
    problem.not_permitted(field, "this key may do more than the one that asks: " .. field)
  end
end

-- Who grants what ---------------------------------------------------------------------------

local function check_team(given, actor)
  local name = given.team
  if actor and name ~= actor.record.team then
    problem.not_permitted("team", "a team's administrator makes keys of that team only")
  end
  local team = name and store.team(name)
  if name and not team then
    problem.field("team", "names no team of the ledger" .. nearest.hint(name, store.teams()))
  end
  return team
end

-- A team says nothing of the cluster: its keys do.
local function bound_of(team)
  local out = { without_cluster = "open" }
  for name, value in pairs(team.record) do out[name] = value end
  return out
end

local function check_rights(given, actor, team)
  local field = actor and rights.exceeds(given, actor.record)
  if field then
    problem.not_permitted(field, field .. " grants more than the key that asks has")
  end
  field = team and rights.exceeds(given, bound_of(team))
  if field then problem.not_permitted(field, field .. " grants more than the team has") end
end

local function check_name(name, team, id)
  if store.is_taken(name, team, id) then
    problem.raise(409, "already_exists", "there is a key of that name already", "name")
  end
end

local function check_role(record)
  if record.role == "team_admin" and not record.team then
    problem.field("team", "is needed by a team_admin")
  end
end

-- The verbs ---------------------------------------------------------------------------------

function keys.create(args)
  local said = fields.check(args, fields.KEY, ACTOR)
  if not said.name then
    problem.raise(400, "missing_required_parameter", "name is missing", "name")
  end
  return store.durably(function(change)
    local actor = actor_of(args)
    if actor and said.team == nil then said.team = actor.record.team end
    check_rights(said, actor, check_team(said, actor))
    check_role(said)
    check_name(said.name, said.team)
    if said.role == "client" then said.role = nil end
    local row = { said = actor and rights.cut(said, actor.record) or said }
    row.created_by = actor and actor.id
    row.disabled_by = said.disabled and (actor and actor.id or "operator") or nil
    local token, id = store.add_secret()
    row.id, row.said.id = id, id
    store.insert_key(row)
    store.publish(change, row)
    store.log(actor, "keys.create", id, row.said)
    return shown(row, { token = token })
  end)
end

-- Where a list goes on: what an earlier one gave as `next`.
local function after_of(args)
  local after = args.after
  if after ~= nil and (type(after) ~= "string" or #after > 64) then
    problem.field("after", "must be what an earlier list gave as next")
  end
  return after
end

function keys.list(args)
  local actor = actor_of(args)
  local want = fields.check(args, LISTING, { actor = true, after = true, limit = true })
  want.after = after_of(args)
  local limit = args.limit == nil and 100 or limit_of(args.limit, "limit")
  if actor and want.team and want.team ~= actor.record.team then problem.not_found "team" end
  want.team, want.limit = actor and actor.record.team or want.team, limit + 1
  local rows = store.keys(want)
  local out = json.array {}
  for i = 1, math.min(#rows, limit) do out[i] = shown(rows[i]) end
  return { keys = out, next = #rows > limit and rows[limit].id or nil }
end

function keys.show(args)
  return shown(visible(actor_of(args), args.id))
end

-- Does `row` stand above `of` in who made whom? Then it does not become what `of` has made.
local function is_above(row, of)
  for _ = 1, DEPTH_MOST do
    if not of then return false end
    if of.id == row.id then return true end
    of = of.created_by and store.key(of.created_by) or nil
  end
  return true
end

-- Who changes what a key may do is from then on who grants it.
local function regrant(row, actor)
  row.said = row.record
  if not actor then
    row.created_by = nil
  elseif not is_above(row, actor) then
    row.created_by = actor.id
  end
end

local function touches_rights(set, clear)
  for name in pairs(GRANTS) do
    if set[name] ~= nil or clear[name] then return true end
  end
  return set.team ~= nil or clear.team == true
end

local function disabled_by(row, actor, disabled)
  local is_so = row.record.disabled == true
  if disabled == nil or disabled == is_so then return row.disabled_by end
  if disabled then return actor and actor.id or "operator" end
  if actor and row.disabled_by == "operator" then
    problem.not_permitted("disabled", "the operator has disabled this key")
  end
  return nil
end

-- A copy of what was said, with fields set and cleared.
local function changed(said, set, clear, actor)
  local out = {}
  for name, value in pairs(said) do out[name] = value end
  for name in pairs(clear) do out[name] = nil end
  for name, value in pairs(set) do out[name] = value end
  if set.models or clear.models then out.within = nil end
  if out.disabled == false then out.disabled = nil end
  return actor and rights.cut(out, actor.record) or out
end

local function update(change, args, set, clear)
  local actor = actor_of(args)
  local row = visible(actor, args.id)
  check_hold(actor, row)
  local team = set.team or not clear.team and row.record.team or nil
  check_rights(set, actor, check_team({ team = team }, actor))
  if set.name or set.team or clear.team then
    check_name(set.name or row.record.name, team, row.id)
  end
  row.disabled_by = disabled_by(row, actor, set.disabled)
  local grants = touches_rights(set, clear)
  if grants then regrant(row, actor) end
  row.said = changed(row.said, set, clear, grants and actor)
  check_role(row.said)
  store.update_key(change, row)
  return row, actor
end

function keys.update(args)
  local set = fields.check(args.set or {}, UPDATABLE)
  local clear = fields.cleared(args.clear, CLEARABLE, set)
  fields.check(args, {}, { actor = true, id = true, set = true, clear = true })
  if next(set) == nil and next(clear) == nil then
    problem.raise(400, "invalid_value", "there is nothing to change")
  end
  return store.durably(function(change)
    local row, actor = update(change, args, set, clear)
    store.log(actor, "keys.update", row.id, { set = set, clear = clear })
    return shown(row)
  end)
end

-- Only its owner's disabling of a key asks nothing of the key: an emergency has no rank.
local function switch(args, verb, disabled)
  fields.check(args, {}, { actor = true, id = true })
  return store.durably(function(change)
    local actor = actor_of(args)
    local row = visible(actor, args.id)
    if not disabled then check_hold(actor, row) end
    row.disabled_by = disabled_by(row, actor, disabled)
    row.said = changed(row.said, { disabled = disabled }, {})
    store.update_key(change, row)
    store.log(actor, verb, row.id)
    return shown(row)
  end)
end

function keys.disable(args)
  return switch(args, "keys.disable", true)
end

function keys.enable(args)
  return switch(args, "keys.enable", false)
end

-- The secrets there are end at `until_ms`, or at once, unless they end before.
local function end_secrets(change, row, now_ms, until_ms)
  local left = 0
  for _, secret in ipairs(sql.rows(
    "SELECT public_id, expires_ms FROM key_secrets WHERE key_id = ?", row.id)) do
    local ends = math.min(secret.expires_ms or until_ms, until_ms)
    if ends <= now_ms then
      sql.run("DELETE FROM key_secrets WHERE public_id = ?", secret.public_id)
      change[#change + 1] = { id = secret.public_id }
    else
      sql.run("UPDATE key_secrets SET expires_ms = ? WHERE public_id = ?", ends,
        secret.public_id)
      left = left + 1
    end
  end
  if left >= SECRETS_MOST then
    problem.raise(409, "too_many_secrets",
      "this key has eight secrets that still hold; rotate it without an overlap")
  end
  return left
end

function keys.rotate(args)
  fields.check(args, {}, { actor = true, id = true, overlap = true })
  local overlap = args.overlap == nil and 0 or overlap_of(args.overlap, "overlap")
  return store.durably(function(change)
    local actor = actor_of(args)
    local row = visible(actor, args.id)
    check_hold(actor, row)
    local now_ms = store.now_ms()
    local until_ms = now_ms + overlap * 1000
    local left = end_secrets(change, row, now_ms, until_ms)
    local token = store.add_secret(row.id)
    store.publish(change, row)
    store.log(actor, "keys.rotate", row.id, { overlap = overlap })
    return shown(row, { token = token, previous_until = left > 0 and until_ms / 1000 or nil })
  end)
end

function keys.delete(args)
  fields.check(args, {}, { actor = true, id = true })
  return store.durably(function(change)
    local actor = actor_of(args)
    local row = visible(actor, args.id)
    check_hold(actor, row)
    local was = shown(row)
    store.delete_key(change, row)
    store.log(actor, "keys.delete", row.id, { name = row.record.name })
    return was
  end)
end

return keys
