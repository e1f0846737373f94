-- Clients and providers that mean harm: where a request goes, what goes with it, and what comes
-- back is ours to say.

local fire = require "support.fire"
local helper = require "helper"

local script = helper.script

local ADAPTER = [[
return require("providers.openai_compatible"):with {
  headers = function() return { ["x-tenant"] = "a\r\nx-evil: b" } end,
}
]]

-- What a script does with texts of the client: writes them to the log.
local HOOK = [[
route(function(call)
  log.info("seen", { model = call.model, user = call.user, agent = call:header "user-agent",
    own = call:header "x-own" })
end)
]]

local SECOND = "canary-header-secret-0123456789abcdef"

local STEP = 4 * 1024 -- KiB: a heap grows in steps

describe("hostile", function()
  local world = fire.world()
  local up = world.up
  local folder

  -- An answer may rest its deployment: one for each.
  local lanes = { "one", "heads", "words", "header", "page", "text" }
  local function echoes(name, status) return ("echo-%s-%d"):format(name, status) end
  local STATUSES = { 400, 401, 403, 404, 413, 422, 429, 500 }
  for _, status in ipairs(STATUSES) do
    for _, name in ipairs { "plain", "escaped", "whole", "page" } do
      lanes[#lanes + 1] = echoes(name, status)
    end
  end

  local function routes(at)
    local function wild(name, provider, more)
      return ('model "%s/*" { provider %q { name = %q, base_url = %q, %s } { "*", price = '
        .. "{ input = 1, output = 2 } }, retries = 0 }\n"):format(name, provider, name,
        at:url(name) .. "/v1", more)
    end
    local key = "api_key = env.FIRE_PROVIDER"
    return wild("gemini", "gemini", key)
      .. wild("azure", "azure", key .. ', api_version = "2024-10-21"')
      .. wild("bedrock", "bedrock", key .. ', region = "us-east-1"')
      .. wild("vertex", "vertex", key .. ', project = "p", location = "us-east5"')
      .. wild("plain", "openai_compatible", key)
      .. fire.model("bad-header", { ('provider "liar" { name = "liar", base_url = %q, '
        .. key .. ' } { "m", price = { input = 1, output = 2 } }'):format(at:url "liar") })
      .. fire.model("two-secrets", { fire.deployment("two-secrets", at:url "two-secrets",
        nil, 'headers = { ["x-key"] = env.SECOND },') })
      .. HOOK
  end

  setup(function()
    folder = helper.process.temp_dir()
    helper.process.write(folder .. "/liar.lua", ADAPTER)
    world.secrets.second = SECOND
    fire.start(world, {
      lanes = lanes, routes = routes,
      args = { "--providers", folder }, env = { SECOND = SECOND },
    })
  end)
  teardown(function()
    world.secrets.second = nil
    world:stop()
    helper.remove_tree(folder)
  end)

  local GOOD = helper.completion "good"

  -- The names of the headers that a provider saw, in order.
  local function names_of(request)
    local list = {}
    for name in request.raw:match "^(.-)\r\n\r\n":gmatch "\r\n([^:]+):" do
      list[#list + 1] = name:lower()
    end
    table.sort(list)
    return list
  end

  -- S-08, S-09 ------------------------------------------------------------------------------

  world:row("S-08: line ends in what a client says become no header of ours", {
    hits = 5, requests = 5,
  }, function()
    up:reply("one", { body = GOOD })
    world:chat "one"
    local usual = names_of(up:last "one")
    for _, text in ipairs { "a\\r\\nx-evil: b", "a%0d%0ax-evil: b", "a\\u000ax-evil: b",
      "\\u0000x-evil: b" } do
      local more = ('"user":"%s","metadata":{"x":"%s"},"safety_identifier":"%s"'):format(
        text, text, text)
      local response = world:chat("one", more, { headers = {
        ["x-own"] = "a%0d%0ax-evil: b", ["user-agent"] = "a%0ax-evil: b",
        ["openai-organization"] = "o%0d%0ax-evil: b", ["x-request-id"] = "r%0d%0ax-evil: b",
      } })
      assert.equal(200, response.status, response.body)
      assert.same(usual, names_of(up:last "one"))
      assert.is_nil(response.headers["x-evil"])
    end
  end)

  world:row("S-08: a script's header with a line end is refused, nothing is sent",
    { hits = 0 }, function()
      local response = world:chat "bad-header"
      assert.equal(500, response.status, response.body)
    end)

  it("S-08: so is an operator's", function()
    for _, header in ipairs { '["x-a"] = "a\\r\\nb: c"', '["x-a\\r\\nb"] = "c"',
      '["x-a"] = "a\\0b"', '["x a"] = "b"' } do
      helper.process.write(folder .. "/routes.lua", ('model "m" { provider "mock" { headers '
        .. '= { %s } } "m" }'):format(header))
      local status, out, err = helper.process.run {
        helper.binary, "check", folder .. "/routes.lua",
      }
      assert.not_equal(0, status)
      assert.is_truthy((out .. err):find("cannot be sent", 1, true), out .. err)
    end
  end)

  local CHOOSERS = {
    api_base = '"%s"', base_url = '"%s"', api_key = '"sk-other-0123456789"',
    organization = '"other"', custom_llm_provider = '"openai"',
    extra_headers = '{"authorization":"Bearer other","host":"%s"}', api_version = '"%s"',
    model_list = '[{"litellm_params":{"api_base":"%s"}}]', proxy = '"%s"', webhook = '"%s"',
  }

  world:row("S-09: no client says where its request goes, or with which key", {
    hits = 20, requests = 20,
  }, function()
    up:reply("one", { body = GOOD })
    for name, value in pairs(CHOOSERS) do
      local there = value:gsub("%%s", up:url "elsewhere")
      local response = world:chat("one", ('"%s":%s'):format(name, there))
      assert.equal(200, response.status, name .. response.body)
      local header = "x-moongate-" .. name:gsub("_", "-")
      response = world:chat("one", nil, {
        path = "/v1/chat/completions?" .. name .. "=" .. up:url "elsewhere",
        headers = { [header] = up:url "elsewhere", ["x-portkey-custom-host"] = up:url "else",
          ["x-litellm-api-base"] = up:url "elsewhere", ["x-forwarded-host"] = "elsewhere",
          ["x-base-url"] = up:url "elsewhere", ["openai-organization"] = "other" },
      })
      assert.equal(200, response.status, name .. response.body)
    end
    assert.equal(0, #up:requests "elsewhere")
    for _, request in ipairs(up:requests "one") do
      assert.equal("/one/v1/chat/completions", request.path)
      assert.equal("Bearer " .. fire.provider_key, request.headers.authorization)
      assert.equal("127.0.0.1:" .. up.port, request.headers.host)
      assert.is_nil(request.headers["openai-organization"])
    end
  end)

  -- S-10, S-12 ------------------------------------------------------------------------------

  it("S-10: an operator's addresses are as addresses are written, or refused", function()
    for _, url in ipairs {
      "http://user@127.0.0.1/v1", "http://127.0.0.1:0/v1", "http://127.0.0.1:99999/v1",
      "http://127.0.0.1\\\\@evil/v1", "http://127.0.0.1#@evil/v1", "http://[::1/v1",
      "http://exämple.com/v1", "http://a b/v1", "file:///etc/passwd", "gopher://x/",
      "//127.0.0.1/v1", "http:///v1", "http://127.0.0.1/v1?x=1", "http://127.0.0.1:80:80/v1",
      "http://%3127.0.0.1/v1", "http://2130706433/v1", "http://0x7f.1/v1",
      "http://0177.0.0.1/v1", "http://127.1/v1", "http://[::ffff:127.0.0.1%25eth0]/v1",
    } do
      helper.process.write(folder .. "/routes.lua", ('model "m" { provider "openai_compatible"'
        .. ' { name = "x", base_url = "%s", api_key = env.FIRE } "m" }'):format(url))
      local status, out, err = helper.process.run({
        helper.binary, "check", folder .. "/routes.lua",
      }, { env = { FIRE = "some-secret-of-enough-length" } })
      assert.not_equal(0, status, url)
      assert.is_truthy((out .. err):find("base_url", 1, true), url .. out .. err)
    end
  end)

  local TRICKS = { -- what a name may not do in a path
    "../../x", "..", "a/../../b", "x?key=1", "x#y", "x%2f..%2fy", "x%00", "./x", "x//y",
    "x/./y",
    "/x", "x\\y", "x y", "a\r\nb", "x/.", "é", "x;y=1",
  }

  for _, provider in ipairs { "gemini", "azure", "bedrock", "vertex", "plain" } do
    world:row("S-12: a model's name as a path, at " .. provider,
      { hits = 0, rows = 0, without = { rows = true } }, function()
        for _, trick in ipairs(TRICKS) do
          local response = world:chat(provider .. "/" .. trick)
          assert.equal(404, response.status, trick .. ": " .. response.body)
          assert.equal("model_not_found", response.json.error.code)
        end
      end)
  end

  world:row("S-12: what may be in a name is one segment of the path", { hits = 2 }, function()
    up:reply("gemini", { status = 404, body = "{}" })
    up:reply("azure", { status = 404, body = "{}" })
    world:chat "gemini/a@b:c"
    assert.equal("/gemini/v1/models/a%40b%3Ac:generateContent", up:last "gemini".path)
    world:chat "azure/a/b:c"
    assert.equal("/azure/v1/chat/completions?api-version=2024-10-21", up:last "azure".path)
  end)

  -- S-31 ------------------------------------------------------------------------------------

  for name, line in pairs {
    ["a bare CR"] = "x-ratelimit-limit-requests: 5\rset-cookie: evil=1\r\n",
    ["a folded line"] = "x-ratelimit-limit-requests: 5\r\n set-cookie: evil=1\r\n",
    NUL = "x-ratelimit-limit-requests: 5\0set-cookie: evil=1\r\n",
    ["a line end, encoded"] = "x-ratelimit-limit-requests: 5%0d%0aset-cookie: evil=1\r\n",
    ["a second head"] = "x-ratelimit-limit-requests: 5\r\n\r\nHTTP/1.1 200 OK\r\n"
      .. "set-cookie: evil=1\r\n",
  } do
    world:row("S-31: a provider's header with " .. name, { memory = STEP },
      function()
      up:script("heads", script.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        .. "content-length: " .. #GOOD .. "\r\n" .. line .. "\r\n" .. GOOD))
      local response = world:chat "heads"
      assert.is_nil(response.headers["set-cookie"])
      for _, pair in ipairs(response.header_list) do
        assert.is_nil(pair[2]:find "%c", pair[1])
        if pair[1]:lower():find "^x%-ratelimit" then assert.is_nil(pair[2]:find "evil") end
      end
    end)
  end

  -- S-22 ------------------------------------------------------------------------------------

  local KEY = fire.provider_key

  local function echo(status, how)
    local said = how(KEY)
    return { status = status, headers = { ["x-echo"] = "Bearer " .. KEY, ["x-key"] = KEY,
      ["x-ratelimit-limit-requests"] = KEY, ["retry-after"] = KEY },
      body = ('{"error":{"message":"Incorrect API key provided: %s (Bearer %s)",'
        .. '"type":"invalid_request_error","param":"%s","code":"%s"}}'):format(said, said,
        said, said) }
  end

  local HOWS = {
    plain = function(key) return key end,
    escaped = function(key) return (key:gsub("%-", "\\u002d")) end,
    whole = function(key)
      return (key:gsub(".", function(c) return ("\\u%04x"):format(c:byte()) end))
    end,
    page = function(key) return "<b>" .. key .. "</b>" end,
  }

  for name, how in pairs(HOWS) do
    world:row("S-22: a provider that echoes its key, " .. name, { hits = 8, memory = STEP },
      function()
      for _, status in ipairs(STATUSES) do
        up:reply(echoes(name, status), echo(status, how), 1)
        local response = world:chat(echoes(name, status))
        assert.is_true(response.status >= 400)
        local told = response.json and helper.json.encode(response.json) or response.body
        assert.is_nil(told:find(KEY, 1, true), told)
      end
    end)
  end

  world:row("S-22: in the headers of a good answer, and in what is no JSON",
      { hits = 3, memory = STEP },
    function()
      local leaky = echo(200, HOWS.plain)
      leaky.body = GOOD
      up:reply("header", leaky, 1)
      assert.equal(200, world:chat("header").status)
      up:reply("page", { status = 500, headers = { ["content-type"] = "text/html" },
        body = "<html>Authorization: Bearer " .. KEY .. "</html>" }, 1)
      world:chat "page"
      up:reply("text", { body = "Bearer " .. KEY }, 1)
      world:chat "text"
    end)

  world:row("S-22: the key in an operator's own header is no less secret",
      { hits = 3, memory = STEP },
    function()
      for _, status in ipairs { 400, 500, 401 } do
        up:reply("two-secrets", { status = status, body = ('{"error":{"message":"bad %s",'
          .. '"type":"x","param":"%s","code":"y"}}'):format(SECOND, SECOND) }, 1)
        local response = world:chat "two-secrets"
        assert.is_nil(response.body:find(SECOND, 1, true), response.body)
      end
      assert.equal(SECOND, up:last "two-secrets".headers["x-key"])
    end)

  -- S-23 ------------------------------------------------------------------------------------

  local CORPUS = {
    crlf = 'a\r\n{"level":"error","event":"forged"}', ansi = "\27[2J\27]0;x\7",
    lines = "a\226\128\168b\226\128\169c\194\133d", bad = "\255\192\175\237\160\128\226\130",
    nul = "a\0b", quotes = '"},{"x":"\\', bidi = "\226\128\174x", del = "a\127b",
    long = ("x\27\n"):rep(350000),
  }

  -- Every line since `from` is one of JSON, of printable characters, short.
  local function check_lines(from)
    local text = world.gw:log_text():sub(from + 1)
    assert.is_true(#text > 0)
    for line in text:gmatch "[^\n]*\n" do
      assert.is_true(#line <= 16384, #line)
      assert.is_table(helper.json.decode(line))
      assert.is_nil(line:sub(1, -2):find "[%z\1-\31\127]", line)
      for _, bytes in ipairs { "\226\128\168", "\226\128\169", "\194\133" } do
        assert.is_nil(line:find(bytes, 1, true), line)
      end
    end
    assert.is_nil(text:find('"event":"forged"', 1, true))
  end

  for name, text in pairs(CORPUS) do
    world:row("S-23: in a client's words: " .. name, {
      without = { rows = true, hits = true, lines = true, memory = true },
    }, function()
      local from = #world.gw:log_text()
      up:reply("words", { body = GOOD })
      local quoted = '"' .. text:gsub('[%c"\\]', function(c)
        return ("\\u%04x"):format(c:byte())
      end) .. '"'
      local header = text:gsub("[%c\127]", "\t"):sub(1, 3000)
      local headers = { ["user-agent"] = header, ["x-own"] = header,
        ["x-request-id"] = header }
      world:chat("words", '"user":' .. quoted .. ',"metadata":{"a":' .. quoted .. "}",
        { headers = headers })
      world:chat("words", nil, { body = ('{"model":%s,"messages":[]}'):format(quoted) })
      world:chat("words", nil, { path = "/v1/" .. header:gsub("[^!-~]", "%%0a"),
        headers = headers })
      helper.wait_until(function() return #world.gw:log_text() > from end)
      check_lines(from)
    end)

    world:row("S-23: in a provider's words: " .. name, {
      without = { rows = true, hits = true, memory = true },
    }, function()
      local from = #world.gw:log_text()
      for _, status in ipairs { 200, 400, 401, 500 } do
        up:reply("words", { status = status, body = text }, 1)
        world:chat "words"
        up:reply("words", { status = status, body = helper.json.encode { error = {
          message = text:gsub("[\128-\255]+", "\226\128\168"), type = "x", code = "y\n",
        } } }, 1)
        world:chat "words"
      end
      check_lines(from)
    end)
  end
end)
