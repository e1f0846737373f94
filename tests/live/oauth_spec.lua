-- Access tokens through the real binary: a service account's assertion, believed by another
-- implementation; one call for all who wait; what a token endpoint's silence does.

local helper = require "helper"
local lfs = require "lfs"
local rsa = require "support.rsa"

local ROUTES = [[
local google = oauth { service_account = env.ACCOUNT, token_url = %q }
local vertex = provider "vertex" { base_url = %q, token = google, location = "europe-west1" }
model "m" { vertex "gemini-2.5-flash", retries = 0, cooldown = { allowed_fails = 1000 } }
]]

local ANSWER = '{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},'
  .. '"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}'

local REFUSED = {
  status = 401,
  body = '{"error":{"code":401,"message":"token-secret-1 is no good",'
    .. '"status":"UNAUTHENTICATED"}}',
}

describe("access tokens", function()
  if not lfs.attributes "build/tests/engine.so" then return end
  require "engine"
  local crypto = require "engine.crypto"
  local up, gw, key, account

  local function start(want)
    want = want or {}
    want.routes = ROUTES:format(up:url "token", up:url "vertex")
    want.env = { ACCOUNT = account }
    gw = helper.gateway(want)
  end

  local function grants(token, seconds)
    return { body = helper.json.encode {
      access_token = token, expires_in = seconds or 3599, token_type = "Bearer",
    } }
  end

  setup(function()
    up = helper.upstream()
    key = rsa.key()
    account = helper.json.encode {
      type = "service_account", project_id = "acme-1", private_key_id = "key-id-1",
      private_key = key, client_email = "gateway@acme-1.iam.gserviceaccount.com",
      token_uri = "https://oauth2.googleapis.com/token",
    }
  end)

  teardown(function() up:stop() end)

  before_each(function()
    up:reset()
    up:reply("vertex", { body = ANSWER })
  end)

  after_each(function()
    gw:assert_silent()
    local log = gw:log_text()
    for _, secret in ipairs { "token-secret", "PRIVATE KEY", key:sub(100, 150), "eyJ" } do
      assert.is_nil(log:find(secret, 1, true), secret)
      assert.is_nil(gw:admin("GET", "/metrics").body:find(secret, 1, true))
      assert.is_nil(gw:journal_text():find(secret, 1, true))
    end
    gw:stop()
  end)

  local function ask() return gw:chat(helper.ask "m") end

  it("are asked for with an assertion that the account's key signed", function()
    start()
    up:reply("token", grants "token-secret-1")
    assert.equal(200, ask().status)
    assert.equal(200, ask().status)
    local asked = up:requests "token"
    assert.equal(1, #asked)
    assert.equal("application/x-www-form-urlencoded", asked[1].headers["content-type"])
    local grant, assertion = asked[1].body:match "^grant_type=(%S+)&assertion=(%S+)$"
    assert.equal("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", grant)
    local text, signature = assertion:match "^([%w_-]+%.[%w_-]+)%.([%w_-]+)$"
    assert.is_true(rsa.verify(key, text, crypto.unbase64url(signature)))
    local head, claims = text:match "^(.+)%.(.+)$"
    assert.same({ alg = "RS256", typ = "JWT", kid = "key-id-1" },
      helper.json.decode(crypto.unbase64url(head)))
    claims = helper.json.decode(crypto.unbase64url(claims))
    assert.is_true(math.abs(claims.iat - os.time()) < 60)
    assert.same({
      iss = "gateway@acme-1.iam.gserviceaccount.com", iat = claims.iat, exp = claims.iat + 3600,
      aud = "https://oauth2.googleapis.com/token",
      scope = "https://www.googleapis.com/auth/cloud-platform",
    }, claims)
    local sent = up:last "vertex"
    assert.equal("Bearer token-secret-1", sent.headers.authorization)
    assert.equal("/vertex/v1beta1/projects/acme-1/locations/europe-west1/publishers/google"
      .. "/models/gemini-2.5-flash:generateContent", sent.path)
  end)

  it("are fetched once for all who wait, though the first of them leaves", function()
    start()
    up:script("token", "gate go\n" .. helper.script.script(grants "token-secret-1"))
    local open = {}
    for i = 1, 12 do open[i] = gw:chat_open(helper.ask "m") end
    up:wait_for("token", 1)
    local function in_flight(n) -- and the task that fetches
      helper.wait_until(function() return gw:metric "moongate_requests_in_flight" == n + 1 end)
    end
    in_flight(12)
    open[1]:close()
    in_flight(11)
    up:open "go"
    for i = 2, 12 do
      assert.equal(200, open[i]:response().status)
      open[i]:close()
    end
    assert.equal(1, #up:requests "token")
    assert.equal(11, #up:requests "vertex")
  end)

  it("are fetched anew when they have ended", function()
    start()
    up:reply("token", grants("token-secret-1", 1), 1)
    up:reply("token", grants("token-secret-2", 3600))
    assert.equal(200, ask().status)
    helper.wait_until(function()
      assert.equal(200, ask().status)
      return up:last("vertex").headers.authorization == "Bearer token-secret-2"
    end)
    assert.equal(2, #up:requests "token")
  end)

  it("that cannot be had are a 502 at once, until the endpoint answers again", function()
    start { loud = true }
    up:script("token", "rst\n", 1)
    up:reply("token", { status = 500, body = "<html>down</html>" }, 1)
    up:reply("token", grants "token-secret-1")
    local answer = ask()
    assert.equal(502, answer.status)
    assert.equal("upstream_auth_error", answer.json.error.code)
    assert.equal(503, ask().status)
    assert.equal(0, #up:requests "vertex")
    helper.wait_until(function() return ask().status == 200 end, 10)
    assert.equal(3, #up:requests "token")
  end)

  it("that were taken back are replaced, and the request is made again", function()
    start()
    up:reply("token", grants "token-secret-1", 1)
    up:reply("token", grants "token-secret-2", 1)
    assert.equal(200, ask().status)
    up:reply("vertex", REFUSED, 1)
    assert.equal(200, ask().status)
    local sent = up:requests "vertex"
    assert.equal(3, #sent)
    assert.equal("Bearer token-secret-1", sent[2].headers.authorization)
    assert.equal("Bearer token-secret-2", sent[3].headers.authorization)
    assert.equal(sent[2].body, sent[3].body)
    assert.equal(2, #up:requests "token")
  end)

  it("that are refused for good end the request", function()
    start()
    up:reset()
    up:reply("token", grants "token-secret-1")
    up:reply("vertex", REFUSED)
    local answer = ask()
    assert.equal(502, answer.status)
    assert.is_nil(answer.body:find("token-secret-1", 1, true))
    assert.equal(2, #up:requests "vertex")
  end)

  it("outlive a reload's old state, and are fetched for the new one", function()
    start()
    up:reply("token", grants "token-secret-1")
    assert.equal(200, ask().status)
    gw:reload(ROUTES:format(up:url "token", up:url "vertex") .. "\n")
    assert.equal(200, ask().status)
    assert.equal(2, #up:requests "token")
  end)
end)
