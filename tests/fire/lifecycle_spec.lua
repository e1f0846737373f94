-- Starts, stops, stalls: what becomes of requests, rows and the process around them.

local ffi = require "ffi"
local fire = require "support.fire"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"
local socket = require "socket"

local STREAMS = tonumber(os.getenv "MOONGATE_STOP_STREAMS") or 120
local STARTS = tonumber(os.getenv "MOONGATE_STARTS") or 15
local STOP, CONT = 19, 18
local MOCK = 'model "mock" { provider "mock" {} "mock" }'

describe("a stop under load", function()
  local up, gw
  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() up:reset() end)

  local function open(n)
    local list = {}
    for i = 1, n do list[i] = gw:chat_open(helper.ask("one", '"stream":true')) end
    for i = 1, n do
      assert.equal(200, list[i]:head().status)
      assert.is_truthy(list[i]:event())
    end
    return list
  end

  local function last_event(connection)
    local last
    for event in function() return connection:event() end do last = event end
    connection:close()
    return last
  end

  -- Half of the streams end in time, half never do.
  local function halves()
    local steps = helper.script
    up:reply("one", { stream = "whole", body = helper.piece "begun",
      after = "gate go\n" .. steps.send(steps.chunk(helper.stream("ended")))
        .. steps.send "0\r\n\r\n" }, STREAMS)
    up:reply("one", { stream = "whole", body = helper.piece "begun", after = "halt\n" })
  end

  it("C-10: streams finish within the limit; the rest hear why; all have rows", function()
    gw = helper.gateway { routes = helper.routes(up, { "one" }), scale = 0.2, workers = 2 }
    halves()
    local ending, endless = open(STREAMS), open(STREAMS)
    gw.process:kill(process.TERM)
    helper.wait_until(function()
      local ok, response = pcall(gw.request, gw, { path = "/healthz", timeout = 0.3 })
      return not (ok and response) or response.status == 503
    end, 5, "nobody accepts")
    up:open "go"
    for _, connection in ipairs(ending) do
      assert.equal("data: [DONE]\n\n", last_event(connection))
    end
    for _, connection in ipairs(endless) do
      local last = last_event(connection)
      assert.is_truthy(last and last:find('"code":"draining"', 1, true), last)
    end
    assert.equal(0, gw.process:wait(20))
    local outcomes = {}
    for _, row in ipairs(gw:rows()) do
      outcomes[row.outcome] = (outcomes[row.outcome] or 0) + 1
    end
    assert.same({ ok = STREAMS, cancelled = STREAMS }, outcomes)
    local status, out = process.run { helper.binary, "audit", "--data", gw.data }
    assert.equal(0, status, out)
    helper.remove_tree(gw.dir)
  end)
end)

describe("a process that stands still", function()
  local world = fire.world()
  setup(function() fire.start(world, { lanes = { "c36" }, scale = 0.05 }) end)
  teardown(function() world:stop() end)

  world:row("C-36: stopped for longer than the limits, it goes on", { hits = 2 }, function()
    local steps = helper.script
    world.up:reply("c36", { stream = "whole", body = helper.piece "begun", after = "gate go\n"
      .. steps.send(steps.chunk(helper.stream("ended"))) .. steps.send "0\r\n\r\n" }, 1)
    world.up:reply("c36", { body = helper.completion "after" })
    local connection = world:open("c36", '"stream":true')
    assert.equal(200, connection:head().status)
    connection:event()
    local child = world.gw:child()
    ffi.C.kill(child, STOP)
    world.up:open "go" -- its end arrives meanwhile
    socket.sleep(4) -- 80 s of its time: longer than a silent provider has
    ffi.C.kill(child, CONT)
    local last
    for event in function() return connection:event() end do last = event end
    connection:close()
    assert.equal("data: [DONE]\n\n", last)
    assert.equal(200, world:chat("c36").status)
    assert.equal(child, world.gw:child())
  end)
end)

describe("a worker that stands still", function()
  -- The scripts as they are, but for one that never pauses where the model is called "stall".
  local function scripts_that_stall(dir)
    os.execute(("cp -r scripts %s/scripts"):format(dir))
    local path = dir .. "/scripts/pipeline/routing.lua"
    local text = process.read(path)
    local changed, count = text:gsub("(function routing%.choose%(call[^\n]*\n)",
      '%1  while call.model == "stall" do end\n')
    assert(count == 1, "routing.choose is not where it was")
    process.write(path, changed)
    return dir .. "/scripts"
  end

  it("C-15: is found after 5 s, said, and replaced", function()
    local dir = process.temp_dir()
    local gw = helper.gateway { routes = MOCK .. '\nalias { stall = "mock" }', loud = true,
      scale = 0.1, workers = 2, args = { "--scripts", scripts_that_stall(dir) } }
    local child = gw:child()
    local connection = gw:chat_open(helper.ask "stall")
    helper.wait_until(function() return process.gone(child) end, 60, "the end of the process")
    connection:close()
    local response = helper.wait_until(function()
      local ok, got = pcall(gw.chat, gw, helper.ask "mock")
      return ok and got
    end, 10, "the next process")
    assert.equal(200, response.status)
    assert.is_truthy(gw:log_text():find "without a pause: aborting")
    assert.is_truthy(gw:log_text():find "signal 6 %(SIGABRT%); starting again")
    gw:stop()
    helper.remove_tree(dir)
  end)
end)

