-- Reloads under load, with many streams open. MOONGATE_RELOADS of them (40), with
-- MOONGATE_STREAMS open (2,000), at MOONGATE_SHARE % (60) of what the machine serves beside
-- them: less where others take the machine, for what it cannot serve is refused.

local socket = require "socket"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local RELOADS = world.size("MOONGATE_RELOADS", 40)
local SHARE = world.size("MOONGATE_SHARE", 60)
local STREAMS = world.size("MOONGATE_STREAMS", 2000)

local figure = {
  what = "reloads under load, with 2,000 open streams",
  target = "1,000 reloads, 0 failed requests, 0 broken streams",
  command = ("MOONGATE_RELOADS=%d MOONGATE_SHARE=%d luajit tests/fire/figures.lua reloads")
    :format(RELOADS, SHARE),
}

-- Reloads, one every 0.6 s (a thousand in ten minutes): how many were refused, and the slowest.
local function reload(w, times)
  local refused, slowest, from = 0, 0, socket.gettime()
  for i = 1, times do
    local began = socket.gettime()
    if w.gw:admin("POST", "/admin/reload").status ~= 200 then refused = refused + 1 end
    slowest = math.max(slowest, socket.gettime() - began)
    socket.sleep(math.max(0, from + i * 0.6 - socket.gettime()))
  end
  return refused, slowest
end

function figure.take()
  local w = world.open { workers = 2, events = 5000 }
  local plain, seconds = w.ask(), (RELOADS + 5) * 0.6
  local held = swarm.start(w.gw.port, w.ask("", { stream = true }),
    { streams = STREAMS, seconds_ms = (seconds + 8) * 1000 })
  local all = swarm.start(w.gw.port, plain, { loop = 32, seconds_ms = 3000 })
  reload(w, 5)
  local peak = all:finish().ok / 3
  local asked = swarm.start(w.gw.port, plain,
    { rate = peak * SHARE / 100, seconds_ms = RELOADS * 600, most = 2000, linger_ms = 20000 })
  local refused, slowest = reload(w, RELOADS)
  local answers, open = asked:finish(seconds + 60), held:finish(seconds + 60)
  w.stop()
  local failed, broken = world.failed(answers), open.broken + open.wrong
  return ("%d reloads (%d refused, slowest %.0f ms) beside %d streams and %d requests at %d %% "
    .. "of the peak (%.0f/s): %d failed requests (%d for overload), %d broken streams; p50 %s, "
    .. "p99 %s"):format(RELOADS, refused, slowest * 1000, open.open, answers.sent, SHARE, peak,
    failed, answers.status["503"] or 0, broken, world.ms(answers.answered_us.p50),
    world.ms(answers.answered_us.p99)),
    failed == 0 and broken == 0 and refused == 0
end

return figure
