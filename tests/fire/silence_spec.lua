-- Providers that fall silent, each at another moment: the limits of the house, a hundred times
-- as fast; and rests of those that fail.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

local script = helper.script
local send = script.send

describe("a provider that falls silent", function()
  local world = fire.world()
  local up = world.up

  local FIVE = { "t1", "t2", "t3", "t4", "t5" }

  setup(function()
    fire.start(world, {
      scale = 0.01, lanes = { "head", "first", "comments", "stalls", "drip", "slow" },
      apart = { "deaf" },
      routes = function(at)
        local function dep(lane, port)
          return fire.deployment(lane, at:url(lane, port) .. "/v1")
        end
        local five = {}
        for i, lane in ipairs(FIVE) do five[i] = dep(lane) end
        world.port = at:another_port()
        local resting = 'cooldown = { allowed_fails = 3%s }, retries = 2, backoff = "1ms"'
        local long = ', within = "600s", time = "200s"'
        return fire.model("spare", { dep "spare" })
          .. fire.model("only", { dep "only" }, 'retries = 0, timeout = { idle = "200s" }')
          .. fire.model("first-then", { dep "first2" }, 'retries = 0, fallback = { "spare" }')
          .. fire.model("comments-then", { dep "comments2" },
            'retries = 0, fallback = { "spare" }')
          .. fire.model("deaf-then", { dep("deaf2", world.port) },
            'retries = 0, fallback = { "spare" }')
          .. fire.model("five", five, 'retries = 4, backoff = "1ms", '
            .. 'timeout = { first_token = "57s", total = "200s" }')
          .. fire.model("three", { dep "ill", dep "well1", dep "well2" }, resting:format(long))
          .. fire.model("down", { dep "down1", dep "down2" }, resting:format "")
      end,
    })
  end)
  teardown(function() world:stop() end)

  local GOOD = helper.completion "good"
  local HEAD = send(script.stream_head())
  local function event(bytes) return send(script.chunk(bytes)) end
  local STREAM = '"stream":true'

  -- The stream ended with this error, and not as if it were whole.
  local function broken(response, code)
    assert.equal(200, response.status, response.body)
    assert.is_nil(response.body:find("[DONE]", 1, true))
    local events = helper.http.events(response.body)
    local last = helper.json.decode(events[#events])
    assert.equal(code, last.error and last.error.code, events[#events])
  end

  local function is_closed(lane)
    local id = up:last(lane).connection
    helper.wait_until(function() return up:connection(id) ~= "open" end, 5,
      "the end of the connection to " .. lane)
  end

  world:row("U-33: no head within the limit of the whole request", {}, function()
    up:script("head", "halt\n")
    refused(world:chat "head", 504, "upstream_timeout")
    is_closed "head"
  end)

  world:row("U-34: no head, no event within the first minute: said so, or the fallback",
    { hits = 6 }, function()
      for _, steps in ipairs { "halt\n", HEAD .. "halt\n" } do
        up:script("first", steps, 1)
        refused(world:chat("first", STREAM), 504, "upstream_first_token_timeout")
        is_closed "first"
        up:script("first2", steps, 1)
        up:reply("spare", { body = helper.stream "good", stream = "whole" })
        assert.equal(200, world:chat("first-then", STREAM).status)
        assert.equal("timeout", world:last_row().attempts[1].reason)
      end
    end)

  world:row("U-34: comments are no events", { hits = 3 }, function()
    local comments = HEAD
    for _ = 1, 10 do comments = comments .. event ": wait\n\n" .. "wait 100\n" end
    up:script("comments", comments .. "halt\n")
    refused(world:chat("comments", STREAM), 504, "upstream_first_token_timeout")
    up:script("comments2", comments .. "halt\n")
    up:reply("spare", { body = helper.stream "good", stream = "whole" })
    assert.equal(200, world:chat("comments-then", STREAM).status)
  end)

  world:row("U-35: tokens, then nothing for a minute", {}, function()
    local tokens = HEAD
    for _ = 1, 200 do tokens = tokens .. event(helper.piece "x") end
    up:script("stalls", tokens .. "halt\n")
    local response = world:chat("stalls", STREAM)
    broken(response, "upstream_stalled")
    is_closed "stalls"
    local row = world:last_row()
    assert.is_true(row.estimated)
    assert.is_true(row.tokens.output >= 100, row.tokens.output)
  end)

  -- A token, and then this as often, and nothing more.
  local function goes_on_with(lane, steps, times)
    up:script(lane, HEAD .. event(helper.piece "x") .. steps:rep(times) .. "halt\n")
    broken(world:chat(lane, STREAM), "upstream_stalled")
    is_closed(lane)
  end

  world:row("U-36: tokens, then comments alone, for five minutes", {}, function()
    goes_on_with("only", event ": still here\n\n" .. "wait 100\n", 60)
    assert.is_true(world:last_row().duration_ms >= 299000)
  end)

  world:row("U-37: a byte now and then, for ever", {}, function()
    goes_on_with("drip", event "d" .. "wait 50\n", 80)
  end)

  world:row("U-66: accepts and never reads: the fallback, or said so",
    { hits = 1, memory = 32 * 1024 }, function()
      up:accept("hold", world.ports.deaf)
      up:accept("hold", world.port)
      local large = '"user":"' .. ("u"):rep(4 * 2 ^ 20) .. '"'
      local response = world:chat("deaf", large)
      assert.equal(504, response.status, response.body)
      assert.equal("upstream_timeout", response.json.error.code)
      up:reply("spare", { body = GOOD })
      assert.equal(200, world:chat("deaf-then", large).status)
    end)

  world:row("U-71: five that are silent share one deadline", { hits = 4 }, function()
    for _, lane in ipairs(FIVE) do up:script(lane, "halt\n") end
    local response = world:chat("five", STREAM)
    assert.equal(504, response.status, response.body)
    assert.equal(4, #world:last_row().attempts)
  end)

  world:row("U-32: one of three that fails is left alone, and tried by one request after",
    { requests = 0, without = { lines = true, rows = true, hits = true } }, function()
      up:reply("ill", { status = 500, body = "{}" })
      up:reply("well1", { body = GOOD })
      up:reply("well2", { body = GOOD })
      local state = { deployment = "ill/gpt-4o-mini" }
      helper.wait_until(function()
        assert.equal(200, world:chat("three").status)
        return world.gw:metric("moongate_deployment_cooldowns_total", state) == 1
      end, 10, "a rest")
      local seen = #up:requests "ill"
      assert.equal(4, seen)
      for _ = 1, 20 do assert.equal(200, world:chat("three").status) end
      assert.equal(seen, #up:requests "ill")
      assert.equal(0, world.gw:metric("moongate_deployment_up", state))
      up:reply("ill", { body = GOOD })
      helper.wait_until(function()
        assert.equal(200, world:chat("three").status)
        return #world.gw:log "recovered" > 0
      end, 10, "a recovery")
      assert.equal(1, world.gw:metric("moongate_deployment_up", state))
    end)

  world:row("U-70: all are down: refused at once, and left alone",
    { requests = 500, without = { hits = true } }, function()
      for _, lane in ipairs { "down1", "down2" } do
        up:reply(lane, { status = 500, body = "{}" })
      end
      local none = 0
      for _ = 1, 500 do
        local response = world:chat "down"
        if response.json.error.code == "no_healthy_upstream" then
          none = none + 1
          assert.equal(503, response.status)
          assert.is_true(tonumber(response.headers["retry-after"]) <= 30)
        end
      end
      assert.is_true(none > 400, none)
      assert.is_true((up:stats()) <= 500 * 1.2, (up:stats()))
    end)
end)
