-- Keys and teams as rows, and what the keyring is told of them. The verbs work on these; every
-- text given to SQLite is written out here or there, values only come as parameters.
--
-- A key's row has what was said of it (`said`) and what holds (`record`: the same, cut down to
-- the rights that whoever made it has by now). Workers are told `record`.

local json = require "engine.json"
local keyring = require "engine.keyring"
local rights = require "ledger.rights"
local sql = require "engine.sql"
local time = require "engine.time"

local store = {}

local LISTS = { "models", "budgets", "soft_budgets", "within" }

--- Now, in the ledger's milliseconds.
function store.now_ms()
  return math.floor(time.now() * 1000)
end

-- Empty lists stay lists; no tags are said by none.
local function text(record)
  if record.tags and next(record.tags) == nil then record.tags = nil end
  for _, name in ipairs(LISTS) do
    if record[name] then json.array(record[name]) end
  end
  return json.encode(record)
end

store.text = text

-- Rows → tables -----------------------------------------------------------------------------

-- The columns are the truth for what they hold.
local function whole(row, stored)
  local record = json.decode(stored)
  record.id, record.name = row.id, row.name
  record.team = row.team ~= "" and row.team or nil
  record.disabled = row.disabled == 1 or nil
  return record
end

local function key_of(row)
  if not row then return nil end
  row.said = whole(row, row.record)
  row.record = row.published and whole(row, row.published) or row.said
  return row
end

--- A key, or nil.
function store.key(id)
  return key_of(sql.row("SELECT * FROM keys WHERE id = ?", id))
end

--- Keys in the order of their ids, from behind `after`. What is nil is not asked for.
function store.keys(want)
  local rows = sql.rows("SELECT * FROM keys WHERE id > ?1 AND (?2 IS NULL OR team = ?2) "
    .. "AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR disabled = ?4) ORDER BY id LIMIT ?5",
    want.after or "", want.team, want.name, want.disabled, want.limit)
  for _, row in ipairs(rows) do key_of(row) end
  return rows
end

--- The keys that this one has made.
function store.made_by(id)
  local rows = sql.rows("SELECT * FROM keys WHERE created_by = ?", id)
  for _, row in ipairs(rows) do key_of(row) end
  return rows
end

--- Is there another key of that name in that team?
function store.is_taken(name, team, id)
  return sql.row("SELECT 1 AS taken FROM keys WHERE name = ? AND team = ? AND id <> ?",
    name, team or "", id or "") ~= nil
end

--- A team, or nil.
function store.team(name)
  local row = sql.row("SELECT * FROM teams WHERE name = ?", name)
  if not row then return nil end
  row.record = json.decode(row.record)
  row.record.name = row.name
  return row
end

--- Names of teams, for a hint at what was meant; a thousand are enough.
function store.teams()
  local out = {}
  for i, row in ipairs(sql.rows "SELECT name FROM teams ORDER BY name LIMIT 1000") do
    out[i] = row.name
  end
  return out
end

-- What the keyring is to be told once all of it is on disk ----------------------------------

--- Collects what a transaction changes.
function store.change()
  return {}
end

-- A key's record as one of its secrets has it.
local function with_expiry(record, expires_ms)
  if not expires_ms then return text(record) end
  local out = {}
  for name, value in pairs(record) do out[name] = value end
  out.secret_expires_at = expires_ms / 1000
  return text(out)
end

--- All secrets of a key say what it may do now.
function store.publish(change, row)
  for _, secret in ipairs(sql.rows(
    "SELECT public_id, mac, expires_ms FROM key_secrets WHERE key_id = ?", row.id)) do
    change[#change + 1] = {
      id = secret.public_id, mac = secret.mac,
      text = with_expiry(row.record, secret.expires_ms),
    }
  end
end

