-- Open streams for each GiB of resident memory, at MOONGATE_STREAMS (4,000) of them.

local swarm = require "support.swarm"
local world = require "fire.figures.world"

local STREAMS = world.size("MOONGATE_STREAMS", 4000)

local figure = {
  what = "open streams per GiB, plaintext",
  target = "≥ 16,000",
  command = ("MOONGATE_STREAMS=%d luajit tests/fire/figures.lua memory"):format(STREAMS),
}

function figure.take()
  local w = world.open()
  swarm.run(w.gw.port, w.ask(), { loop = 16, seconds_ms = 1000 })
  local before = w.gw:memory_kib()
  local run = swarm.start(w.gw.port, w.ask("", { stream = true }),
    { streams = STREAMS, seconds_ms = 4000 })
  local report = run:finish()
  local grown = w.gw:memory_kib "VmHWM" - before
  w.stop()
  local each = grown / STREAMS
  return ("%d streams open, %d broken, %d events: %.1f KiB each, %.0f in a GiB, taken as "
    .. "linear"):format(report.open, report.broken, report.events, each, 2 ^ 20 / each),
    report.open == STREAMS and report.broken == 0 and 2 ^ 20 / each >= 16000
end

return figure
