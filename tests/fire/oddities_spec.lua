-- Answers that are unusual: interim ones, redirects, other framings, other forms than asked.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

local script = helper.script
local send = script.send

describe("a provider's unusual answer", function()
  local world = fire.world()
  local up = world.up

  setup(function()
    fire.start(world, {
      lanes = {
        "interim", "moved", "old", "chunks", "early401", "early413", "swap", "words",
        "choices", "dated",
      },
      apart = { "closes" },
      routes = function(at)
        return fire.model("first", { fire.deployment("down", at:url "down" .. "/v1") },
            'retries = 0, fallback = { "second" }')
          .. fire.model("second", { fire.deployment("up", at:url "up" .. "/v1") })
      end,
    })
  end)
  teardown(function() world:stop() end)

  local GOOD = helper.completion "good"

  local function whole(lines, body, first)
    return send((first or "HTTP/1.1 200 OK") .. "\r\n" .. lines .. "\r\n" .. (body or ""))
  end
  local SIZED = "content-type: application/json\r\ncontent-length: " .. #GOOD .. "\r\n"
  local CHUNKED = "content-type: application/json\r\ntransfer-encoding: chunked\r\n"

  local function good(response)
    assert.equal(200, response.status, response.body)
    assert.equal("good", response.json.choices[1].message.content)
    return response
  end

  for name, lines in pairs {
    ["100"] = "HTTP/1.1 100 Continue\r\n\r\n",
    ["102"] = "HTTP/1.1 102 Processing\r\n\r\n",
    ["103 with headers"] = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nretry-after: 9\r\n\r\n",
    ["several"] = ("HTTP/1.1 100 Continue\r\n\r\n"):rep(5) .. "HTTP/1.1 102 P\r\n\r\n",
  } do
    world:row("U-60: interim answers are skipped: " .. name, {}, function()
      up:script("interim", send(lines) .. "wait 5\n" .. whole(SIZED, GOOD))
      assert.is_nil(good(world:chat "interim").headers.link)
    end)
  end

  world:row("U-60: 101 is none", {}, function()
    up:script("interim", send "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n")
    refused(world:chat "interim", 502, "upstream_invalid_response")
  end)

  for _, status in ipairs { 301, 302, 303, 307, 308 } do
    world:row("U-61: " .. status .. " is followed nowhere", { hits = 4 }, function()
      for _, target in ipairs {
        up:url "elsewhere", "http://localhost:1/x", "file:///etc/passwd", "/elsewhere/v1",
      } do
        up:reply("moved", { status = status, headers = { location = target }, body = "{}" }, 1)
        refused(world:chat "moved", 502, "upstream_redirect")
      end
      assert.equal(0, #up:requests "elsewhere")
    end)
  end

  world:row("U-62: HTTP/1.0, whole and closed", {}, function()
    up:script("old", whole("content-type: application/json\r\n", GOOD, "HTTP/1.0 200 OK")
      .. "fin\n")
    good(world:chat "old")
    up:script("old", whole(SIZED, GOOD, "HTTP/1.0 200 OK") .. "fin\n")
    good(world:chat "old")
  end)

  world:row("U-62: neither length nor chunks: whole, where the JSON is", {}, function()
    up:script("old", whole("content-type: application/json\r\n", GOOD) .. "fin\n", 1)
    good(world:chat "old")
    up:script("old", whole("content-type: application/json\r\n", GOOD:sub(1, -20)) .. "fin\n")
    refused(world:chat "old", 502, "upstream_invalid_response")
  end)

  for name, case in pairs {
    ["no size"] = { "xyz\r\n" .. GOOD, "fin\n" },
    ["a size of 17 digits"] = { "1" .. ("0"):rep(16) .. "\r\n" .. GOOD, "fin\n" },
    ["a size below nothing"] = { "-5\r\n" .. GOOD, "fin\n" },
    ["no end"] = { script.chunk(GOOD), "fin\n" },
    ["an end that is cut"] = { script.chunk(GOOD) .. "0\r", "fin\n" },
    ["less than its size"] = { ("%x\r\n"):format(#GOOD + 50) .. GOOD, "rst\n" },
  } do
    world:row("U-63: chunks that are wrong: " .. name, {}, function()
      up:script("chunks", whole(CHUNKED, case[1]) .. case[2])
      local response = world:chat "chunks"
      assert.equal(502, response.status)
      assert.is_truthy(({ upstream_truncated = true, upstream_invalid_response = true })
        [response.json.error.code], response.body)
    end)
  end

  for name, body in pairs {
    extension = ("%x;a=b;c=\"d\"\r\n"):format(#GOOD) .. GOOD .. "\r\n0;last\r\n\r\n",
    trailers = script.chunk(GOOD) .. "0\r\nx-trailer: 1\r\ncontent-length: 5\r\n\r\n",
    ["upper case"] = ("%X\r\n"):format(#GOOD) .. GOOD .. "\r\n0\r\n\r\n",
    ["leading zeros"] = ("000%x\r\n"):format(#GOOD) .. GOOD .. "\r\n0\r\n\r\n",
  } do
    world:row("U-63: chunks as they may be: " .. name, { hits = 2 }, function()
      up:script("chunks", whole(CHUNKED, body))
      assert.is_nil(good(world:chat "chunks").headers["x-trailer"])
      good(world:chat "chunks")
    end)
  end

  world:row("U-64: each answer closes its connection, 2,000 times", {}, function()
    up:script("closes", whole(SIZED .. "connection: close\r\n", GOOD) .. "fin\n")
    for _ = 1, 2000 do good(world:chat "closes") end
  end)

  for _, status in ipairs { 401, 413 } do
    local kept = { memory = 64 * 1024 } -- KiB
    world:row("U-65: " .. status .. " while 20 MiB are on their way", kept,
      function()
        local text = '{"error":{"message":"too much","type":"invalid_request_error"}}'
        up:script("early" .. status, "early 1000\n"
          .. whole("content-type: application/json\r\n"
          .. "content-length: " .. #text .. "\r\n", text, "HTTP/1.1 " .. status .. " No")
          .. "halt\n")
        local response = world:chat("early" .. status, nil, {
          body = fire.ask("early" .. status, '"pad":"' .. ("p"):rep(20 * 2 ^ 20) .. '"'),
        })
        assert.equal(status == 413 and 413 or 502, response.status)
        assert.is_truthy(response.body:find(status == 413 and "too much"
          or "upstream_auth_error", 1, true), response.body)
        helper.wait_until(function()
          return up:connection(up:last("early" .. status).connection) == "peer"
        end, 5, "the upload's end, and its connection's")
      end)
  end

  world:row("U-67: a whole answer where a stream was asked for", {}, function()
    up:reply("swap", { body = GOOD })
    local response = world:chat("swap", '"stream":true')
    assert.equal(200, response.status)
    local events = helper.http.events(response.body)
    assert.equal("[DONE]", events[#events])
    assert.is_truthy(response.body:find('"content":"good"', 1, true), response.body)
  end)

  world:row("U-67: a stream where a whole answer was asked for", {}, function()
    up:reply("swap", { body = helper.stream("go", "od"), stream = "whole" })
    good(world:chat "swap")
    assert.equal(10, world:last_row().tokens.input)
  end)

  world:row("U-72: a fallback says who answered, and at which try", { hits = 2 }, function()
    up:reply("down", { status = 500, body = "{}" })
    up:reply("up", { body = helper.completion "good" })
    local response = good(world:chat "first")
    assert.equal("2", response.headers["x-moongate-attempts"])
    assert.equal("up/gpt-4o-mini", response.headers["x-moongate-deployment"])
    assert.equal("gpt-4o-mini-2024-07-18", response.json.model)
    local row = world:last_row()
    assert.equal("up/gpt-4o-mini", row.deployment)
    assert.equal(2, #row.attempts)
  end)

  world:row("U-75: what could break a log is told whole and kept in one line", {}, function()
    local nasty = 'a\\u2028b\\u001b[31mc<script>alert(1)</script>\\nd \\"e\\" \\u0000f'
    up:reply("words", { status = 400, body = '{"error":{"message":"' .. nasty
      .. '","type":"invalid_request_error","param":null,"code":"x"}}' })
    local lines = #world.gw:log()
    local response = world:chat "words"
    assert.equal(400, response.status)
    assert.equal("x", response.json.error.code)
    helper.wait_until(function() return #world.gw:log() > lines end)
    for line in world.gw:log_text():gmatch "[^\n]+" do
      local at = line:find "[%z\1-\31\127]" or line:find("\226\128\168", 1, true)
      assert.is_nil(at, line:sub(at or 1, -1))
    end
    up:reply("words", { status = 500, body = '{"error":{"message":"' .. nasty .. '"}}' })
    response = world:chat "words"
    assert.equal(502, response.status)
    assert.is_nil(response.json.error.message:find "[<%z\1-\31]")
  end)

  for name, body in pairs {
    twice = '{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"x"},'
      .. '"finish_reason":"stop"},{"index":0,"message":{"role":"assistant","content":"y"},'
      .. '"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}',
    ["none, with usage"] = '{"id":"a","choices":[],"usage":'
      .. '{"prompt_tokens":7,"completion_tokens":3}}',
    ["missing, with usage"] = '{"id":"a","usage":{"prompt_tokens":7,"completion_tokens":3}}',
  } do
    world:row("U-77: choices " .. name, {}, function()
      up:reply("choices", { body = body })
      local response = world:chat "choices"
      assert.equal(200, response.status, response.body)
      assert.equal(body, response.body)
      assert.same({ 7, 3 }, { world:last_row().tokens.input, world:last_row().tokens.output })
    end)
  end

  for name, date in pairs {
    absent = false, old = "Thu, 01 Jan 1970 00:00:00 GMT",
    future = "Fri, 31 Dec 2100 23:59:59 GMT", nonsense = "yesterday",
  } do
    world:row("U-78: the answer's date is " .. name, {}, function()
      up:reply("dated", { headers = date and { date = date } or nil, body = GOOD })
      good(world:chat "dated")
    end)
  end
end)
