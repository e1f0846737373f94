-- A ledger or a journal that cannot be written, while it runs: requests go on, nothing is lost.

local helper = require "helper"
local http = require "support.http"
local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"
local sql = require "support.sql"

local KEY = "mg-test-disk-0123456789abcdef"
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local SHIM = (TOOLS:sub(1, 1) == "/" and "" or lfs.currentdir() .. "/") .. TOOLS .. "/disk.so"
local ENOSPC, EIO, EROFS = 28, 5, 30

describe("a bad disk", function()
  local up, gw, control, synced

  local function start(args, budget, control_text)
    control = os.tmpname()
    synced = control .. ".synced"
    os.remove(control)
    if control_text then process.write(control, control_text) end
    up:reset()
    up:reply("one", { body = helper.completion "hi" })
    gw = helper.gateway {
      loud = true, args = args,
      env = {
        KEY = KEY, LD_PRELOAD = SHIM, MOONGATE_TEST_DISK = control,
        MOONGATE_TEST_SYNCED = synced,
      },
      routes = helper.routes(up, { "one" },
        ([[virtual_key "k" { token = env.KEY, budget = "%s" }]]):format(budget
          or "$900/day")),
    }
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  after_each(function()
    os.remove(control)
    gw:stop()
    os.remove(synced)
  end)

  -- How often a file of the journal was synced so far.
  local function syncs()
    return select(2, process.read(synced):gsub("%.jsonl\n", ""))
  end

  local function disk(text) process.write(control, text) end
  local function heal() os.remove(control) end

  local function chat()
    return gw:chat(helper.ask("one", '"max_tokens":5'), {
      headers = { authorization = "Bearer " .. KEY },
    })
  end

  local function ask(n)
    for _ = 1, n or 1 do
      local response = chat()
      assert.equal(200, response.status, response.body)
    end
  end

  local function rows() return tonumber(sql.value(gw.data .. "/ledger.db",
    "SELECT count(*) FROM requests")) end

  local function spent() return tonumber(sql.value(gw.data .. "/ledger.db",
    "SELECT nano FROM spend WHERE account = 'key:k' AND period = 'day'")) end

  local function until_degraded(want)
    helper.wait_until(function()
      return gw:metric "moongate_ledger_degraded" == want
    end, 30, "moongate_ledger_degraded = " .. want)
  end

  local function errors_of(event)
    local n = 0
    for _, line in ipairs(gw:log(event)) do
      if line.level == "error" then n = n + 1 end
    end
    return n
  end

  for name, errno in pairs { ["C-16: full"] = ENOSPC, ["C-20: read-only"] = EROFS,
    ["C-18: failing"] = EIO } do
    it(name .. " for SQLite alone costs no request, and is made up for", function()
      start()
      ask(3)
      helper.wait_until(function() return rows() == 3 end, 5, "three rows")
      disk(("fail %d ledger.db"):format(errno))
      ask(5)
      until_degraded(1)
      ask(5)
      assert.equal(1, errors_of "ledger_degraded")
      heal()
      until_degraded(0)
      ask(2)
      helper.wait_until(function() return rows() == 15 end, 5, "all rows")
      assert.equal(15 * 20000, spent())
      assert.equal("ok", sql.rows(gw.data .. "/ledger.db", "PRAGMA integrity_check")[1]
        .integrity_check)
    end)
  end

  it("C-16: full for the journal keeps lines in memory, and writes each once", function()
    start()
    ask(2)
    disk(("fail %d /journal/"):format(ENOSPC))
    ask(20)
    helper.wait_until(function() return gw:metric "moongate_journal_lag_seconds" > 0.5 end, 5,
      "a lag")
    heal()
    ask(1)
    helper.wait_until(function() return rows() == 23 end, 5, "all rows")
    assert.equal(23 * 20000, spent())
    local seen = {}
    for _, line in ipairs(gw:journal()) do
      local name = line.type .. line.id
      assert.is_nil(seen[name])
      seen[name] = true
    end
  end)

  it("C-16: full at start serves on, and knows what was spent", function()
    start(nil, "$0.000065/month")
    local folder = gw.data
    disk(("fail %d ledger.db"):format(ENOSPC))
    ask(2) -- 40,000 of 65,000 nano-dollars, in the journal alone
    until_degraded(1)
    assert.equal(0, rows())
    local keep = process.temp_dir()
    assert.equal(0, os.execute(("cp -r %s %s/data"):format(folder, keep)))
    heal()
    gw:stop()
    start({ "--data", keep .. "/data" }, "$0.000065/month",
      ("fail %d ledger.db"):format(ENOSPC))
    gw.data = keep .. "/data"
    until_degraded(1)
    ask(1)
    assert.equal(429, chat().status)
    heal()
    until_degraded(0)
    helper.wait_until(function() return rows() == 3 end, 5, "three rows")
    assert.equal(60000, spent())
    assert.equal("2", sql.value(gw.data .. "/ledger.db",
      "SELECT count(*) FROM requests WHERE boot = 0"))
    helper.remove_tree(keep)
  end)

  it("makes a journal anew that somebody removes or renames, with all its lines", function()
    start()
    ask(2)
    helper.wait_until(function() return rows() == 2 end, 5, "two rows")
    local folder = gw.data .. "/journal"
    helper.remove_tree(folder)
    ask(3)
    helper.wait_until(function() return rows() == 5 end, 8, "five rows")
    for name in lfs.dir(folder) do
      local path = folder .. "/" .. name
      if name:find "jsonl$" then os.rename(path, path .. ".1") end
    end
    ask(4)
    helper.wait_until(function() return rows() == 9 end, 8, "nine rows")
    assert.equal(180000, spent())
    assert.equal(9 * 2, #gw:journal())
    assert.equal(2, errors_of "journal")
  end)

  it("says so when somebody takes the ledger's file away", function()
    start()
    ask(1)
    helper.wait_until(function() return rows() == 1 end, 5, "a row")
    os.rename(gw.data .. "/ledger.db", gw.data .. "/ledger.db.away")
    until_degraded(1)
    ask(1)
    assert.equal(1, errors_of "ledger_gone")
    os.rename(gw.data .. "/ledger.db.away", gw.data .. "/ledger.db")
    until_degraded(0)
    helper.wait_until(function() return rows() == 2 end, 5, "both rows")
  end)

  it("C-17: locked by another program holds up no request", function()
    start()
    ask(2)
    helper.wait_until(function() return rows() == 2 end, 5, "two rows")
    local release = sql.hold(gw.data .. "/ledger.db")
    ask(5) -- answered while it is locked: nobody lets go before
    until_degraded(1)
    ask(5)
    release()
    until_degraded(0)
    helper.wait_until(function() return rows() == 12 end, 5, "all rows")
  end)

  it("C-21: slow holds up no request, and is seen", function()
    start()
    disk "slow 60000 /journal/"
    local before = syncs()
    ask(10)
    assert.equal(before, syncs()) -- all answered, and nothing is on disk yet
    helper.wait_until(function() return gw:metric "moongate_journal_lag_seconds" > 1 end, 5,
      "a lag")
    heal()
    helper.wait_until(function() return gw:metric "moongate_journal_lag_seconds" < 1 end, 8,
      "no lag")
  end)

  it("strict: lines are on disk before a call leaves and before an answer ends", function()
    start { "--durability", "strict" }
    ask(1)
    disk "slow 60000 /journal/"
    local connections, before = {}, syncs()
    for i = 1, 8 do
      connections[i] = http.connect(gw.port)
      connections[i]:send(http.format {
        method = "POST", path = "/v1/chat/completions", body = helper.ask "one",
        headers = { ["content-type"] = "application/json", authorization = "Bearer " .. KEY },
      })
    end
    socket.sleep(0.1)
    assert.equal(1, (up:stats())) -- the one before
    disk "slow 200 /journal/"
    for _, connection in ipairs(connections) do
      assert.equal(200, connection:response().status)
      connection:close()
    end
    -- Each waited for two; one after the other they would have waited for 16.
    local waited = syncs() - before
    assert.is_true(waited >= 2 and waited <= 8, "one after the other? " .. waited)
    for _, call in ipairs(up:requests "one") do assert.is_truthy(call) end
  end)

  it("strict: a disk that does not answer is an error, not a hang", function()
    start { "--durability", "strict" }
    ask(1)
    disk(("fail %d /journal/"):format(EIO))
    local response = gw:chat(helper.ask "one",
      { headers = { authorization = "Bearer " .. KEY }, timeout = 6 })
    assert.equal(503, response.status, response.body)
    assert.equal("ledger_unavailable", helper.json.decode(response.body).error.code)
    assert.equal(1, (up:stats()))
    heal()
    ask(1)
  end)

  it("fast: waits for no disk", function()
    start { "--durability", "fast" }
    disk "slow 60000 /journal/"
    ask(5)
    socket.sleep(1.5) -- or more: whoever waited for the disk would be no better off later
    helper.wait_until(function() return gw:metric "moongate_journal_lag_seconds" < 1 end, 8,
      "no lag")
    heal()
  end)
end)
