-- kill -9 under load: tests/live/kills_spec.lua, MOONGATE_KILLS times (60).

local process = require "support.process"
local world = require "fire.figures.world"

local KILLS = world.size("MOONGATE_KILLS", 60)

local figure = {
  what = "kill -9 under load, 1,000 times",
  target = "0 upstream calls without a row, 0 settled rows lost, 0 duplicates",
  command = ("MOONGATE_KILLS=%d busted tests/live/kills_spec.lua"):format(KILLS),
}

function figure.take()
  local status, out = process.run(
    { "busted", "-o", "plainTerminal", "tests/live/kills_spec.lua" },
    { seconds = 3600, env = { MOONGATE_KILLS = tostring(KILLS) } })
  local passed, failed = out:match "(%d+) success[es]* / (%d+) failure"
  return ("%d kills, then %s audits held, %s did not"):format(KILLS, passed or "no",
    failed or "all"), status == 0
end

return figure
