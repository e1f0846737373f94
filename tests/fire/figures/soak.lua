-- A long mix: whole answers, streams, faults, clients that leave; reloads all the while; in
-- the first third the serving process is killed every ten seconds. MOONGATE_SOAK requests
-- (400,000). Memory and descriptors are watched in the rest, in one process. Each reload begins
-- with small heaps that grow until they are collected: so what counts of memory is the least in
-- each ten seconds, and a line is laid through the last two thirds of these.

local helper = require "helper"
local socket = require "socket"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local WANTED = world.size("MOONGATE_SOAK", 400000)
local MIX = { loop = 48, leave = 4, share = 5 }

local figure = {
  what = "soak",
  target = "≥ 2 M requests with reloads, faults and kills of the serving process: resident "
    .. "memory and fd slope 0 after warm-up",
  command = ("MOONGATE_SOAK=%d luajit tests/fire/figures.lua soak"):format(WANTED),
}

-- Least squares: how y grows with x.
local function slope(points)
  local n, sx, sy, sxx, sxy = #points, 0, 0, 0, 0
  for _, p in ipairs(points) do
    sx, sy, sxx, sxy = sx + p[1], sy + p[2], sxx + p[1] * p[1], sxy + p[1] * p[2]
  end
  return (n * sxy - sx * sy) / (n * sxx - sx * sx)
end

local sum = { sent = 0, ok = 0, wrong = 0, broken = 0, strange = 0, reloads = 0, kills = 0 }

local function add(report)
  for _, name in ipairs { "sent", "ok", "wrong", "broken" } do
    sum[name] = sum[name] + report[name]
  end
  for status, n in pairs(report.status) do
    if not ({ ["200"] = 1, ["429"] = 1, ["502"] = 1, ["503"] = 1, ["504"] = 1 })[status] then
      sum.strange = sum.strange + n
    end
  end
end

-- A piece of the load, with what else goes on: each(second).
local function piece(w, files, seconds, each)
  local options = { seconds_ms = seconds * 1000, seed = sum.sent + 1 }
  for name, value in pairs(MIX) do options[name] = value end
  local run = swarm.start(w.gw.port, files, options)
  for second = 1, seconds do
    socket.sleep(1)
    if second % 2 == 0 and pcall(function()
      assert(w.gw:admin("POST", "/admin/reload").status == 200)
    end) then sum.reloads = sum.reloads + 1 end
    each(second)
  end
  add(run:finish(seconds + 60))
end

local function with_kills(w, files)
  while sum.sent < WANTED / 3 do
    piece(w, files, 10, function(second)
      if second ~= 5 then return end
      os.execute("kill -9 " .. w.gw:child())
      sum.kills = sum.kills + 1
      helper.wait_until(function() return pcall(w.gw.admin, w.gw, "GET", "/healthz") end, 10)
    end)
  end
end

local function watched(w, files)
  local memory, descriptors, pid, most = {}, {}, w.gw:child(), 0
  while sum.sent < WANTED do
    local least, open = math.huge, math.huge
    piece(w, files, 10, function()
      local now = w.gw:memory_kib()
      least, most = math.min(least, now), math.max(most, now)
      open = math.min(open, swarm.descriptors(pid))
    end)
    memory[#memory + 1] = { 10 * #memory, least }
    descriptors[#descriptors + 1] = { 10 * #descriptors, open }
    io.stderr:write(("soak: %d of %d requests, %.1f MiB, %d descriptors\n")
      :format(sum.sent, WANTED, least / 1024, open))
  end
  assert(w.gw:child() == pid, "it did not live on")
  local late, fds = {}, {}
  for i = math.floor(#memory / 3) + 1, #memory do
    late[#late + 1], fds[#fds + 1] = memory[i], descriptors[i]
  end
  return {
    seconds = 10 * #late, memory = slope(late), descriptors = slope(fds), first = late[1][2],
    last = late[#late][2], most = most,
  }
end

function figure.take()
  local w = world.open {
    workers = 2, options = 'retries = 1, backoff = "1ms",',
    more = "defaults { cooldown = { allowed_fails = 100000000 } }",
  }
  local files = {
    w.ask "faults=20", w.ask "faults=20", w.ask "delay=5 faults=20",
    w.ask("events=5 gap=2 faults=20", { stream = true }),
  }
  with_kills(w, files)
  local seen = watched(w, files)
  w.stop()
  return ("%d requests, %d reloads, %d kills of the serving process: %d wrong answers, %d cut "
    .. "(48 were open at each kill), %d of a strange status; over the last %d s memory "
    .. "%+.1f KiB/s (%.1f MiB at first, %.1f at last, %.0f at most), descriptors %+.2f/s")
    :format(sum.sent, sum.reloads, sum.kills, sum.wrong, sum.broken, sum.strange, seen.seconds,
    seen.memory, seen.first / 1024, seen.last / 1024, seen.most / 1024, seen.descriptors),
    sum.wrong == 0 and sum.strange == 0 and seen.memory < 4 and seen.descriptors < 0.2
end

return figure
