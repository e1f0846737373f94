-- Memory that runs out does so for who took it, and comes back.

local helper = require "helper"

-- Takes a little less than a guarded call may, again and again, and keeps it.
local HOARD = [[
local chat = require "lib.chat"
local time = require "engine.time"

return chat.adapter {
  answer = function(_, _, reply)
    local kept = {}
    for _ = 1, 200 do
      for i = 1, 2e4 do kept[#kept + 1] = { i } end
      time.sleep(0)
    end
    reply:text "all of it"
    reply:finish "stop"
  end,
}
]]

describe("a state that ran out of memory", function()
  local gw

  teardown(function() gw:stop() end)

  it("serves the next request", function()
    gw = helper.gateway {
      loud = true, args = { "--providers", "@adapters" },
      files = { ["adapters/hoard.lua"] = HOARD },
      routes = [[
model "hoard" { provider "hoard" {} "hoard", retries = 0, cooldown = { allowed_fails = 1000 } }
model "mock" { provider "mock" {} "mock" }]],
    }
    -- On a busy machine the guard's time may end it before its memory does: then nothing was
    -- refused, and what it held is garbage like any other.
    local ran_out = 0
    helper.wait_until(function()
      local response = gw:chat(helper.ask "hoard")
      assert.equal(500, response.status)
      if response.json.error.code == "internal_error" then ran_out = ran_out + 1 end
      for _ = 1, 3 do assert.equal(200, gw:chat(helper.ask "mock").status) end
      return ran_out >= 3 and response.json.error.code == "internal_error"
    end, 30, "a state without memory")
    assert.is_true(gw:metric "moongate_lua_memory_bytes" < 16 * 2 ^ 20)
    gw:assert_silent()
  end)
end)
