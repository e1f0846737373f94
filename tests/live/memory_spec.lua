-- Memory that runs out does so for who took it, and comes back.

local helper = require "helper"

-- Takes far less than a guarded call may, of memory and of time, again and again, and keeps it.
local HOARD = [[
local chat = require "lib.chat"
local time = require "engine.time"

return chat.adapter {
  answer = function(_, _, reply)
    local kept
    for _ = 1, 4000 do
      for i = 1, 1000 do kept = { i, kept } end
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
    for _ = 1, 3 do
      local response = gw:chat(helper.ask "hoard", { timeout = 60 })
      assert.equal(500, response.status)
      assert.equal("internal_error", response.json.error.code) -- nobody's time ran out
      assert.is_true(gw:metric "moongate_lua_memory_bytes" < 16 * 2 ^ 20)
      for _ = 1, 3 do assert.equal(200, gw:chat(helper.ask "mock").status) end
    end
    gw:assert_silent()
  end)
end)
