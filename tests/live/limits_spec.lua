-- Bad client input (rows A) that needs raw sockets: sizes, heads, paths, methods, keys.

local helper = require "helper"
local pair = require "support.pair"
local socket = require "socket"

local KEY = "mg-test-key-0123456789abcdef"
local MIB = 1024 * 1024

describe("limits", function()
  local up, gw = pair.once(function(up)
    return {
      env = { KEY = KEY },
      routes = helper.routes(up, { "one" }, 'virtual_key "me" { token = env.KEY }'),
    }
  end)

  before_each(function()
    up:reply("one", { body = helper.completion "hi" })
  end)

  after_each(function() assert.equal(0, (up:stats())) end)

  local function head(more, path)
    return ("POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"):format(
      path or "/v1/chat/completions", KEY)
      .. "content-type: application/json\r\n" .. more .. "\r\n"
  end

  -- Send on until all is out or an answer comes, as real clients do.
  local function push(connection, piece, times)
    connection.sock:settimeout(0)
    local sent, at = 0, 1
    while sent < times do
      local readable = socket.select({ connection.sock }, nil, 0)
      if readable[1] then break end
      local _, writable = socket.select({ connection.sock }, { connection.sock }, 5)
      if not writable[1] then break end
      local last, err, partial = connection.sock:send(piece, at)
      if not last and err ~= "timeout" then break end
      at = (last or partial) + 1
      if at > #piece then sent, at = sent + 1, 1 end
    end
    connection.sock:settimeout(10)
    return sent * #piece
  end

  local function error_of(response)
    return helper.json.decode(response.body).error
  end

  it("A-29: a body too large is refused, and the client hears it", function()
    for _ = 1, 20 do
      local connection = gw:raw(head("content-length: " .. 33 * MIB .. "\r\n"))
      push(connection, ("x"):rep(65536), 33 * 16)
      local response = assert(connection:response())
      assert.equal(413, response.status)
      assert.equal("body_too_large", error_of(response).code)
      connection:close()
    end
  end)

  it("A-30: with Expect, a body too large is never asked for", function()
    local connection =
      gw:raw(head("content-length: " .. 33 * MIB .. "\r\nexpect: 100-continue\r\n"))
    local response = assert(connection:head()) -- a 100 would show here
    assert.equal(413, response.status)
    connection:close()
  end)

  it("A-31: a chunked body that grows past the limit is refused, in flat memory", function()
    local before = gw:memory_kib()
    local connection = gw:raw(head "transfer-encoding: chunked\r\n")
    local sent = push(connection, "10000\r\n" .. ("x"):rep(65536) .. "\r\n", 64 * 16)
    local response = assert(connection:response())
    assert.equal(413, response.status)
    assert.is_true(sent < 48 * MIB, "took " .. sent)
    assert.is_true(connection:closed())
    connection:close()
    if helper.shows "memory" then
      assert.is_true(gw:memory_kib() - before < 80 * 1024, "memory grew too much")
    end
  end)

  local HEADS = {
    ["17 KiB of headers"] = ("x-a: " .. ("a"):rep(500) .. "\r\n"):rep(34),
    ["101 headers"] = ("x-a: a\r\n"):rep(101),
    ["one header of 16 KiB"] = "x-a: " .. ("a"):rep(16384) .. "\r\n",
    ["a hundred thousand tiny headers"] = ("a: b\r\n"):rep(100000),
  }
  for name, text in pairs(HEADS) do
    it("A-36: " .. name, function()
      local connection = gw:raw(head("content-length: 2\r\n" .. text) .. "{}")
      local response = assert(connection:response())
      assert.equal(431, response.status)
      assert.is_true(connection:closed())
      connection:close()
    end)
  end

  local function get(path, method)
    return gw:request {
      method = method or "GET", path = path, headers = { authorization = "Bearer " .. KEY },
      body = method and method ~= "GET" and "" or nil,
    }
  end

  for _, path in ipairs {
    "/v1/nothing", "/V1/Models", "/v1/models/", "/v1/chat/completions/", "/v2/models", "/v1",
    "/x",
  } do
    it("A-38: unknown path " .. path, function()
      local response = get(path)
      assert.equal(404, response.status, response.body)
      assert.equal("unknown_url", error_of(response).code)
    end)
  end

  for _, method in ipairs { "GET", "PUT", "DELETE", "PATCH" } do
    it("A-39: " .. method .. " on a POST route", function()
      local response = get("/v1/chat/completions", method)
      assert.equal(405, response.status, response.body)
      assert.equal("method_not_allowed", error_of(response).code)
      assert.equal("POST", response.headers.allow)
    end)
  end

  it("A-39: POST on a GET route", function()
    local response = get("/v1/models", "POST")
    assert.equal(405, response.status)
    assert.is_truthy(response.headers.allow:find("GET", 1, true))
  end)

  -- One request with the given header lines in place of a good key.
  local function unauthorized(lines)
    local body = helper.ask "one"
    local connection = gw:raw("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
      .. "content-type: application/json\r\n" .. lines
      .. ("content-length: %d\r\n\r\n%s"):format(#body, body))
    local response = assert(connection:response())
    connection:close()
    return response
  end

  local KEYS = {
    ["Basic"] = "authorization: Basic dXNlcjpwYXNz\r\n",
    ["Bearer alone"] = "authorization: Bearer\r\n",
    ["Bearer and a blank"] = "authorization: Bearer \r\n",
    ["an unknown key"] = "authorization: bearer x\r\n",
    ["8 KB"] = "authorization: Bearer " .. ("k"):rep(8192) .. "\r\n",
    ["UTF-8"] = "authorization: Bearer \195\169\195\169\r\n",
    ["an unknown api-key"] = "api-key: x\r\n",
    ["an unknown x-api-key"] = "x-api-key: x\r\n",
    ["a key and more"] = "authorization: Bearer " .. KEY .. "x\r\n",
    ["part of a key"] = "authorization: Bearer " .. KEY:sub(1, -2) .. "\r\n",
  }
  for name, lines in pairs(KEYS) do
    it("A-43: " .. name, function()
      local response = unauthorized(lines)
      assert.equal(401, response.status, response.body)
      local code = error_of(response).code
      assert.is_true(code == "invalid_api_key" or code == "missing_api_key", code)
      assert.is_nil(response.body:find("kkkk", 1, true))
      assert.equal("", gw:journal_text())
    end)
  end

  it("A-43: no key at all", function()
    local response = unauthorized ""
    assert.equal(401, response.status)
    assert.equal("missing_api_key", error_of(response).code)
  end)

  it("A-43: the same body for every key that is not one", function()
    local wrong = unauthorized "authorization: Bearer one\r\n"
    local other = unauthorized "authorization: Bearer mg-test-kez-0123456789abcdef\r\n"
    assert.equal(wrong.body, other.body)
  end)

  it("A-43: a key with NUL", function()
    local response = unauthorized("authorization: Bearer " .. KEY .. "\0\r\n")
    assert.is_true(response.status == 401 or response.status == 400)
  end)

  for _, path in ipairs {
    "/v1%2fchat%2fcompletions", "/v1/../admin/reload", "//v1/models", "/v1/models%00",
    "/v1/models;a=b", "/v1\\models", "/v1/./models", "/v1/models%2e", "/%76%31/models",
    "/admin/reload", "/metrics",
  } do
    it("A-44: the path " .. path, function()
      local response = get(path)
      assert.is_true(response.status == 404 or response.status == 400, response.status)
      assert.is_nil(response.body:find('"object"', 1, true))
    end)
  end
end)
