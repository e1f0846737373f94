-- Providers that cannot be reached, or are gone before they answer.

local fire = require "support.fire"
local helper = require "helper"
local is_refused = require "support.refusal"

describe("a provider that cannot be reached", function()
  local world = fire.world()
  local port = {} -- of nobody, or of a port that answers no knock

  local function routes(up)
    port.nobody, port.dead = helper.free_port(), up:blackhole()
    port.again = up:another_port()
    local function dep(lane, at)
      return fire.deployment(lane, ("http://127.0.0.1:%d/%s/v1"):format(at or up.port, lane))
    end
    return fire.model("refused", { dep("nobody", port.nobody) })
      .. fire.model("refused-then", { dep("nobody2", port.nobody) },
        'retries = 0, fallback = { "spare" }')
      .. fire.model("spare", { dep "spare" })
      .. fire.model("again", { dep("again", port.again) }, 'retries = 2, backoff = "1ms"')
      .. fire.model("silent", { dep("dead", port.dead) })
      .. fire.model("silent-then", { dep("dead2", port.dead) },
        'retries = 0, fallback = { "spare" }')
  end

  setup(function()
    fire.start(world, {
      scale = 0.1, connect = "3s", apart = { "u10", "u11", "u12" }, routes = routes,
    })
  end)
  teardown(function() world:stop() end)

  local function refused(response, status, code)
    assert.equal("upstream_error", is_refused(response, status, code).json.error.type)
  end

  world:row("U-01: refused, is unreachable", { hits = 0 }, function()
    refused(world:chat "refused", 502, "upstream_unreachable")
    assert.equal(1, #world:last_row().attempts)
    assert.equal("connect", world:last_row().attempts[1].reason)
  end)

  world:row("U-01: refused, the fallback answers at once", { hits = 1 }, function()
    world.up:reply("spare", { body = helper.completion "spare" })
    local response = world:chat "refused-then"
    assert.equal(200, response.status)
    assert.equal("2", response.headers["x-moongate-attempts"])
  end)

  world:row("U-02: no answer to a knock within the limit", { hits = 0 }, function()
    refused(world:chat "silent", 504, "upstream_connect_timeout")
    local ms = world:last_row().attempts[1].ms
    assert.is_true(ms >= 2990, "the limit of 3 s: " .. ms)
  end)

  world:row("U-02: no answer to a knock, the fallback answers", { hits = 1 }, function()
    world.up:reply("spare", { body = helper.completion "spare" })
    assert.equal(200, world:chat("silent-then").status)
  end)

  world:row("U-10: reset when accepted", { hits = 0 }, function()
    world.up:accept("rst", world.ports.u10)
    local response = world:chat "u10"
    refused(response, 502, "upstream_unreachable")
  end)

  world:row("U-10, U-11: both are tried again, where that may be", { hits = 3 }, function()
    world.up:accept("fin", port.again) -- at its first byte: not seen as a call
    refused(world:chat "again", 502, "upstream_unreachable")
    world.up:accept("normal", port.again)
    world.up:script("again", "rst\n", 2)
    world.up:reply("again", { body = helper.completion "third" })
    local response = world:chat "again"
    assert.equal(200, response.status)
    assert.equal("3", response.headers["x-moongate-attempts"])
    local tries = world:last_row().attempts
    assert.same({ "connect", "connect" }, { tries[1].reason, tries[2].reason })
    assert.equal(15, world:last_row().tokens.input + world:last_row().tokens.output)
  end)

  for _, how in ipairs { "rst", "fin" } do
    local id = how == "rst" and "U-11" or "U-12"
    local lane = how == "rst" and "u11" or "u12"
    world:row(id .. ": " .. how .. " once the request was read", {}, function()
      world.up:script(lane, how .. "\n")
      refused(world:chat(lane), 502, "upstream_unreachable")
      local try = world:last_row().attempts[1]
      assert.equal("connect", try.reason)
      assert.is_truthy(try.suspected_extra, "perhaps billed: B-11")
      assert.is_true(try.suspected_extra.input > 0)
    end)
  end
end)
