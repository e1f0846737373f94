-- Clients that are slow on purpose, MOONGATE_SLOW_CLIENTS (5,000) connections: half of them
-- send heads that never end, half bodies that trickle in (row S-37). What others notice, and
-- when they are cut.

local helper = require "helper"
local socket = require "socket"
local swarm = require "support.swarm"
local world = require "fire.figures.world"

local MANY = world.size("MOONGATE_SLOW_CLIENTS", 5000)
local SECONDS = 12
local HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer any\r\n"
  .. "content-type: application/json\r\n"
local FORMS = {
  { first = HEAD, more = "x-a: b\r\n" },
  { first = HEAD .. "content-length: 100000\r\n\r\n{", more = " " },
}

local figure = {
  what = "slow heads and bodies by the thousand",
  target = "others' p99 + ≤ 20 % (and 1 ms), all of them cut",
  command = ("MOONGATE_SLOW_CLIENTS=%d luajit tests/fire/figures.lua slow"):format(MANY),
}

local function connect(port)
  local clients = {}
  for i = 1, MANY do
    local client, form = socket.tcp(), FORMS[i % 2 + 1]
    client:settimeout(5)
    assert(client:connect("127.0.0.1", port))
    assert(client:send(form.first))
    client:settimeout(0)
    clients[i] = { socket = client, more = form.more }
  end
  return clients
end

-- A little from each in every second.
local function trickle(clients, seconds)
  local from = socket.gettime()
  for second = 1, seconds do
    for _, client in ipairs(clients) do client.socket:send(client.more) end
    socket.sleep(math.max(0, from + second - socket.gettime()))
  end
end

local function p99(w, ask, meanwhile)
  local run = swarm.start(w.gw.port, ask, { rate = 500, seconds_ms = SECONDS * 1000 })
  if meanwhile then meanwhile() else socket.sleep(SECONDS) end
  local report = run:finish()
  assert(world.failed(report) == 0, "requests of others failed")
  return report.answered_us.p99
end

function figure.take()
  local w = world.open { workers = 2 }
  local ask = w.ask()
  p99(w, ask) -- warm
  local calm = p99(w, ask)
  local clients = connect(w.gw.port)
  local open = w.gw:metric "moongate_connections"
  local beside = p99(w, ask, function() trickle(clients, SECONDS) end)
  local from = socket.gettime()
  helper.wait_until(function()
    trickle(clients, 1)
    return w.gw:metric "moongate_connections" < 50
  end, 120, "slow clients that were cut")
  local seconds = SECONDS + socket.gettime() - from
  for _, client in ipairs(clients) do client.socket:close() end
  w.stop()
  return ("%d connections open: p99 of others %s, without them %s; all cut after %.0f s")
    :format(open, world.ms(beside), world.ms(calm), seconds), beside <= calm * 1.2 + 1000
end

return figure
