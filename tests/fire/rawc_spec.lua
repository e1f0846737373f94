-- The raw client itself: what it sends, at which pace, and what it takes for an answer.

local fire = require "support.fire"
local helper = require "helper"
local http = require "support.http"
local rawc = require "support.rawc"

describe("the raw client", function()
  local world = fire.world()

  setup(function() fire.start(world, { lanes = { "one" }, warm = false }) end)
  teardown(function() world:stop() end)

  local function head(length)
    return ("send POST /v1/chat/completions HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer %s"
      .. "\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n\n")
      :format(fire.key, length)
  end

  local LOOSE = { requests = 2, rows = 2, hits = 2, without = { memory = true } }

  world:row("A-47: sends what it is told, with pauses, and reads slowly", LOOSE, function()
    world.up:reply("one", { body = helper.completion "good" })
    local body = fire.ask "one"
    local answers = rawc.run(world.gw.port, head(#body) .. "pause 20\nsend "
      .. body:sub(1, 9) .. "\npause 20\nsend " .. body:sub(10) .. "\nread 4000\n"
      .. head(#body) .. "send " .. body .. "\nread\nhalf\nclosed\n")
    assert.same({ 200, 200 }, { answers[1].status, answers[2].status })
    assert.equal(helper.completion "good", answers[1].body)
  end)

  it("knows escapes", function()
    assert.equal("a\r\n\0\\r\255b", rawc.bytes "a\\r\\n\\0\\\\r\\xffb")
  end)

  -- What no answer may be.
  local OK, CHUNKED = "HTTP/1.1 200 OK\r\n", "transfer-encoding: chunked\r\n"
  for name, bytes in pairs {
    ["no status"] = "HTTP/1.1 OK\r\n\r\n", ["a bare LF"] = OK .. "a: b\nc: d\r\n\r\n",
    ["no colon"] = OK .. "ab\r\n\r\n", ["a blank name"] = OK .. "a : b\r\n\r\n",
    ["two framings"] = OK .. CHUNKED .. "content-length: 1\r\n\r\n",
    ["two lengths"] = OK .. ("content-length: 1\r\n"):rep(2) .. "\r\n",
    ["a chunk's size"] = OK .. CHUNKED .. "\r\n0x1\r\na\r\n0\r\n\r\n",
    ["a chunk's end"] = OK .. CHUNKED .. "\r\n1\r\nab\r\n0\r\n\r\n",
  } do
    it("takes for no answer one with " .. name, function()
      world.up:script("one", helper.script.send(bytes) .. "fin\n")
      local connection = http.connect(world.up.port)
      connection:send "POST /one HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
      local ok = pcall(connection.response, connection)
      connection:close()
      assert.is_false(ok)
    end)
  end
end)
