-- Streams that do not end, clients that do not read or do not stay, connections that end as
-- they are used, and everything at random.

local fire = require "support.fire"
local helper = require "helper"

local script = helper.script
local send = script.send
local STREAM = '"stream":true'
local EVENTS = tonumber(os.getenv "MOONGATE_EVENTS") or 200000
local CLOSES = tonumber(os.getenv "MOONGATE_CLOSES") or 1000
local SOAK = tonumber(os.getenv "MOONGATE_SOAK") or 2000

describe("a provider without end:", function()
  local world = fire.world()
  local up = world.up

  setup(function()
    fire.start(world, {
      lanes = { "endless", "fast", "calm" },
      routes = function(at)
        local function dep(lane)
          return fire.deployment(lane, at:url(lane) .. "/v1")
        end
        return fire.model("drains", { dep "slow2" }, 'retries = 0, on_disconnect = "drain"')
          .. fire.model("capped", { dep "endless2" }, 'retries = 0, timeout = { total = "2s" }')
          .. fire.model("soak", { dep "soak1", dep "soak2", dep "soak3" },
            'retries = 2, backoff = "1ms", fallback = { "rescue" }')
          .. fire.model("rescue", { dep "rescue" })
          .. fire.model("hurry",
            { fire.deployment("hurry", at:url("hurry", at:another_port()) .. "/v1") },
            'retries = 2, backoff = "1ms"')
      end,
    })
  end)
  teardown(function() world:stop() end)

  local GOOD = helper.completion "good"
  local HEAD = send(script.stream_head())

  local function repeated(n, bytes)
    return ("repeat %d %d\n%s"):format(n, #bytes, bytes)
  end

  world:row("U-54: an endless stream ends with its time, and a client that reads nothing costs "
    .. "no memory", { hits = 2, memory = 4 * 1024 }, function()
      local events = script.chunk(helper.piece(("x"):rep(1000)))
      up:script("endless2", HEAD .. repeated(1e7, events))
      local connection = world:open("capped", STREAM)
      connection:set_timeout(30)
      assert.equal(200, connection:head().status)
      local read, last = 0, nil
      for event in function() return connection:event() end do read, last = read + 1, event end
      connection:close()
      assert.is_true(read > 1000, read)
      assert.is_truthy(last:find('"code":"upstream_timeout"', 1, true), last)
      up:script("endless", HEAD .. repeated(1e7, events))
      local before = world.gw:memory_kib()
      local still = world:open("endless", STREAM)
      assert.equal(200, still:head().status)
      local id = up:last "endless".connection
      local sent = -1
      helper.wait_until(function() -- until nothing moves
        local _, _, now = up:connection(id)
        local stands = now == sent
        sent = now
        if not stands then require("socket").sleep(0.2) end
        return stands
      end, 20, "back-pressure")
      assert.is_true(world.gw:memory_kib() - before < 4 * 1024, "bounded")
      still:close()
    end)

  world:row("U-55: " .. EVENTS .. " small events at once, beside others' requests",
    { without = { hits = true }, memory = 8 * 1024 }, function()
      local event = script.chunk 'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
      up:script("fast", HEAD .. repeated(EVENTS, event)
        .. send(script.chunk(helper.stream "end") .. "0\r\n\r\n"))
      up:reply("calm", { body = GOOD })
      local connection = world:open("fast", STREAM)
      connection:set_timeout(60)
      assert.equal(200, connection:head().status)
      local bytes, others, done = 0, 0, false
      while not done do
        local chunk = connection:chunk()
        bytes, done = bytes + #(chunk or ""), chunk == nil or chunk == ""
        if bytes > others * 2 ^ 20 then
          others = others + 1
          assert.equal(200, world:chat("calm").status)
        end
      end
      connection:close()
      assert.is_true(bytes > EVENTS * 50, bytes)
      assert.is_true(others > 3)
      assert.equal("ok", world:last_row().outcome)
    end)

  world:row("U-69: connections that end just as they are used: nobody hears of it, " .. CLOSES
    .. " times", { without = { hits = true }, closed = 1 }, function()
      -- Closed at random moments after an answer: while idle, and as the next call leaves.
      for n = 1, CLOSES do
        local pause = ({ "", "wait 1\n", "wait 2\n" })[n % 3 + 1]
        up:script("hurry", send(script.head(200, { ["content-type"] = "application/json",
          ["content-length"] = #GOOD }) .. GOOD) .. pause .. "fin\n", 1)
        if n % 2 == 0 then require("socket").sleep(0.0005 * (n % 7)) end
        local response = world:chat "hurry"
        assert.equal(200, response.status, n .. response.body)
      end
    end)

  world:row("U-76: the client leaves, the answer comes: a row with what it cost", {}, function()
    up:script("slow2", "gate left\n" .. script.script { body = GOOD })
    local connection = world:open "drains"
    up:wait_for("slow2", 1)
    connection:close()
    helper.wait_until(function() return world.gw:metric "moongate_connections" == 0 end, 10,
      "that it is gone, noticed")
    up:open "left"
    helper.wait_until(function()
      local row = world:last_row()
      return row and row.outcome == "cancelled" and row.tokens.input == 10
        and row.tokens.output == 5 and not row.estimated
    end, 5, "a row of 10 and 5 tokens")
  end)

  -- U-80 ------------------------------------------------------------------------------------

  -- What a provider may do, by weight. `whole`: to whole answers, `stream`: to streams.
  local function faults()
    local stream = helper.stream("one ", "two")
    local function head(lines) return script.head(200, lines) end
    local json = { ["content-type"] = "application/json", ["content-length"] = #GOOD }
    local body = { stream = "whole", body = helper.piece "one" }
    local function streamed(more)
      local out = {}
      for name, value in pairs(body) do out[name] = value end
      for name, value in pairs(more) do out[name] = value end
      return script.script(out)
    end
    return {
      { 20, script.script { body = GOOD }, script.script { body = stream, stream = "whole" } },
      { 4, "every 100 " .. #(head(json) .. GOOD) .. "\n" .. head(json) .. GOOD,
        script.script { body = stream, stream = "drip" } },
      { 3, "rst\n", "rst\n" },
      { 3, "fin\n", "fin\n" },
      { 2, send(head(json)) .. "rst\n", streamed { body = "", after = "rst\n" } },
      { 2, send(head(json) .. GOOD:sub(1, 40)) .. "fin\n",
        streamed { after = "wait 2\nfin\n" } },
      { 2, send(head(json) .. GOOD:sub(1, 40)) .. "rst\n",
        streamed { after = "wait 2\nrst\n" } },
      { 2, script.script { status = 500, body = "{}" } },
      { 2, script.script { status = 503, body = "<html>no</html>" } },
      { 1, script.script { status = 429, body = "{}",
        headers = { ["retry-after-ms"] = "1" } } },
      { 1, script.script { body = "{" }, streamed { body = "data: {\n\n" } },
      { 1, script.script { body = "" }, streamed { body = "" } },
      { 1, script.script { body = stream, stream = "whole" }, script.script { body = GOOD } },
      { 1, send "HTTP/1.1 200 OK\r\nx\r\n\r\n" .. "fin\n" },
      { 1, send "nonsense\r\n\r\n" .. "fin\n" },
      { 1, send(head { ["content-encoding"] = "gzip", ["content-length"] = 4 } .. "abcd") },
      { 1, script.script { status = 302, headers = { location = "/x" }, body = "" } },
      { 1, send(head(json) .. GOOD .. GOOD) },
      { 1, "wait 30\nrst\n", streamed { after = "wait 30\nrst\n" } },
      { 1, script.script { status = 400, body = '{"error":{"message":"no"}}' },
        streamed { body = 'data: {"error":{"message":"no","type":"server_error"}}\n\n' } },
      { 1, script.script { body = GOOD },
        streamed { body = helper.piece "a" .. 'data: {"error":{"message":"no"}}\n\n' } },
    }
  end

  world:row("U-80, U-64: everything at random, " .. SOAK .. " requests: each has its row, and "
    .. "no provider saw a call that is not recorded",
    { without = { hits = true }, memory = 16 * 1024, closed = 4 }, function()
      local seed = tonumber(os.getenv "MOONGATE_SEED") or 4713
      math.randomseed(seed)
      local list, sum = faults(), 0
      for _, fault in ipairs(list) do sum = sum + fault[1] end
      local function pick()
        local at = math.random() * sum
        for _, fault in ipairs(list) do
          at = at - fault[1]
          if at <= 0 then return fault end
        end
        return list[1]
      end
      up:reply("rescue", { body = GOOD })
      local open = {}
      local function take(connection)
        connection:set_timeout(20)
        local response, err = connection:response()
        assert.is_truthy(response, "seed " .. seed .. ": hangs: " .. tostring(err))
        connection:close()
      end
      for n = 1, SOAK do
        local stream = math.random() < 0.4
        for _, lane in ipairs { "soak1", "soak2", "soak3" } do
          local fault = pick()
          if n % 10 == 1 or math.random() < 0.3 then
            up:script(lane, stream and fault[3] or fault[2], 1)
          end
          if n == 1 then up:reply(lane, { body = GOOD }) end
        end
        local connection = world:open("soak", stream and STREAM or nil)
        if math.random() < 0.1 then
          connection:close() -- it leaves
        else
          open[#open + 1] = connection
        end
        if #open >= 20 then
          for _, each in ipairs(open) do take(each) end
          open = {}
        end
      end
      for _, each in ipairs(open) do take(each) end
      helper.wait_until(function()
        return world.gw:metric "moongate_requests_in_flight" == 0
      end, 30, "the end of all requests")
      -- Calls that a provider saw = tries that were recorded, but for clients that left
      -- between the record and the call.
      local hits, tries, left = up:stats(), 0, 0
      for _, line in ipairs(world.gw:journal()) do
        if line.type == "usage" and line.model == "soak" then
          tries = tries + #line.attempts
          left = left + (line.outcome == "cancelled" and 1 or 0)
        end
      end
      local about = ("%d calls seen, %d recorded, %d left"):format(hits, tries, left)
      assert.is_true(hits <= tries and hits >= tries - left, about)
      assert.is_true(hits > SOAK, about)
    end)
end)
