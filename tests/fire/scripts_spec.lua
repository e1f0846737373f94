-- Operator code that tries to get out, to take all, or to keep what is another request's: each
-- case runs in a drop-in adapter, which may do more than routes.lua, and in a gateway that goes
-- on serving.

local fire = require "support.fire"
local helper = require "helper"

-- name → code that must find no way: it returns what it got hold of, or nothing, or raises.
local ESCAPES = {
  io = "return io.open('/etc/passwd')", os = "return os.getenv('HOME') or os.execute",
  loadstring = "return loadstring('return 1')()", load = "return load('return 1')()",
  bytecode = "return loadstring(string.dump(function() return 1 end))()",
  dump = "return string.dump(function() end)", dofile = "return dofile('/etc/passwd')",
  loadfile = "return loadfile('/etc/passwd')", ffi = "return require('ffi')",
  ["ffi, loaded"] = "return package.loaded.ffi", jit = "return jit.on",
  jitutil = "return require('jit.util')", debug = "return debug.getregistry()",
  ["debug, required"] = "return require('debug')", package = "return package.loadlib",
  searchers = "return package.loaders", getfenv = "return getfenv(0)",
  ["getfenv of a function"] = "return getfenv(print or tostring)",
  setfenv = "return setfenv(1, {})", registry = "return debug.getmetatable('')",
  ["the string metatable"] = "getmetatable('').__index.evil = 1 return ('').evil",
  ["the string library"] = "string.format, string.evil = nil, 1",
  ["a global"] = "evil = 1", ["all globals"] = "_G.evil = 1 _G.tostring = nil",
  newproxy = "return newproxy(true)", collectgarbage = "return collectgarbage('stop')",
  ["an engine's door"] = "return require('engine.vm')",
  ["a file"] = "return require('engine.sql')",
  ["another's module"] = "return require('pipeline.auth')",
  ["a path in a module"] = "return require('../../etc/passwd')",
  ["gc of a table"] = "setmetatable({}, { __gc = function() evil = 1 end })",
  module = "return module('evil')",
  ["raw library"] = "rawset(string, 'evil', 1) rawset(_G, 'evil', 1)",
  ["secrets of others"] = "return require('lib.runtime')",
}

-- name → code that would never end, or take all there is.
local EXHAUST = {
  ["an instruction loop"] = "while true do end",
  ["a pcall loop"] = "while true do pcall(function() while true do end end) end",
  ["an xpcall whose handler loops"] =
    "xpcall(function() error('x') end, function() while true do end end)",
  ["an error in the error's handler"] =
    "while true do xpcall(error, function() error('again') end) end",
  ["a coroutine loop"] =
    "while true do coroutine.wrap(function() while true do end end)() end",
  ["coroutines that beget"] =
    "local function f() coroutine.wrap(f)() end while true do pcall(f) end",
  ["a hanging pattern"] = "('a'):rep(40):find('.-.-.-.-.-.-.-.-b')",
  ["lazy groups"] = "('a'):rep(4000):match(('(.-)'):rep(20) .. 'b')",
  ["a table that grows"] = "local t = {} while true do t[#t + 1] = #t end",
  ["a string that doubles"] = "local s = 'x' while true do s = s .. s end",
  ["a huge rep"] = "local s = ('x'):rep(1e9) return s",
  ["many reps"] = "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
  ["a huge width"] = "return ('%999999999d'):format(1)",
  ["recursion"] = "local function f() return 1 + f() end f()",
  ["mutual tail calls"] =
    "local a, b function a() return b() end function b() return a() end a()",
  ["a bad comparator"] =
    "local t = {} for i = 1, 1e4 do t[i] = i end table.sort(t, function() return true end)"
    .. " while true do table.sort(t, function() return true end) end",
  ["a long sort"] = "local t = {} for i = 1, 4e5 do t[i] = i * 7919 % 400009 end table.sort(t)",
  ["a long sort by a function of C's"] =
    "local t = {} for i = 1, 4e5 do t[i] = i * 7919 % 400009 end table.sort(t, rawequal)",
  ["a sort that goes on"] = "local t = {} for i = 1, 15000 do t[i] = i * 7919 % 15013 end "
    .. "while true do table.sort(t) for i = 1, 15000 do t[i] = i * 7919 % 15013 end end",
  ["a gsub that calls itself"] =
    "local function f(s) return (s:gsub('.', f)) end "
    .. "while true do pcall(f, ('x'):rep(100)) end",
  ["an error that loops when told"] =
    "error(setmetatable({}, { __tostring = function() while true do end end }))",
  ["an error whose fields loop"] =
    "error(setmetatable({}, { __index = function() while true do end end }))",
  ["a concat that loops"] =
    "return setmetatable({}, { __concat = function() while true do end end }) .. 'x'",
  ["unpack without an end"] = "return unpack({}, 1, 1e7)",
  ["a concat of all"] =
    "local t = {} for i = 1, 1e7 do t[i] = 'xxxxxxxx' end return table.concat(t)",
}

-- A name of a test as one of a model.
local function slug(name) return (name:gsub("[^%w]+", "-"):lower()) end

