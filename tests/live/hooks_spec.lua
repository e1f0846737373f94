-- Operator code that loops or eats memory is stopped, alone.

local helper = require "helper"

local LOOPS = {
  loop = "while true do end",
  swallow = "while true do pcall(function() while true do end end) end",
  memory = "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
  doubling = "local s = 'x' while true do s = s .. s end",
  recursion = "local function f() return 1 + f() end f()",
  pattern = "('a'):rep(40):find('.-.-.-.-.-.-.-.-b')",
  rep = "return ('x'):rep(1e9)",
  format = "return ('%999999999d'):format(1)",
  ["nil"] = "local x = nil return x.y",
  raise = "error('on purpose')",
  tables = "error(setmetatable({}, { __tostring = function() while true do end end }))",
}

local MODELS = [[
local mock = provider "mock" {}
model "good" { mock "mock" }
model "bad" { mock { "mock", name = "other" } }
]]

-- A hook that runs `code` for the model "bad".
local function hook(word, code)
  return ('%s\n  if call.model == "bad" then %s end\nend)\n'):format(word,
    (code:gsub("^return", "local _ =")))
end

describe("a hook", function()
  local gw

  local function start(routes, want)
    want = want or {}
    want.routes, want.loud = routes, true
    gw = helper.gateway(want)
  end

  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local function good() assert.equal(200, gw:chat(helper.ask "good").status) end

  for name, code in pairs(LOOPS) do
    it("S-27: of route that runs wild fails its own request only: " .. name, function()
      start(MODELS .. hook("route(function(call)", code), { workers = 2 })
      for _ = 1, 2 do
        local waiting = gw:chat_open(helper.ask "bad")
        good()
        local response = waiting:response()
        assert.equal(500, response and response.status)
        assert.equal("script_error", helper.json.decode(response.body).error.code)
        waiting:close()
      end
      good()
    end)

    it("S-27: of balance that runs wild fails its own request only: " .. name, function()
      start(MODELS .. ('model "wild" { mock { "mock", name = "a" }, mock { "mock", name = "b" }'
        .. ", balance = function() %s end }"):format(code))
      assert.equal(500, gw:chat(helper.ask "wild").status)
      good()
    end)

    it("S-27: of on_usage that runs wild changes no answer: " .. name, function()
      start(MODELS .. hook("on_usage(function(usage, call)", code))
      assert.equal(200, gw:chat(helper.ask "bad").status)
      good()
    end)
  end

  it("C-04: that fails five times in a minute is switched off, and its users fail", function()
    start(MODELS .. hook("route(function(call)", LOOPS.loop))
    for _ = 1, 6 do assert.equal(500, gw:chat(helper.ask "bad").status) end
    assert.equal("script_error", gw:chat(helper.ask "good").json.error.code)
    gw:reload(MODELS)
    good()
  end)

  it("C-04: that was switched off and is mended serves from the reload on", function()
    start(MODELS .. hook("route(function(call)", LOOPS.raise))
    for _ = 1, 6 do assert.equal(500, gw:chat(helper.ask "bad").status) end
    assert.equal("script_error", gw:chat(helper.ask "good").json.error.code)
    gw:reload(MODELS .. hook("route(function(call)", "return call.model"))
    good()
    assert.equal(200, gw:chat(helper.ask "bad").status)
  end)

  it("C-04: of one model's balance that fails: another's goes on", function()
    start(MODELS .. [[
model "wild" { mock { "mock", name = "w1" }, mock { "mock", name = "w2" },
  balance = function() error "no" end }
model "tame" { mock { "mock", name = "t1" }, mock { "mock", name = "t2" },
  balance = function(list) return list[2] end }]])
    for _ = 1, 6 do assert.equal(500, gw:chat(helper.ask "wild").status) end
    local disabled = gw:log "script_disabled"
    assert.same({ "balance of wild", 1 }, { disabled[1].hook, #disabled })
    local response = gw:chat(helper.ask "tame")
    assert.equal(200, response.status, response.body)
    assert.equal("t2", response.headers["x-moongate-deployment"])
  end)

  it("S-27: of on_error that runs wild fails its own request only", function()
    start([[
local down = provider "openai_compatible" { name = "down", base_url = "http://127.0.0.1:]]
      .. helper.free_port() .. [[/v1" }
model "good" { provider "mock" {} "mock" }
model "down" { down "m", retries = 0 }
on_error(function() while true do end end)]])
    local response = gw:chat(helper.ask "down")
    assert.is_true(response.status >= 500, response.status)
    good()
  end)

  for _, code in ipairs {
    "io.open('/etc/passwd')", "os.execute('true')", "os.getenv('HOME')", "require('ffi')",
    "loadstring('return 1')()", "load('return 1')", "dofile('x')", "debug.getinfo(1)",
    "package.loaded.x", "jit.on()", "getfenv(1)", "setfenv(1, {})", "collectgarbage()",
    "newproxy(true)", "string.dump(function() end)", "rawset(string, 'x', 1)",
  } do
    it("S-26: cannot reach " .. code, function()
      start(MODELS .. hook("route(function(call)", "return " .. code))
      assert.equal(500, gw:chat(helper.ask "bad").status)
      good()
    end)
  end

  for _, code in ipairs {
    "getmetatable('').__index.x = 1", "env.PATH = 1", "_G.x = 1", "x = 1",
  } do
    it("S-26: cannot change " .. code, function()
      start(MODELS .. hook("route(function(call)", code))
      assert.equal(500, gw:chat(helper.ask "bad").status)
      good()
    end)
  end

  it("S-26, S-28: changes nobody else's libraries, nor the call", function()
    start(MODELS .. [[
route(function(call)
  if call.model == "bad" then
    string.rep, math.floor = nil, nil
    call.model, call.key.name = "good", "root"
  end
  assert(("x"):rep(2) == "xx" and string.rep("x", 2) == "xx" and math.floor(1.5) == 1)
end)]])
    local first = gw:chat(helper.ask "bad")
    assert.is_true(first.status == 500 or first.headers["x-moongate-deployment"] == "other")
    good()
    for _, line in ipairs(gw:log "request") do assert.equal("anonymous", line.key_id) end
  end)

  it("sees what it needs to choose", function()
    start([[
local mock = provider "mock" {}
model "good" { mock "mock" }
model "long" { mock { "mock", name = "long" } }
route(function(call)
  if call.input_tokens > 100 then return "long" end
end)
on_usage(function(usage, call)
  metric("hook_tokens", usage.input_tokens, { model = call.model })
  log.info("seen", { model = call.model })
end)]])
    good()
    local response = gw:chat(('{"model":"good","messages":[{"role":"user","content":"%s"}]}')
      :format(("word "):rep(500)))
    assert.equal(200, response.status, response.body)
    assert.equal("long", response.headers["x-moongate-deployment"])
    helper.wait_until(function() return #gw:log "seen" == 2 end, 5, "two log lines")
    assert.is_truthy(gw:admin("GET", "/metrics").body:find "hook_tokens")
  end)
end)
