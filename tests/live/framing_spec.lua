-- Request framing (rows S-01 to S-06): refused, closed; what hides behind is never a request.

local helper = require "helper"
local pair = require "support.pair"

describe("framing", function()
  local up, gw = pair.once(function(up)
    return { routes = helper.routes(up, { "one" }) }
  end)

  before_each(function()
    up:reply("one", { body = helper.completion "hi" })
  end)

  local BODY = helper.ask "one"
  local HIDDEN = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"

  local function post(lines, rest, first)
    return (first or "POST /v1/chat/completions HTTP/1.1\r\n")
      .. "host: x\r\ncontent-type: application/json\r\n" .. lines .. "\r\n" .. (rest or "")
  end

  -- One refusal and nothing more; `allowed` are the statuses it may have (nil: closed at once).
  local function refused(bytes, allowed)
    local connection = gw:raw(bytes)
    local response = connection:response()
    if response then
      local fits = false
      for _, status in ipairs(allowed) do fits = fits or response.status == status end
      assert.is_true(fits, ("%d: %s"):format(response.status, response.body))
    end
    while connection:fill() do end -- the library says a refusal of its own twice, and closes
    assert.equal("closed", connection.failure)
    assert.is_nil(connection.buffer:find('"object"', 1, true), "what hid behind was answered")
    assert.is_nil(connection.buffer:find("HTTP/1.1 200", 1, true))
    assert.equal(0, (up:stats()))
    connection:close()
  end

  it("serves a good one, alone and behind another", function()
    local good = post(("content-length: %d\r\n"):format(#BODY), BODY)
    local connection = gw:raw(good .. good)
    assert.equal(200, connection:response().status)
    assert.equal(200, connection:response().status)
    assert.equal(2, (up:stats()))
    connection:close()
  end)

  it("serves a good chunked one", function()
    local connection = gw:raw(post("transfer-encoding: chunked\r\n",
      ("%x\r\n%s\r\n0\r\n\r\n"):format(#BODY, BODY)))
    assert.equal(200, connection:response().status)
    assert.equal(BODY:match '"messages".*', up:last("one").body:match '"messages".*')
    connection:close()
  end)

  it("S-01: both lengths, either way around", function()
    local chunks = "0\r\n\r\n" .. HIDDEN
    local both = "content-length: %d\r\ntransfer-encoding: chunked\r\n"
    refused(post(both:format(#chunks), chunks), { 400 })
    refused(post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", chunks), { 400 })
    refused(post("content-length: 6\r\ntransfer-encoding: chunked\r\n",
      "0\r\n\r\nG" .. HIDDEN:gsub("/v1/models", "/admin/reload")), { 400 })
  end)

  local LENGTHS = {
    ["two, equal"] = { "content-length: 5\r\ncontent-length: 5\r\n" },
    ["two, different"] = { "content-length: 5\r\ncontent-length: 7\r\n" },
    ["a list"] = { "content-length: 5, 5\r\n" },
    ["a sign"] = { "content-length: +5\r\n" },
    ["a minus"] = { "content-length: -5\r\n" },
    ["hexadecimal"] = { "content-length: 0x5\r\n" },
    ["empty"] = { "content-length:\r\n" },
    ["blanks inside"] = { "content-length: 5 5\r\n" },
    ["2^64 + 5"] = { "content-length: 18446744073709551621\r\n" },
    ["2^64 - 1"] = { "content-length: 18446744073709551615\r\n" },
    ["2^63"] = { "content-length: 9223372036854775808\r\n" },
  }
  for name, row in pairs(LENGTHS) do
    it("S-02: content-length " .. name, function()
      refused(post(row[1], '{"a":' .. HIDDEN), { 400, 413 })
    end)
  end

  local ENCODINGS = {
    ["xchunked"] = "transfer-encoding: xchunked\r\n",
    ["gzip, chunked"] = "transfer-encoding: gzip, chunked\r\n",
    ["chunked, identity"] = "transfer-encoding: chunked, identity\r\n",
    ["chunked with VT"] = "transfer-encoding: \011chunked\r\n",
    ["chunked with NUL"] = "transfer-encoding: chunked\0\r\n",
    ["twice"] = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ["identity"] = "transfer-encoding: identity\r\n",
  }
  for name, lines in pairs(ENCODINGS) do
    it("S-03: transfer-encoding " .. name, function()
      refused(post(lines, "0\r\n\r\n" .. HIDDEN), { 400, 501 })
    end)
  end

  it("S-03: transfer-encoding in HTTP/1.0", function()
    refused(post("transfer-encoding: chunked\r\n", "0\r\n\r\n" .. HIDDEN,
      "POST /v1/chat/completions HTTP/1.0\r\n"), { 400, 501 })
  end)

  local NAMES = {
    ["a blank before the colon"] = "Content-Length : 5\r\n",
    ["a blank before the colon of transfer-encoding"] = "Transfer-Encoding : chunked\r\n",
    ["a tab before the colon"] = "Content-Length\t: 5\r\n",
    ["an empty name"] = ": 5\r\n",
    ["a high byte in a name"] = "x-\195\169: 5\r\n",
    ["a parenthesis in a name"] = "x(: 5\r\n",
    ["a slash in a name"] = "a/b: 5\r\n",
    ["no colon"] = "nothing here\r\n",
  }
  for name, lines in pairs(NAMES) do
    it("S-04: " .. name, function() refused(post(lines, "12345" .. HIDDEN), { 400 }) end)
  end

  it("S-04: the first header begins with a blank", function()
    refused("GET /v1/models HTTP/1.1\r\n host: x\r\n\r\n" .. HIDDEN, { 400 })
  end)

  local ENDS = {
    ["bare LF everywhere"] = "GET /v1/models HTTP/1.1\nhost: x\n\n" .. HIDDEN,
    ["bare LF on one line"] = "GET /v1/models HTTP/1.1\r\nhost: x\nx-a: b\r\n\r\n" .. HIDDEN,
    ["bare LF at the end"] = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\n" .. HIDDEN,
    ["bare CR in a value"] =
      "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: a\rb: c\r\n\r\n" .. HIDDEN,
    ["CR CR LF"] = "GET /v1/models HTTP/1.1\r\nhost: x\r\r\n\r\n" .. HIDDEN,
    ["folded content-length"] = post("content-length:\r\n 5\r\n", "12345" .. HIDDEN),
    ["folded transfer-encoding"] =
      post("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n" .. HIDDEN),
    ["folded authorization"] =
      "GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer\r\n x\r\n\r\n" .. HIDDEN,
    ["NUL in a value"] = "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: a\0b\r\n\r\n" .. HIDDEN,
    ["NUL behind a length"] = post("content-length: 5\0\r\n", "12345" .. HIDDEN),
    ["NUL in a name"] = "GET /v1/models HTTP/1.1\r\nhost: x\r\nx\0a: b\r\n\r\n" .. HIDDEN,
    ["NUL in the target"] = "GET /v1/models\0 HTTP/1.1\r\nhost: x\r\n\r\n" .. HIDDEN,
    ["two hosts"] = "GET /v1/models HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n" .. HIDDEN,
    ["no host"] = "GET /v1/models HTTP/1.1\r\nx-a: b\r\n\r\n" .. HIDDEN,
    ["two blanks in the request line"] =
      "GET  /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" .. HIDDEN,
  }
  for name, bytes in pairs(ENDS) do
    it("S-05: " .. name, function() refused(bytes, { 400 }) end)
  end

  local CHUNKS = {
    ["hexadecimal prefix"] = "0x5\r\n12345\r\n0\r\n\r\n",
    ["minus"] = "-1\r\n12345\r\n0\r\n\r\n",
    ["plus"] = "+5\r\n12345\r\n0\r\n\r\n",
    ["leading blank"] = " 5\r\n12345\r\n0\r\n\r\n",
    ["trailing blank"] = "5 \r\n12345\r\n0\r\n\r\n",
    ["17 digits"] = "00000000000000005\r\n12345\r\n0\r\n\r\n",
    ["2^64"] = "10000000000000000\r\n12345\r\n0\r\n\r\n",
    ["nothing"] = "\r\n12345\r\n0\r\n\r\n",
    ["no CRLF behind the data"] = "5\r\n12345X\r\n0\r\n\r\n",
    ["a letter"] = "5g\r\n12345\r\n0\r\n\r\n",
  }
  for name, bytes in pairs(CHUNKS) do
    it("S-06: chunk size with " .. name, function()
      refused(post("transfer-encoding: chunked\r\n", bytes .. HIDDEN), { 400, 413 })
    end)
  end

  for name, bytes in pairs {
    ["an extension"] = "5;\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n",
    ["LF only"] = "5\n{\"a\":\n2\n1}\n0\n\n",
  } do
    it("S-06: chunk size with " .. name .. ": refused, or read as meant, closed", function()
      local connection = gw:raw(post("transfer-encoding: chunked\r\n", bytes))
      local response = connection:response()
      assert.is_true(response == nil or response.status == 400, response and response.body)
      assert.is_true(connection:closed())
      assert.equal(0, (up:stats()))
      connection:close()
    end)
  end
end)
