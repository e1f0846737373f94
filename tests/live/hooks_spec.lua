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

local function hook(word)
  local lines = {}
  for name, code in pairs(LOOPS) do
    lines[#lines + 1] = ("  if call.model == %q then %s end"):format(name,
      code:gsub("^return", "local _ =") .. "")
  end
  return ("%s\n%s\nend)\n"):format(word, table.concat(lines, "\n"))
end

local function models()
  local out = {}
  for name in pairs(LOOPS) do out[#out + 1] = ("model %q { mock 'mock' }"):format(name) end
  return 'local mock = provider "mock" {}\nmodel "good" { mock "mock" }\n'
    .. table.concat(out, "\n") .. "\n"
end

describe("a hook", function()
  local gw

  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local function good() assert.equal(200, gw:chat(helper.ask "good").status) end

  it("of route that runs wild fails its own request only", function()
    gw = helper.gateway {
      routes = models() .. hook "route(function(call)", loud = true, workers = 2,
    }
    for name in pairs(LOOPS) do
      local waiting = gw:chat_open(helper.ask(name))
      good()
      local response = waiting:response()
      assert.equal(500, response and response.status, name)
      assert.equal("script_error", helper.json.decode(response.body).error.code)
      waiting:close()
      good()
    end
  end)

  it("of balance that runs wild fails its own request only", function()
    local groups = {}
    for name, code in pairs(LOOPS) do
      groups[#groups + 1] =
        ("model %q { mock 'mock', balance = function() %s end }"):format(name, code)
    end
    gw = helper.gateway { loud = true, routes = 'local mock = provider "mock" {}\n'
      .. 'model "good" { mock "mock" }\n' .. table.concat(groups, "\n") }
    for name in pairs(LOOPS) do
      assert.equal(500, gw:chat(helper.ask(name)).status, name)
      good()
    end
  end)

  it("of on_usage that runs wild changes no answer", function()
    gw = helper.gateway {
      routes = models() .. hook "on_usage(function(usage, call)", loud = true,
    }
    for name in pairs(LOOPS) do
      assert.equal(200, gw:chat(helper.ask(name)).status, name)
    end
    good()
  end)

  it("of on_error that runs wild fails its own request only", function()
    gw = helper.gateway { loud = true, routes = [[
local down = provider "openai_compatible" { base_url = "http://127.0.0.1:]]
      .. helper.free_port() .. [[/v1" }
model "good" { provider "mock" {} "mock" }
model "down" { down "m", retries = 0 }
on_error(function() while true do end end)]] }
    local response = gw:chat(helper.ask "down")
    assert.is_true(response.status >= 500, response.status)
    good()
  end)

  it("cannot reach files, processes, modules or the compiler", function()
    local tries = {
      "io.open('/etc/passwd')", "os.execute('true')", "os.getenv('HOME')", "require('ffi')",
      "loadstring('return 1')()", "load('return 1')", "dofile('x')", "debug.getinfo(1)",
      "package.loaded.x", "jit.on()", "getfenv(1)", "setfenv(1, {})", "collectgarbage()",
      "newproxy(true)", "getmetatable('').__index.x = 1", "string.dump(function() end)",
      "rawset(string, 'x', 1)", "string.rep = nil", "env.PATH = 1",
    }
    local lines = {}
    for i, code in ipairs(tries) do
      lines[i] = ("  if call.user == 'u%d' then local _ = %s end"):format(i, code)
      if code:find " = " then lines[i] = lines[i]:gsub("local _ = ", "") end
    end
    gw = helper.gateway { loud = true, routes = 'model "good" { provider "mock" {} "mock" }\n'
      .. "route(function(call)\n" .. table.concat(lines, "\n") .. "\nend)" }
    for i, code in ipairs(tries) do
      local response = gw:chat(helper.ask("good", ('"user":"u%d"'):format(i)))
      assert.equal(500, response.status, code)
    end
    good()
  end)

  it("sees what it needs to choose", function()
    gw = helper.gateway { routes = [[
local mock = provider "mock" {}
model "good" { mock "mock" }
model "long" { mock { "mock", name = "long" } }
route(function(call)
  if call.input_tokens > 100 then return "long" end
end)
on_usage(function(usage, call)
  metric("hook_tokens", usage.input_tokens, { model = call.model })
  log.info("seen", { model = call.model })
end)]] }
    good()
    local response = gw:chat(('{"model":"good","messages":[{"role":"user","content":"%s"}]}')
      :format(("word "):rep(500)))
    assert.equal(200, response.status, response.body)
    assert.equal("long", response.headers["x-moongate-deployment"])
    assert.is_true(#gw:log "seen" == 2)
    assert.is_truthy(gw:admin("GET", "/metrics").body:find "hook_tokens")
  end)
end)
