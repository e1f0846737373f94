-- Bedrock with the role of a machine or a container: keys that are fetched where AWS gives them
-- out, sign what is sent, and are seen nowhere else.

local helper = require "helper"

describe("a role for Bedrock", function()
  local up, gw

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)
  before_each(function() up:reset() end)

  local ANSWER = '{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},'
    .. '"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}'

  local function start(source)
    gw = helper.gateway {
      env = { WORD = "container-word-1" }, routes = ([[
local role = oauth { %s }
local bedrock = provider "bedrock" { region = "us-east-1", token = role, base_url = %q }
model "m" { bedrock "amazon.nova-lite-v1:0", retries = 0, cooldown = { allowed_fails = 1000 } }
]]):format(source, up:url "bedrock"),
    }
  end

  after_each(function()
    gw:assert_silent()
    for _, secret in ipairs { "secret-key-1", "session-word-1", "container-word-1" } do
      assert.is_nil(gw:log_text():find(secret, 1, true), secret)
      assert.is_nil(gw:journal_text():find(secret, 1, true))
      assert.is_nil(gw:admin("GET", "/metrics").body:find(secret, 1, true))
    end
    gw:stop()
  end)

  local function keys(n)
    local ends = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 3600)
    return { body = helper.json.encode {
      Code = "Success", AccessKeyId = "ASIAEXAMPLE" .. n, SecretAccessKey = "secret-key-1",
      Token = "session-word-1" .. n, Expiration = ends,
    } }
  end

  local function machine(n)
    up:reply("role", { body = "machine-session" }, 1)
    up:reply("role", { body = "gateway-role" }, 1)
    up:reply("role", keys(n), 1)
  end

  local function ask() return gw:chat(helper.ask "m") end

  it("of a machine is asked for once, and signs", function()
    start(('aws = "machine", token_url = %q'):format(up:url "role"))
    machine "A"
    up:reply("bedrock", { body = ANSWER })
    assert.equal(200, ask().status)
    assert.equal(200, ask().status)
    local asked = up:requests "role"
    assert.equal(3, #asked)
    assert.same({ "PUT", "GET", "GET" }, { asked[1].method, asked[2].method, asked[3].method })
    assert.equal("/role/latest/api/token", asked[1].path)
    assert.equal("machine-session", asked[3].headers["x-aws-ec2-metadata-token"])
    assert.equal("/role/latest/meta-data/iam/security-credentials/gateway-role", asked[3].path)
    for _, sent in ipairs(up:requests "bedrock") do
      assert.truthy(sent.headers.authorization:find "Credential=ASIAEXAMPLEA/")
      assert.equal("session-word-1A", sent.headers["x-amz-security-token"])
      assert.is_nil(sent.raw:find("secret-key-1", 1, true))
    end
  end)

  it("of a container is asked for with its word", function()
    start(('aws = "container", token_url = %q, client_secret = env.WORD'):format(
      up:url "role" .. "/v2/credentials/1"))
    up:reply("role", keys "B")
    up:reply("bedrock", { body = ANSWER })
    assert.equal(200, ask().status)
    assert.equal("container-word-1", up:last("role").headers.authorization)
    assert.equal("session-word-1B", up:last("bedrock").headers["x-amz-security-token"])
  end)

  it("that was taken back is asked for again, once", function()
    start(('aws = "machine", token_url = %q'):format(up:url "role"))
    machine "A"
    machine "B"
    local function refuse(word, times)
      up:reply("bedrock", {
        status = 403, headers = { ["x-amzn-errortype"] = "ExpiredTokenException" },
        body = ('{"message":"The security token %s is expired"}'):format(word),
      }, times)
    end
    refuse("session-word-1A", 1)
    up:reply("bedrock", { body = ANSWER })
    assert.equal(200, ask().status)
    assert.equal("session-word-1B", up:last("bedrock").headers["x-amz-security-token"])
    assert.equal(2, #up:requests "bedrock")
    up:reset()
    refuse "session-word-1B"
    local answer = ask()
    assert.equal(502, answer.status)
    assert.is_nil(answer.body:find("session-word", 1, true))
    assert.equal(1, #up:requests "bedrock")
  end)

  it("that is not there is said so, and asks nobody", function()
    start(('aws = "machine", token_url = %q'):format(up:url "role"))
    up:reply("role", { status = 404, body = "not here" })
    local answer = ask()
    assert.equal(502, answer.status, answer.body)
    assert.equal("upstream_auth_error", answer.json.error.code)
    assert.equal(0, #up:requests "bedrock")
  end)
end)
