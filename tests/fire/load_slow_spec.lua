-- Clients that read slowly, or not, or leave; providers that leave; descriptors and ports that
-- run out. Small numbers; MOONGATE_FULL=1 takes the matrix' own.

local helper = require "helper"
local load = require "support.load"
local process = require "support.process"
local socket = require "socket"
local swarm = require "support.swarm"

local size = swarm.size

describe("load", function()
  -- Nobody is refused, however long requests wait for their turn on this machine.
  local source, gw, start, ask = load.each { "--in-flight", "100000", "--queue", "off" }

  local function rows() return gw:rows() end

  local function spins()
    local before = swarm.cpu_ns(gw:child())
    socket.sleep(0.5)
    return (swarm.cpu_ns(gw:child()) - before) / 0.5e9 > 0.5
  end

  it("L-07: a slow reader takes 256 KiB, and its provider waits", function()
    start()
    local n = size(60, 1000)
    local run = swarm.start(gw.port, ask("flood size=1000", { stream = true }),
      { streams = 1, seconds_ms = 200 })
    run:finish()
    local before, taken = gw:memory_kib(), source:stats().bytes
    run = swarm.start(gw.port, ask(" flood size=1000", { stream = true }),
      { streams = n, seconds_ms = 3000, slow = 1024 })
    local was
    helper.wait_until(function()
      local now = source:stats().bytes
      local still = was and now - was < n * 2048
      was = now
      socket.sleep(0.3)
      return still
    end, 20, "providers that wait")
    local each = (source:stats().bytes - taken) / n / 1024
    assert.is_true(each < 1024, each .. " KiB were taken from each provider")
    if helper.shows "memory" then
      local grown = (gw:memory_kib() - before) / n
      assert.is_true(grown < 256 + 128, grown .. " KiB each") -- 64 for any stream
    end
    assert.is_false(spins())
    local report = run:finish()
    assert.equal(0, report.broken + report.wrong, helper.json.encode(report))
    assert.equal(n, report.open) -- who reads something is not cut
  end)

  it("L-08: a reader that stops is cut, and what it got is billed", function()
    start { scale = 0.05 } -- 60 s are 3
    local connections = {}
    local body = helper.ask("one", '"stream":true'):gsub("hello", "x flood size=1000")
    for i = 1, 5 do
      connections[i] = gw:chat_open(body)
      assert.equal(200, connections[i]:head().status)
    end
    helper.wait_until(function() return #rows() == 5 end, 15, "their rows")
    for _, row in ipairs(rows()) do
      assert.equal("cancelled", row.outcome)
      assert.is_true(row.estimated)
      assert.is_true(row.tokens.output > 0)
    end
    helper.wait_until(function() return source:stats().streams == 0 end, 5, "providers let go")
    for _, connection in ipairs(connections) do connection:close() end
  end)

  it("L-09: without descriptors connections wait, and what runs has its own", function()
    local limit = size(200, 1024)
    start { under = { "prlimit", "--nofile=" .. limit .. ":" .. limit } }
    local report = swarm.run(gw.port, ask "delay=300", {
      rate = size(300, 1000), seconds_ms = 2000, fresh = 1, most = 2000, linger_ms = 30000,
    })
    local said = helper.json.encode(report)
    assert.equal(report.sent, report.ok, said)
    assert.equal(0, report.wrong + report.broken + report.unanswered, said)
    assert.is_true(report.ok > limit, said)
    assert.is_false(spins())
    assert.equal(200, gw:chat(helper.ask "one").status)
    for _, line in ipairs(gw:log "request") do assert.equal(200, line.status) end
  end)

  it("L-09: connections that idle make room for those that wait", function()
    start { under = { "prlimit", "--nofile=200:200" } }
    local idle = {}
    for i = 1, 150 do
      idle[i] = helper.http.connect(gw.port)
      idle[i]:send(helper.http.format { method = "GET", path = "/healthz" })
    end
    for i = 1, 60 do assert.equal(200, idle[i]:response().status) end
    local response = gw:chat(helper.ask "one")
    assert.equal(200, response.status)
    for _, connection in ipairs(idle) do connection:close() end
  end)

  it("L-12: a provider that drops all streams ends each, with its row", function()
    start()
    local n = size(400, 9000)
    local run = swarm.start(gw.port, ask("", { stream = true }),
      { streams = n, seconds_ms = 60000 }) -- or until all are cut
    source.process:stop(process.KILL)
    local report = run:finish()
    assert.equal(n, report.broken, helper.json.encode(report)) -- cut, and not as if whole
    assert.equal(0, report.wrong)
    helper.wait_until(function() return #rows() == n end, 10, "their rows")
    for _, row in ipairs(rows()) do assert.not_equal("ok", row.outcome) end
  end)

  it("L-13: clients that all leave at once free their providers, with a row each", function()
    start()
    local n = size(400, 9000)
    local report = swarm.run(gw.port, ask("", { stream = true }),
      { streams = n, seconds_ms = 500 })
    assert.equal(n, report.open, helper.json.encode(report))
    helper.wait_until(function() return source:stats().abandoned == n end, 10, "all let go")
    helper.wait_until(function() return #rows() == n end, 10, "their rows")
    for _, row in ipairs(rows()) do assert.equal("cancelled", row.outcome) end
  end)

  it("L-13: also before the first token", function()
    start()
    local n = size(300, 9000)
    local run = swarm.start(gw.port, ask("delay=600000", { stream = true }),
      { streams = n, seconds_ms = 120000, unheard = 1 })
    helper.wait_until(function() return source:stats().requests == n end, 30, "all of them")
    run:enough()
    helper.wait_until(function() return source:stats().abandoned == n end, 10, "all let go")
    helper.wait_until(function() return #rows() == n end, 10, "their rows")
    for _, row in ipairs(rows()) do assert.equal("cancelled", row.outcome) end
  end)
end)
