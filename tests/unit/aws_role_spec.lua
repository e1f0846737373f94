-- The keys of a role in AWS's cloud: what is asked, and what of the answers is believed.

require "engine"

local role = require "lib.aws_role"

local NOW = 1763845000 -- 2025-11-22T20:56:40Z
local KEYS = '{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAEXAMPLE",'
  .. '"SecretAccessKey":"secret","Token":"session","Expiration":"2025-11-22T21:56:40Z"}'

describe("a machine's role", function()
  local source = { aws = "machine", token_url = "http://169.254.169.254" }

  it("is asked for in three questions (IMDSv2)", function()
    local so_far = {}
    local first = role.request(source, so_far)
    assert.equal("PUT", first.method)
    assert.equal("http://169.254.169.254/latest/api/token", first.url)
    assert.equal("300", first.headers["x-aws-ec2-metadata-token-ttl-seconds"])
    assert.is_false(role.read(200, "AQAEword==", source, so_far, NOW))
    local second = role.request(source, so_far)
    assert.equal("GET", second.method)
    assert.equal("AQAEword==", second.headers["x-aws-ec2-metadata-token"])
    assert.equal("http://169.254.169.254/latest/meta-data/iam/security-credentials/",
      second.url)
    assert.is_false(role.read(200, "gateway-role\n", source, so_far, NOW))
    local third = role.request(source, so_far)
    assert.equal(second.url .. "gateway-role", third.url)
    local token, seconds, keys = role.read(200, KEYS, source, so_far, NOW)
    assert.same({ "session", 3600 }, { token, seconds })
    assert.same({
      access_key_id = "ASIAEXAMPLE", secret_access_key = "secret", session_token = "session",
    }, keys)
  end)

  it("is not what some page says", function()
    for _, said in ipairs { "", "\n", "../../x", "<html>", "a b", ("x"):rep(2000) } do
      local so_far = { session = "s" }
      local token, problem = role.read(200, said, source, so_far, NOW)
      assert.is_nil(token)
      assert.equal("string", type(problem))
      assert.is_nil(so_far.role)
    end
    assert.is_nil((role.read(404, "", source, {}, NOW)))
  end)
end)

describe("a container's role", function()
  local source = {
    aws = "container", token_url = "http://169.254.170.2/v2/credentials/1",
    client_secret = "word",
  }

  it("is asked for in one", function()
    local request = role.request(source, {})
    assert.equal("GET", request.method)
    assert.equal("word", request.headers.authorization)
    assert.equal("session", (role.read(200, KEYS, source, {}, NOW)))
  end)

  it("believes no keys that are not whole", function()
    for _, bytes in ipairs {
      "", "[]", "{}", '{"AccessKeyId":"a","SecretAccessKey":"b"}',
      '{"AccessKeyId":"a\\n","SecretAccessKey":"b","Token":"c"}',
      '{"AccessKeyId":7,"SecretAccessKey":"b","Token":"c"}',
    } do
      assert.is_nil((role.read(200, bytes, source, {}, NOW)), bytes)
    end
  end)

  local function life(ends, now)
    local bytes = KEYS:gsub("2025%-11%-22T21:56:40Z", ends)
    local _, seconds = role.read(200, bytes, source, {}, now)
    return seconds
  end

  it("keeps keys no longer than they are good, and none for ever", function()
    for ends, seconds in pairs {
      ["2025-11-22T20:56:41Z"] = 60, ["2020-01-01T00:00:00Z"] = 60, ["soon"] = 60,
      ["2026-02-28T00:00:00Z"] = 24 * 3600, ["2025-11-23T02:56:40.5Z"] = 6 * 3600,
    } do
      assert.equal(seconds, life(ends, NOW), ends)
    end
    assert.equal(3600, life("2024-02-29T01:00:00Z", 1709164800)) -- at that day's beginning
  end)
end)
