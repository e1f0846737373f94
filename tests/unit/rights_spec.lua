-- A key never grants more than whoever made it has: by example, and for random administrators.

require "engine"
local json = require "engine.json"
local ledger = require "support.ledger"
local rights = require "ledger.rights"

local ask, must, keyring = ledger.ask, ledger.must, ledger.keyring

-- What a record allows, said another way than ledger/rights.lua does -------------------------

local NAMES = { "a", "ab", "abc", "b", "bc", "x/a", "x/b", "alias" }
local WINDOWS = { "minute", "hour", "day", "week", "month", "year", "ever" }

local function entry_allows(entry, name)
  if not entry:find("*", 1, true) then return entry == name end
  local head, tail = entry:match "^(.-)%*(.*)$"
  return #name > #head + #tail and name:sub(1, #head) == head
    and (tail == "" or name:sub(-#tail) == tail) or entry == "*"
end

local function list_allows(list, name)
  if not list then return true end
  for _, entry in ipairs(list) do
    if entry_allows(entry, name) then return true end
  end
  return false
end

local function allows(record, name)
  for _, list in ipairs(record.within or {}) do
    if not list_allows(list, name) then return false end
  end
  return list_allows(record.models, name)
end

local function budget(record, window)
  for _, one in ipairs(record.budgets or {}) do
    if one.window == window then return one.nano end
  end
  return math.huge
end

-- What `record` may do and `bound` may not; nil where there is nothing.
local function more(record, bound)
  for _, name in ipairs(NAMES) do
    if allows(record, name) and not allows(bound, name) then return "model " .. name end
  end
  for _, name in ipairs { "rpm", "tpm", "parallel", "expires_at" } do
    if (record[name] or math.huge) > (bound[name] or math.huge) then return name end
  end
  for _, window in ipairs(WINDOWS) do
    if budget(record, window) > budget(bound, window) then return "budget a " .. window end
  end
  for tag, text in pairs(bound.tags or {}) do
    if (record.tags or {})[tag] ~= text then return "tag " .. tag end
  end
  if record.without_cluster == "open" and bound.without_cluster ~= "open" then
    return "without_cluster"
  end
  return nil
end

-- Random records ---------------------------------------------------------------------------

local ENTRIES = { "a", "ab", "abc", "b", "bc", "a*", "ab*", "*c", "x/*", "*", "x/a", "alias" }

local function pick(list) return list[math.random(#list)] end

local function some_models()
  local out, seen = json.array {}, {}
  for _ = 1, math.random(4) do
    local entry = pick(ENTRIES)
    if not seen[entry] then out[#out + 1] = entry end
    seen[entry] = true
  end
  return out
end

local function some_budgets()
  local out, seen = json.array {}, {}
  for _ = 1, math.random(3) do
    local window = pick(WINDOWS)
    if not seen[window] then
      out[#out + 1] = { window = window, nano = math.random(0, 4) }
    end
    seen[window] = true
  end
  return out
end

local MAKE = {
  models = some_models, budgets = some_budgets,
  rpm = function() return math.random(5) end, tpm = function() return math.random(5) end,
  parallel = function() return math.random(5) end,
  expires_at = function() return 4102444800 + math.random(5) end,
  without_cluster = function() return pick { "open", "closed" } end,
  tags = function() return { tier = pick { "batch", "live" } } end,
}
local FIELDS = {}
for name in pairs(MAKE) do FIELDS[#FIELDS + 1] = name end
table.sort(FIELDS)

local function some_fields(share)
  local out = {}
  for _, name in ipairs(FIELDS) do
    if math.random() < share then out[name] = MAKE[name]() end
  end
  return out
end

describe("rights", function()
  it("are cut to what both allow, and compared alike", function()
    math.randomseed(4)
    for _ = 1, 20000 do
      local one, other = some_fields(0.5), some_fields(0.5)
      local cut = rights.cut(one, other)
      if one.tags and other.tags then one.tags = other.tags end -- of two tags, the maker's
      assert.is_nil(more(cut, one))
      assert.is_nil(more(cut, other))
      assert.is_nil(rights.beyond(cut, other))
      if not rights.beyond(one, other) then assert.is_nil(more(one, other)) end
    end
  end)

  it("do not grow when they are cut again", function()
    for _ = 1, 5000 do
      local one, other = some_fields(0.5), some_fields(0.5)
      local once = rights.cut(one, other)
      local twice = rights.cut(once, other)
      assert.is_nil(more(once, twice))
      assert.is_nil(more(twice, once))
    end
  end)

  it("leave what a pattern allows to be asked again, where an alias may hide", function()
    local cut = rights.cut({ models = { "gpt-4o" } }, { models = { "gpt-*", "small" } })
    assert.same({ { "gpt-*", "small" } }, cut.within)
    local named = rights.cut({ models = { "small" } }, { models = { "gpt-*", "small" } })
    assert.is_nil(named.within)
    assert.is_nil(rights.cut({ models = { "small" } }, { models = { "*" } }).within)
  end)
end)

describe("keys made by a team's administrator", function()
  local close, admin, actor

  before_each(function()
    close = ledger.open()
    must("teams.create", { name = "one", rpm = 50, models = { "a*", "b" } })
    must("teams.create", { name = "two" })
    admin = must("keys.create", {
      name = "admin", team = "one", role = "team_admin", models = { "a*" }, rpm = 10, tpm = 100,
      parallel = 4, budgets = { { window = "day", nano = 20 } }, expires_at = 4102444800,
      tags = { tier = "batch" },
    })
    actor = { role = "team_admin", id = admin.id, name = "admin", team = "one" }
  end)
  after_each(function() close() end)

  local function told(token)
    local _, text = keyring.find(token)
    return text and json.decode(text)
  end

  local function refused(status, code, param, verb, args)
    args.actor = args.actor or actor
    local before = ledger.snapshot()
    local result, err = ask(verb, args)
    assert.is_nil(result)
    assert.same({ status, code, param }, { err.status, err.code, err.param })
    assert.equal(before, ledger.snapshot())
    return err
  end

  it("S-14: with more than it has are refused, and nothing is stored", function()
    for field, value in pairs {
      models = { "b" }, rpm = 11, tpm = 101, parallel = 5, expires_at = 4102444801,
      budgets = { { window = "day", nano = 21 } }, without_cluster = "open",
      tags = { tier = "live" }, team = "two",
    } do
      refused(403, "not_permitted", field, "keys.create", { name = "new", [field] = value })
    end
    refused(403, "not_permitted", "models", "keys.create", { name = "new", models = { "*" } })
    refused(403, "not_permitted", "team", "keys.create", { name = "new", team = "nowhere" })
  end)

  it("S-14: hold what it holds where they say nothing", function()
    local key = must("keys.create", { actor = actor, name = "new", rpm = 3,
      budgets = { { window = "month", nano = 500 } } })
    local record = told(key.token)
    assert.is_nil(more(record, told(admin.token)))
    assert.same({ 3, 100, 4, "one", 4102444800 },
      { record.rpm, record.tpm, record.parallel, record.team, record.expires_at })
    assert.same({ { window = "month", nano = 500 }, { window = "day", nano = 20 } },
      record.budgets)
    assert.same({ tier = "batch" }, record.tags)
    assert.is_nil(record.role)
  end)

  it("S-14: a key of the operator's is bound by its team too", function()
    for field, value in pairs { models = { "c" }, rpm = 51 } do
      local before = ledger.snapshot()
      local _, err = ask("keys.create", { name = "new", team = "one", [field] = value })
      assert.same({ 403, field }, { err.status, err.param })
      assert.equal(before, ledger.snapshot())
    end
  end)

  it("are cut down when it is", function()
    local key = must("keys.create", { actor = actor, name = "new", rpm = 9 })
    local sub = must("keys.create", { actor = actor, name = "sub", role = "team_admin" })
    local below = must("keys.create", {
      actor = { role = "team_admin", id = sub.id }, name = "below", rpm = 8, models = { "ab" },
    })
    must("keys.update", { id = admin.id, set = { rpm = 2, models = { "ac", "abc" } } })
    assert.equal(2, told(key.token).rpm)
    assert.equal(2, told(below.token).rpm)
    assert.same({ "ac", "abc" }, told(key.token).models)
    assert.same({}, told(below.token).models)
    must("keys.update", { id = admin.id, set = { rpm = 50, models = { "a*" } } })
    assert.equal(9, told(key.token).rpm)
    assert.equal(8, told(below.token).rpm)
    assert.same({ "ab" }, told(below.token).models)
  end)

  it("keep what they may do, and no more, when it is deleted", function()
    local key = must("keys.create", { actor = actor, name = "new", rpm = 9 })
    must("keys.update", { id = admin.id, set = { rpm = 2 } })
    must("keys.delete", { id = admin.id })
    assert.equal(2, told(key.token).rpm)
  end)

  it("become the operator's with what they could do, once it changes their rights", function()
    local key = must("keys.create", { actor = actor, name = "new", rpm = 9, tpm = 50 })
    must("keys.update", { id = admin.id, set = { rpm = 2 } })
    must("keys.update", { id = key.id, set = { tpm = 500 } })
    assert.same({ 2, 500 }, { told(key.token).rpm, told(key.token).tpm })
    must("keys.update", { id = admin.id, set = { rpm = 1 } })
    assert.equal(2, told(key.token).rpm)
  end)

  it("S-16: are all it sees", function()
    local other = must("keys.create", { name = "other", team = "two" })
    local none = must("keys.create", { name = "none" })
    for _, id in ipairs { other.id, none.id, ("a"):rep(12) } do
      local texts = {}
      for _, verb in ipairs { "show", "rotate", "disable", "enable", "delete" } do
        local err = refused(404, "not_found", nil, "keys." .. verb, { id = id })
        texts[err.message] = true
      end
      texts[refused(404, "not_found", nil, "keys.update",
        { id = id, set = { rpm = 1 } }).message] = true
      assert.same({ ["there is no such key"] = true }, texts)
    end
    local mine = must("keys.list", { actor = actor })
    assert.same({ "admin" }, { mine.keys[1].name, mine.keys[2] and mine.keys[2].name })
    assert.same({}, must("keys.list", { actor = actor, name = "other" }).keys)
    refused(404, "not_found", nil, "keys.list", { team = "two" })
    refused(404, "not_found", nil, "teams.show", { name = "two" })
    refused(404, "not_found", nil, "teams.show", { name = "nowhere" })
    assert.equal("one", must("teams.show", { actor = actor, name = "one" }).name)
    assert.equal(1, #must("teams.list", { actor = actor }).teams)
  end)

  it("change no team", function()
    refused(403, "not_permitted", nil, "teams.create", { name = "new" })
    refused(403, "not_permitted", nil, "teams.update", { name = "one", set = { rpm = 99 } })
    refused(404, "not_found", nil, "teams.update", { name = "two", set = { rpm = 99 } })
    for _, verb in ipairs { "disable", "enable", "delete" } do
      refused(403, "not_permitted", nil, "teams." .. verb, { name = "one" })
      refused(404, "not_found", nil, "teams." .. verb, { name = "two" })
    end
  end)

  it("that may do more than it are not its to rotate, change or delete", function()
    local strong = must("keys.create", { name = "strong", team = "one", models = { "a*" } })
    refused(403, "not_permitted", "rpm", "keys.rotate", { id = strong.id })
    refused(403, "not_permitted", "rpm", "keys.update", { id = strong.id, set = { rpm = 1 } })
    refused(403, "not_permitted", "rpm", "keys.delete", { id = strong.id })
    must("keys.disable", { actor = actor, id = strong.id })
    refused(403, "not_permitted", "rpm", "keys.enable", { id = strong.id })
  end)

  it("stay disabled where the operator has disabled them", function()
    local key = must("keys.create", { actor = actor, name = "new" })
    must("keys.disable", { id = key.id })
    refused(403, "not_permitted", "disabled", "keys.enable", { id = key.id })
    refused(403, "not_permitted", "disabled", "keys.update",
      { id = key.id, set = { disabled = false } })
    must("keys.enable", { id = key.id })
    must("keys.disable", { actor = actor, id = key.id })
    must("keys.enable", { actor = actor, id = key.id })
  end)

  it("come from no key that is not one", function()
    local client = must("keys.create", { name = "client", team = "one" })
    for _, who in ipairs {
      { role = "team_admin", id = client.id, team = "one" }, { role = "team_admin" },
      { role = "client", id = admin.id }, { id = admin.id }, {}, "operator", 5, true,
      { role = "team_admin", id = ("a"):rep(12) }, { role = "team_admin", id = {} },
    } do
      refused(403, "not_permitted", nil, "keys.create", { actor = who, name = "new" })
      refused(403, "not_permitted", nil, "keys.list", { actor = who })
    end
    must("keys.disable", { id = admin.id })
    refused(403, "not_permitted", nil, "keys.create", { name = "new" })
  end)

  -- Any number of administrators, any sequence of what they may do: whoever has made, changed
  -- or got the secret of a key has at least its rights, then; and who made it has them always.
  local function act(actors, ids)
    local who = pick(actors)
    local verb = pick { "create", "create", "update", "update", "rotate", "enable" }
    local args = { actor = { role = "team_admin", id = who.id } }
    if verb == "create" then
      for name, value in pairs(some_fields(0.3)) do args[name] = value end
      args.name, args.role = "k" .. #ids, pick { "client", "team_admin" }
    else
      args.id = pick(ids)
    end
    if verb == "update" then
      args.set, args.clear = some_fields(0.15), {}
      local name = pick(FIELDS)
      if args.set[name] == nil then args.clear[1] = name end
    end
    return verb, args
  end

  local function record_of(id)
    local row = ledger.sql.row("SELECT coalesce(published, record) AS r FROM keys WHERE id = ?",
      id)
    return json.decode(row.r)
  end

  local function check_makers()
    for _, row in ipairs(ledger.sql.rows "SELECT id, created_by FROM keys") do
      if row.created_by then
        assert.is_nil(more(record_of(row.id), record_of(row.created_by)))
      end
    end
  end

  local function run(steps)
    local actors, ids, done = { admin }, { admin.id }, 0
    for _ = 1, steps do
      local verb, args = act(actors, ids)
      local had = record_of(args.actor.id) -- it may be itself that it changes
      local result = ask("keys." .. verb, args)
      if result then
        done = done + 1
        assert.is_nil(more(record_of(result.id), had), verb)
        if verb == "create" then ids[#ids + 1] = result.id end
        if verb == "create" and args.role == "team_admin" then actors[#actors + 1] = result end
      end
      if math.random() < 0.1 then -- the operator steps in
        ask("keys.update", { id = pick(ids), set = some_fields(0.3) })
      end
      check_makers()
    end
    return done
  end

  for seed = 1, 12 do
    it("T19: never may do more than it, whatever it tries (" .. seed .. ")", function()
      math.randomseed(seed)
      must("teams.update", { name = "one", clear = { "models", "rpm" } })
      ask("keys.update", { id = admin.id, set = some_fields(0.4) })
      assert.is_true(run(60) > 5)
    end)
  end
end)
