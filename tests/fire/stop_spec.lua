-- SIGTERM under load: nobody is cut who had asked, on whatever connection.

local helper = require "helper"
local process = require "support.process"
local socket = require "socket"
local swarm = require "support.swarm"

describe("a graceful stop", function()
  it("under load answers who stands in the queue and who asks again", function()
    local dir, source = process.temp_dir(), swarm.source()
    local gw = helper.gateway { routes = source:routes(), workers = 2 }
    local run = swarm.start(gw.port, {
      swarm.request(dir, "whole", { words = "delay=20" }),
      swarm.request(dir, "stream", { words = "events=20 gap=20", stream = true }),
    }, { loop = 40, seconds_ms = 4000 })
    socket.sleep(0.7)
    local status = gw.process:stop(process.TERM, 20)
    local report = run:finish()
    source:stop()
    helper.remove_tree(dir)
    helper.remove_tree(gw.dir)
    assert.equal(0, status)
    local said = helper.json.encode(report)
    assert.equal(0, report.broken + report.wrong, said)
    assert.equal(report.ok, report.status["200"], said)
    assert.is_true(report.ok > 40, said)
    assert.is_true(report.unconnected > 0, said) -- who came later was refused, not kept waiting
  end)
end)
