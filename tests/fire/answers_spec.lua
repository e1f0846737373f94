-- Whole answers that break off, are something else, or say what no client should hear.

local fire = require "support.fire"
local helper = require "helper"
local refused = require "support.refusal"

local script = helper.script
local send = script.send

local DEATHS = tonumber(os.getenv "MOONGATE_DEATHS") or 1000
local STRAYS = tonumber(os.getenv "MOONGATE_STRAYS") or 500

describe("a provider's answer", function()
  local world = fire.world()
  local up = world.up

  local LANES = {
    "cut", "long", "stray", "mine", "odd", "status", "html", "line", "head", "pass",
    "packed", "interim", "moved", "old", "chunks", "early", "swap", "words", "choices", "dated",
    "server_error", "overloaded_error", "rate_limit_exceeded", "invalid_request_error",
    "authentication_error",
  }

  setup(function()
    fire.start(world, { lanes = LANES, apart = { "dies" }, routes = function(at)
      local function dep(lane, url)
        return fire.deployment(lane, url or at:url(lane) .. "/v1")
      end
      return fire.model("then", { dep("first", at:url "broken" .. "/v1") },
          'retries = 0, fallback = { "spare" }')
        .. fire.model("again", { dep("firsts", at:url "broken" .. "/v1") },
          'retries = 1, backoff = "1ms"')
        .. fire.model("spare", { dep "spare" })
    end })
  end)
  teardown(function() world:stop() end)

  local GOOD = helper.completion "good"

  local function text_of(response)
    assert.equal(200, response.status, response.body)
    return response.json.choices[1].message.content
  end

  local function head_of(body, headers)
    headers = headers or {}
    headers["content-type"] = headers["content-type"] or "application/json"
    headers["content-length"] = headers["content-length"] or #body
    return script.head(200, headers)
  end

  world:row("U-13: no call is sent twice on a connection that was used, " .. DEATHS .. " times",
    {}, function()
      for _ = 1, DEATHS do
        up:reply("dies", { body = GOOD }, 1)
        up:script("dies", "rst\n", 1)
        assert.equal("good", text_of(world:chat "dies"))
        refused(world:chat "dies", 502, "upstream_unreachable")
      end
      local used = {}
      for _, request in ipairs(up:requests "dies") do
        used[request.connection] = (used[request.connection] or 0) + 1
      end
      for _, n in pairs(used) do assert.equal(2, n, "the second call was on a used one") end
    end)

  for _, how in ipairs { "rst", "fin" } do
    world:row("U-14: " .. how .. " between the head and the body of a whole answer",
      { hits = 2 }, function()
        up:script("broken", send(head_of(GOOD)) .. how .. "\n", 1)
        up:reply("broken", { body = GOOD })
        local response = world:chat "again"
        assert.equal("good", text_of(response))
        assert.equal("2", response.headers["x-moongate-attempts"])
        assert.equal("truncated", world:last_row().attempts[1].reason)
      end)

    world:row("U-14: " .. how .. " between the head and the first event of a stream",
      { hits = 2 }, function()
        up:reply("broken", { stream = "whole", after = how .. "\n" }, 1)
        up:reply("spare", { body = helper.stream "good", stream = "whole" })
        local response = world:chat("then", '"stream":true')
        assert.equal(200, response.status)
        assert.equal(helper.stream "good":match "(.-)data: {[^\n]*usage", response.body
          :match "^(.-)data: %[DONE%]")
      end)

    world:row((how == "rst" and "U-15: " or "U-16: ") .. how .. " within a whole answer", {},
      function()
        for _, at in ipairs { 1, 20, #GOOD / 2, #GOOD - 1 } do
          up:script("cut", send(head_of(GOOD) .. GOOD:sub(1, at)) .. how .. "\n", 1)
          refused(world:chat "cut", 502, "upstream_truncated")
        end
      end)
  end

  world:row("U-17: more than the announced length: the first part, and never that connection",
    {}, function()
      up:script("long", send(head_of(GOOD) .. GOOD .. "HTTP/1.1 200 OK\r\n\r\nmore"), 1)
      up:reply("long", { body = helper.completion "next" })
      assert.equal("good", text_of(world:chat "long"))
      assert.equal("next", text_of(world:chat "long"))
      local seen = up:requests "long"
      assert.is_not.equal(seen[1].connection, seen[2].connection)
    end)

  -- Half of them come with the answer, half when the connection is idle: then no later than the
  -- next request, which is what a gateway can tell.
  world:row("U-18: an answer that nobody asked for is nobody's, " .. STRAYS .. " times",
    {}, function()
      local stray = helper.completion "stray"
      local answer, more = head_of(GOOD) .. GOOD, head_of(stray) .. stray
      for n = 1, STRAYS do
        local pause = n % 2 == 0 and "gate g" .. n .. "\n" or ""
        up:script("stray", send(answer) .. pause .. send(more), 1)
        up:reply("mine", { body = helper.completion("mine " .. n) }, 1)
        assert.equal("good", text_of(world:chat "stray"))
        up:open("g" .. n)
        assert.equal("mine " .. n, text_of(world:chat "mine"))
      end
    end)

  local NO_JSON = {
    cut = '{"choices":[{"index":0', words = "no JSON at all", list = "[1,2]", number = "17",
    nan = '{"choices":NaN}', twice = "{}{}", utf8 = '{"a":"\xff"}', nothing = "{}",
  }
  for name, body in pairs(NO_JSON) do
    world:row("U-19: a whole answer that is no JSON of use: " .. name, {}, function()
      up:reply("odd", { body = body })
      refused(world:chat "odd", 502, "upstream_invalid_response")
      assert.equal("invalid_response", world:last_row().attempts[1].reason)
    end)
  end

  for _, status in ipairs { 200, 204, 304 } do
    world:row("U-20: status " .. status .. " without a body", {}, function()
      local lines = "HTTP/1.1 " .. status .. " X\r\n"
        .. (status == 200 and "content-length: 0\r\n" or "") .. "\r\n"
      up:script("status", send(lines))
      local code = status == 304 and "upstream_redirect" or "upstream_invalid_response"
      refused(world:chat "status", 502, code)
      refused(world:chat("status", '"stream":true'), 502, code)
    end)
  end

  local PAGE = "<!DOCTYPE html><html><head><title>Bad <b>gateway</b></title></head><body>"
    .. ("<p class=x>cloudy</p>"):rep(500) .. "</body></html>"
  for _, status in ipairs { 200, 500, 502, 503, 520, 524 } do
    world:row("U-21: a page of HTML with status " .. status, {}, function()
      up:reply("html", { status = status, headers = { ["content-type"] = "text/html" },
        body = PAGE })
      local response = world:chat "html"
      assert.equal(({ [503] = 503, [524] = 504 })[status] or 502, response.status)
      assert.equal("application/json", response.headers["content-type"])
      assert.is_nil(response.body:find("cloudy", 1, true))
      assert.is_nil(response.body:find("<", 1, true))
      local detail = world:last_line().error.detail
      assert.is_truthy(detail:find("Bad gateway", 1, true), detail)
      assert.is_nil(detail:find("<", 1, true), detail)
      assert.is_true(#detail <= 200)
    end)
  end

  local UNDER_200 = { -- lanes of these names
    server_error = { 502, "upstream_error" },
    overloaded_error = { 503, "overloaded" },
    rate_limit_exceeded = { 429, "upstream_rate_limited" },
    invalid_request_error = { 400, nil },
    authentication_error = { 502, "upstream_auth_error" },
  }
  for kind, want in pairs(UNDER_200) do
    world:row("U-22: an error under status 200: " .. kind, {}, function()
      up:reply(kind, { body = ('{"error":{"message":"so","type":%q,"code":null}}')
        :format(kind) })
      local response = world:chat(kind)
      assert.equal(want[1], response.status, response.body)
      if want[2] then assert.equal(want[2], response.json.error.code) end
    end)
  end

  local HEADS = {
    ["300 KiB"] = "x-long: " .. ("a"):rep(300 * 1024) .. "\r\n",
    ["10,000 headers"] = ("x-many: 1\r\n"):rep(10000),
    ["no colon"] = "x-odd\r\n",
    ["folded"] = "x-odd: a\r\n b\r\n",
    ["NUL"] = "x-odd: a\0b\r\n",
    ["CR"] = "x-odd: a\rb\r\n",
    ["blank name"] = ": a\r\n",
    ["no status"] = "", -- see below
  }
  for name, lines in pairs(HEADS) do
    world:row("U-56: a head that is wrong: " .. name, {}, function()
      local first = name == "no status" and "HTTP/1.1 OK\r\n" or "HTTP/1.1 200 OK\r\n"
      up:script("head", send(first .. lines .. "content-length: " .. #GOOD
        .. "\r\nx-after: injected\r\n\r\n" .. GOOD))
      local response = refused(world:chat "head", 502, "upstream_invalid_response")
      assert.is_nil(response.headers["x-odd"])
      assert.is_nil(response.headers["x-after"])
    end)
  end

  world:row("U-57: what is not for clients stays here", {}, function()
    local kept = {
      ["set-cookie"] = "a=b", ["keep-alive"] = "timeout=1", server = "theirs",
      ["alt-svc"] = 'h3=":443"', ["x-request-id"] = "theirs", via = "1.1 theirs",
      ["proxy-authenticate"] = "Basic", ["x-powered-by"] = "theirs", ["openai-version"] = "1",
      ["strict-transport-security"] = "max-age=1", ["access-control-allow-origin"] = "*",
      ["www-authenticate"] = "Bearer", trailer = "x", upgrade = "h2c",
    }
    for _, stream in ipairs { false, true } do
      up:reply("pass", { headers = kept, stream = stream and "whole" or nil,
        body = stream and helper.stream "good" or GOOD }, 1)
      local response = world:chat("pass", stream and '"stream":true' or nil)
      assert.equal(200, response.status)
      for name, value in pairs(kept) do
        assert.is_not.equal(value, response.headers[name], name)
      end
    end
  end)

  for _, encoding in ipairs { "gzip", "br", "zstd", "deflate", ("gzip, "):rep(4) .. "gzip" } do
    world:row("U-58: an answer in " .. encoding .. ", which nobody asked for", {}, function()
      up:reply("packed", { headers = { ["content-encoding"] = encoding },
        body = "\31\139\8\0\0\0\0\0\0\3" .. ("\0"):rep(3000) })
      refused(world:chat "packed", 502, "upstream_invalid_response")
      up:reply("packed", { headers = { ["content-encoding"] = encoding }, stream = "whole",
        body = "\31\139\8\0\0\0\0\0\0\3" .. ("\0"):rep(3000) })
      refused(world:chat("packed", '"stream":true'), 502, "upstream_invalid_response")
      local asked = up:last "packed"
      assert.equal("identity", asked.headers["accept-encoding"])
    end)
  end

  world:row("U-58: an encoding that is a lie is no answer either", {}, function()
    up:reply("packed", { headers = { ["content-encoding"] = "gzip" }, body = GOOD })
    refused(world:chat "packed", 502, "upstream_invalid_response")
  end)

  local TWICE = { twice = true }
  world:row("U-59: five megabytes leave at once, though no 100 ever comes", TWICE, function()
    up:reply("pass", { body = GOOD })
    local response = world:chat("pass", nil, { body = fire.ask("pass",
      '"user":"' .. ("u"):rep(5 * 2 ^ 20) .. '"') })
    assert.equal("good", text_of(response))
    assert.is_nil(up:last "pass".headers.expect)
  end)
end)
