-- Live reload: requests finish on the file they began with; a bad file changes nothing.

local helper = require "helper"
local process = require "support.process"
local swarm = require "support.swarm"

local BIN = helper.binary:sub(1, 1) == "/" and helper.binary
  or require("lfs").currentdir() .. "/" .. helper.binary

describe("reload", function()
  local up, gw

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)

  local function start(want)
    want = want or {}
    want.routes = want.routes or helper.routes(up, { "one" })
    gw = helper.gateway(want)
  end

  -- routes.lua whose model "one" is served by this lane.
  local function to(lane)
    return (helper.routes(up, { lane }):gsub('model "' .. lane .. '"', 'model "one"'))
  end

  before_each(function() up:reset() end)
  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local function generation() return gw:metric "moongate_config_generation" end

  local function served_by()
    local response = gw:chat(helper.ask "one")
    assert.equal(200, response.status, response.body)
    return response.json.choices[1].message.content
  end

  it("in mid-stream: the old one finishes on the old, a new one starts on the new", function()
    start { workers = 2 }
    local steps = helper.script
    up:reply("one", { stream = "whole", body = helper.piece "begun", after = "gate go\n"
      .. steps.send(steps.chunk(helper.stream("ended"))) .. steps.send "0\r\n\r\n" }, 1)
    up:reply("two", { body = helper.completion "two" })
    local connection = gw:chat_open(helper.ask("one", '"stream":true'))
    assert.equal(200, connection:head().status)
    assert.is_truthy(connection:event():find "begun")

    gw:reload(to "two")
    for _ = 1, 8 do assert.equal("two", served_by()) end
    up:open "go"
    local rest = {}
    for event in function() return connection:event() end do rest[#rest + 1] = event end
    assert.is_truthy(table.concat(rest):find "ended")
    assert.equal("data: [DONE]\n\n", rest[#rest])
    assert.is_falsy(connection.events_cut)
    connection:close()
  end)

  -- From four workers on, their states are made by more than one thread.
  it("with eight workers reaches each of them", function()
    start { workers = 8 }
    up:reply("one", { body = helper.completion "one" })
    up:reply("two", { body = helper.completion "two" })
    for round = 1, 4 do
      local lane = round % 2 == 0 and "one" or "two"
      gw:reload(to(lane))
      local open = {}
      for i = 1, 24 do open[i] = gw:chat_open(helper.ask "one") end -- whoever is free takes one
      for _, connection in ipairs(open) do
        assert.is_truthy(connection:response().body:find('"' .. lane .. '"', 1, true))
        connection:close()
      end
    end
  end)

  -- What HUP may find; the first four are row C-02, the rest C-03.
  local BROKEN = {
    ["a syntax error"] = { "model \"one\" {\n  oops oops\n}", "routes%.lua:2:" },
    ["a run-time error"] = { "\nlocal x = nil\nlocal y = x.y", "routes%.lua:3:" },
    ["a wrong type"] = { "model { 5 }", "routes%.lua:1:" },
    ["an unknown word"] = { "modle 'one' {}", 'routes%.lua:1: unknown word .?"modle' },
    ["a loop"] = { "while true do end", "routes%.lua:1:" },
    ["a loop that swallows"] =
      { "while true do pcall(function() while true do end end) end", "routes%.lua" },
    ["ten gigabytes"] =
      { "local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1e7) .. i end", "routes%.lua" },
    ["a pattern that hangs"] =
      { "local _ = ('a'):rep(40):find(('.-'):rep(30) .. 'b')", "routes%.lua:1:" },
    ["deep recursion"] = { "local function f() return 1 + f() end\nf()", "routes%.lua" },
  }
  local C02 = { ["a syntax error"] = true, ["a run-time error"] = true,
    ["a wrong type"] = true, ["an unknown word"] = true }
  for name, row in pairs(BROKEN) do
    local row_id = C02[name] and "C-02" or "C-03"
    it(row_id .. ": with " .. name .. " is refused, with the line", function()
      start { loud = true } -- the refusal is in the log, as what it is
      up:reply("one", { body = helper.completion "still here" })
      local before = generation()
      process.write(gw.routes_file, row[1])
      -- A promise about time (C-03): whatever the file does, it is refused within 2 s, on a
      -- machine that has no other work: by the processor's clock.
      local used = swarm.cpu_ns(gw:child())
      local response = gw:admin("POST", "/admin/reload", nil, 60)
      used = (swarm.cpu_ns(gw:child()) - used) / 1e9
      if helper.shows "speed" then assert.is_true(used < 2, used) end
      assert.is_true(response.status >= 400, response.status)
      assert.is_truthy(response.body:find(row[2]), response.body)
      assert.equal(1, #gw:log "reload_refused")
      assert.is_truthy(gw:admin("GET", "/health/ready").body:find(row[2]))
      assert.equal("still here", served_by())
      assert.equal(before, generation())
      assert.equal(0, gw:metric "moongate_config_last_reload_successful")
      assert.equal(1, gw:metric("moongate_config_reloads_total", { result = "refused" }))

      local status, out, err = gw:run { "check", gw.routes_file }
      assert.equal(3, status, out .. err)
      assert.is_truthy((out .. err):find(row[2]), out .. err)

      gw:reload(helper.routes(up, { "one" }))
      assert.equal(1, gw:metric "moongate_config_last_reload_successful")
    end)
  end

  it("C-02: when the file is gone, or is none, is refused", function()
    start()
    up:reply("one", { body = helper.completion "still here" })
    os.rename(gw.routes_file, gw.routes_file .. ".gone")
    assert.is_true(gw:admin("POST", "/admin/reload").status >= 400)
    require("lfs").mkdir(gw.routes_file) -- which root cannot read either
    assert.is_true(gw:admin("POST", "/admin/reload").status >= 400)
    assert.equal("still here", served_by())
    gw.loud = true
  end)

  it("C-02: tells by its exit code how it went", function()
    start()
    local admin = "127.0.0.1:" .. gw.admin_port
    local status, out, err = gw:run { "reload", "--wait", "--admin", admin }
    assert.equal(0, status, out .. err)
    process.write(gw.routes_file, "oops(")
    status, out, err = gw:run { "reload", "--wait", "--admin", admin }
    assert.equal(6, status, out .. err)
    assert.is_truthy((out .. err):find "routes%.lua:1:", out .. err)
    status, out, err = gw:run { "reload", "--admin", "127.0.0.1:" .. helper.free_port() }
    assert.equal(5, status, out .. err)
    gw.loud = true
  end)

  it("is asked of the data folder's gateway, not of whoever is at the usual address", function()
    start()
    local before = generation()
    local status, out, err = gw:run { "reload", "--wait", "--data", gw.data }
    assert.equal(0, status, out .. err)
    local words = ("cd %s && %s reload --wait"):format(gw.data:match "^(.*)/data$",
      BIN)
    status, out, err = process.run { "sh", "-c", words }
    assert.equal(0, status, out .. err)
    assert.equal(before + 2, generation())
    status, out, err = gw:run { "reload", "--data=elsewhere" }
    assert.equal(5, status, out .. err)
    assert.is_truthy(err:find("no gateway with an admin listener serves with elsewhere", 1,
      true), err)
    status, out, err = gw:run { "reload", "--dota", "x" }
    assert.equal(2, status, out .. err)
    assert.is_truthy(err:find("did you mean --data?\nmoongate reload --help", 1, true), err)
  end)

  it("happens on SIGHUP", function()
    start()
    up:reply("one", { body = helper.completion "one" })
    up:reply("two", { body = helper.completion "two" })
    assert.equal("one", served_by())
    process.write(gw.routes_file, to "two")
    local before = generation()
    gw.process:kill(process.HUP)
    helper.wait_until(function() return generation() > before end, 10, "a new generation")
    assert.equal("two", served_by())
  end)

  it("C-05: survives a storm of SIGHUPs, and the last content wins", function()
    start()
    up:reply("two", { body = helper.completion "two" })
    for i = 1, 1000 do
      if i == 750 then process.write(gw.routes_file, to "two") end
      gw.process:kill(process.HUP)
    end
    helper.wait_until(function()
      local response = gw:chat(helper.ask "one")
      return response.json and response.json.choices
        and response.json.choices[1].message.content == "two"
    end, 10, "the last content")
  end)

  it("happens on save with --watch", function()
    start { args = { "--watch" } }
    up:reply("two", { body = helper.completion "two" })
    local before = generation()
    process.write(gw.routes_file, to "two")
    helper.wait_until(function() return generation() > before end, 10, "a new generation")
    assert.equal("two", served_by())
    before = generation()
    local file = assert(io.open(gw.routes_file, "wb")) -- and when it is written in place
    file:write(to "one")
    file:close()
    up:reply("one", { body = helper.completion "one" })
    helper.wait_until(function() return generation() > before end, 10, "a new generation")
    assert.equal("one", served_by())
  end)

  it("does not happen by itself without --watch", function()
    start()
    up:reply("one", { body = helper.completion "one" })
    process.write(gw.routes_file, to "two")
    require("socket").sleep(0.5)
    assert.equal("one", served_by())
  end)

  it("C-01: loses no request, a hundred times under load", function()
    start { workers = 2 }
    up:reply("one", { body = helper.completion "one" })
    local connections = {}
    local body = helper.ask "one"
    local head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
      .. "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    for i = 1, 8 do connections[i] = gw:raw(head:format(#body, body)) end
    for i = 1, 100 do
      gw.process:kill(process.HUP)
      for _, connection in ipairs(connections) do
        assert.equal(200, assert(connection:response()).status)
        if i < 100 then connection:send(head:format(#body, body)) end
      end
    end
    for _, connection in ipairs(connections) do connection:close() end
  end)

  it("keeps the memory of old generations no longer than their requests", function()
    start()
    for _ = 1, 5 do gw:reload(helper.routes(up, { "one" })) end
    local before = gw:memory_kib()
    for _ = 1, 60 do gw:reload(helper.routes(up, { "one" })) end
    local grown
    local function is_back() -- the last ones may have answered, and not yet be over
      grown = gw:memory_kib() - before
      return grown < 6 * 1024
    end
    if helper.shows "memory" then
      helper.wait_until(is_back, 10, function() return "less than 6 MiB more: " .. grown end)
    end
  end)

  it("C-08: uses prices and names of the file that admitted the request", function()
    start()
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "one" }, 1)
    local connection = gw:chat_open(helper.ask "one")
    up:wait_for("one", 1)
    gw:reload((helper.routes(up, { "one" }):gsub("input = 1", "input = 1000")))
    up:open "go"
    assert.equal("0.00002", connection:response().headers["x-moongate-cost"])
    connection:close()
    local rows = helper.wait_until(function()
      local found = gw:rows()
      return #found == 1 and found
    end, 5, "a row")
    assert.equal(1, rows[1].generation)
    assert.equal(20000, rows[1].cost_nano)
  end)

  it("leaves a request its generation's modules, those too that it loads after it", function()
    local name = "scripts/dialects/chat_of_items.lua"
    local text = process.read(name)
    local other = text:gsub("responses%.read%(call%)", 'error({ kind = "bad_request" }, 0)')
    assert.not_equal(text, other)
    local items = '{"model":"one","input":"hello"}'
    start { files = { [name] = text }, args = { "--scripts", "@scripts" } }
    up:reply("one", { body = helper.completion "one" })

    local whole = helper.http.format { method = "POST", path = "/v1/chat/completions",
      body = items, headers = { ["content-type"] = "application/json" } }
    local connection = gw:raw(whole:sub(1, -10)) -- what it is shows in its last bytes
    helper.wait_until(function() return gw:metric "moongate_requests_in_flight" == 1 end)
    process.write(gw.dir .. "/" .. name, other)
    gw:reload(to "one")
    assert.equal(400, gw:chat(items).status)
    connection:send(whole:sub(-9))
    assert.equal(200, connection:response().status)
    connection:close()
  end)

  it("C-02: with a script that is none is refused, though its turn comes only later", function()
    local name = "scripts/dialects/anthropic.lua"
    local text = process.read(name)
    start { loud = true, files = { [name] = text }, args = { "--scripts", "@scripts" } }
    process.write(gw.dir .. "/" .. name, text .. "oops oops\n")
    local response = gw:admin("POST", "/admin/reload")
    assert.is_true(response.status >= 400, response.status)
    assert.is_truthy(response.body:find("anthropic%.lua:%d+:"), response.body)
    process.write(gw.dir .. "/" .. name, text)
    gw:reload(to "one")
  end)

  it("C-06: of a file that is being written takes the old or the new, no mixture", function()
    local new = to "two" .. ("-- more\n"):rep(20)
    start { loud = true }
    up:reply("one", { body = helper.completion "one" })
    up:reply("two", { body = helper.completion "two" })
    local steps = math.ceil(#new / 40)
    for cut = 0, #new, steps do
      local file = assert(io.open(gw.routes_file, "wb")) -- truncates, then writes
      file:write(new:sub(1, cut))
      file:close()
      gw:admin("POST", "/admin/reload")
      local response = gw:chat(helper.ask "one")
      if response.status == 200 then
        local content = response.json.choices[1].message.content
        assert.is_true(content == "one" or content == "two", content)
      else
        -- What was there so far is a whole file of its own: one without the model.
        assert.equal(404, response.status, response.body)
      end
    end
    process.write(gw.routes_file, new)
    assert.equal(200, gw:admin("POST", "/admin/reload").status)
    assert.equal("two", served_by())
  end)

  it("C-07: that takes a model, a key, a provider away lets their requests finish", function()
    local keys = 'virtual_key "old" { token = "mg-old-key-0123456789" }\n'
      .. 'virtual_key "new" { token = "mg-new-key-0123456789" }\n'
    start { routes = helper.routes(up, { "one", "two" }, keys) }
    up:script("one", "gate go\n" .. helper.script.script { body = helper.completion "one" }, 1)
    up:reply("two", { body = helper.completion "two" })
    local connection = gw:chat_open(helper.ask "one", { key = "mg-old-key-0123456789" })
    up:wait_for("one", 1)
    gw:reload(helper.routes(up, { "two" }, keys:match "\n(.*)$"))
    local new, old = { key = "mg-new-key-0123456789" }, { key = "mg-old-key-0123456789" }
    assert.equal(404, gw:chat(helper.ask "one", new).status)
    assert.equal(401, gw:chat(helper.ask "two", old).status)
    assert.equal(200, gw:chat(helper.ask "two", new).status)
    up:open "go"
    assert.equal(200, connection:response().status)
    connection:close()
  end)

  it("C-31: takes another provider key from its file, with the next request", function()
    local file = process.temp_dir() .. "/key"
    process.write(file, "sk-first-0123456789\n")
    local routes = ([[model "one" { provider "openai_compatible" {
      name = "one", base_url = "%s/v1", api_key = file "%s" } "m" }]]):format(
      up:url "one", file)
    start { routes = routes }
    up:reply("one", { body = helper.completion "one" })
    served_by()
    assert.equal("Bearer sk-first-0123456789", up:last("one").headers.authorization)
    process.write(file, "sk-second-0123456789\n")
    served_by() -- not before it is told
    assert.equal("Bearer sk-first-0123456789", up:last("one").headers.authorization)
    gw:reload(routes)
    served_by()
    assert.equal("Bearer sk-second-0123456789", up:last("one").headers.authorization)
    helper.remove_tree(file:match "^(.*)/")
  end)
end)
