-- Bad client input (rows A): a clear error in OpenAI's shape, nothing lost, nothing upstream.

local helper = require "helper"
local pair = require "support.pair"

local GOOD = helper.ask "one"
local KEY_ALL, KEY_ONE = "mg-test-all-0123456789abcdef", "mg-test-one-0123456789abcdef"

describe("bad input", function()
  local up, gw = pair.once(function(up)
    return {
      env = { KEY_ALL = KEY_ALL, KEY_ONE = KEY_ONE },
      routes = helper.routes(up, { "one", "two" }, [[
alias { ["named"] = "one" }
virtual_key "all" { token = env.KEY_ALL, models = { "*" } }
virtual_key "only-one" { token = env.KEY_ONE, models = { "one" } }
]]),
    }
  end)

  before_each(function()
    up:reply("one", { body = helper.completion "hi" })
    up:reply("two", { body = helper.completion "hi" })
  end)

  local function ask(body, options)
    options = options or {}
    options.key = options.key or KEY_ALL
    return gw:chat(body, options)
  end

  local function check_error(response, status, code, param)
    local about = ("%d: %s"):format(response.status, response.body)
    assert.equal(status, response.status, about)
    assert.equal("application/json", (response.headers["content-type"] or ""):match "^[^;]*")
    assert.is_truthy(response.headers["x-request-id"], about)
    local err = response.json and response.json.error
    assert.is_table(err, about)
    assert.equal("string", type(err.message), about)
    assert.equal("string", type(err.type), about)
    if type(code) == "table" then
      assert.is_truthy(code[err.code], about)
    elseif code then
      assert.equal(code, err.code, about)
    end
    if param then assert.equal(param, err.param, about) end
  end

  -- Refused with this error, and the provider saw nothing of it.
  local function refused(body, status, code, param, options)
    local before = up:stats()
    check_error(ask(body, options), status, code, param)
    assert.equal(before, (up:stats()))
  end

  -- Served, and this text is in what the provider got.
  local function forwarded(body, text)
    local response = ask(body)
    assert.equal(200, response.status, response.body)
    local sent = up:last("one").body
    assert.is_truthy(sent:find(text, 1, true), text .. " is not in " .. sent)
  end

  it("serves a good one, so that the rows below can fail", function()
    local response = ask(GOOD)
    assert.equal(200, response.status)
    assert.equal("hi", response.json.choices[1].message.content)
    assert.equal(1, (up:stats()))
  end)

  it("A-01: empty body", function() refused("", 400, "invalid_json") end)

  it("says in a sentence what is wrong with the body, and where", function()
    for body, why in pairs {
      ['{"model":"one"'] = "invalid JSON at byte 14: ends too early",
      ['{"a":1,"a":2}'] = '"a" stands in the object twice',
      ["[]"] = "a JSON object was expected",
      ['{"a":"\255"}'] = "not UTF-8 at byte 6",
    } do
      local message = ask(body).json.error.message
      assert.equal("The request body cannot be read: " .. why .. ".", message)
    end
  end)

  it("A-02: truncated at every byte", function()
    for i = 1, #GOOD - 1 do refused(GOOD:sub(1, i), 400, "invalid_json") end
  end)

  for _, tail in ipairs { " x", "{}", ",", " // no", "/* no */", "]" } do
    it("A-03: something behind the object: " .. tail, function()
      refused(GOOD .. tail, 400, "invalid_json")
    end)
  end

  for _, body in ipairs {
    "{} x", "{}{}", '{"model":"one",}', "{'model':'one'}", '{"model":"one"/*c*/}', "{model:1}",
  } do
    it("A-03: " .. body, function() refused(body, 400, "invalid_json") end)
  end

  it("A-04: byte order mark, UTF-16", function()
    refused("\239\187\191" .. GOOD, 400, "invalid_json")
    local codes = { invalid_json = true, invalid_utf8 = true }
    refused("\255\254" .. GOOD:gsub(".", "%0\0"), 400, codes)
  end)

  for _, number in ipairs {
    "NaN", "Infinity", "-Infinity", "0x10", "01", "+1", ".5", "1.", "-", "1e", "--1",
  } do
    it("A-05: the number " .. number, function()
      refused(helper.ask("one", '"x":' .. number), 400, "invalid_json")
    end)
  end

  for _, number in ipairs {
    "9007199254740993", "1234567890123456789", "12345678901234567890", "1e400",
    "0.30000000000000004", "1.0", "-0", "5e-324",
  } do
    it("A-06: passes on the number " .. number, function()
      local text = '{"x": ' .. number .. "}"
      forwarded(helper.ask("one", '"vendor":' .. text), text)
    end)
  end

  it("A-07: empty arrays stay arrays, empty objects objects, beside an edit", function()
    local more = '"tools":[],"stop":[],"metadata":{},"x":{"required":[],"deep":[[],{}]}'
    forwarded(helper.ask("named", more), more)
    assert.is_truthy(up:last("one").body:find('"model":"gpt-4o-mini"', 1, true))
  end)

  it("A-08: explicit nulls are passed on", function()
    local more = '"temperature":null,"stop":null,"tools":null,"user":null,"x":null'
    forwarded(helper.ask("one", more), more)
  end)

  for name, value in pairs {
    model = '"one"', stream = "false", max_tokens = "5", messages = "[]", n = "1",
  } do
    it("A-09: twice " .. name, function()
      local member = ('"%s":%s'):format(name, value)
      local there = name == "model" or name == "messages"
      refused(helper.ask("one", there and member or member .. "," .. member), 400,
        "duplicate_parameter", name)
    end)
  end

  local function nested(n)
    return helper.ask("one", '"x":' .. ("["):rep(n) .. ("]"):rep(n))
  end

  it("A-11: depth 64 passes, 65 does not, a million brackets neither", function()
    forwarded(nested(63), ("["):rep(63))
    refused(nested(64), 400, "too_deep")
    refused(nested(1000000), 400, "too_deep")
    refused(helper.ask("one", '"x":' .. ("["):rep(1000000)), 400, "too_deep")
  end)

  for name, bytes in pairs {
    overlong = "\192\175", surrogate = "\237\160\128", ["0xFF"] = "\255", cut = "\226\130",
    ["beyond U+10FFFF"] = "\244\144\128\128",
  } do
    it("A-14: invalid UTF-8, " .. name, function()
      refused(helper.ask("one", '"user":"a' .. bytes .. '"'), 400, "invalid_utf8")
    end)
  end

  for _, body in ipairs { "[]", '"x"', "1", "null", "true" } do
    it("A-17: the body is " .. body, function() refused(body, 400, "body_not_object") end)
  end

  for _, value in ipairs { "null", "5", "[]", '""', "{}" } do
    it("A-18: model is " .. value, function()
      local codes = { missing_required_parameter = true, invalid_type = true }
      refused(('{"model":%s,"messages":[{"role":"user","content":"x"}]}'):format(value),
        400, codes, "model")
    end)
  end

  it("A-18: model is missing", function()
    refused('{"messages":[{"role":"user","content":"x"}]}', 400, "missing_required_parameter",
      "model")
  end)

  for _, model in ipairs {
    "nothing", 'with "quotes"', "with\nnewline", "../x", "%2e%2e", "ONE",
  } do
    it("A-19: unknown model " .. helper.json.encode(model), function()
      refused(helper.ask(model), 404, "model_not_found")
    end)
  end

  it("A-19: the same words for unknown and for not allowed", function()
    local key = { key = KEY_ONE }
    assert.equal(200, ask(helper.ask "one", key).status)
    local unknown, denied = ask(helper.ask "tvo", key), ask(helper.ask "two", key)
    check_error(denied, 404, "model_not_found")
    assert.equal((unknown.body:gsub("tvo", "two")), denied.body)
  end)

  it("A-19: a long name comes back cut to 64 characters", function()
    local response = ask(helper.ask(("m"):rep(10240)))
    check_error(response, 404, "model_not_found")
    assert.is_truthy(response.body:find(("m"):rep(60), 1, true))
    assert.is_nil(response.body:find(("m"):rep(65), 1, true))
  end)

  for name, messages in pairs {
    missing = "", object = ',"messages":{}', text = ',"messages":"hi"',
    null = ',"messages":null', empty = ',"messages":[]', number = ',"messages":1',
  } do
    it("A-20: messages: " .. name, function()
      refused('{"model":"one"' .. messages .. "}", 400, nil, "messages")
    end)
  end

  for _, value in ipairs { '"true"', "1", "[]" } do
    it("A-22: stream is " .. value, function()
      refused(helper.ask("one", '"stream":' .. value), 400, "invalid_type", "stream")
    end)
  end

  it("A-22: stream null is no stream", function()
    assert.equal(200, ask(helper.ask("one", '"stream":null')).status)
  end)

  for _, value in ipairs { "-1", "0", "1.5", '"100"', "1e18", "9223372036854775808" } do
    it("A-24: max_tokens " .. value, function()
      local codes = { invalid_value = true, invalid_type = value == '"100"' }
      refused(helper.ask("one", '"max_tokens":' .. value), 400, codes, "max_tokens")
      refused(helper.ask("one", '"max_completion_tokens":' .. value), 400, codes,
        "max_completion_tokens")
    end)
  end

  it("A-24: max_tokens and max_completion_tokens", function()
    refused(helper.ask("one", '"max_tokens":5,"max_completion_tokens":5'), 400, "invalid_value")
  end)

  it("A-26: unknown fields are passed on", function()
    local more = '"vendor_knob": {"b":1, "a":[1,2 ,3]},"top_k":7,"x-y":"\\u00e9\\/"'
    forwarded(helper.ask("one", more), more)
  end)

  local TYPES = {
    ["none"] = false, ["text/plain"] = "text/plain",
    ["utf-16"] = "application/json; charset=utf-16",
    ["multipart"] = "multipart/form-data; boundary=x",
  }
  for name, value in pairs(TYPES) do
    it("A-27: content-type " .. name, function()
      refused(GOOD, 415, "unsupported_media_type", nil,
        { headers = { ["content-type"] = value } })
    end)
  end

  for _, value in ipairs {
    "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json",
  } do
    it("A-27: content-type " .. value .. " is good", function()
      assert.equal(200, ask(GOOD, { headers = { ["content-type"] = value } }).status)
    end)
  end

  it("A-28: content-encoding gzip", function()
    refused("\31\139\8\0\0\0\0\0", 415, "unsupported_media_type", nil,
      { headers = { ["content-encoding"] = "gzip" } })
  end)
end)
