-- Clients that all leave at once, MOONGATE_STREAMS (2,000) of them, in their streams and before
-- the first token: how long until their provider is let go. And one at a time.

local helper = require "helper"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local STREAMS = world.size("MOONGATE_STREAMS", 2000)

local figure = {
  what = "client gone → upstream released",
  target = "≤ 1 s p99, also before the first token",
  command = ("MOONGATE_STREAMS=%d luajit tests/fire/figures.lua leave"):format(STREAMS),
}

-- The p99 of what it took, in ms.
local function leave(w, file, options)
  w.source:leavers()
  local before = w.source:stats().abandoned
  options.streams = STREAMS
  local report = swarm.run(w.gw.port, file, options)
  helper.wait_until(function()
    return w.source:stats().abandoned - before >= STREAMS
  end, 30, "all let go")
  local times = w.source:leavers()
  return (times[math.ceil(#times * 0.99)] - report.end_us) / 1000
end

function figure.take()
  local w = world.open()
  local streaming = leave(w, w.ask("", { stream = true }), { seconds_ms = 1000 })
  local waiting = leave(w, w.ask("delay=3600000", { stream = true }),
    { seconds_ms = 1500, unheard = 1 })
  w.stop()
  return ("%d at once: p99 %.0f ms in their streams, %.0f ms before the first token"):format(
    STREAMS, streaming, waiting), streaming <= 1000 and waiting <= 1000
end

return figure
