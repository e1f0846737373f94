-- Clients that ask strangely: what reaches the provider, what is refused, what is left over.

local fire = require "support.fire"
local helper = require "helper"

local http = helper.http
local GOOD = helper.completion "good"

describe("a client that asks strangely:", function()
  local world = fire.world()
  local up = world.up

  setup(function()
    fire.start(world, { lanes = { "one", "failing", "claude" }, routes = function(at)
      return ([[
model "sonnet" {
  provider "anthropic" { name = "sonnet", base_url = %q, api_key = env.FIRE_PROVIDER } {
    "claude-sonnet-4-5", price = { input = 1, output = 2 } },
  retries = 0,
}
on_error(function(err, call)
  if call.model ~= "failing" then return nil end
  local kind = call.user
  if kind == "words" then return fail "In our words." end
  if kind == "number" then return fail(99) end
  if kind == "table" then return fail { status = 200 } end
  if kind == "status" then return { verdict = "fail", message = "x", status = 200 } end
  if kind == "nothing" then return fail() end
end)
]]):format(at:url "sonnet")
    end })
  end)
  teardown(function() world:stop() end)

  local function good(response)
    assert.equal(200, response.status, response.body)
    assert.equal("good", response.json.choices[1].message.content)
    return response
  end

  local function refused(response, status, code, param)
    assert.equal(status, response.status, response.body)
    if code then assert.equal(code, response.json.error.code, response.body) end
    if param then assert.equal(param, response.json.error.param, response.body) end
    return response
  end

  local function head(more, method, version)
    return ("%s /v1/chat/completions HTTP/%s\r\nhost: x\r\nauthorization: Bearer %s\r\n")
      :format(method or "POST", version or "1.1", fire.key)
      .. "content-type: application/json\r\n" .. more
  end

  -- A request as bytes, counted as one that leaves its line.
  local function raw(bytes, counted)
    if counted then world.asked = world.asked + 1 end
    return world.gw:raw(bytes)
  end

  local function answer_of(connection)
    local response = assert(connection:response())
    local ok, value = pcall(helper.json.decode, response.body)
    response.json = ok and value or nil
    return response
  end

  local STRANGE = {
    ["a null"] = { "[null]", "messages[0]" }, ["a number"] = { "[5]", "messages[0]" },
    ["an unknown role"] = { '[{"role":"wizard","content":"x"}]', "messages[0].role" },
    ["an unknown part"] = {
      '[{"role":"user","content":[{"type":"smell","smell":"x"}]}]', "messages[0].content[0]",
    },
  }
  for name, case in pairs(STRANGE) do
    world:row("A-21: messages with " .. name .. " are the provider's matter, or untranslatable",
      { hits = 1, rows = 2 }, function()
        up:reply("one", { body = GOOD })
        good(world:chat("one", nil, { body = '{"model":"one","messages":' .. case[1] .. "}" }))
        assert.is_truthy(up:last "one".body:find(case[1], 1, true))
        local response = world:chat("sonnet", nil, {
          body = '{"model":"sonnet","max_tokens":5,"messages":' .. case[1] .. "}",
        })
        refused(response, 400)
        local param = response.json.error.param
        assert.is_truthy(type(param) == "string" and param:find("messages", 1, true) == 1,
          response.body)
      end)
  end

  for _, n in ipairs { "0", "-1", "129", "1e9", "1.5", '"2"' } do
    world:row("A-25: n is " .. n, { hits = 0, rows = 0 }, function()
      local response = refused(world:chat("one", '"n":' .. n), 400)
      assert.equal("n", response.json.error.param)
    end)
  end

  world:row("A-25: so many choices are set aside for", {}, function()
    up:reply("one", { body = GOOD })
    local function reserved(more)
      good(world:chat("one", more))
      local last
      for _, line in ipairs(world.gw:journal()) do
        if line.type == "intent" then last = line end
      end
      return last.reserve.nano
    end
    local some = reserved '"max_tokens":1000,"n":100'
    local many = reserved '"max_tokens":1000,"n":128'
    assert.equal(28 * 1000 * 2000, many - some)
  end)

  world:row("A-25: best_of, of the older door", { hits = 0, rows = 0 }, function()
    for _, more in ipairs { '"best_of":0', '"best_of":1000', '"n":-1' } do
      refused(world:chat("one", nil, { path = "/v1/completions",
        body = '{"model":"one","prompt":"x",' .. more .. "}" }), 400)
    end
  end)

  world:row("A-33: it leaves after a tenth of its body", { hits = 0, rows = 0 }, function()
    local connection = raw(head "content-length: 10000000\r\n\r\n", true)
    assert(connection:send(("x"):rep(1000000)))
    connection:close()
    helper.wait_until(function()
      local line = world:last_line()
      return line and line.outcome == "cancelled" and line.error.code == "client_closed"
    end, 5, "the line about it")
  end)

  local FORMS = {
    ["HTTP/0.9"] = { "GET /v1/models\r\n\r\n", { 400, 505 } },
    ["HTTP/2's preface"] = { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", { 400, 505 } },
    ["HTTP/3.7"] = { head("content-length: 0\r\n\r\n", "POST", "3.7"), { 400, 505 } },
    ["a method in lower case"] = { head("content-length: 0\r\n\r\n", "post"), { 405 }, true },
    ["no Host"] = { "GET /v1/models HTTP/1.1\r\nauthorization: Bearer x\r\n\r\n", { 400 } },
    ["two Hosts"] = { "GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", { 400 } },
  }
  for name, case in pairs(FORMS) do
    world:row("A-41: " .. name .. " is refused",
      { hits = 0, rows = 0, requests = 0, without = { lines = true } }, function()
        local connection = raw(case[1])
        local response = connection:head()
        local fits = false
        for _, status in ipairs(case[2]) do fits = fits or response.status == status end
        if not fits then error("status " .. tostring(response.status)) end
        connection:body(response)
        if not case[3] then assert.is_true(connection:closed(5)) end
        connection:close()
      end)
  end

  world:row("A-45: an expectation that nobody knows", { hits = 0, rows = 0 }, function()
    local connection = raw(head "content-length: 2\r\nexpect: foo\r\n\r\n")
    local response = answer_of(connection)
    connection:close()
    refused(response, 417, "expectation_failed")
  end)

  world:row("A-47: what follows the body is the next request, or none", { requests = 3 },
    function()
      up:reply("one", { body = GOOD })
      local body = fire.ask "one"
      local request = head("content-length: " .. #body .. "\r\n\r\n") .. body
      local connection = raw(request .. request)
      good(answer_of(connection))
      good(answer_of(connection))
      connection:close()
      connection = raw(request .. "and more that is no request\r\n\r\n")
      good(answer_of(connection))
      local second = connection:head()
      assert.is_truthy(not second or second.status == 400 or second.status == 505)
      connection:close()
      for _, seen in ipairs(up:requests "one") do
        assert.is_nil(seen.body:find("and more", 1, true))
      end
    end)

  world:row("A-48: it closes its half and waits: a hang-up", { hits = 1 }, function()
    up:script("one", "halt\n")
    local connection = world:open "one"
    up:wait_for("one", 1)
    connection.sock:shutdown "send"
    helper.wait_until(function()
      local line = world:last_line()
      return line and line.outcome == "cancelled"
    end, 5, "the hang-up")
    connection:close()
  end)

  for name, lines in pairs {
    websocket = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
    h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
  } do
    world:row("A-49: an upgrade to " .. name .. " is not heard", { requests = 1 }, function()
      up:reply("one", { body = GOOD })
      local body = fire.ask "one"
      local connection = raw(head(lines .. "content-length: " .. #body .. "\r\n\r\n") .. body)
      local response = good(answer_of(connection))
      assert.is_nil(response.headers.upgrade)
      assert.is_nil(up:last "one".headers.upgrade)
      connection:close()
    end)
  end

  world:row("A-50: ranges, conditions and other media types are not heard", {}, function()
    up:reply("one", { body = GOOD })
    for name, value in pairs {
      range = "bytes=0-3", ["if-none-match"] = "*", ["if-modified-since"] =
        "Thu, 01 Jan 2099 00:00:00 GMT", accept = "text/html", ["accept-encoding"] = "gzip;q=0",
    } do
      local response = good(world:chat("one", nil, { headers = { [name] = value } }))
      assert.equal("application/json", response.headers["content-type"])
      assert.is_nil(response.headers["content-encoding"])
    end
  end)

  world:row("A-51: a picture of 20 MiB passes in little more than twice its room",
    { memory = 64 * 1024 }, function()
      local process = require "support.process"
      up:reply("one", { body = GOOD })
      local picture = ("iVBORw0KGgo"):rep(2 * 2 ^ 20):sub(1, 20 * 2 ^ 20)
      local body = '{"model":"one","messages":[{"role":"user","content":[{"type":"image_url",'
        .. '"image_url":{"url":"data:image/png;base64,' .. picture .. '"}}]}]}'
      local clear = io.open(("/proc/%d/clear_refs"):format(world.gw:child()), "w")
      if clear then
        clear:write "5" -- forget the peak of before
        clear:close()
      end
      local before = world.gw:memory_kib()
      good(world:chat("one", nil, { body = body }))
      assert.equal(body:gsub('"model":"one"', '"model":"gpt-4o-mini"'), up:last "one".body)
      if not clear or not helper.shows "memory" then return end
      local peak = world.gw:memory_kib "VmHWM" - before
      assert.is_true(peak <= 2.2 * #body / 1024 + 2048, peak .. " KiB")
      assert.is_truthy(process)
    end)

  world:row("A-52: a user's name that could break a log", {}, function()
    up:reply("one", { body = GOOD })
    local nasty = ('\\r\\n\\u001b[31m\\u2028\240\159\152\128evil'):rep(150)
    good(world:chat("one", ('"user":"%s","metadata":{"a":"%s"}'):format(nasty, nasty)))
    helper.wait_until(function() return world:last_line() end)
    for line in world.gw:log_text():gmatch "[^\n]+" do
      assert.is_nil(line:find "[%z\1-\31\127]", line)
      if line:find("evil", 1, true) then
        assert.is_true(#line < 16384)
        assert.is_table(helper.json.decode(line))
        assert.is_nil(line:find("\226\128\168", 1, true), line)
      end
    end
    assert.is_nil(world.gw:admin("GET", "/metrics").body:find("evil", 1, true))
  end)

  local function chunked(body, size)
    local out = {}
    for at = 1, #body, size do
      local piece = body:sub(at, at + size - 1)
      out[#out + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
    end
    return table.concat(out)
  end

  world:row("A-54: trailers are not heard", { requests = 1, hits = 1 }, function()
    up:reply("one", { body = GOOD })
    local body = fire.ask "one"
    local connection = raw(head "transfer-encoding: chunked\r\n\r\n" .. chunked(body, 50)
      .. "0\r\nauthorization: Bearer mg-other\r\ncontent-length: 5\r\nx-a: b\r\n\r\n")
    good(answer_of(connection))
    assert.equal(#body + #"gpt-4o-mini" - #"one", #up:last "one".body)
    assert.is_nil(up:last "one".headers["x-a"])
    connection:close()
  end)

  world:row("A-55: a million chunks of a byte", { requests = 1, hits = 1, memory = 16 * 1024 },
    function()
      up:reply("one", { body = GOOD })
      local body = fire.ask("one", '"pad":"' .. ("p"):rep(1000000) .. '"')
      local connection = raw(head "transfer-encoding: chunked\r\n\r\n" .. chunked(body, 1)
        .. "0\r\n\r\n")
      connection:set_timeout(60)
      good(answer_of(connection))
      assert.is_truthy(up:last "one".body:find(("p"):rep(1000000), 1, true))
      connection:close()
    end)

  world:row("A-55: chunk extensions of 16 KiB", { requests = 0, rows = 0, hits = 0,
    without = { lines = true, rows = true, hits = true } }, function()
      up:reply("one", { body = GOOD })
      local body = fire.ask "one"
      local connection = raw(head "transfer-encoding: chunked\r\n\r\n"
        .. ("%x;%s\r\n%s\r\n0\r\n\r\n"):format(#body, ("e"):rep(16384), body))
      local response = assert(connection:head())
      assert.is_truthy(response.status == 200 or response.status >= 400
        and response.status < 500, response.status)
      connection:close()
    end)

  local SAYS = {
    words = { 502, nil, "In our words." }, number = { 500, "script_error" },
    table = { 500, "script_error" }, nothing = { 500, "script_error" },
    status = { 502, nil, "x" },
  }
  for kind, want in pairs(SAYS) do
    world:row("A-58: a script says what the client hears, and no status: " .. kind, {},
      function()
        up:reply("failing", { status = 500, body = "{}" })
        local response = world:chat("failing", '"user":"' .. kind .. '"')
        refused(response, want[1], want[2])
        if want[3] then assert.equal(want[3], response.json.error.message) end
      end)
  end

  it("A-57: refused while it stops, by who is still connected", function()
    local gw = helper.gateway { routes = helper.routes(up, { "one", "two" }) }
    local steps = helper.script
    up:reset()
    up:reply("two", { body = GOOD }) -- who asks before it is known is served
    up:reply("one", { stream = "whole", body = helper.piece "begun", after = "gate stop\n"
      .. steps.send(steps.chunk(helper.stream "ended")) .. steps.send "0\r\n\r\n" })
    local idle = http.connect(gw.port)
    idle:send(http.format { path = "/v1/models", headers = { authorization = "Bearer x" } })
    assert.equal(200, idle:response().status)
    local stream = gw:chat_open(helper.ask("one", '"stream":true'))
    assert.equal(200, stream:head().status)
    gw.process:kill(helper.process.TERM)
    local body = helper.ask "two"
    local response
    for _ = 1, 20000 do
      idle:send(http.format { method = "POST", path = "/v1/chat/completions", body = body,
        headers = { ["content-type"] = "application/json", authorization = "Bearer x" } })
      response = idle:response()
      if not response or response.status ~= 200 then break end
    end
    if response then -- else the idle connection was closed, which tells the same
      assert.equal(503, response.status)
      assert.equal("draining", helper.json.decode(response.body).error.code)
      assert.equal("close", response.headers.connection)
      assert.is_truthy(tonumber(response.headers["retry-after"]))
    end
    up:open "stop"
    idle:close()
    stream:close()
    assert.equal(0, gw.process:wait(20))
    helper.remove_tree(gw.dir)
  end)
end)