describe("a start", function()
  local function shared_memory()
    local _, out = process.run { "sh", "-c", "ls -A /dev/shm | wc -l" }
    return out
  end

  it("C-37: and a stop, again and again, leave nothing behind", function()
    local dir = process.temp_dir()
    local gw
    local function once()
      gw = helper.gateway { routes = MOCK, data = dir .. "/data" }
      assert.equal(200, gw:chat(helper.ask "mock").status)
      gw.process:kill(process.TERM)
      assert.equal(0, gw.process:wait(10))
      helper.remove_tree(gw.dir)
    end
    once()
    local before, shm = {}, shared_memory()
    for name in lfs.dir(dir .. "/data") do before[name] = true end
    for _ = 1, STARTS do once() end
    assert.equal(shm, shared_memory())
    for name in lfs.dir(dir .. "/data") do assert.is_true(before[name], name) end
    helper.remove_tree(dir)
  end)

  local function refused(routes, code, words, args)
    local dir = process.temp_dir()
    process.write(dir .. "/routes.lua", routes)
    local list = { helper.binary, "serve", "--routes", dir .. "/routes.lua", "--data",
      dir .. "/data", "--listen", "127.0.0.1:" .. helper.free_port(), "--admin", "off" }
    for _, arg in ipairs(args or {}) do list[#list + 1] = arg end
    local status, out, err = process.run(list, { seconds = 10 })
    assert.equal(code, status, out .. err)
    assert.is_truthy((out .. err):find(words), out .. err)
    helper.remove_tree(dir)
  end

  it("C-33: with a secret that is missing or empty is refused, with its line", function()
    local routes = [[model "m" { provider "openai" { api_key = %s } "gpt-4o-mini" }]]
    refused(routes:format "env.MOONGATE_NO_SUCH_KEY", 3, "routes%.lua:1:.*NO_SUCH_KEY")
    refused(routes:format '""', 3, "routes%.lua:1:")
    refused(routes:format 'file "/nowhere/key"', 3, "routes%.lua:1:.*/nowhere/key")
  end)

  it("C-33: with a secret's file that others may read is refused, with its line", function()
    local dir = process.temp_dir()
    process.write(dir .. "/key", "sk-0123456789abcdef\n")
    os.execute("chmod 644 " .. dir .. "/key")
    refused(([[model "m" { provider "openai" { api_key = file "%s/key" } "gpt-4o-mini" }]])
      :format(dir), 3, "routes%.lua:1:.*may read")
    helper.remove_tree(dir)
  end)

  it("C-33: with limits that are none is refused", function()
    refused(MOCK .. '\nvirtual_key "k" { token = "mg-0123456789abcdef", rpm = -1 }', 3,
      "routes%.lua:2:")
    refused(MOCK, 2, "in%-flight", { "--in-flight", "0" })
    refused(MOCK, 2, "retention", { "--retention", "-3" })
  end)

  it("C-33: on an address that is taken is refused", function()
    local taken = assert(socket.bind("127.0.0.1", 0))
    local _, port = taken:getsockname()
    refused(MOCK, 4, "use", { "--listen", "127.0.0.1:" .. port })
    taken:close()
  end)
end)

describe("the log's reader", function()
  it("C-29: gone or asleep stops no request, and what was lost is counted", function()
    for _, reader in ipairs { "true", "sleep 30" } do
      local dir = process.temp_dir()
      local fifo = dir .. "/log.pipe"
      assert(process.run { "mkfifo", fifo } == 0)
      local other = process.start({ "sh", "-c", ("exec < %s; exec %s"):format(fifo, reader) })
      local gw = helper.gateway { routes = MOCK, loud = true, log = fifo }
      if reader == "true" then other:wait(5) end
      local asked = 0
      repeat -- until what the pipe and the gateway hold of lines is full
        for _ = 1, 200 do assert.equal(200, gw:chat(helper.ask "mock").status) end
        asked = asked + 200
        local dropped = gw:metric("moongate_log_records_dropped_total") > 0
      until dropped or asked == 6000
      assert.is_true(asked < 6000, reader)
      gw.process:kill(process.TERM)
      assert.equal(0, gw.process:wait(10))
      assert.equal(asked, #gw:rows())
      if reader ~= "true" then other:stop(process.KILL) end
      helper.remove_tree(gw.dir)
      helper.remove_tree(dir)
    end
  end)
end)
