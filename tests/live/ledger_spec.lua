-- The ledger thread: what scripts may ask of it, and what they hear when it cannot.

local helper = require "helper"

-- Verbs for the test, in the place of the shipped ones.
local VERBS = [[
local sql = require "engine.sql"
local verbs = {}
function verbs.echo(args) return args end
function verbs.nothing() end
function verbs.values()
  sql.run("CREATE TEMP TABLE t (i INTEGER, r REAL, x TEXT, b BLOB, n)")
  sql.run("INSERT INTO t VALUES (?, ?, ?, ?, ?)", 9007199254740992, 0.5, "é", "\0\255", nil)
  sql.run("INSERT INTO t (i) VALUES (9223372036854775807)")
  local row, big = sql.row("SELECT * FROM t WHERE b = ?", "\0\255"), sql.rows("SELECT i FROM t")
  sql.run("DROP TABLE t")
  return {
    i = row.i, r = row.r, x = row.x, b = row.b == "\0\255", n = row.n == nil, big = big[2].i,
  }
end
function verbs.undone(args)
  sql[args.how](function()
    sql.run("INSERT INTO meta VALUES (?, ?)", args.k, 1)
    if args.fails then
      error({ status = 409, code = "no", message = "not so", param = "k" }, 0)
    end
  end)
end
function verbs.has(args)
  return { there = sql.row("SELECT v FROM meta WHERE k = ?", args.k) ~= nil }
end
function verbs.broken() local x = nil; return x.y end
function verbs.wrong() sql.run("SELEC 1") end
function verbs.hungry(args) -- to the last byte: what comes next finds no room for a closure
  local all = {}
  for i = 1, args.n do all[i] = ("x"):rep(args.size) .. i end
end
function verbs.slow() local n = 0; for i = 1, 3e9 do n = n + i % 7 end return { n = n } end
return verbs
]]

-- The admin listener's /admin/welcome?listen=VERB asks the ledger.
local ASKER = [[
local json, ledger = require "engine.json", require "engine.ledger"
return { text = function(_, what)
  local verb, args = (what or ""):match "^([^ ]+) ?(.*)$"
  local result, err = ledger.ask(verb, args ~= "" and json.decode(args) or nil)
  return json.encode { result = result, err = err }
end }
]]

describe("the ledger", function()
  local gw

  local function ask(verb, args)
    local what = verb .. (args and " " .. helper.json.encode(args) or "")
    what = what:gsub("[^%w.]", function(c) return ("%%%02X"):format(c:byte()) end)
    local response = gw:admin("GET", "/admin/welcome?listen=" .. what, nil, 60)
    assert.equal(200, response.status, response.body)
    return helper.json.decode(response.body)
  end

  setup(function()
    gw = helper.gateway {
      routes = [[model "m" { provider "mock" {} "m" }]], args = { "--scripts", "@s" },
      files = { ["s/ledger/audit.lua"] = VERBS, ["s/pipeline/welcome.lua"] = ASKER },
    }
  end)

  teardown(function() gw:stop() end)

  it("answers what is asked, as JSON", function()
    assert.same({ a = { 1, 2 }, b = "x" }, ask("audit.echo", { a = { 1, 2 }, b = "x" }).result)
    assert.is_nil(ask("audit.nothing").err)
  end)

  it("keeps every type of a column", function()
    assert.same({ i = 9007199254740992, r = 0.5, x = "é", b = true, n = true,
      big = "9223372036854775807" }, ask("audit.values").result)
  end)

  it("hands on what a verb raises, and undoes what it did", function()
    for _, how in ipairs { "atomic", "durable" } do
      local err = ask("audit.undone", { how = how, k = "a", fails = true }).err
      assert.same({ status = 409, code = "no", message = "not so", param = "k" }, err)
      assert.is_false(ask("audit.has", { k = "a" }).result.there)
      assert.is_nil(ask("audit.undone", { how = how, k = how }).err)
      assert.is_true(ask("audit.has", { k = how }).result.there)
    end
  end)

  it("tells no asker what broke inside", function()
    local err = ask("audit.broken").err
    assert.same({ "ledger", 500, "internal_error" }, { err.kind, err.status, err.code })
    assert.is_nil(err.message:find("nil value", 1, true))
    assert.equal("ledger_unavailable", ask("audit.wrong").err.code)
    assert.equal("unknown_verb", ask("audit.nonsense").err.code)
    assert.equal("unknown_verb", ask("nonsense.echo").err.code)
    assert.is_truthy(gw:log_text():find("attempt to index local", 1, true))
  end)

  it("outlives questions that take all of its memory", function()
    local child = gw:child()
    for _, size in ipairs { 100000, 1000, 40, 8 } do
      local err = ask("audit.hungry", { n = 1e8, size = size }).err
      assert.is_true(err.status >= 500)
      assert.same({ size = size }, ask("audit.echo", { size = size }).result)
    end
    assert.equal(child, gw:child())
  end)

  it("keeps files that only the owner may read", function()
    local lfs = require "lfs"
    for _, name in ipairs { "ledger.db", "ledger.db-wal", "ledger.db-shm" } do
      assert.equal("rw-------", lfs.attributes(gw.data .. "/" .. name, "permissions"))
    end
  end)
end)