local ADAPTER = [[
local count = 0
DO.nth = function()
  count = count + 1
  if count % 5 == 0 then while true do end end
end

-- What can be had of the request before: each try says what it got.
local function try_kept()
  local before, text = kept, {}
  for i, try in ipairs {
    function() return before.call.request:header "authorization" end,
    function() return before.call.request:body() end,
    function() return before.call.request:path() end,
    function() return before.call.request:respond(200, {}, "evil") end,
    function() return before.call.request:begin(200, {}) end,
    function() return before.reply:text "evil" end,
    function() return before.upstream:body() end,
    function() return before.upstream:header "x-secret" end,
    function() for _, data in before.upstream:sse() do return data end end,
  } do
    local ok, value = pcall(try)
    text[i] = ok and tostring(value) or "refused"
  end
  return table.concat(text, ",")
end

return chat.adapter {
  path = "/x",
  encode = function(call, dep)
    if dep.model == "keep" then
      local told = kept.call and try_kept() or "first"
      kept.call = call
      return '{"told":"' .. told:gsub('["\\]', "") .. '"}'
    end
    local got = DO[dep.model](call)
    if got then error("got hold of: " .. type(got)) end
    return '{"model":"m"}'
  end,
  decode = function(body, reply)
    reply:text(body.out or "good")
    reply:usage { input_tokens = 1, output_tokens = 1 }
    reply:finish "stop"
  end,
  stream = function(upstream, reply)
    kept.upstream, kept.reply = upstream, reply
    for line in upstream:jsonl() do reply:text(line.out) end
    reply:usage { input_tokens = 1, output_tokens = 1 }
    reply:finish "stop"
  end,
}
]]

-- Another file, which must meet nothing of what the first one did.
local INNOCENT = [[
local chat = require "lib.chat"
return require("providers.openai_compatible"):with {
  encode = function(call, dep)
    assert(evil == nil and string.evil == nil and ("").evil == nil and table.evil == nil)
    assert(("%d"):format(1) == "1" and string.format("%d", 1) == "1" and tostring(1) == "1")
    return '{"model":"m"}'
  end,
}
]]

local function adapter()
  local out = { 'local chat = require "lib.chat"\nlocal DO, kept = {}, {}\n' }
  for _, set in ipairs { ESCAPES, EXHAUST } do
    for name, code in pairs(set) do
      out[#out + 1] = ("DO[%q] = function() %s end\n"):format(slug(name), code)
    end
  end
  out[#out + 1] = ADAPTER
  return table.concat(out)
end

describe("operator code", function()
  local world = fire.world()
  local up = world.up
  local folder

  local function routes(at)
    local out = {}
    local function model(name)
      out[#out + 1] = fire.model(name, { ('provider "wild" { name = %q, base_url = %q } '
        .. "{ %q, price = { input = 1, output = 2 } }"):format("d" .. #out, at:url "x", name) })
    end
    for name in pairs(ESCAPES) do model(slug(name)) end
    for name in pairs(EXHAUST) do model(slug(name)) end
    model "nth"
    return table.concat(out) .. fire.model("good", { ('provider "innocent" { name = "good", '
      .. 'base_url = %q } { "m", price = { input = 1, output = 2 } }'):format(at:url "good") })
  end

  setup(function()
    folder = helper.process.temp_dir()
    helper.process.write(folder .. "/wild.lua", adapter())
    helper.process.write(folder .. "/innocent.lua", INNOCENT)
    fire.start(world, { routes = routes, args = { "--providers", folder } })
  end)
  teardown(function()
    world:stop()
    helper.remove_tree(folder)
  end)

  local function serves()
    up:reply("good", { body = helper.completion "good" })
    up:reply("x", { body = '{"out":"good"}' })
    local response = world:chat "good"
    assert.equal(200, response.status, response.body)
  end

  local function stopped(response)
    assert.equal(500, response.status, response.body)
    assert.equal("script_error", response.json.error.code)
  end

  local ANY = { without = { memory = true, hits = true } } -- nil may be all it got

  for name in pairs(ESCAPES) do
    world:row("S-26: gets hold of nothing: " .. name, ANY, function()
      serves()
      local from = #world.gw:log_text()
      local response = world:chat(slug(name))
      if response.status ~= 200 then stopped(response) end
      serves()
      local log = world.gw:log_text():sub(from + 1)
      assert.is_nil(log:find("got hold of", 1, true), log)
    end)
  end

  for name in pairs(EXHAUST) do
    world:row("S-27: is stopped alone: " .. name, { hits = 2, without = { memory = true } },
      function()
        serves()
        local waiting = world:open(slug(name))
        serves()
        stopped(world:finish(waiting))
      end)
  end

  world:row("C-04: fine at load, loops at every fifth request: that one fails",
    { hits = 16, without = { memory = true } }, function()
      up:reply("x", { body = '{"out":"good"}' })
      for i = 1, 20 do
        local response = world:chat "nth"
        if i % 5 == 0 then stopped(response) else assert.equal(200, response.status) end
      end
    end)

end)

-- In a gateway of its own: the heap is not one that exhausted scripts have left.
describe("operator code that keeps what it is given", function()
  local world = fire.world()
  local up, folder

  setup(function()
    folder = helper.process.temp_dir()
    helper.process.write(folder .. "/wild.lua", adapter())
    fire.start(world, { args = { "--providers", folder }, routes = function(at)
      return fire.model("keep", { ('provider "wild" { name = "kept", base_url = %q } '
        .. '{ "keep", price = { input = 1, output = 2 } }'):format(at:url "x") })
    end })
    up = world.up
  end)
  teardown(function()
    world:stop()
    helper.remove_tree(folder)
  end)

  world:row("S-28: what it kept of a request is of no use after it",
    { hits = 3, twice = true }, function()
    up:reply("x", { body = '{"out":"a"}\n{"out":"b"}\n', stream = "whole" }, 1)
    assert.equal(200, world:chat("keep", '"stream":true').status)
    up:reply("x", { body = '{"out":"good"}' })
    for _ = 1, 2 do
      local response = world:chat "keep"
      assert.equal(200, response.status, response.body)
      assert.equal("good", response.json.choices[1].message.content)
      local told = up:last("x").body
      for one in told:match('"told":"(.-)"'):gmatch "[^,]+" do
        assert.is_truthy(one == "refused" or one == "nil", told)
      end
    end
  end)
end)
