-- Ten times what can be served, for MOONGATE_SECONDS (10). What can be served is given by how
-- many may be in flight: a provider takes 100 ms, as these do; a gateway that is short of
-- processor time has to read what it refuses with what it is short of.

local swarm = require "support.swarm"
local world = require "fire.figures.world"

local SECONDS = world.size("MOONGATE_SECONDS", 10)
local IN_FLIGHT, CEILING = 60, 128

local figure = {
  what = "overload 10 ×",
  target = "goodput ≥ 90 % of peak, added p99 of accepted ≤ 25 ms, memory within its ceiling, "
    .. "normal in ≤ 5 s",
  command = ("MOONGATE_SECONDS=%d luajit tests/fire/figures.lua overload"):format(SECONDS),
}

-- Tenths of a second until nobody is refused any more.
local function until_normal(report)
  local last = 0
  for i, n in ipairs(report.tenths_refused) do
    if n > 0 then last = i end
  end
  return last / 10
end

function figure.take()
  local w = world.open {
    args = { "--in-flight", tostring(IN_FLIGHT), "--memory", CEILING .. "M",
      "--log-level", "warn" },
  }
  local ask = w.ask "delay=100"
  local alone = swarm.run(w.gw.port, ask, { loop = IN_FLIGHT, seconds_ms = 4000 })
  local peak = alone.ok / 4
  local report = swarm.run(w.gw.port, ask, {
    rate = 10 * peak, seconds_ms = SECONDS * 1000, most = 4000, linger_ms = 20000,
  }, SECONDS + 60)
  local after = swarm.run(w.gw.port, ask,
    { rate = peak / 2, seconds_ms = 6000, series = 1, most = 4000 })
  local memory = w.gw:memory_kib "VmHWM" / 1024
  w.stop()
  local goodput = report.ok / SECONDS / peak
  local added = (report.answered_us.p99 - 100000) / 1000
  local wrong = report.wrong + report.broken + report.unanswered
  return ("%.0f/s offered for %d s: goodput %.0f %% of %.0f/s, accepted p99 100 + %.1f ms (at "
    .. "the peak %.1f), refused p50 %s p99 %s, %d wrong, cut or unanswered, %.0f MiB of %d, "
    .. "normal after %.1f s"):format(10 * peak, SECONDS, goodput * 100, peak, added,
    (alone.answered_us.p99 - 100000) / 1000, world.ms(report.refused_us.p50),
    world.ms(report.refused_us.p99), wrong, memory, CEILING, until_normal(after)),
    goodput >= 0.9 and added <= 25 and memory <= CEILING and until_normal(after) <= 5
      and wrong == 0
end

return figure
