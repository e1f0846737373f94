-- S-20: wrong keys that come too fast wait for their answer; nobody else does.

local world = require "unit.world"

local ROUTES = [[
model "small" { provider "mock" {} "mock" }
virtual_key "me" { token = "right-key" }]]

describe("S-20: wrong keys", function()
  local w

  before_each(function() w = world.new(ROUTES) end)

  local function ask(key, peer)
    local answer = w:serve {
      method = "GET", path = "/v1/models", peer = peer or "10.0.0.1",
      headers = { authorization = "Bearer " .. key },
    }
    return answer.status
  end

  it("are answered at once ten times a second, then after a delay", function()
    for _ = 1, 10 do assert.equal(401, ask "wrong") end
    assert.same({}, w.sleeps)
    assert.equal(401, ask "wrong")
    assert.same({ 1 }, w.sleeps)
    assert.equal(0, w.engine.shared.get "auth:waiting")
  end)

  it("do not slow the right one down, from the same address or another", function()
    for _ = 1, 20 do ask "wrong" end
    local before = #w.sleeps
    for _ = 1, 100 do assert.equal(200, ask "right-key") end
    assert.equal(200, ask("right-key", "10.0.0.2"))
    assert.equal(before, #w.sleeps)
    assert.equal(401, ask("wrong", "10.9.9.9"))
    assert.equal(before, #w.sleeps)
  end)

  it("take a bounded part of memory, from however many addresses", function()
    local keys, take = {}, w.engine.shared.take
    w.engine.shared.take = function(key, ...)
      if key:find("^auth:") then keys[key] = true end
      return take(key, ...)
    end
    for i = 1, 10000 do
      ask("wrong", ("10.%d.%d.1"):format(math.floor(i / 256), i % 256))
      ask("wrong", ("2001:db8:%x:%x::%x"):format(i, i, i))
    end
    local n = 0
    for _ in pairs(keys) do n = n + 1 end
    assert.is_true(n > 1000 and n <= 4093, n)
  end)

  it("of one network are one", function()
    for i = 1, 10 do ask("wrong", ("2001:db8:1:2:%x::1"):format(i)) end
    assert.same({}, w.sleeps)
    ask("wrong", "2001:db8:1:2:3:4:5:6")
    assert.equal(1, #w.sleeps)
    ask("wrong", "2001:db8::1")
    assert.equal(1, #w.sleeps)
    ask("wrong", "::ffff:10.0.0.7")
    ask("wrong", "::1")
    assert.equal(1, #w.sleeps)
  end)

  it("do not gather: beyond 256 of them nobody waits", function()
    w.engine.shared.set("auth:waiting", 256)
    for _ = 1, 30 do assert.equal(401, ask "wrong") end
    assert.same({}, w.sleeps)
  end)

  it("are counted", function()
    for _ = 1, 12 do ask "wrong" end -- the eleventh waits into the next second
    assert.equal(1, w.metrics["moongate_auth_delayed_total{}"])
  end)
end)
