-- The ledger's keys and teams: what the verbs do, and what they refuse.

require "engine"
local json = require "engine.json"
local ledger = require "support.ledger"

local keyring, must, ask = ledger.keyring, ledger.must, ledger.ask

local function told(token)
  local _, text = keyring.find(token)
  return text and json.decode(text) or nil
end

local function admin_of(team, fields)
  fields = fields or {}
  fields.name, fields.team, fields.role = fields.name or "admin", team, "team_admin"
  local key = must("keys.create", fields)
  return { role = "team_admin", id = key.id }, key
end

describe("keys of the ledger", function()
  local close

  before_each(function() close = ledger.open() end)
  after_each(function() close() end)

  it("are shown once and known at once", function()
    local version = keyring.version()
    local key = must("keys.create", { name = "search", rpm = 120 })
    assert.truthy(key.token:find("^mg%-" .. key.id .. "%-[%w_-]+$"))
    assert.equal(59, #key.token)
    assert.not_equal(version, keyring.version())
    assert.same({ id = key.id, name = "search", rpm = 120 }, told(key.token))
    assert.is_nil(must("keys.show", { id = key.id }).token)
    assert.is_nil(must("keys.list", {}).keys[1].token)
  end)

  it("keep no secret in the clear", function()
    local key = must("keys.create", { name = "search" })
    must("keys.rotate", { id = key.id })
    local text = ledger.snapshot()
    assert.is_nil(text:find(key.token, 1, true))
    assert.is_nil(text:find(key.token:sub(17), 1, true))
  end)

  it("answer with all that was said", function()
    must("teams.create", { name = "search" })
    local said = {
      name = "a key", team = "search", models = { "smart", "azure/*" }, rpm = 1, tpm = 2,
      parallel = 3, budgets = { { window = "day", nano = 0 }, { window = "ever", nano = 5 } },
      soft_budgets = { { window = "month", nano = 7 } }, expires_at = 4102444800,
      tags = { tier = "batch" }, on_low_budget = "clamp", without_cluster = "closed",
      role = "client", disabled = false,
    }
    local key = must("keys.create", said)
    local record = must("keys.show", { id = key.id })
    for name, value in pairs(said) do assert.same(value, record[name], name) end
    assert.is_number(record.created_at)
    assert.equal(record.created_at, record.updated_at)
  end)

  it("rotate, with and without an overlap", function()
    local key = must("keys.create", { name = "a" })
    local second = must("keys.rotate", { id = key.id, overlap = 60 })
    assert.equal(key.id, second.id)
    assert.near(os.time() + 60, second.previous_until, 2)
    assert.equal(second.previous_until, told(key.token).secret_expires_at)
    assert.is_nil(told(second.token).secret_expires_at)
    assert.equal(key.id, told(second.token).id)
    local third = must("keys.rotate", { id = key.id })
    assert.is_nil(third.previous_until)
    assert.is_nil(told(key.token))
    assert.is_nil(told(second.token))
    assert.equal("a", told(third.token).name)
  end)

  it("shorten an overlap, never lengthen it", function()
    local key = must("keys.create", { name = "a" })
    local second = must("keys.rotate", { id = key.id, overlap = 10 })
    must("keys.rotate", { id = key.id, overlap = 600 })
    assert.near(os.time() + 10, told(key.token).secret_expires_at, 2)
    assert.near(os.time() + 600, told(second.token).secret_expires_at, 2)
  end)

  it("do not gather secrets without end", function()
    local key = must("keys.create", { name = "a" })
    local err
    for _ = 1, 9 do _, err = ask("keys.rotate", { id = key.id, overlap = 60 }) end
    assert.equal(409, err.status)
    assert.is_not_nil(must("keys.rotate", { id = key.id }).token)
  end)

  it("are disabled, enabled and deleted in every secret", function()
    local key = must("keys.create", { name = "a" })
    local second = must("keys.rotate", { id = key.id, overlap = 60 })
    assert.is_true(must("keys.disable", { id = key.id }).disabled)
    assert.is_true(told(key.token).disabled)
    assert.is_true(told(second.token).disabled)
    assert.is_false(must("keys.enable", { id = key.id }).disabled)
    assert.is_nil(told(second.token).disabled)
    assert.equal("a", must("keys.delete", { id = key.id }).name)
    assert.is_nil(told(key.token))
    assert.is_nil(told(second.token))
    local _, err = ask("keys.show", { id = key.id })
    assert.equal(404, err.status)
  end)

  it("change field by field, and back to none", function()
    local key = must("keys.create", { name = "a", rpm = 5, models = { "x" } })
    local record = must("keys.update", {
      id = key.id, set = { tpm = 9, name = "b" }, clear = { "rpm", "models" },
    })
    assert.same({ "b", 9 }, { record.name, record.tpm })
    assert.is_nil(record.rpm)
    assert.same({ id = key.id, name = "b", tpm = 9 }, told(key.token))
  end)

  it("have names of their own within a team", function()
    must("teams.create", { name = "one" })
    must("keys.create", { name = "a" })
    must("keys.create", { name = "a", team = "one" })
    local _, err = ask("keys.create", { name = "a", team = "one" })
    assert.same({ 409, "already_exists", "name" }, { err.status, err.code, err.param })
    local other = must("keys.create", { name = "b", team = "one" })
    _, err = ask("keys.update", { id = other.id, set = { name = "a" } })
    assert.equal(409, err.status)
  end)

  it("are listed page by page", function()
    must("teams.create", { name = "one" })
    for i = 1, 5 do
      must("keys.create", { name = "k" .. i, team = i > 3 and "one" or nil, disabled = i == 5 })
    end
    local seen, after = {}, nil
    repeat
      local page = must("keys.list", { limit = 2, after = after })
      assert.is_true(#page.keys <= 2)
      for _, key in ipairs(page.keys) do seen[#seen + 1] = key.name end
      after = page.next
    until not after
    table.sort(seen)
    assert.same({ "k1", "k2", "k3", "k4", "k5" }, seen)
    assert.equal(2, #must("keys.list", { team = "one" }).keys)
    assert.equal(1, #must("keys.list", { disabled = true }).keys)
    assert.equal("k2", must("keys.list", { name = "k2" }).keys[1].name)
    assert.same({}, must("keys.list", { name = "k_" }).keys)
  end)

  it("leave a trail without secrets", function()
    must("teams.create", { name = "one" })
    local actor = admin_of "one"
    local key = must("keys.create", { actor = actor, name = "a", rpm = 3 })
    must("keys.update", { id = key.id, set = { rpm = 4 } })
    must("keys.rotate", { actor = actor, id = key.id })
    local rows = ledger.sql.rows "SELECT * FROM admin_log ORDER BY seq"
    local what = {}
    for i, row in ipairs(rows) do
      what[i] = ("%s %s %s"):format(row.actor, row.verb, row.object)
    end
    assert.same({
      "operator teams.create one", "operator keys.create " .. actor.id,
      "key:" .. actor.id .. " keys.create " .. key.id, "operator keys.update " .. key.id,
      "key:" .. actor.id .. " keys.rotate " .. key.id,
    }, what)
    assert.equal(4, json.decode(rows[4].fields).set.rpm)
  end)
end)

describe("teams of the ledger", function()
  local close

  before_each(function() close = ledger.open() end)
  after_each(function() close() end)

  it("are made, changed and told", function()
    local budgets = { { window = "day", nano = 1 } }
    must("teams.create", { name = "search", rpm = 5, budgets = budgets })
    assert.equal(5, json.decode(keyring.team "search").rpm)
    must("teams.update", { name = "search", set = { models = { "small" } }, clear = { "rpm" } })
    assert.same({ name = "search", models = { "small" }, budgets = budgets },
      json.decode(keyring.team "search"))
    must("teams.disable", { name = "search" })
    assert.is_true(json.decode(keyring.team "search").disabled)
    assert.is_false(must("teams.enable", { name = "search" }).disabled)
    assert.equal(0, must("teams.show", { name = "search" }).keys)
    must("teams.delete", { name = "search" })
    assert.is_nil(keyring.team "search")
  end)

  it("are unique, and must be there", function()
    must("teams.create", { name = "search" })
    local _, err = ask("teams.create", { name = "search" })
    assert.same({ 409, "already_exists" }, { err.status, err.code })
    _, err = ask("keys.create", { name = "a", team = "nobody" })
    assert.same({ 400, "team" }, { err.status, err.param })
    for _, verb in ipairs { "show", "update", "disable", "enable", "delete" } do
      _, err = ask("teams." .. verb, { name = "nobody", set = verb == "update" and { rpm = 1 }
        or nil })
      assert.equal(404, err.status, verb)
    end
  end)

  it("go with their keys only where that is asked for", function()
    must("teams.create", { name = "search" })
    local key = must("keys.create", { name = "a", team = "search" })
    local other = must("keys.create", { name = "b" })
    local _, err = ask("teams.delete", { name = "search" })
    assert.same({ 409, "team_not_empty" }, { err.status, err.code })
    assert.is_not_nil(told(key.token))
    must("teams.delete", { name = "search", cascade = true })
    assert.is_nil(told(key.token))
    assert.is_not_nil(told(other.token))
  end)

  it("are listed page by page", function()
    for i = 1, 3 do must("teams.create", { name = "t" .. i }) end
    local page = must("teams.list", { limit = 2 })
    assert.same({ "t1", "t2" }, { page.teams[1].name, page.teams[2].name })
    page = must("teams.list", { limit = 2, after = page.next })
    assert.equal("t3", page.teams[1].name)
    assert.is_nil(page.next)
  end)
end)
