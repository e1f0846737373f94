-- kill -9 in mid-load: served again at once, nothing refused, every answer on file, once.

local helper = require "helper"
local process = require "support.process"

describe("a crash", function()
  local up, gw

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  after_each(function() gw:stop() end)

  local function lines_of(path)
    local list = {}
    for line in process.read(path):gmatch "[^\n]+" do list[#list + 1] = line end
    return list
  end

  -- Kill the serving process; seconds until it serves again.
  local function crash()
    local pid = gw:child()
    assert.is_not.equal(gw.process.pid, pid, "there is no supervisor")
    require("ffi").C.kill(pid, process.KILL)
    local from = helper.now()
    helper.wait_until(function()
      local ok, response = pcall(gw.request, gw, { path = "/healthz", timeout = 5 })
      return ok and response and response.status == 200 and gw:child() ~= pid
    end, 20, "a new serving process")
    return helper.now() - from
  end

  it("under load loses no answered request, and counts none twice", function()
    up:reply("one", { body = helper.completion "hi" })
    gw = helper.gateway { routes = helper.routes(up, { "one" }), workers = 2, loud = true }
    local hammers, out = {}, gw.dir .. "/answers"
    for i = 1, 3 do
      hammers[i] = process.start({ "luajit", "tests/support/hammer.lua", tostring(gw.port),
        out .. i }, { stdout = gw.dir .. "/hammer.log" })
    end
    local least = math.huge
    for round = 1, 3 do
      local want = round * 100
      helper.wait_until(function() return #lines_of(out .. 1) >= want end, 20, "load")
      least = math.min(least, crash())
    end
    local before = #lines_of(out .. 1)
    helper.wait_until(function() return #lines_of(out .. 1) > before + 50 end, 20, "load again")
    for _, hammer in ipairs(hammers) do hammer:stop(process.KILL) end
    assert.is_true(least <= 1, "took " .. least .. " s")

    local answered, total = {}, 0
    for i = 1, 3 do
      for _, id in ipairs(lines_of(out .. i)) do
        assert.is_truthy(id:find "%-", "a client was told: " .. id)
        assert.is_nil(answered[id], "the same id twice")
        answered[id], total = 0, total + 1
      end
    end
    assert.is_true(total >= 350, total)
    for _, line in ipairs(gw:journal()) do
      if line.type == "usage" and answered[line.id] then
        answered[line.id] = answered[line.id] + 1
      end
    end
    for id, count in pairs(answered) do
      assert.equal(1, count, id .. " is in the journal " .. count .. " times")
    end
  end)

  it("is in the log, with what ended the process", function()
    up:reply("one", { body = helper.completion "hi" })
    gw = helper.gateway { routes = helper.routes(up, { "one" }), loud = true }
    crash()
    local log = gw:log_text()
    assert.is_truthy(log:find("signal", 1, true) or log:find("SIGKILL", 1, true), log)
    assert.equal(200, gw:chat(helper.ask "one").status)
  end)

  it("of a worker's disk leaves torn lines that the next start ends", function()
    up:reply("one", { body = helper.completion "hi" })
    gw = helper.gateway { routes = helper.routes(up, { "one" }), loud = true }
    gw:chat(helper.ask "one")
    local before = #gw:journal()
    for name in require("lfs").dir(gw.data .. "/journal") do
      if name:match "%.jsonl$" then
        local file = assert(io.open(gw.data .. "/journal/" .. name, "ab"))
        file:write '{"torn":'
        file:close()
      end
    end
    crash()
    gw:chat(helper.ask "one")
    assert.is_true(#gw:journal() >= 2 * before)
    local status, out = gw:run { "usage", "--data", gw.data, "--by", "model" }
    assert.equal(0, status)
    assert.is_truthy(out:find "one")
  end)
end)

describe("a start", function()
  it("answers its first request, however early that comes", function()
    local dir, port = process.temp_dir(), helper.free_port()
    process.write(dir .. "/routes.lua", 'model "mock" { provider "mock" {} "mock" }')
    local child = process.start({ helper.binary, "serve", "--routes", dir .. "/routes.lua",
      "--data", dir .. "/data", "--listen", "127.0.0.1:" .. port, "--admin", "off" },
      { stdout = dir .. "/log" })
    local deadline, response = helper.now() + 20
    repeat -- without pause: the first that is accepted comes before anything else is ready
      local ok, got = pcall(helper.http.request, port, { method = "POST",
        path = "/v1/chat/completions", body = helper.ask "mock",
        headers = { ["content-type"] = "application/json" } })
      response = ok and got
    until response or helper.now() > deadline
    local log = process.read(dir .. "/log")
    assert.equal(200, response and response.status, log)
    assert.is_nil(log:find('"level":"error"', 1, true), log)
    assert.equal(0, child:stop())
    helper.remove_tree(dir)
  end)
end)

describe("a stop", function()
  it("lets a stream finish, refuses new requests, and ends with 0", function()
    local up = helper.upstream()
    local gw = helper.gateway { routes = helper.routes(up, { "one" }) }
    local steps = helper.script
    up:reply("one", { stream = "whole", body = helper.piece "begun", after = "gate go\n"
      .. steps.send(steps.chunk(helper.stream("ended"))) .. steps.send "0\r\n\r\n" })
    local connection = gw:chat_open(helper.ask("one", '"stream":true'))
    assert.equal(200, connection:head().status)
    connection:event()
    gw.process:kill(process.TERM)
    helper.wait_until(function()
      local ok, response = pcall(gw.request, gw, { path = "/healthz", timeout = 1 })
      return not ok or not response or response.status == 503
    end, 10, "a draining gateway")
    up:open "go"
    local last
    for event in function() return connection:event() end do last = event end
    assert.equal("data: [DONE]\n\n", last)
    connection:close()
    assert.equal(0, gw.process:wait(20))
    helper.remove_tree(gw.dir)
    up:stop()
  end)
end)
