-- C-13: a power cut. The gateway is killed, and then every file loses what was never synced:
-- the journal's and SQLite's log are cut to the size of their last sync.
--
-- MOONGATE_CUTS says how many times a mode (3).

local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"
local sql = require "support.sql"

local KEY = "mg-test-power-0123456789abcdef"
local CUTS = tonumber(os.getenv "MOONGATE_CUTS") or 3
local TOOLS = os.getenv "MOONGATE_TOOLS" or "build/tests"
local SHIM = (TOOLS:sub(1, 1) == "/" and "" or lfs.currentdir() .. "/") .. TOOLS .. "/disk.so"

require("ffi").cdef "int truncate(const char *path, long size);"

describe("C-13: a power cut", function()
  local up, dir

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() dir = process.temp_dir() end)
  after_each(function() helper.remove_tree(dir) end)

  local function start(mode, shim)
    up:reset()
    up:script("one", "wait 2\n" .. require("support.upstream").script {
      body = helper.completion "hi",
    })
    local env = { KEY = KEY }
    if shim then env.LD_PRELOAD, env.MOONGATE_TEST_SYNCED = SHIM, dir .. "/synced" end
    return helper.gateway {
      routes = helper.routes(up, { "one" }, [[virtual_key "k" { token = env.KEY }]]),
      data = dir .. "/data", env = env, args = { "--durability", mode },
    }
  end

  -- What lies on the disk afterwards.
  local function cut()
    local sizes = {}
    for size, path in process.read(dir .. "/synced"):gmatch "(%d+) ([^\n]+)\n" do
      sizes[path] = tonumber(size)
    end
    local data, lost = dir .. "/data/", 0
    local files = { data .. "ledger.db-wal" }
    for name in lfs.dir(data .. "journal") do
      if name:find "jsonl$" then files[#files + 1] = data .. "journal/" .. name end
    end
    for _, path in ipairs(files) do
      local size = lfs.attributes(path, "size")
      if size and size > (sizes[path] or 0) then
        lost = lost + size - (sizes[path] or 0)
        assert.equal(0, require("ffi").C.truncate(path, sizes[path] or 0))
      end
    end
    return lost
  end

  -- user → when its answer had come.
  local function run_and_cut(mode)
    local gw, answered, clients = start(mode, true), {}, {}
    for i = 1, 3 do
      clients[i] = process.start({ "luajit", "tests/support/spender.lua", tostring(gw.port),
        dir .. "/out" .. i, KEY, "u" .. i })
    end
    socket.sleep(math.random(300, 500) / 1000)
    local child = gw:child()
    gw.process:kill(process.KILL)
    local at = socket.gettime()
    gw.process:wait(5)
    helper.wait_until(function() return process.gone(child) end, 5, "its end")
    for i, client in ipairs(clients) do
      client:stop(process.KILL)
      for id, when in process.read(dir .. "/out" .. i):gmatch "%S+ (%S+) ([%d.]+)\n" do
        answered[id] = at - tonumber(when)
      end
      os.remove(dir .. "/out" .. i)
    end
    helper.remove_tree(gw.dir)
    return answered, cut()
  end

  local function rows_of()
    local gw, rows = start "safe", {}
    assert.equal("ok",
      sql.rows(gw.data .. "/ledger.db", "PRAGMA integrity_check")[1].integrity_check)
    for _, row in ipairs(sql.rows(gw.data .. "/ledger.db",
      "SELECT id FROM requests WHERE outcome = 'ok'")) do
      rows[row.id] = true
    end
    gw:stop()
    return rows
  end

  -- Of how many answers the rows are gone, and how old the oldest of them was.
  local function lost_of(mode)
    local count, oldest, all, bytes = 0, 0, 0, 0
    for _ = 1, CUTS do
      local answered, cut_off = run_and_cut(mode)
      local rows = rows_of()
      for id, age in pairs(answered) do
        all = all + 1
        if not rows[id] then count, oldest = count + 1, math.max(oldest, age) end
      end
      bytes = bytes + cut_off
      helper.remove_tree(dir)
      lfs.mkdir(dir)
    end
    print(("\n%s: %d cuts took %d bytes and %d of %d answers' rows, the oldest %.0f ms old")
      :format(mode, CUTS, bytes, count, all, oldest * 1000))
    assert.is_true(all > CUTS * 20, all)
    return count, oldest
  end

  it("takes nothing that was answered, where durability is strict", function()
    assert.equal(0, (lost_of "strict"))
  end)

  it("takes some tens of milliseconds where it is safe", function()
    local _, oldest = lost_of "safe"
    assert.is_true(oldest < 0.3, oldest) -- 50 ms, and the disk's own time on a busy machine
  end)
end)
