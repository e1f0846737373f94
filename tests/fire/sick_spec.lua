-- A machine that is out of sorts: memory that is not given, reads and writes that are cut short
-- or interrupted, descriptors and buffers that are refused.

local faultpre = require "support.faultpre"
local fire = require "support.fire"
local helper = require "helper"
local process = require "support.process"
local socket = require "socket"

local ROUNDS = tonumber(os.getenv "MOONGATE_SICK_ROUNDS") or 40
local PATIENT = "defaults { cooldown = { allowed_fails = 100000 } }\n"
local MOCK = 'model "mock" { provider "mock" {} "mock" }'

describe("a machine whose kernel is out of sorts", function()
  local world = fire.world()
  local env, faults, forget = faultpre.new()

  setup(function() fire.start(world, { lanes = { "sick" }, env = env }) end)
  teardown(function()
    world:stop()
    forget()
  end)

  local function well()
    for _, name in ipairs { "shortened", "interrupted", "no_descriptor", "no_buffer" } do
      faults[name] = 0
    end
  end

  local function both(check)
    for i = 1, ROUNDS do
      local stream = i % 2 == 0
      world.up:reset()
      local body = stream and helper.stream("so", "it", "is") or helper.completion "so it is"
      world.up:reply("sick", { stream = stream and "whole" or nil, body = body })
      check(stream, world:chat("sick", stream and '"stream":true' or nil))
    end
  end

  world:row("C-35: interrupted calls, short reads and writes change nothing",
    { hits = 1, memory = 8192 }, function()
      faults.shortened, faults.interrupted = 300, 100
      both(function(stream, response)
        assert.equal(200, response.status, response.body)
        if stream then
          assert.is_truthy(response.body:find("data: [DONE]\n\n", 1, true), response.body)
        else
          assert.equal("so it is", response.json.choices[1].message.content)
        end
      end)
      well()
    end)
end)

describe("a machine without descriptors or buffers", function()
  local gw, up
  local env, faults, forget = faultpre.new()

  setup(function()
    up = helper.upstream()
    gw = helper.gateway { env = env, loud = true,
      routes = PATIENT .. helper.routes(up, { "one" }) }
  end)
  teardown(function()
    gw:stop()
    up:stop()
    forget()
  end)

  -- Status, or nil where the connection broke.
  local function ask()
    local ok, response = pcall(gw.chat, gw, helper.ask "one")
    return ok and response.status or nil
  end

  it("C-35: answers what it can, says what it cannot, and recovers", function()
    up:reply("one", { body = helper.completion "one" })
    local child = gw:child()
    faults.no_descriptor, faults.no_buffer = 50, 20
    local counts = {}
    for _ = 1, ROUNDS * 4 do
      local status = ask() or "broken"
      counts[status] = (counts[status] or 0) + 1
    end
    faults.no_descriptor, faults.no_buffer = 0, 0
    assert.is_true((counts[200] or 0) > ROUNDS, "served: " .. tostring(counts[200]))
    for status in pairs(counts) do
      assert.is_true(status == 200 or status == 502 or status == 503 or status == "broken",
        tostring(status))
    end
    helper.wait_until(function() return ask() == 200 end, 10, "recovery")
    assert.equal(child, gw:child())
    gw:assert_silent()
  end)
end)

describe("a machine without memory", function()
  it("C-34: any allocation of a request, of a stream, may fail", function()
    local env, faults, forget = faultpre.new()
    local up = helper.upstream()
    local gw = helper.gateway { env = env, loud = true,
      routes = PATIENT .. helper.routes(up, { "one", "two" }) }
    up:reply("one", { body = helper.completion "one" })
    up:reply("two", { stream = "whole", body = helper.stream("t", "w", "o") })
    local child = gw:child()
    local asks = {
      function() return gw:chat(helper.ask "one") end,
      function() return gw:chat(helper.ask("two", '"stream":true')) end,
    }
    for _, ask in ipairs(asks) do
      for _ = 1, 5 do assert.equal(200, ask().status) end
      faults.pid = child
      local n, fine = 1, 0
      repeat -- the n-th, until a request needs fewer
        faults.failed, faults.countdown = 0, n
        local ok, response = pcall(ask)
        local failed = faults.failed
        faults.countdown = 0
        if ok and response.status == 200 then fine = fine + 1 end
        assert.is_true(not ok or response.status == 200 or response.status >= 500,
          ok and response.body)
        assert.equal(child, gw:child(), "the process died of allocation " .. n)
        n = n + 1
      until failed == 0 or n > 2000
      faults.pid = 0
      assert.is_true(n > 3 and n < 2000, n)
      helper.wait_until(function()
        local ok, response = pcall(ask)
        return ok and response.status == 200
      end, 10, "recovery")
    end
    gw:assert_silent()
    gw:stop()
    up:stop()
    forget()
  end)

  it("C-34: a reload that gets no memory is refused, or done", function()
    local env, faults, forget = faultpre.new()
    local gw = helper.gateway { routes = MOCK, env = env, loud = true }
    local child = gw:child()
    faults.pid = child
    for n = 1, ROUNDS * 5 do
      faults.failed, faults.countdown = 0, n * 2
      pcall(gw.admin, gw, "POST", "/admin/reload")
      faults.countdown = 0
      assert.equal(child, gw:child(), "the process died of allocation " .. n * 2)
    end
    faults.pid = 0
    gw:reload(MOCK)
    assert.equal(200, gw:chat(helper.ask "mock").status)
    gw:assert_silent()
    gw:stop()
    forget()
  end)

  it("C-34: a start that gets no memory says so, or serves", function()
    local env, faults, forget = faultpre.new()
    local dir = process.temp_dir()
    process.write(dir .. "/routes.lua", MOCK)
    for n = 1, ROUNDS do
      faults.failed, faults.countdown = 0, n * n
      local port = helper.free_port()
      local child = process.start({ helper.binary, "serve", "--admin", "off",
        "--routes", dir .. "/routes.lua", "--data", dir .. "/data",
        "--listen", "127.0.0.1:" .. port }, { stdout = dir .. "/log", env = env })
      local served
      helper.wait_until(function()
        local want = { path = "/healthz", timeout = 1 }
        local ok, response = pcall(helper.http.request, port, want)
        served = ok and response and response.status == 200
        return served or child:status()
      end, 30, "an end or a beginning, allocation " .. n * n)
      faults.countdown = 0
      local log = process.read(dir .. "/log")
      assert.is_nil(log:find "ended by signal", log)
      if served then
        assert.equal(0, child:stop(process.TERM, 10))
      else
        assert.is_true(child:status() < 128, log)
        assert.is_true(#log > 0)
      end
      os.remove(dir .. "/log")
      socket.sleep(0)
    end
    helper.remove_tree(dir)
    forget()
  end)
end)
