-- What the ledger's file may be like at start: refused with what to do, never made anew.

local helper = require "helper"
local process = require "support.process"
local sql = require "support.sql"

local bytes = require("support.file").read

local KEY = "mg-test-start-0123456789abcdef"

describe("a start", function()
  local up, dir, data, db

  local function routes()
    return helper.routes(up, { "one" },
      [[virtual_key "k" { token = env.KEY, budget = "$9/day" }]])
  end

  local function gateway()
    return helper.gateway { routes = routes(), data = data, env = { KEY = KEY } }
  end

  local function ask(gw, headers)
    return gw:chat(helper.ask "one", {
      headers = headers or { authorization = "Bearer " .. KEY },
    })
  end

  -- A start that is to fail: what it says. Nothing in the folder may change.
  local function refused()
    local before = bytes(db)
    process.write(dir .. "/routes.lua", routes())
    local status, _, err = process.run({
      helper.binary, "serve", "--routes", dir .. "/routes.lua", "--data", data,
      "--listen", "127.0.0.1:0", "--admin", "off",
    }, { env = { KEY = KEY } })
    assert.equal(1, status, err)
    assert.equal(before, bytes(db))
    return err
  end

  local function put(at, text)
    local file = assert(io.open(db, "r+b"))
    file:seek("set", at)
    file:write(text)
    file:close()
  end

  setup(function()
    up = helper.upstream()
    up:reply("one", { body = helper.completion "hi" })
  end)
  teardown(function() up:stop() end)

  -- A folder in which one request was served.
  before_each(function()
    dir = process.temp_dir()
    data = dir .. "/data"
    db = data .. "/ledger.db"
    local gw = gateway()
    assert.equal(200, ask(gw).status)
    gw:stop()
    assert.is_nil(bytes(db .. "-wal")) -- a proper end leaves no log
  end)
  after_each(function() helper.remove_tree(dir) end)

  it("C-18: refuses a damaged file, says what to do, and leaves it as it is", function()
    local whole = bytes(db)
    local cases = {
      { "it is empty", function() process.write(db, "") end },
      { "header is damaged", function() put(0, "garbage") end },
      { "cut off", function() process.write(db, whole:sub(1, 4096 * 5)) end },
      { "cannot be used", function() put(4096 * 2, ("x"):rep(4096)) end }, -- a page
      { "-wal file is damaged", function() process.write(db .. "-wal", ("x"):rep(9000)) end },
    }
    for _, case in ipairs(cases) do
      process.write(db, whole)
      os.remove(db .. "-wal")
      case[2]()
      local err = refused()
      assert.is_truthy(err:find(case[1], 1, true), err)
      assert.is_truthy(err:find("Nothing was changed", 1, true), err)
      assert.is_truthy(err:find("move " .. db, 1, true), err)
    end
  end)

  it("C-18: needs no -shm file, and takes a log that a crash left", function()
    local gw = gateway()
    assert.equal(200, ask(gw).status)
    helper.wait_until(function()
      return sql.value(db, "SELECT count(*) FROM requests") == "2"
    end, 5, "the row")
    local child = gw:child()
    gw.process:kill(process.KILL)
    gw.process:wait(5)
    helper.wait_until(function() return process.gone(child) end, 5, "its end")
    helper.remove_tree(gw.dir)
    assert.is_true(#bytes(db .. "-wal") > 32)
    os.remove(db .. "-shm")
    gw = gateway()
    assert.equal("2", sql.value(db, "SELECT count(*) FROM requests"))
    gw:stop()
  end)

  it("C-17: refuses a file that another program has locked", function()
    local release = sql.hold(db)
    local err = refused()
    release()
    assert.is_truthy(err:find("another program has locked it", 1, true), err)
    gateway():stop()
  end)

  it("Q4: refuses a folder that another gateway uses", function()
    local gw = gateway()
    assert.is_truthy(refused():find("another moongate uses it", 1, true))
    gw:stop()
  end)

  it("C-19: refuses what a newer moongate wrote", function()
    put(60, "\0\0\3\231") -- user_version
    local err = refused()
    assert.is_truthy(err:find("newer moongate", 1, true), err)
  end)

  it("takes over what was spent, and serves on", function()
    local gw = gateway()
    assert.equal(200, ask(gw).status)
    helper.wait_until(function()
      return sql.value(db, "SELECT nano FROM spend WHERE account = 'key:k' AND period = 'day'")
        == "40000"
    end, 5, "both requests in the day's spend")
    gw:stop()
  end)

  it("reads the journal again where the ledger was moved away", function()
    os.rename(db, db .. ".away")
    local gw = gateway()
    assert.equal("1", sql.value(db, "SELECT count(*) FROM requests"))
    assert.is_truthy(gw:log("ledger")[1].message:find("keys and teams are gone", 1, true))
    gw:stop()
  end)

  it("lets nobody in without a key where the ledger with the keys was moved away", function()
    os.rename(db, db .. ".away")
    local gw = helper.gateway { routes = helper.routes(up, { "one" }), data = data }
    assert.equal(401, ask(gw, { authorization = "Bearer any" }).status)
    gw:stop()
  end)
end)
