-- Clients that are slow on purpose, by the hundred (MOONGATE_SLOW_CLIENTS=5000 by hand), and
-- what others notice of them. The gateway's clock of deadlines runs faster here.

local fire = require "support.fire"
local helper = require "helper"
local socket = require "socket"

local MANY = tonumber(os.getenv "MOONGATE_SLOW_CLIENTS") or 400
local CHURN = tonumber(os.getenv "MOONGATE_CHURN") or 3000
local FREE = { without = { memory = true, lines = true, rows = true, hits = true } }

describe("slow clients", function()
  local world = fire.world()
  local gw, up

  setup(function()
    fire.start(world, { lanes = { "one", "long" }, scale = 0.05, warm = false })
    gw, up = world.gw, world.up
    up:reply("long", { body = helper.stream "warm", stream = "whole" })
    assert.equal(200, world:chat("long", '"stream":true').status)
  end)
  teardown(function() world:stop() end)

  local function serves()
    up:reply("one", { body = helper.completion "good" })
    assert.equal(200, world:chat("one").status)
  end

  local HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
    .. fire.key .. "\r\ncontent-type: application/json\r\n"

  local function connect()
    local client = socket.tcp()
    client:settimeout(5)
    assert(client:connect("127.0.0.1", gw.port))
    return client
  end

  -- Until the gateway has closed it; what came before that.
  local function ended(client)
    client:settimeout(20)
    local text, err, part = client:receive "*a"
    client:close()
    assert.is_true(err ~= "timeout", "it was not closed")
    return text or part or ""
  end

  -- Each says a little now and then, as if there were more to come.
  local function trickle(clients, bytes, rounds)
    for _ = 1, rounds do
      for _, client in ipairs(clients) do
        client:settimeout(0)
        client:send(bytes)
      end
      serves()
      socket.sleep(0.1)
    end
  end

  world:row("S-37: heads that never end are cut, and others are served meanwhile", FREE,
    function()
      local clients = {}
      for i = 1, MANY do
        clients[i] = connect()
        clients[i]:send(HEAD)
      end
      trickle(clients, "x-a: b\r\n", 6) -- 0.6 s, of 0.5 that a head may take
      for _, client in ipairs(clients) do
        assert.is_nil(ended(client):find("HTTP/1.1 200", 1, true))
      end
      serves()
    end)

  world:row("S-37, S-39: bodies that trickle in are cut, with a good key, too", FREE,
    function()
      local clients = {}
      for i = 1, MANY do
        clients[i] = connect()
        clients[i]:send(HEAD .. "content-length: 100000\r\n\r\n{")
      end
      trickle(clients, " ", 9)
      for _, client in ipairs(clients) do
        local text = ended(client)
        assert.is_true(text == "" or text:find "^HTTP/1.1 408" ~= nil, text)
      end
      assert.equal(0, #up:requests "long")
      serves()
    end)

  world:row("S-37: readers that take nothing of their streams are cut", FREE, function()
    local long = {}
    for i = 1, 40 do long[i] = helper.piece(("word "):rep(20000)) end
    up:reply("long", { body = table.concat(long), stream = "whole" })
    local clients = {}
    for i = 1, MANY / 10 do
      clients[i] = connect()
      clients[i]:setoption("recv-buffer-size", 4096)
      clients[i]:send(helper.http.format { method = "POST", path = "/v1/chat/completions",
        body = helper.ask("long", '"stream":true'), headers = {
          authorization = "Bearer " .. fire.key, ["content-type"] = "application/json",
        } })
    end
    helper.wait_until(function()
      serves()
      return gw:metric "moongate_streams_open" == 0
    end, 30, "streams that were cut")
    for _, client in ipairs(clients) do client:close() end
  end)

  world:row("S-37: ranges are not served in parts", { hits = 1, rows = 1, requests = 1,
    without = { memory = true } }, function()
    up:reply("one", { body = helper.completion "good" })
    local response = world:chat("one", nil, { headers = {
      range = "bytes=0-1,2-3," .. ("5-6,"):rep(1000) .. "7-8",
    } })
    assert.equal(200, response.status)
    assert.equal(helper.completion "good", response.body)
  end)

  world:row("S-38: connections that come and go, whole, reset or never used", FREE, function()
    for i = 1, CHURN do
      local client = connect()
      if i % 3 == 0 then client:send "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" end
      if i % 3 == 1 then client:setoption("linger", { on = true, timeout = 0 }) end
      client:close()
      if i % 500 == 0 then serves() end
    end
    serves()
  end)

  -- Of a handshake that is never finished only the kernel hears: what there is to see is a
  -- listener whose queue is full of connections that nobody uses.
  world:row("S-38: more idle connections than the listener's queue holds", FREE, function()
    local clients = {}
    for i = 1, MANY do clients[i] = connect() end
    serves()
    for _, client in ipairs(clients) do assert.is_nil(ended(client):find "200") end
    serves()
  end)
end)
