-- kill -9 at random points, of everything, under load: what the provider saw has its row, once,
-- and budgets are what the rows say.
--
-- MOONGATE_KILLS says how many times (20).

local helper = require "helper"
local process = require "support.process"
local socket = require "socket"
local sql = require "support.sql"

local KEY = "mg-test-kills-0123456789abcdef"
local KILLS = tonumber(os.getenv "MOONGATE_KILLS") or 20
local CLIENTS = 3
local MODES = { "safe", "fast", "strict" } -- in turn

-- What this process knows of an account, where only the ledger's tables are on disk.
local TELL = [[
local accounts, json = require "engine.accounts", require "engine.json"
return { text = function(_, name) return json.encode(accounts.spent(name) or {}) end }
]]

local ROUTES = [[
model "one" {
  provider "openai_compatible" { name = "one", base_url = "%s/v1", api_key = "k" } {
    "gpt-4o-mini", price = { input = 1, output = 2 },
  },
  retries = 0,
}
virtual_key "k" { token = env.KEY, models = { "*" }, budget = "$900/day" }
limits { user = { budget = "$1/month" } }
]]

describe("C-12: kill -9", function()
  local up, gw, data, seen, answered, round

  -- What was killed may hold the folder for a moment still.
  local function start()
    for _ = 1, 50 do
      local ok, made = pcall(helper.gateway, {
        routes = ROUTES:format(up:url "one"), data = data, workers = 2, env = { KEY = KEY },
        args = { "--scripts", "@s", "--durability", MODES[round % #MODES + 1] },
        files = { ["s/pipeline/welcome.lua"] = TELL },
      })
      if ok then return made end
      assert(made:find("another moongate uses it", 1, true), made)
      socket.sleep(0.1)
    end
    error "the folder stays locked"
  end

  -- Everything at once: the parent, and with it the process that serves.
  local function kill(gateway)
    local child = gateway:child()
    gateway.process:kill(process.KILL)
    gateway.process:wait(5)
    helper.wait_until(function() return process.gone(child) end, 5,
      "the end of the serving process")
    helper.remove_tree(gateway.dir)
  end

  local function take_seen()
    for _, request in ipairs(up:requests()) do
      local user = request.body:match '"user":"([^"]+)"'
      if user then seen[user] = (seen[user] or 0) + 1 end
    end
    up:reset()
    up:script("one", "wait 3\n" .. require("support.upstream").script {
      body = helper.completion "hi",
    })
  end

  local function take_answered(path)
    for line in process.read(path):gmatch "[^\n]+" do
      local user, id = line:match "^(%S+) (%S+) %S+$"
      if id then answered[user] = id end
    end
  end

  local function one_round()
    round = round + 1
    gw = start()
    local clients, files = {}, {}
    for i = 1, CLIENTS do
      files[i] = data .. ("/../out-%d-%d"):format(round, i)
      clients[i] = process.start({ "luajit", "tests/support/spender.lua", tostring(gw.port),
        files[i], KEY, ("u%d-%d"):format(round, i) })
    end
    socket.sleep(math.random(20, 300) / 1000)
    kill(gw)
    for i, client in ipairs(clients) do
      client:stop(process.KILL)
      take_answered(files[i])
    end
    take_seen()
  end

  -- While it starts: nothing may be half made.
  local function killed_while_starting()
    local gateway = process.start({ helper.binary, "serve", "--data", data, "--listen",
      "127.0.0.1:" .. helper.free_port(), "--admin", "off" }, {})
    socket.sleep(math.random(0, 60) / 1000)
    gateway:stop(process.KILL)
    socket.sleep(0.05)
  end

  setup(function()
    up, seen, answered, round = helper.upstream(), {}, {}, 0
    local dir = process.temp_dir()
    data = dir .. "/data"
    math.randomseed(tonumber(os.getenv "MOONGATE_SEED") or os.time())
    take_seen()
    for n = 1, KILLS do
      if n % 4 == 0 then killed_while_starting() end
      one_round()
    end
    gw = start()
    helper.wait_until(function() return gw:metric "moongate_ledger_degraded" == 0 end, 5, "it")
  end)

  teardown(function()
    gw:stop()
    up:stop()
    helper.remove_tree((data:gsub("/data$", "")))
  end)

  local function value(query) return tonumber(sql.value(data .. "/ledger.db", query)) end

  it("leaves the tables whole", function()
    assert.equal("ok", sql.rows(data .. "/ledger.db", "PRAGMA integrity_check")[1]
      .integrity_check)
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.is_true(count > KILLS * 3, "the provider saw " .. count)
    print(("\n%d kills: the provider saw %d requests, %d rows, %d of them unsettled"):format(
      KILLS, count, value "SELECT count(*) FROM requests",
      value "SELECT count(*) FROM requests WHERE outcome = 'unsettled'"))
  end)

  it("has one row of each request that the provider saw, and one attempt", function()
    local rows = {}
    for _, row in ipairs(sql.rows(data .. "/ledger.db", [[
      SELECT r.id, r.outcome, r.accounts, (SELECT count(*) FROM attempts a WHERE a.id = r.id) n
      FROM requests r]])) do
      local user = row.accounts:match '"user:([^"]+)"'
      assert.is_nil(rows[user], "two rows of " .. user)
      rows[user] = row
    end
    for user, times in pairs(seen) do
      assert.equal(1, times)
      assert.is_truthy(rows[user], "no row of " .. user)
      assert.equal("1", rows[user].n)
    end
    for user, id in pairs(answered) do
      assert.equal(id, rows[user] and rows[user].id, "the row of an answer, " .. user)
      assert.equal("ok", rows[user].outcome)
    end
  end)

  it("B-18: charges what never ended with what it had reserved", function()
    local most = value [[SELECT max(cost_nano) FROM requests WHERE outcome = 'unsettled']]
    local none = value [[SELECT count(*) FROM requests WHERE outcome = 'unsettled'
      AND (cost_nano IS NULL OR cost_nano < 20000 OR estimated = 0)]]
    if most then assert.equal(0, none) end
  end)

  it("B-32: adds up: rows, attempts, sums, accounts, and what the process knows", function()
    local total = value "SELECT sum(cost_nano) FROM requests"
    assert.is_true(total > 0)
    for _, query in ipairs {
      "SELECT sum(cost_nano) FROM attempts WHERE billed",
      "SELECT sum(cost_nano) FROM usage_hour", "SELECT sum(cost_nano) FROM usage_day",
      "SELECT sum(nano) FROM spend WHERE period = 'year' AND account = 'key:k'",
      "SELECT sum(nano) FROM spend WHERE period = 'day' AND account = 'key:k'",
      "SELECT sum(nano) FROM spend WHERE period = 'minute' AND account = 'key:k'",
      "SELECT sum(nano) FROM spend WHERE period = 'year' AND account LIKE 'user:%'",
    } do
      assert.equal(total, value(query), query)
    end
    assert.equal(value "SELECT count(*) FROM requests",
      value "SELECT sum(requests) FROM usage_day")
    local known = helper.json.decode(gw:admin("GET", "/admin/welcome?listen=key:k").body)
    assert.equal(total, known.year.spent)
    assert.equal(0, known.year.reserved)
  end)
end)
