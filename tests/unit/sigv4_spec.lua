-- AWS's signature. The vectors are of AWS's own test suite (aws-sig-v4-test-suite, as shipped
-- with its SDKs: awslabs/aws-c-auth, tests/aws-signing-test-suite/v4).

require "engine"

local sigv4 = require "lib.sigv4"

local NOW = 1440938160 -- 20150830T123600Z

local function credentials(more)
  local out = {
    access_key_id = "AKIDEXAMPLE", region = "us-east-1", service = "service",
    secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  }
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

local function signed(method, path, more, own)
  local request = {
    method = method, url = "https://example.amazonaws.com" .. path, headers = {}, body = "",
  }
  for name, value in pairs(more or {}) do request[name] = value end
  sigv4.sign(request, credentials(own), NOW)
  return request.headers.authorization, request.headers
end

local function signature(...)
  return (signed(...):match("Signature=(%x+)$"))
end

-- The session of post-sts-header-before.
local TOKEN = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBu"
  .. "FqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phU"
  .. "ZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7Z"
  .. "D0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA"
  .. "=="

describe("sigv4", function()
  it("signs as AWS's test suite says", function()
    assert.equal("AWS4-HMAC-SHA256 "
      .. "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      .. "SignedHeaders=host;x-amz-date, Signature="
      .. "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
      (signed("GET", "/")))
    assert.equal("b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
      signature("GET", "/?Param2=value2&Param1=value1"))
    assert.equal("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
      signature("POST", "/"))
    assert.equal("ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
      signature("POST", "/", {
        headers = { ["content-type"] = "application/x-www-form-urlencoded" },
        body = "Param1=value1",
      }))
  end)

  -- The suite gives these paths unescaped: escaped once more they are its canonical ones.
  it("escapes paths once more than they are sent", function()
    assert.equal("8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
      signature("GET", "/\225\136\180"))
    assert.equal("652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
      signature("GET", "/example space/"))
  end)

  it("signs a session's token", function()
    local text, headers = signed("POST", "/", nil, { session_token = TOKEN })
    assert.equal(TOKEN, headers["x-amz-security-token"])
    assert.is_truthy(text:find("SignedHeaders=host;x-amz-date;x-amz-security-token,", 1, true))
    assert.equal("85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
      text:match("Signature=(%x+)$"))
  end)

  it("escapes the colon of a model's name twice in what is signed", function()
    local path = "/model/" .. sigv4.escape("anthropic.claude-3-7-sonnet-20250219-v1:0")
    assert.equal("/model/anthropic.claude-3-7-sonnet-20250219-v1%3A0", path)
    local canonical = sigv4.canonical {
      method = "POST", url = "https://bedrock-runtime.us-east-1.amazonaws.com:443" .. path
        .. "/converse", headers = { ["content-type"] = "application/json", accept = "*/*" },
      body = "{}",
    }
    assert.equal([[
POST
/model/anthropic.claude-3-7-sonnet-20250219-v1%253A0/converse

content-type:application/json
host:bedrock-runtime.us-east-1.amazonaws.com

content-type;host
44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a]], canonical)
  end)

  it("names the port where it is no usual one, as the host header does", function()
    local canonical = sigv4.canonical {
      method = "GET", url = "http://127.0.0.1:8080/a", headers = {}, body = "",
    }
    assert.is_truthy(canonical:find("\nhost:127.0.0.1:8080\n", 1, true))
  end)

  it("orders parameters by name, then by value", function()
    local canonical = sigv4.canonical {
      method = "GET", url = "https://h/?b=2&a-b=1&a=2&a=1&c", headers = {}, body = "",
    }
    assert.is_truthy(canonical:find("\na=1&a=2&a-b=1&b=2&c=\n", 1, true))
  end)
end)
