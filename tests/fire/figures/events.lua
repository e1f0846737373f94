-- Processor time of an event among MOONGATE_STREAMS (4,000) streams and among 1,000, the same
-- number of events a second; in turn, medians of five.

local swarm = require "support.swarm"
local world = require "fire.figures.world"

local STREAMS = world.size("MOONGATE_STREAMS", 4000)

local figure = {
  what = "processor time per event, 10,000 (or the most the machine allows) against 1,000 "
    .. "streams",
  target = "≤ 1.2 ×",
  command = ("MOONGATE_STREAMS=%d luajit tests/fire/figures.lua events"):format(STREAMS),
}

local function cost(w, file, streams)
  local run = swarm.start(w.gw.port, file, { streams = streams, seconds_ms = 3000 })
  local before = swarm.cpu_ns(w.gw:child())
  local report = run:finish()
  assert(report.open == streams, "streams were lost")
  return (swarm.cpu_ns(w.gw:child()) - before) / report.events / 1000
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

function figure.take()
  local w = world.open()
  local file, few, many = w.ask("", { stream = true }), {}, {}
  for i = 1, 5 do
    few[i], many[i] = cost(w, file, 1000), cost(w, file, STREAMS)
  end
  w.stop()
  local a, b = median(few), median(many)
  return ("%.1f µs among 1,000, %.1f µs among %d: %.2f ×"):format(a, b, STREAMS, b / a),
    b / a <= 1.2
end

return figure
