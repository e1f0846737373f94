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

  -- What lies on the disk afterwards: the bytes that are lost, and when the journal's syncs had
  -- begun.
  local function cut()
    local sizes, syncs = {}, {}
    for size, ms, path in process.read(dir .. "/synced"):gmatch "(%d+) (%d+) ([^\n]+)\n" do
      sizes[path] = tonumber(size)
      if path:find "%.jsonl$" then syncs[#syncs + 1] = ms / 1000 end
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
    return lost, syncs
  end

  local function answers()
    local n = 0
    for i = 1, 3 do n = n + select(2, process.read(dir .. "/out" .. i):gsub("\n", "")) end
    return n
  end

  -- id → when its answer had come; when the cut was; what it took, and the syncs before it.
  local function run_and_cut(mode)
    local gw, answered, clients = start(mode, true), {}, {}
    for i = 1, 3 do
      clients[i] = process.start({ "luajit", "tests/support/spender.lua", tostring(gw.port),
        dir .. "/out" .. i, KEY, "u" .. i })
    end
    helper.wait_until(function() return answers() > 20 end, 30, "answers")
    socket.sleep(math.random(300, 500) / 1000)
    local child = gw:child()
    gw.process:kill(process.KILL)
    local at = socket.gettime()
    gw.process:wait(20)
    helper.wait_until(function() return process.gone(child) end, 20, "its end")
    for i, client in ipairs(clients) do
      client:stop(process.KILL)
      for id, when in process.read(dir .. "/out" .. i):gmatch "%S+ (%S+) ([%d.]+)\n" do
        answered[id] = tonumber(when)
      end
      os.remove(dir .. "/out" .. i)
    end
    helper.remove_tree(gw.dir)
    return answered, at, cut()
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

  -- How far apart the syncs began, and the last of them and the cut.
  local function add_gaps(gaps, syncs, at)
    for i, began in ipairs(syncs) do gaps[#gaps + 1] = (syncs[i + 1] or at) - began end
  end

  -- Of how many answers the rows are gone; of how many that came before the last sync began;
  -- and the usual time between two syncs.
  local function lost_of(mode)
    local count, early, oldest, all, bytes, gaps = 0, 0, 0, 0, 0, {}
    for _ = 1, CUTS do
      local answered, at, cut_off, syncs = run_and_cut(mode)
      local rows = rows_of()
      for id, when in pairs(answered) do
        all = all + 1
        if not rows[id] then
          count, oldest = count + 1, math.max(oldest, at - when)
          early = early + (when < (syncs[#syncs] or 0) and 1 or 0)
        end
      end
      add_gaps(gaps, syncs, at)
      bytes = bytes + cut_off
      helper.remove_tree(dir)
      lfs.mkdir(dir)
    end
    table.sort(gaps)
    local usual = gaps[math.ceil(#gaps / 2)] or math.huge
    print(("\n%s: %d cuts took %d bytes and %d of %d answers' rows, the oldest %.0f ms old; "
      .. "a sync every %.0f ms"):format(mode, CUTS, bytes, count, all, oldest * 1000,
      usual * 1000))
    assert.is_true(all > CUTS * 20, all)
    return count, early, usual
  end

  it("takes nothing that was answered, where durability is strict", function()
    assert.equal(0, (lost_of "strict"))
  end)

  it("takes what came after the last sync where it is safe: some tens of ms", function()
    local _, early, usual = lost_of "safe"
    assert.equal(0, early)
    assert.is_true(usual < 0.3, usual) -- 50 ms, and the disk's own time on a busy machine
  end)
end)
