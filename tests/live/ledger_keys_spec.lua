-- Keys of the ledger under a running request, and very many of them at start.

local admin_of = require "support.admin"
local helper = require "helper"
local process = require "support.process"
local sql = require "support.sql"
local swarm = require "support.swarm"
local upstream = require "support.upstream"

describe("keys of the ledger", function()
  local up, gw, data

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)

  local function start(folder)
    gw = helper.gateway { routes = helper.routes(up, { "one" }), data = folder }
    data = gw.data
    return admin_of(gw)
  end

  local function row_of(id)
    return helper.wait_until(function()
      return sql.rows(data .. "/ledger.db",
        "SELECT * FROM requests WHERE key_id = '" .. id .. "'")[1]
    end, 5, "the row")
  end

  it("B-26: moved, rotated, deleted in mid-request leave the row as admitted", function()
    local admin = start()
    admin:team { name = "old" }
    admin:team { name = "new" }
    for _, change in ipairs { "move", "rotate", "delete" } do
      up:reset()
      up:script("one", "gate go\n" .. upstream.script { body = helper.completion "hi" })
      local key = admin:key { name = change, team = "old", budget = "$5/day" }
      local socket = gw:chat_open(helper.ask "one", { key = key.key })
      up:wait_for("one", 1)
      if change == "move" then
        admin:must("PATCH", "/admin/keys/" .. key.id, { team = "new", name = "moved" })
      elseif change == "rotate" then
        admin:must("POST", "/admin/keys/" .. key.id .. "/rotate")
      else
        admin:must("DELETE", "/admin/keys/" .. key.id)
      end
      up:open "go"
      assert.equal(200, socket:response().status)
      socket:close()
      local row = row_of(key.id)
      assert.same({ change, "old", "20000", "ok" },
        { row.key, row.team, row.cost_nano, row.outcome })
      assert.equal("20000", sql.value(data .. "/ledger.db", ("SELECT nano FROM spend"
        .. " WHERE account = 'key:%s' AND period = 'day'"):format(key.id)))
    end
    assert.equal("60000", sql.value(data .. "/ledger.db",
      "SELECT nano FROM spend WHERE account = 'team:old' AND period = 'day'"))
    gw:stop()
  end)

  it("L-23: 100,000 of them are there at once after a start", function()
    local dir = process.temp_dir()
    local admin = start(dir .. "/data")
    local key = admin:key { name = "first" }
    gw:stop()
    sql.run(dir .. "/data/ledger.db", [[
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO key_secrets SELECT replace(replace(replace(replace(printf('%012d', i),
        '0', 'a'), '1', 'b'), '8', 'c'), '9', 'd'), key_id, randomblob(32), created_ms,
        expires_ms FROM n, key_secrets WHERE public_id = (SELECT min(public_id)
        FROM key_secrets)]])
    up:reset()
    up:reply("one", { body = helper.completion "hi" })
    start(dir .. "/data")
    local took = swarm.cpu_ns(gw:child()) / 1e9
    assert.equal(200, gw:chat(helper.ask "one", { key = key.key }).status)
    assert.is_true(took < 4, took .. " s of processor time") -- under a sanitizer; 0.2 without
    gw:stop()
    helper.remove_tree(dir)
  end)
end)
