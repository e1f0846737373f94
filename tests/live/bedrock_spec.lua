-- Bedrock through the real binary, where it goes wrong: streams that break, exceptions in them,
-- errors that quote what was signed.

local helper = require "helper"
local lfs = require "lfs"
local pair = require "support.pair"

describe("bedrock", function()
  if not lfs.attributes("build/tests/engine.so") then return end
  local bedrock = require "support.bedrock"
  local up, gw = pair.once(function(up)
    return {
      loud = true, env = {
        ID = "AKIDEXAMPLE0000", SECRET = "wJalrXUtnFEMIK7MDENG",
        TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE",
      },
      routes = ([[
defaults { retries = 0, cooldown = { allowed_fails = 100000, within = "1s", time = "1s" } }
local bedrock = provider "bedrock" {
  region = "us-east-1", access_key_id = env.ID, secret_access_key = env.SECRET,
  session_token = env.TOKEN, base_url = "%s",
}
model "m" { bedrock "amazon.nova-lite-v1:0" }
model "refused-403" { bedrock "amazon.nova-pro-v1:0" }
model "refused-400" { bedrock "amazon.nova-micro-v1:0" }
]]):format(up:url "bedrock"),
    }
  end)

  local START = bedrock.event("messageStart", '{"role":"assistant"}')
  local TEXT = bedrock.event("contentBlockDelta",
    '{"contentBlockIndex":0,"delta":{"text":"Hello"}}')
  local STOP = bedrock.event("messageStop", '{"stopReason":"end_turn"}')
  local COUNTS = bedrock.event("metadata",
    '{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}')

  local function exception(name, payload)
    return bedrock.message({
      { ":message-type", "exception" }, { ":exception-type", name },
      { ":content-type", "application/json" },
    }, payload)
  end

  local function stream(bytes, mode)
    up:reply("bedrock", {
      status = 200, headers = { ["content-type"] = "application/vnd.amazon.eventstream" },
      body = bytes, stream = mode or "whole",
    })
    return gw:chat(helper.ask("m", '"stream":true'))
  end

  -- The last event of a stream that had begun.
  local function broken(answer)
    assert.equal(200, answer.status, answer.body)
    assert.truthy(answer.body:find("Hello", 1, true))
    assert.is_nil(answer.body:find("[DONE]", 1, true))
    local events = helper.http.events(answer.body)
    return helper.json.decode(events[#events]).error
  end

  it("streams", function()
    local answer = stream(START .. TEXT .. STOP .. COUNTS)
    assert.equal(200, answer.status)
    assert.truthy(answer.body:find('"content":"Hello"', 1, true))
    assert.truthy(answer.body:find "%[DONE%]%s*$")
  end)

  it("hears an exception before anything was said, with its status", function()
    for name, want in pairs {
      throttlingException = { 429, "upstream_rate_limited" },
      serviceUnavailableException = { 503, "overloaded" },
      validationException = { 400, "invalid_value" },
      modelStreamErrorException = { 502, "upstream_error" },
    } do
      local answer = stream(START .. exception(name, '{"message":"because"}'))
      assert.same(want, { answer.status, answer.json and answer.json.error.code }, name)
    end
  end)

  it("tells of an exception in the middle as an event", function()
    local err = broken(stream(START .. TEXT
      .. exception("throttlingException", '{"message":"slow down"}')))
    assert.equal("upstream_rate_limited", err.code)
  end)

  it("tells of an error, which has no payload", function()
    local err = broken(stream(START .. TEXT .. bedrock.message({
      { ":message-type", "error" }, { ":error-code", "InternalError" },
      { ":error-message", "it broke" },
    }, "")))
    assert.equal("it broke", err.message)
  end)

  it("takes no end of the connection for the end of the answer", function()
    assert.equal("upstream_truncated", broken(stream(START .. TEXT)).code)
    assert.equal("upstream_truncated",
      broken(stream(START .. TEXT .. STOP:sub(1, -2))).code)
    assert.equal("upstream_truncated", broken(stream(START .. TEXT .. "\0\0\0")).code)
  end)

  it("believes no message that is not whole and sound", function()
    local odd = TEXT:sub(1, 60) .. string.char((TEXT:byte(61) + 1) % 256) .. TEXT:sub(62)
    for _, bytes in ipairs { odd .. STOP .. COUNTS, ("data: {}\n\n"):rep(9) } do
      assert.equal("upstream_invalid_response", broken(stream(START .. TEXT .. bytes)).code)
      assert.equal("upstream_invalid_response",
        broken(stream(START .. TEXT .. bytes, "drip")).code)
    end
  end)

  it("takes a message larger than a read, and none larger than 4 MiB", function()
    local long = ("x"):rep(600000)
    local delta = '{"contentBlockIndex":0,"delta":{"text":"%s"}}'
    local answer = stream(START .. bedrock.event("contentBlockDelta", delta:format(long))
      .. STOP .. COUNTS)
    assert.truthy(answer.body:find(long, 1, true))
    local head = bedrock.event("contentBlockDelta",
      delta:format(("x"):rep(4 * 1024 * 1024))):sub(1, 2000)
    assert.equal("upstream_invalid_response", broken(stream(START .. TEXT .. head)).code)
  end)

  it("shows nobody what a request was signed with", function()
    local quote = helper.json.encode {
      message = "The request signature we calculated does not match. The Canonical String "
        .. "should have been 'x-amz-security-token:IQoJb3JpZ2luX2VjEXAMPLE' for "
        .. "AKIDEXAMPLE0000 wJalrXUtnFEMIK7MDENG",
    }
    for _, status in ipairs { 403, 400 } do
      up:reply("bedrock", {
        status = status, body = quote, headers = {
          ["content-type"] = "application/json",
          ["x-amzn-errortype"] = "InvalidSignatureException",
        },
      })
      local answer = gw:chat(helper.ask("refused-" .. status))
      assert.equal(502, answer.status)
      assert.equal("upstream_auth_error", answer.json.error.code)
      for _, secret in ipairs {
        "IQoJb3JpZ2luX2VjEXAMPLE", "wJalrXUtnFEMIK7MDENG", "AKIDEXAMPLE0000",
      } do
        assert.is_nil(answer.body:find(secret, 1, true))
        helper.wait_until(function() return #gw:log "request" > 0 end, 5)
        assert.is_nil(gw:log_text():find(secret, 1, true))
        assert.is_nil(gw:journal_text():find(secret, 1, true))
      end
    end
  end)
end)
