-- Requests to a provider of whose answers a tenth go wrong, tried up to three times:
-- MOONGATE_FAULTS of them (50,000). What the provider saw, and what is recorded.

local helper = require "helper"
local sql = require "support.sql"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local WANTED = world.size("MOONGATE_FAULTS", 50000)

local figure = {
  what = "10⁶ faulted requests",
  target = "upstream hits = recorded attempts",
  command = ("MOONGATE_FAULTS=%d luajit tests/fire/figures.lua faults"):format(WANTED),
}

function figure.take()
  local w = world.open {
    workers = 2, options = 'retries = 2, backoff = "1ms",',
    more = "defaults { cooldown = { allowed_fails = 100000000 } }",
  }
  local files = { w.ask "faults=100", w.ask("faults=100 events=3", { stream = true }) }
  local asked, ok, wrong = 0, 0, 0
  while asked < WANTED do
    local report = swarm.run(w.gw.port, files, {
      rate = 4000, seconds_ms = math.min(60, (WANTED - asked) / 4000) * 1000 + 1, most = 1000,
      linger_ms = 60000,
    }, 200)
    asked, ok = asked + report.sent, ok + report.ok
    wrong = wrong + report.wrong + report.broken + report.unanswered
  end
  local db, stats = w.gw.data .. "/ledger.db", w.source:stats()
  local function count(query) return tonumber(sql.value(db, query)) end
  pcall(helper.wait_until, function() return count "SELECT count(*) FROM requests" >= asked end,
    60, "all rows")
  local attempts = count "SELECT count(*) FROM attempts"
  local rows = count "SELECT count(*) FROM requests"
  w.stop()
  return ("%d requests, %d of %d calls made to fail: %d hits, %d recorded attempts, %d rows, "
    .. "%d answered, %d wrong, cut or unanswered"):format(asked, stats.faults, stats.requests,
    stats.requests, attempts, rows, ok, wrong),
    attempts == stats.requests and rows == asked and wrong == 0
end

return figure
