-- Streams that break off when their clients have heard the beginning. Each hears why, in its
-- own dialect and to the last byte, and before its connection ends: libraries throw away what
-- they have read and not yet given to their users when a body ends too early.

local helper = require "helper"

local STREAMS = 40 -- at once
local WHY = "The provider's answer ended too early."

local DOORS = {
  chat = {
    path = "/v1/chat/completions", body = helper.ask("one", '"stream":true'),
    ending = '\n\ndata: {"error":{"message":"' .. WHY .. '",[^\n]+}}\n\n$',
  },
  messages = {
    path = "/v1/messages", body = helper.ask("one", '"stream":true,"max_tokens":9'),
    ending = '\n\nevent: error\ndata: {"type":"error",[^\n]+"message":"' .. WHY
      .. '"[^\n]+}\n\n$',
  },
  responses = {
    path = "/v1/responses", body = '{"model":"one","stream":true,"input":"hello"}',
    ending = '\n\nevent: error\ndata: {"type":"error",[^\n]+"error":{"message":"' .. WHY
      .. '"[^\n]+}}\n\nevent: response.failed\ndata: {[^\n]+"message":"' .. WHY
      .. '"[^\n]+}\n\n$',
  },
  gemini = {
    path = "/v1beta/models/one:streamGenerateContent?alt=sse",
    body = '{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}',
    ending = '\n\ndata: {"error":{[^\n]+"message":"' .. WHY .. '"[^\n]+}}\n\n$',
  },
}

describe("U-40: a stream that breaks off", function()
  local up, gw

  setup(function()
    up = helper.upstream()
    gw = helper.gateway {
      routes = "defaults { cooldown = { allowed_fails = 100000 } }\n"
        .. helper.routes(up, { "one" }),
    }
  end)

  teardown(function()
    gw:assert_silent()
    gw:stop()
    up:stop()
  end)

  -- So many connections, the first bytes of each read; then their provider breaks off.
  local function begun(door, n)
    local gate, list = door.path:gsub("%W", ""):sub(1, 20), {}
    up:reset()
    up:reply("one", { stream = "whole", body = helper.piece "half a",
      after = ("gate %s\nfin\n"):format(gate) })
    for i = 1, n do
      local connection = gw:chat_open(door.body, { path = door.path })
      local response = assert(connection:head())
      assert.equal(200, response.status)
      response.first = assert(connection:chunk())
      list[i] = { connection = connection, response = response }
    end
    return list, function() up:open(gate) end
  end

  for name, door in pairs(DOORS) do
    it("says why to every client that speaks " .. name, function()
      local list, break_off = begun(door, STREAMS)
      for i, one in ipairs(list) do
        -- What a client still sends, and nobody reads, must not cost it what it was told.
        if i % 2 == 0 then one.connection:send(("x"):rep(1000)) end
      end
      break_off()
      for _, one in ipairs(list) do
        local response = one.connection:body(one.response)
        one.connection:close()
        assert.is_true(response.cut)
        assert.is_truthy((response.first .. response.body):find(door.ending), response.body)
      end
    end)
  end

  -- Read like a library that gives its user what came as soon as it came.
  local function read_why(connection)
    local bytes = ""
    while not bytes:find(WHY, 1, true) do
      bytes = bytes .. assert(connection:chunk(), "it ended before it said why")
    end
  end

  -- How many of a few are open when they have said why.
  local function open_of(n)
    local list, break_off = begun(DOORS.chat, n)
    local open = 0
    break_off()
    for _, one in ipairs(list) do
      read_why(one.connection)
      if not one.connection:closed(0) then open = open + 1 end
      one.connection:close()
    end
    return open
  end

  it("ends when its client has had time to hear why", function()
    local best = 0 -- of several: a machine with other work may take that time for itself
    for _ = 1, 10 do best = math.max(best, open_of(3)) end
    assert.equal(3, best)
    helper.wait_until(function() return gw:metric "moongate_connections" <= 2 end, 5,
      "connections that ended with their clients")
  end)
end)
