-- SIGTERM under load, MOONGATE_STOPS times (5): what had begun ends well, and is recorded.

local helper = require "helper"
local process = require "support.process"
local socket = require "socket"
local sql = require "support.sql"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local STOPS = world.size("MOONGATE_STOPS", 5)

local figure = {
  what = "graceful stop",
  target = "0 requests cut within the soft limit, 0 rows lost",
  command = ("MOONGATE_STOPS=%d luajit tests/fire/figures.lua stop"):format(STOPS),
}

local function once(sum)
  local w = world.open { workers = 2 }
  local files = { w.ask "delay=40", w.ask("events=30 gap=20", { stream = true }) }
  local run = swarm.start(w.gw.port, files, { loop = 100, seconds_ms = 3000 })
  socket.sleep(1.2)
  local status = w.gw.process:stop(process.TERM, 40)
  local report, hits = run:finish(), w.source:stats().requests
  local again = helper.gateway { -- what is left in the journal reaches the ledger at its start
    routes = w.source:routes(), data = w.gw.data, loud = true,
  }
  local rows = tonumber(sql.value(w.gw.data .. "/ledger.db", "SELECT count(*) FROM requests"))
  again:stop()
  sum.answered = sum.answered + report.ok
  sum.cut = sum.cut + report.broken + report.wrong
  sum.lost = sum.lost + hits - rows
  sum.unclean = sum.unclean + (status == 0 and 0 or 1)
  w.source:stop()
  helper.remove_tree(w.dir)
  helper.remove_tree(w.gw.dir)
end

function figure.take()
  local sum = { answered = 0, cut = 0, lost = 0, unclean = 0 }
  for _ = 1, STOPS do once(sum) end
  return ("%d stops, each with 100 requests and streams open: %d answered, %d cut, %d rows "
    .. "lost, %d times not with 0"):format(STOPS, sum.answered, sum.cut, sum.lost, sum.unclean),
    sum.cut == 0 and sum.lost == 0 and sum.unclean == 0
end

return figure
