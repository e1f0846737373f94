-- S-20: a flood of wrong keys, and what right ones feel of it. And the pepper that all keys of
-- the ledger depend on.

local admin_of = require "support.admin"
local helper = require "helper"
local process = require "support.process"
local socket = require "socket"

local ROUTES = [[
model "small" { provider "mock" {} "mock" }
virtual_key "written" { token = "written-key" }
]]
local NOBODY = "mg-" .. ("a"):rep(12) .. "-" .. ("b"):rep(43)
local SWARM = (os.getenv "MOONGATE_TOOLS" or "build/tests") .. "/swarm"

describe("S-20: a flood of wrong keys", function()
  local up, gw, key, dir

  setup(function()
    dir = process.temp_dir()
    up = helper.upstream()
    up:script("slow", "wait 250\n" .. helper.script.script { body = helper.completion "late" })
    gw = helper.gateway { routes = ROUTES .. helper.routes(up, { "slow" }), workers = 2 }
    key = admin_of(gw):key { name = "right" }.key
    process.write(dir .. "/request", helper.http.format {
      method = "POST", path = "/v1/chat/completions", body = helper.ask "small",
      headers = { ["content-type"] = "application/json", authorization = "Bearer " .. NOBODY },
    })
  end)

  teardown(function()
    gw:stop()
    up:stop()
    helper.remove_tree(dir)
  end)

  -- Ask so often: how many answers came after one, asked for before, of a provider that takes a
  -- quarter of a second.
  local function late(times)
    local n = 0
    for i = 1, times do
      local right = i % 2 == 0 and key or "written-key"
      local other = gw:chat_open(helper.ask "slow", { key = right })
      assert.equal(200, gw:chat(helper.ask "small", { key = right }).status)
      n = n + #socket.select({ other.sock }, nil, 0)
      other:close()
    end
    return n
  end

  it("delays nobody else, and takes little memory", function()
    late(20)
    local before = gw:memory_kib()
    local flood = process.start({
      SWARM, tostring(gw.port), dir .. "/request", "loop=400", "seconds_ms=3000",
    }, { stdout = dir .. "/out" })
    helper.wait_until(function() return process.read(dir .. "/out"):find "begin" end, 30,
      "the flood")
    local behind = late(100)
    assert.is_true(flood:wait(30) ~= nil)
    assert.is_true(behind < 50, behind) -- a wrong key waits a second
    local answers = helper.json.decode(process.read(dir .. "/out"):match "%b{}%s*$")
      .status["401"]
    assert.is_true(answers > 1000, answers)
    assert.is_true(gw:metric "moongate_auth_delayed_total" > 1000)
    if helper.shows "memory" then
      local grown = gw:memory_kib() - before -- as 400 busy connections with right keys do
      assert.is_true(grown < 48 * 1024, grown)
    end
    gw:assert_silent()
  end)
end)

describe("the pepper", function()
  local function serve(dir)
    return process.run {
      helper.binary, "serve", "--routes", dir .. "/routes.lua", "--data", dir .. "/data",
      "--listen", "127.0.0.1:0", "--admin", "off",
    }
  end

  it("is missed where keys depend on it, and made where none does", function()
    local gw = helper.gateway { routes = ROUTES }
    local pepper = gw.data .. "/pepper"
    assert.equal(32, #process.read(pepper))
    admin_of(gw):key { name = "one" }
    local dir = process.temp_dir()
    process.write(dir .. "/routes.lua", ROUTES)
    gw.process:stop(process.TERM, 15)
    os.rename(gw.data, dir .. "/data")
    os.remove(dir .. "/data/pepper")
    local code, _, err = serve(dir)
    assert.not_equal(0, code)
    assert.truthy(err:find("pepper: is missing", 1, true), err)
    assert.truthy(err:find("bring it back from a backup", 1, true), err)
    assert.is_nil(io.open(dir .. "/data/pepper"))
    process.write(dir .. "/data/pepper", ("x"):rep(32))
    os.execute("chmod 644 " .. dir .. "/data/pepper")
    code, _, err = serve(dir)
    assert.not_equal(0, code)
    assert.truthy(err:find("may be read by others", 1, true), err)
    helper.remove_tree(dir)
    helper.remove_tree(gw.dir)
  end)
end)