--- Tell the keyring: from here on every worker knows.
function store.apply(change)
  for _, one in ipairs(change) do
    if one.team and one.text then
      keyring.put_team(one.team, one.text)
    elseif one.team then
      keyring.remove_team(one.team)
    elseif one.text then
      keyring.put(one.id, one.mac, one.text)
    else
      keyring.remove(one.id)
    end
  end
end

--- Run `fn(change)`; what it did is on disk, and known to all workers, when this returns.
function store.durably(fn)
  local change = store.change()
  local result = sql.durable(fn, change)
  store.apply(change)
  return result
end

-- Writing -----------------------------------------------------------------------------------

-- What holds of a key: what was said, within what its maker may do by now.
local function holds(row)
  local maker = row.created_by and store.key(row.created_by)
  return maker and rights.cut(row.said, maker.record) or row.said
end

local function stored(row)
  row.record = holds(row)
  local said, published = text(row.said), text(row.record)
  return said, published ~= said and published or nil
end

--- A new row: id, said, created_by, disabled_by. From the first one on, a gateway serves nobody
--- without a key: that is remembered beyond them (keyring_fill).
function store.insert_key(row)
  local said, published = stored(row)
  row.created_ms = store.now_ms()
  row.updated_ms = row.created_ms
  sql.run("INSERT INTO meta (k, v) VALUES ('keyed', 1) ON CONFLICT DO NOTHING")
  sql.run("INSERT INTO keys (id, name, team, record, published, created_by, disabled, "
    .. "disabled_by, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    row.id, row.said.name, row.said.team or "", said, published, row.created_by,
    row.said.disabled == true, row.disabled_by, row.created_ms, row.updated_ms)
end

-- Keys that a changed key has made may do what it may, at most.
local function follow(change, id, seen)
  seen[id] = true
  for _, row in ipairs(store.made_by(id)) do
    if not seen[row.id] then store.update_key(change, row, seen) end
  end
end

--- Write a row back, tell the keyring, and cut down what this key has made.
function store.update_key(change, row, seen)
  local before = text(row.record)
  local said, published = stored(row)
  row.updated_ms = seen and row.updated_ms or store.now_ms()
  sql.run("UPDATE keys SET name = ?, team = ?, record = ?, published = ?, created_by = ?, "
    .. "disabled = ?, disabled_by = ?, updated_ms = ? WHERE id = ?",
    row.said.name, row.said.team or "", said, published, row.created_by,
    row.said.disabled == true, row.disabled_by, row.updated_ms, row.id)
  store.publish(change, row)
  if not seen or text(row.record) ~= before then follow(change, row.id, seen or {}) end
end

--- A new secret: its token, which nobody can ask for again, and its public id, which is a new
--- key's id too. publish() makes it known.
function store.add_secret(id)
  local token, public_id, mac = keyring.mint()
  sql.run("INSERT INTO key_secrets (public_id, key_id, mac, created_ms) VALUES (?, ?, ?, ?)",
    public_id, id or public_id, mac, store.now_ms())
  return token, public_id
end

--- A key without its secrets. What it has made keeps what it may do now.
function store.delete_key(change, row)
  for _, child in ipairs(store.made_by(row.id)) do
    child.said, child.created_by = child.record, row.created_by
    store.update_key(change, child)
  end
  for _, secret in ipairs(sql.rows(
    "SELECT public_id FROM key_secrets WHERE key_id = ?", row.id)) do
    change[#change + 1] = { id = secret.public_id }
  end
  sql.run("DELETE FROM key_secrets WHERE key_id = ?", row.id)
  sql.run("DELETE FROM keys WHERE id = ?", row.id)
end

--- The trail of what was changed: never a secret. `fields` is a table or nil.
function store.log(actor, verb, object, what)
  sql.run("INSERT INTO admin_log (ts_ms, actor, verb, object, fields) VALUES (?, ?, ?, ?, ?)",
    store.now_ms(), actor and "key:" .. actor.id or "operator", verb, object,
    what and json.encode(what) or nil)
end

return store
