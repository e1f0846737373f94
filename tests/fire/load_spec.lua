-- Load: connections, requests and streams in numbers. Small ones here; MOONGATE_FULL=1 takes
-- the matrix' own, where the machine has the descriptors. How fast it all was is asked by
-- `make figures`, not here.

local helper = require "helper"
local load = require "support.load"
local socket = require "socket"
local swarm = require "support.swarm"

local none_wrong, size = load.right, swarm.size

describe("load", function()
  -- Nobody is refused, however long requests wait for their turn on this machine.
  local source, gw, start, ask = load.each { "--in-flight", "100000", "--queue", "off" }

  it("L-01: many connections that ask again and again have their own answers", function()
    start { workers = 2 }
    local asked = 0
    for _, connections in ipairs { 1, 16, size(128, 1024) } do
      local report = swarm.run(gw.port, ask(), { loop = connections, seconds_ms = 500 })
      none_wrong(report)
      assert.is_true(report.ok > connections, report.ok)
      assert.equal(report.ok, report.status["200"])
      asked = asked + report.sent
    end
    -- Each that a provider saw has its row; those that were cut at the end as well.
    local seen = source:stats().requests
    assert.is_true(seen <= asked)
    helper.wait_until(function()
      return gw:metric "moongate_requests_in_flight" == 0
    end, 10, "the last rows")
    local rows = #gw:rows()
    assert.is_true(rows >= seen and rows <= asked, ("%d %d %d"):format(seen, rows, asked))
  end)

  it("L-02: new connections in numbers are all served", function()
    start { workers = 2 }
    local report = swarm.run(gw.port, ask(), {
      rate = size(1500, 10000), seconds_ms = size(1000, 5000), fresh = 1, most = 4000,
      addresses = 8, linger_ms = 20000,
    })
    none_wrong(report)
    assert.equal(report.sent, report.ok)
  end)

  it("L-03: an idle connection takes no more than 40 KiB", function()
    start()
    none_wrong(swarm.run(gw.port, ask(), { loop = 8, seconds_ms = 1500 })) -- all of the heap
    local before, n = gw:memory_kib(), size(500, 9000)
    -- So many a second that few are being answered at once: what is left over is idle.
    local run = swarm.start(gw.port, ask(), { streams = n, seconds_ms = 60000, ramp = 200 })
    local grown = gw:memory_kib() - before
    helper.wait_until(function() return gw:metric "moongate_connections" == n end, 10,
      "those that have gone, noticed")
    if helper.shows "memory" then
      assert.is_true(grown <= 40 * n, grown / n .. " KiB each")
    end
    local report = run:enough()
    none_wrong(report)
    assert.equal(n, report.ok)
  end)

  it("L-04: requests that wait for their provider cost no processor", function()
    start()
    local n = size(500, 9000)
    local run = swarm.start(gw.port, ask "delay=600000", {
      streams = n, seconds_ms = 120000, unheard = 1,
    })
    helper.wait_until(function() return source:stats().requests == n end, 30, "all of them")
    socket.sleep(0.5)
    local before = swarm.cpu_ns(gw:child())
    socket.sleep(1)
    local used = (swarm.cpu_ns(gw:child()) - before) / 1e9
    assert.is_true(used < 0.2, used .. " of a core") -- who spins takes all of it
    assert.equal(n, gw:metric "moongate_requests_in_flight")
    assert.equal(n, run:enough().open)
  end)

  it("L-05: an event costs the same among few streams and among many", function()
    start()
    local function cost(streams)
      local run = swarm.start(gw.port, ask("", { stream = true }), {
        streams = streams, seconds_ms = 1500,
      })
      local before = swarm.cpu_ns(gw:child())
      local report = run:finish()
      none_wrong(report)
      assert.equal(streams, report.open)
      return (swarm.cpu_ns(gw:child()) - before) / report.events
    end
    cost(50)
    local few, many = cost(size(100, 1000)), cost(size(1000, 9000))
    assert.is_true(many < 4 * few, ("%.0f and %.0f ns"):format(few, many)) -- a walk: 10 times
  end)

  it("L-06: at its ceiling of memory it refuses, and what is open goes on", function()
    local ceiling, n = size(48, 256), size(1500, 8000)
    -- However long requests wait on this machine, memory is what there is too little of.
    start { args = { "--memory", ceiling .. "M", "--in-flight", "100000", "--queue", "off" } }
    local run = swarm.start(gw.port, ask("", { stream = true }),
      { streams = n, seconds_ms = 2000, ramp = size(1000, 3000) })
    local report = run:finish()
    local said = helper.json.encode(report)
    assert.is_true(report.status["503"] > 0, said)
    assert.equal(0, report.wrong + report.broken + report.unconnected, said)
    assert.equal(n, report.open + report.status["503"], said)
    assert.is_true(report.events > report.open, said) -- each in its turn
    if helper.shows "memory" then
      local most = gw:memory_kib "VmHWM"
      assert.is_true(most <= ceiling * 1024, most .. " KiB")
    end
    assert.equal(report.status["503"], gw:metric("moongate_shed_total", { reason = "memory" }))
    if helper.sanitized then return end -- which gives nothing back
    helper.wait_until(function() -- it goes back to normal by itself
      return gw:chat(helper.ask "one").status == 200
    end, 5, "room again")
  end)
end)
