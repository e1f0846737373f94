-- Adapters of the operator's own: they serve like ours, and those that run wild are stopped.

local helper = require "helper"
local process = require "support.process"

local ACME = process.read "tests/examples/providers/acme.lua"

-- An adapter that does in one of its functions what the model's name (or the answer) says.
local WILD = [[
local chat = require "lib.chat"
local json = require "engine.json"

local DO = {}
function DO.loop() while true do end end
function DO.swallow() while true do pcall(function() while true do end end) end end
function DO.memory() local t = {} while true do t[#t + 1] = ("x"):rep(1e6) .. #t end end
function DO.bug() local x = nil return x.y end
function DO.table() error(setmetatable({}, { __index = DO.loop, __tostring = DO.loop })) end
function DO.nothing() end

local function at(place, text)
  local where, what = text:match "^(%a+):(%a+)$"
  if where == place then DO[what]() end
end

return chat.adapter {
  path = "/x",
  encode = function(call, dep)
    at("encode", dep.model)
    return json.encode { model = dep.model, stream = call.stream }
  end,
  decode = function(body, reply)
    at("decode", body.todo)
    reply:text "good"
    reply:finish "stop"
  end,
  stream = function(upstream, reply)
    for line in upstream:jsonl() do
      at("stream", line.todo)
      reply:text(line.text)
      if line.done then reply:finish "stop" end
    end
  end,
  classify = function(_, body) at("classify", body.todo) end,
  sign = function(_, dep) at("sign", dep.model) end,
}
]]

-- One with no upstream: it says what it was told, slowly.
local OWN = [[
local chat = require "lib.chat"
local time = require "engine.time"

return chat.adapter {
  answer = function(_, dep, reply)
    if dep.model == "silent" then return end
    for _ = 1, dep.model == "long" and 3000 or 6 do
      time.sleep(0.02)
      reply:text "a"
    end
    if dep.model == "loop" then while true do end end
    if dep.model == "unfinished" then return end
    reply:finish "stop"
  end,
}
]]

describe("a drop-in adapter", function()
  local up, gw

  local function start(routes)
    gw = helper.gateway {
      routes = routes, loud = true, args = { "--providers", "@adapters" },
      files = {
        ["adapters/acme.lua"] = ACME, ["adapters/wild.lua"] = WILD, ["adapters/own.lua"] = OWN,
      },
    }
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() up:reset() end)
  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local function acme()
    start(([[
local acme = provider "acme" { base_url = %q, secret = "acme-secret" }
model "large" { acme "acme-large-rc1" }]]):format(up:url "acme"))
  end

  it("answers in its own shape, signed over the bytes it sends", function()
    acme()
    up:reply("acme", { body = '{"out":"Hello","n_in":7,"n_out":3}' })
    local response = gw:chat(helper.ask "large")
    assert.equal(200, response.status, response.body)
    assert.equal("Hello", response.json.choices[1].message.content)
    assert.equal("stop", response.json.choices[1].finish_reason)
    assert.equal(10, response.json.usage.total_tokens)
    assert.equal("acme/acme-large-rc1", response.headers["x-moongate-deployment"])
    local seen = up:last "acme"
    assert.equal("/acme/generate", seen.path)
    assert.same({
      engine = "acme-large-rc1", prompt = "<user>hello", limit = 1024, live = false,
    }, helper.json.decode(seen.body))
    assert.is_truthy(seen.headers["x-acme-mac"]:find "^%x+$")
    assert.equal(64, #seen.headers["x-acme-mac"])
  end)

  it("is not asked about messages that are none: the client hears which", function()
    acme()
    for junk, param in pairs {
      ["null"] = "messages[0]", ["1"] = "messages[0]", ['"hello"'] = "messages[0]",
      ["{}"] = "messages[0].role", ['{"role":[],"content":"x"}'] = "messages[0].role",
    } do
      local response = gw:chat(('{"model":"large","messages":[%s]}'):format(junk))
      assert.equal(400, response.status, response.body)
      assert.equal("invalid_type", response.json.error.code)
      assert.equal(param, response.json.error.param)
    end
    assert.is_nil(up:last "acme")
  end)

  it("streams from JSON lines", function()
    acme()
    up:reply("acme", {
      stream = "drip", headers = { ["content-type"] = "application/jsonl" },
      body = '{"piece":"Hel"}\n{"piece":"lo"}\n{"done":true,"n_in":7,"n_out":3}\n',
    })
    local response = gw:chat(helper.ask("large", '"stream":true'))
    assert.equal(200, response.status, response.body)
    assert.is_truthy(response.body:find '"content":"Hel"')
    assert.is_truthy(response.body:find '"content":"lo"')
    assert.is_truthy(response.body:find '"finish_reason":"stop"')
    assert.is_truthy(response.body:find "data: %[DONE%]\n\n$")
  end)

  local function wild(model)
    start(([[
local wild = provider "wild" { base_url = %q }
model "bad" { wild { %q, name = "bad" } }
model "good" { provider "mock" {} "mock" }]]):format(up:url "wild", model))
  end

  -- The bad model fails by its operator's mistake, and nobody else notices.
  local function fails_alone(stream)
    for _ = 1, 2 do
      local waiting = gw:chat_open(helper.ask("bad", stream and '"stream":true'))
      assert.equal(200, gw:chat(helper.ask "good").status)
      local response = waiting:response()
      assert.equal(500, response and response.status, response and response.body)
      assert.equal("script_error", helper.json.decode(response.body).error.code)
      waiting:close()
    end
    assert.equal(200, gw:chat(helper.ask "good").status)
    for _, line in ipairs(gw:log "request") do
      if line.status == 500 then assert.equal("script_error", line.error.kind) end
    end
  end

  for _, what in ipairs { "loop", "swallow", "memory", "bug", "table" } do
    for _, place in ipairs { "encode", "sign", "decode", "classify", "stream" } do
      it(("that runs wild fails its own request only: %s in %s"):format(what, place), function()
        local todo = place .. ":" .. what
        wild(todo)
        local body = helper.json.encode { todo = todo, text = "x" } .. "\n"
        if place == "stream" then
          up:reply("wild", { stream = "whole", body = body })
        else
          up:reply("wild", { status = place == "classify" and 400 or 200, body = body })
        end
        fails_alone(place == "stream")
      end)
    end
  end

  it("that runs wild in mid-stream ends it with an error event", function()
    wild "x"
    up:reply("wild", { stream = "drip", body = '{"todo":"x:nothing","text":"begun"}\n'
      .. '{"todo":"stream:loop","text":"x"}\n' })
    local response = gw:chat(helper.ask("bad", '"stream":true'))
    assert.is_truthy(response.body:find "begun", response.body)
    assert.is_truthy(response.body:find '"script_error"', response.body)
    assert.is_falsy(response.body:find "%[DONE%]")
    assert.equal(200, gw:chat(helper.ask "good").status)
  end)

  it("that waits may take its time, and hears of a client that left", function()
    start [[
local own = provider "own" {}
model "slow" { own "slow" }
model "long" { own "long" }
model "bad" { own "loop", retries = 0 }]]
    local response = gw:chat(helper.ask "slow")
    assert.equal(200, response.status, response.body)
    assert.equal("aaaaaa", response.json.choices[1].message.content)

    local connection = gw:chat_open(helper.ask("long", '"stream":true'))
    assert.equal(200, connection:head().status)
    connection:close()
    helper.wait_until(function()
      local lines = gw:log "request"
      return lines[2] and lines[2].outcome == "cancelled"
    end, 5, "a line that says it left")

    response = gw:chat(helper.ask "bad")
    assert.equal(500, response.status, response.body)
    assert.equal("script_error", response.json.error.code)
  end)

  it("that says nothing, or does not end its stream, has not answered", function()
    start [[
local own = provider "own" {}
model "silent" { own "silent", retries = 0 }
model "unfinished" { own "unfinished", retries = 0 }]]
    local response = gw:chat(helper.ask "silent")
    assert.equal(502, response.status, response.body)
    response = gw:chat(helper.ask("unfinished", '"stream":true'))
    assert.is_truthy(response.body:find '"upstream_truncated"', response.body)
    assert.is_falsy(response.body:find "%[DONE%]")
  end)

  it("that is none never becomes live", function()
    start 'model "m" { provider "own" {} "x" }'
    assert.equal(200, gw:chat(helper.ask "m").status)
    for text, why in pairs {
      ["oops("] = "does not load: .*own%.lua:1: ", ["return 5"] = "it returns no adapter",
      ["return {}"] = "it has no encode", ["while true do end"] = "own%.lua:1: ran longer",
      ["return require('lib.chat').adapter { headers = 5 }"] = "its headers is a number",
      ["return require('lib.chat').adapter { path = {} }"] = "its path is a table",
      ["return require('lib.chat').adapter { headrs = type }"] =
        'providers/own.lua: it has an unknown member "headrs"; did you mean "headers"',
    } do
      process.write(gw.dir .. "/adapters/own.lua", text)
      local status, out, err =
        gw:run { "reload", "--wait", "--admin", "127.0.0.1:" .. gw.admin_port }
      assert.equal(6, status, text .. out .. err)
      assert.is_truthy(err:find(why), err)
    end
    assert.equal(200, gw:chat(helper.ask "m").status)
  end)
end)
