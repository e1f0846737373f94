-- Clients that leave, and clients that are slow.

local helper = require "helper"
local pair = require "support.pair"

describe("the client", function()
  local up, gw = pair.once(function(up)
    return { routes = helper.routes(up, { "one" }) }
  end)

  -- Milliseconds from our leaving to the provider's noticing.
  local function leave(connection, how)
    local request = up:last "one"
    local from = up:now()
    connection[how](connection)
    local at
    helper.wait_until(function()
      local state, when = up:connection(request.connection)
      at = when
      return state == "peer"
    end, 5, "the provider's connection closed")
    return at - from
  end

  -- The best of five: what it can do, not what else this machine was doing.
  local function best(measure)
    local least = math.huge
    for _ = 1, 5 do least = math.min(least, measure()) end
    return least
  end

  for _, how in ipairs { "close", "reset" } do
    it("that leaves by " .. how .. " before a token frees the provider in 100 ms", function()
      up:script("one", "halt\n")
      local took = best(function()
        local seen = #up:requests "one"
        local connection = gw:chat_open(helper.ask("one", '"stream":true'))
        up:wait_for("one", seen + 1)
        return leave(connection, how)
      end)
      assert.is_true(took <= 100, took .. " ms")
    end)

    it("that leaves by " .. how .. " in mid-stream frees the provider in 100 ms", function()
      up:reply("one", { stream = "whole", body = helper.piece "first", after = "halt\n" })
      local took = best(function()
        local connection = gw:chat_open(helper.ask("one", '"stream":true'))
        assert.equal(200, connection:head().status)
        assert.is_truthy(connection:event())
        return leave(connection, how)
      end)
      assert.is_true(took <= 100, took .. " ms")
    end)
  end

  it("that leaves is logged as such, once, and journalled", function()
    up:script("one", "halt\n")
    local before = #gw:log "request"
    local connection = gw:chat_open(helper.ask "one")
    up:wait_for("one", 1)
    leave(connection, "close")
    helper.wait_until(function() return #gw:log "request" > before end, 5, "a log line")
    local lines = gw:log "request"
    assert.equal(before + 1, #lines)
    assert.equal(499, lines[#lines].status)
  end)

  it("that reads slowly stops the provider, not the gateway's memory", function()
    local piece = helper.piece(("x"):rep(4000))
    local chunk = helper.script.chunk(piece)
    local head = helper.script.stream_head()
    local total = 40000 * #chunk -- 160 MB
    up:script("one", helper.script.send(head) .. ("repeat 40000 %d\n%s"):format(#chunk, chunk))

    local before = gw:memory_kib()
    local connection = gw:chat_open(helper.ask("one", '"stream":true'))
    assert.equal(200, connection:head().status)
    assert.is_truthy(connection:event())
    local id = up:last("one").connection
    local sent
    helper.wait_until(function() -- the provider comes to a stop
      local was = sent
      local _, _, now = up:connection(id)
      sent = now
      require("socket").sleep(0.1)
      return was == now
    end, 10, "back-pressure")
    assert.is_true(sent < total / 4, sent .. " bytes were taken from the provider")
    if helper.shows "memory" then
      local grown = gw:memory_kib() - before
      assert.is_true(grown < 4096, grown .. " KiB for one slow reader")
    end
    for _ = 1, 2000 do assert.equal(#piece, #connection:event()) end -- and goes on when read
    connection:close()
  end)

  it("that half-closes counts as gone", function()
    up:script("one", "halt\n")
    local connection = gw:chat_open(helper.ask "one")
    local request = up:wait_for("one", 1)[1]
    connection.sock:shutdown "send"
    helper.wait_until(function() return up:connection(request.connection) == "peer" end, 5,
      "the provider's connection closed")
    connection:close()
  end)

  it("may ask again on the same connection, after whole answers and streams", function()
    up:reply("one", { body = helper.completion "whole" }, 1)
    up:reply("one", { stream = "whole", body = helper.stream "streamed" }, 1)
    up:reply("one", { body = helper.completion "again" }, 1)
    local connection = gw:chat_open(helper.ask "one")
    assert.is_truthy(connection:response().body:find "whole")
    local body = helper.ask("one", '"stream":true')
    local head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
      .. "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    connection:send(head:format(#body, body))
    assert.is_truthy(connection:response().body:find "streamed")
    body = helper.ask "one"
    connection:send(head:format(#body, body))
    assert.is_truthy(connection:response().body:find "again")
    connection:close()
  end)

  it("A-46: that sends three at once is answered in order", function()
    up:reply("one", { stream = "whole", body = helper.stream "first" }, 1)
    up:reply("one", { body = helper.completion "second" }, 1)
    up:reply("one", { body = helper.completion "third" }, 1)
    local function raw(body)
      return ("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
        .. "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"):format(#body, body)
    end
    local plain = raw(helper.ask "one")
    local connection = gw:raw(raw(helper.ask("one", '"stream":true')) .. plain .. plain)
    assert.is_truthy(connection:response().body:find "first")
    assert.is_truthy(connection:response().body:find "second")
    assert.is_truthy(connection:response().body:find "third")
    connection:close()
  end)
end)
