-- Ports for outgoing connections that run out, in a network that has only 40 of them.

local helper = require "helper"
local process = require "support.process"

local ALONE = 'ip link set lo up && echo "40000 40039" > '
  .. "/proc/sys/net/ipv4/ip_local_port_range && exec luajit tests/fire/ports.lua"

describe("L-10: no ports left to a provider", function()
  it("fails those at once that have none, and serves all when there are some again", function()
    if process.run { "unshare", "-n", "ip", "link", "set", "lo", "up" } ~= 0 then
      return pending "a network of its own takes root (unshare -n), and ip"
    end
    local status, out, err = process.run({ "unshare", "-n", "sh", "-c", ALONE },
      { seconds = 60 })
    assert.equal(0, status, out .. err)
    local found = helper.json.decode((out:match "(%b{})%s*$"))
    local first, after = found.first, found.after
    assert.equal(100, first.ok + first.status["502"], out)
    assert.is_true(first.ok >= 30 and first.ok <= 40, out) -- a port each
    assert.equal(first.status["502"], found.kinds.connect, out)
    assert.equal(0, first.wrong + first.broken + after.wrong + after.broken, out)
    assert.equal(after.ok, after.status["200"], out)
    assert.is_nil(after.status["502"], out)
    assert.is_true(after.ok > 20, out)
    assert.equal(0, found.in_flight)
  end)
end)
