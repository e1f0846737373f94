-- Access tokens: what is asked for them and how often, how long they are kept, what a failure
-- does. The clock is the test's; tests/live/oauth_spec.lua has real keys and connections.

local world = require "unit.world"

local json = require "engine.json"

local base64 = require("engine.crypto").base64

local SECRET = "a-secret-that-nobody-sees"
local ROUTES = [[
local entra = oauth {
  token_url = "https://login.test/tenant/token", client_id = "an id",
  client_secret = env.SECRET, scope = "https://acme.test/.default",
}
local azure = provider "azure" { base_url = "https://up.test", token = entra }
model "m" { azure "gpt-4o", retries = 0, cooldown = { allowed_fails = 1000 } }
model "two" { azure { "gpt-4o", name = "again" }, retries = 0 }
]]

local function new(routes, env)
  local w = world.new(routes, env)
  w.engine.crypto.base64 = base64
  return w
end

local function granted(token, seconds)
  return { body = json.encode {
    token_type = "Bearer", expires_in = seconds or 3600, access_token = token,
  } }
end

describe("access tokens", function()
  local w

  before_each(function()
    w = new(ROUTES, { SECRET = SECRET })
    w.answers["login.test"] = { granted "token-1", granted "token-2", granted "token-3" }
    w.answers["up.test"] = { world.completion "hi" }
  end)

  -- How often an endpoint was asked.
  local function asked(host)
    local n = 0
    for _, name in ipairs(w:hosts()) do n = n + (name == host and 1 or 0) end
    return n
  end

  local function last_header(name) return w.calls[#w.calls].request.headers[name] end

  after_each(function()
    assert.is_nil(json.encode(w.log):find(SECRET, 1, true))
    assert.is_nil(json.encode(w.log):find("token-", 1, true))
    assert.is_nil(json.encode(w.journal):find("token-", 1, true))
  end)

  it("are asked for with a client's credentials, and sent instead of a key", function()
    assert.equal(200, w:chat("m").status)
    local request = w.calls[1].request
    assert.equal("https://login.test/tenant/token", request.url)
    assert.equal("POST", request.method)
    assert.equal("application/x-www-form-urlencoded", request.headers["content-type"])
    assert.equal("grant_type=client_credentials&scope=https%3A%2F%2Facme.test%2F.default",
      request.body)
    assert.equal("Basic " .. base64("an%20id:" .. SECRET),
      request.headers.authorization)
    assert.equal("Bearer token-1", last_header "authorization")
    assert.is_nil(last_header "api-key")
  end)

  it("are kept, for every deployment that shares them", function()
    for _ = 1, 3 do assert.equal(200, w:chat("m").status) end
    assert.equal(200, w:chat("two").status)
    assert.equal(1, asked "login.test")
    assert.equal("Bearer token-1", last_header "authorization")
  end)

  it("are renewed in the last fifth of their lives", function()
    w:chat "m"
    w.clock = w.clock + 2870
    w:chat "m"
    assert.equal(1, asked "login.test")
    w.clock = w.clock + 30
    w:chat "m"
    w:chat "m"
    assert.equal(2, asked "login.test")
    assert.equal("Bearer token-2", last_header "authorization")
  end)

  it("serve on while they cannot be renewed, and are not used to the last moment", function()
    w:chat "m"
    w.answers["login.test"] = { { status = 503 }, { status = 503 }, granted "token-2" }
    w.clock = w.clock + 2900
    assert.equal(200, w:chat("m").status)
    assert.equal("Bearer token-1", last_header "authorization")
    w:chat "m"
    assert.equal(2, asked "login.test") -- it rests before it is asked again
    w.clock = w.clock + 530 -- 3430 seconds old
    assert.equal(502, w:chat("m").status)
    w.clock = w.clock + 2.1
    assert.equal(200, w:chat("m").status)
    assert.equal("Bearer token-2", last_header "authorization")
  end)

  it("that nobody gives are a 502, and are asked for again after pauses that double", function()
    w.answers["login.test"] = { {
      status = 401,
      body = '{"error":"invalid_client","error_description":"no ' .. SECRET .. '"}',
    } }
    local answer = w:chat "m"
    assert.equal(502, answer.status)
    assert.equal("upstream_auth_error", answer.json.error.code)
    assert.is_nil(answer.answer:find(SECRET, 1, true))
    assert.equal(0, asked "up.test")
    local n = 1
    for _, pause in ipairs { 1, 2, 4, 8, 16, 32, 60, 60 } do
      w.clock = w.clock + pause - 0.5
      assert.equal(503, w:chat("m").status) -- the deployment rests as long
      assert.equal(n, asked "login.test")
      w.clock = w.clock + 0.6
      assert.equal(502, w:chat("m").status)
      n = n + 1
      assert.equal(n, asked "login.test")
    end
    local lines = w:logged "oauth"
    assert.equal(n, #lines)
    assert.equal("the token endpoint answered 401: no ***", lines[1].fields.message)
  end)

  it("leave a deployment to others, where they cannot be had", function()
    w = new(ROUTES .. [[
model "both" {
  azure { "gpt-4o", name = "first" },
  provider "openai" { base_url = "https://other.test", api_key = "k" } {
    "gpt-4o", weight = 0,
  },
  balance = function(deployments) return deployments[1] end,
}]], { SECRET = SECRET })
    w.answers["login.test"] = { { error = { kind = "connect", message = "refused" } } }
    w.answers["other.test"] = { world.completion "from elsewhere" }
    assert.equal(200, w:chat("both").status)
  end)

  it("that the provider refuses are replaced once, and the request repeated", function()
    w:chat "m"
    w.answers["up.test"] = { world.failure(401), world.completion "hi" }
    assert.equal(200, w:chat("m").status)
    assert.equal(2, asked "login.test")
    assert.equal("Bearer token-2", last_header "authorization")
    local row, n = w:usage()
    assert.equal(2, n)
    assert.equal(2, #row.attempts)
    assert.equal("auth", row.attempts[1].reason)
  end)

  it("that are refused again end the request, and are not replaced for each", function()
    w.answers["up.test"] = { world.failure(401) }
    assert.equal(502, w:chat("m").status)
    assert.equal(2, asked "login.test")
    assert.equal(2, asked "up.test")
    for i = 1, 3 do -- another deployment with the same token each
      w.cfg.groups.m.deployments[1].name = "other-" .. i
      assert.equal(502, w:chat("m").status)
    end
    assert.equal(2, asked "login.test")
    assert.equal(5, asked "up.test")
    w.clock = w.clock + 11
    w.cfg.groups.m.deployments[1].name = "last"
    assert.equal(502, w:chat("m").status)
    assert.equal(3, asked "login.test")
  end)

  it("are taken as an endpoint says them, and nothing else is", function()
    for _, body in ipairs {
      "", "no json", "[]", '{"access_token":""}', '{"access_token":5}',
      '{"access_token":"a\\r\\nb: c"}', '{"access_token":{}}', '"x"', "null",
    } do
      w = new(ROUTES, { SECRET = SECRET })
      w.answers["login.test"] = { { body = body } }
      assert.equal(502, w:chat("m").status, body)
      assert.equal(1, asked "login.test")
    end
    for _, life in ipairs { '"3600"', "null", "-1", "1e300", '"x"', "{}" } do
      w = new(ROUTES, { SECRET = SECRET })
      w.answers["up.test"] = { world.completion "hi" }
      w.answers["login.test"] = {
        { body = '{"access_token":"token-9","expires_in":' .. life .. "}" },
      }
      assert.equal(200, w:chat("m").status, life)
      assert.equal(200, w:chat("m").status, life)
      assert.equal(1, asked "login.test")
    end
  end)

  it("are asked of the machine itself, where that has an account", function()
    w = new([[
model "m" {
  provider "databricks" { base_url = "https://up.test", token = oauth { metadata = true } } "x",
}]])
    w.answers["metadata.google.internal"] = { granted "token-of-machine" }
    w.answers["up.test"] = { world.completion "hi" }
    assert.equal(200, w:chat("m").status)
    local request = w.calls[1].request
    assert.equal("GET", request.method)
    assert.equal("Google", request.headers["metadata-flavor"])
    assert.is_nil(request.body)
    assert.equal("Bearer token-of-machine", last_header "authorization")
  end)

  it("may be given as they are", function()
    w = new([[
model "m" {
  provider "azure" { base_url = "https://up.test", token = env.TOKEN } "gpt-4o", retries = 0,
}]], { TOKEN = "token-fixed" })
    w.answers["up.test"] = { world.completion "hi" }
    assert.equal(200, w:chat("m").status)
    assert.equal("Bearer token-fixed", last_header "authorization")
    w.answers["up.test"] = { world.failure(401, nil) }
    local answer = w:chat "m"
    assert.equal(502, answer.status)
    assert.equal(2, asked "up.test")
  end)
end)
