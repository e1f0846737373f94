-- What clients send: who may in, what is refused and in which words, and that nobody upstream
-- ever hears of it.

local world = require "unit.world"
local json = require "engine.json"

local ROUTES = [[
local a = provider "openai_compatible" { name = "a", base_url = "http://a/v1" }
model "small" { a "gpt-4o-mini" }
model "large" { a "gpt-4o" }
model "any/*" { a "*" }
alias { cheap = "small" }
virtual_key "me" { token = "secret-key" }
virtual_key "limited" { token = "limited-key", models = { "small" } }
virtual_key "old" { token = "old-key", expires = "2020-01-01" }
]]

local CHAT = { model = "small", messages = { { role = "user", content = "hello" } } }

describe("ingress", function()
  local w

  before_each(function() w = world.new(ROUTES) end)

  local function refused(status, code, want, param)
    local request = w:serve(want)
    assert.equal(status, request.status)
    assert.equal(code, request.json.error.code)
    if param then assert.equal(param, request.json.error.param) end
    assert.equal("application/json", request.sent_headers["content-type"])
    assert.is_truthy(request.sent_headers["x-request-id"])
    assert.is_truthy(request.sent_headers["x-should-retry"])
    assert.equal(0, #w.calls)
    assert.equal(0, #w.journal) -- a rejected request leaves no row
    assert.equal(1, #w:logged "request")
    return request
  end

  local function with(headers) return { body = CHAT, headers = headers } end

  local function answers(want)
    w.answers.a = { world.completion "hi" }
    assert.equal(200, w:serve(want).status)
  end

  -- Paths ------------------------------------------------------------------------------

  it("serves its paths with and without /v1", function()
    answers { body = CHAT, path = "/chat/completions" }
    answers { body = CHAT, path = "/v1/chat/completions" }
    for _, path in ipairs { "/healthz", "/v1/models", "/models", "/v1/models/small" } do
      assert.equal(200, w:serve({ path = path, method = "GET" }).status)
    end
    assert.equal(200, w:serve({ path = "/healthz", method = "HEAD" }).status)
  end)

  for _, path in ipairs {
    "/", "/v1", "/V1/Models", "/v1/models/", "/v1/chat/completions/", "//v1/models",
    "/v1%2fchat%2fcompletions", "/v1/../admin/keys", "/v1/models;a=b", "/v1\\models",
    "/metrics", "/admin/reload", "/v1/v1/chat/completions",
  } do
    it("knows nothing at " .. path, function()
      refused(404, "unknown_url", { path = path, method = "GET" })
    end)
  end

  it("finds no model in a path with bytes that no name has", function()
    refused(404, "model_not_found", { path = "/v1/models/%00", method = "GET" })
  end)

  it("says which methods an address takes", function()
    for path, allow in pairs {
      ["/v1/chat/completions"] = "POST", ["/v1/models"] = "GET, HEAD",
      ["/healthz"] = "GET, HEAD",
    } do
      for _, method in ipairs { "PUT", "DELETE", "OPTIONS", "TRACE" } do
        w = world.new(ROUTES)
        local request = refused(405, "method_not_allowed", { path = path, method = method })
        assert.equal(allow, request.sent_headers.allow)
      end
    end
    w = world.new(ROUTES)
    refused(405, "method_not_allowed", { path = "/v1/chat/completions", method = "GET" })
  end)

  -- Keys -------------------------------------------------------------------------------

  it("takes a key from any of four headers", function()
    answers(with { authorization = "Bearer secret-key" })
    answers(with { authorization = "bearer   secret-key" })
    for _, name in ipairs { "api-key", "x-api-key", "x-goog-api-key" } do
      answers(with { authorization = false, [name] = "secret-key" })
    end
    answers(with { ["x-api-key"] = "secret-key" }) -- the same one twice
  end)

  it("refuses what is no key, always in the same words", function()
    local body
    for _, value in ipairs {
      "Basic c2VjcmV0", "Bearer", "Bearer wrong", "bearer x", "Bearer secret-key more", "",
      "Bearer " .. ("x"):rep(8192), "Bearer secr\195\169t", "Bearer secret-key\0",
    } do
      w = world.new(ROUTES)
      local request = refused(401, "invalid_api_key", with { authorization = value })
      body = body or request.answer
      assert.equal(body, request.answer)
    end
  end)

  it("tells where a key belongs", function()
    local request = refused(401, "missing_api_key", with { authorization = false })
    assert.is_truthy(request.json.error.message:find("Authorization: Bearer", 1, true))
    w = world.new(ROUTES)
    local want = with { authorization = false }
    want.query = "api_key=secret-key"
    request = refused(401, "missing_api_key", want)
    assert.is_truthy(request.json.error.message:find "from the URL")
    w = world.new(ROUTES)
    want = with { authorization = false, cookie = "key=secret-key" }
    request = refused(401, "missing_api_key", want)
    assert.is_truthy(request.json.error.message:find "cookies")
  end)

  it("does not choose between two keys", function()
    refused(400, "invalid_header", with { ["x-api-key"] = "limited-key" })
    w = world.new(ROUTES)
    local want = with {}
    want.counts = { authorization = 2 }
    refused(400, "invalid_header", want)
  end)

  it("knows an expired key for what it is", function()
    refused(403, "key_expired", with { authorization = "Bearer old-key" })
  end)

  it("remembers a key without hashing it twice, and no unknown one", function()
    local n, sha256 = 0, w.engine.crypto.sha256
    w.engine.crypto.sha256 = function(text)
      n = n + 1
      return sha256(text)
    end
    answers(with {})
    answers(with {})
    assert.equal(1, n)
    w:serve(with { authorization = "Bearer wrong" })
    w:serve(with { authorization = "Bearer wrong" })
    assert.equal(3, n)
  end)

  it("serves whoever asks where no key is declared", function()
    w = world.new [[ model "small" { provider "mock" {} "mock" } ]]
    assert.equal(200, w:serve(with { authorization = false }).status)
    assert.equal(200, w:serve(with { authorization = "Bearer whatever" }).status)
    assert.equal("anonymous", w:usage().key)
  end)

  -- Models -----------------------------------------------------------------------------

  local function chat_with(model, key)
    return {
      body = { model = model, messages = { 1 } },
      headers = { authorization = "Bearer " .. (key or "secret-key") },
    }
  end

  it("says the same of unknown models and of those that are not for this key", function()
    local unknown = refused(404, "model_not_found", chat_with("nope", "limited-key"), "model")
    w = world.new(ROUTES)
    local forbidden = refused(404, "model_not_found", chat_with("large", "limited-key"))
    assert.equal(unknown.answer:gsub("nope", "large"), forbidden.answer)
    answers(chat_with("cheap", "limited-key"))
    answers(chat_with("large"))
  end)

  it("lets nobody name models beside `model` who may not ask for all", function()
    for name, value in pairs { models = '["large"]', fallbacks = '[{"model":"large"}]' } do
      local body = ('{"model":"small","messages":[1],"%s":%s}'):format(name, value)
      w = world.new(ROUTES)
      refused(400, "invalid_value",
        { body = body, headers = { authorization = "Bearer limited-key" } }, name)
      answers { body = body, headers = { authorization = "Bearer secret-key" } }
      answers {
        body = body:gsub(":%[[^1].*$", ":null}"), -- nobody named
        headers = { authorization = "Bearer limited-key" },
      }
    end
  end)

  it("repeats only the beginning of a name, and nothing harmful", function()
    local request = refused(404, "model_not_found", chat_with(("x"):rep(10240)))
    assert.is_true(#request.json.error.message < 160)
    for _, name in ipairs { 'a"b', "a\nb", "../x", "%2e", "any/../x", "any/a b", "any/" } do
      w = world.new(ROUTES)
      request = refused(404, "model_not_found", chat_with(name))
      assert.is_nil(request.json.error.message:find("[%c\"]"))
    end
  end)

  it("fills in a wildcard with what was asked", function()
    w.answers.a = { world.completion "hi" }
    local request = w:serve(chat_with "any/gpt-4.1")
    assert.equal(200, request.status)
    assert.equal('"gpt-4.1"', w.calls[1].request.body:raw "model")
    assert.equal("a/gpt-4.1", request.sent_headers["x-moongate-deployment"])
    local name = "moongate_requests_total{dialect=openai,group=any/*,model=any/*,outcome=ok}"
    assert.equal(1, w.metrics[name])
  end)

  it("lists what a key may ask for", function()
    local function ids(key)
      local request = w:serve {
        path = "/v1/models", method = "GET", headers = { authorization = "Bearer " .. key },
      }
      local out = {}
      for i, one in ipairs(request.json.data) do out[i] = one.id end
      return out, request.json
    end
    local names, list = ids "secret-key"
    assert.same({ "small", "large", "cheap" }, names)
    assert.same({ "small", "cheap" }, (ids "limited-key"))
    assert.equal("list", list.object)
    assert.equal("model", list.data[1].object)
    local one = { path = "/v1/models/any%2Fgpt-4.1", method = "GET" }
    assert.equal("any/gpt-4.1", w:serve(one).json.id)
    w = world.new(ROUTES)
    refused(404, "model_not_found", {
      path = "/models/large", method = "GET",
      headers = { authorization = "Bearer limited-key" },
    })
  end)

  -- Bodies -----------------------------------------------------------------------------

  it("takes JSON in UTF-8, and says so otherwise", function()
    for _, value in ipairs {
      "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
    } do
      answers(with { ["content-type"] = value })
    end
    for _, value in ipairs {
      false, "text/plain", "multipart/form-data; boundary=x",
      "application/json; charset=utf-16",
    } do
      w = world.new(ROUTES)
      refused(415, "unsupported_media_type", with { ["content-type"] = value })
    end
    w = world.new(ROUTES)
    refused(415, "unsupported_media_type", with { ["content-encoding"] = "gzip" })
  end)

  it("hands on what the engine says of a body", function()
    for status, code in pairs { [413] = "body_too_large", [408] = "request_timeout" } do
      w = world.new(ROUTES)
      local want = with {}
      want.refused = { kind = "bad_request", status = status, code = code, message = code }
      refused(status, code, want)
    end
  end)

  local BAD = {
    { "", "invalid_json" }, { "{} x", "invalid_json" }, { '{"a":1,}', "invalid_json" },
    { "[]", "body_not_object" }, { '"x"', "body_not_object" }, { "1", "body_not_object" },
    { "null", "body_not_object" },
    { '{"model":"small","model":"large","messages":[1]}', "duplicate_parameter", "model" },
    { '{"messages":[1]}', "missing_required_parameter", "model" },
    { '{"model":null,"messages":[1]}', "missing_required_parameter", "model" },
    { '{"model":"","messages":[1]}', "missing_required_parameter", "model" },
    { '{"model":5,"messages":[1]}', "invalid_type", "model" },
    { '{"model":[],"messages":[1]}', "invalid_type", "model" },
    { '{"model":"a\\u0000b","messages":[1]}', "invalid_value", "model" },
    { '{"model":"small"}', "missing_required_parameter", "messages" },
    { '{"model":"small","messages":null}', "missing_required_parameter", "messages" },
    { '{"model":"small","messages":"x"}', "invalid_type", "messages" },
    { '{"model":"small","messages":[ ]}', "invalid_value", "messages" },
  }
  for _, row in ipairs(BAD) do
    it("refuses " .. row[1], function() refused(400, row[2], { body = row[1] }, row[3]) end)
  end

  -- What one server calls another member is the same to the next one.
  local MEMBERS = {
    { '"Model":"large"', "invalid_value", "model" },
    { '"MODEL":"large"', "invalid_value", "model" },
    { '"m\\u004fdel":"large"', "invalid_value", "model" },
    { '"max_tokens":5,"Max_Tokens":500000', "invalid_value", "max_tokens" },
    { '"max_to\226\132\170ens":500000', "invalid_value", "max_tokens" },
    { '"max_token\197\191":500000', "invalid_value", "max_tokens" },
    { '"N":128', "invalid_value", "n" }, { '"Stream":true', "invalid_value", "stream" },
    { '"stream":"true"', "invalid_type", "stream" }, { '"stream":1', "invalid_type", "stream" },
    { '"max_tokens":-1', "invalid_value", "max_tokens" },
    { '"max_tokens":0', "invalid_value", "max_tokens" },
    { '"max_tokens":1.5', "invalid_value", "max_tokens" },
    { '"max_tokens":"100"', "invalid_value", "max_tokens" },
    { '"max_tokens":1e18', "invalid_value", "max_tokens" },
    { '"max_tokens":9223372036854775808', "invalid_value", "max_tokens" },
    { '"max_completion_tokens":0', "invalid_value", "max_completion_tokens" },
    { '"max_tokens":5,"max_completion_tokens":5', "invalid_value", "max_tokens" },
    { '"n":0', "invalid_value", "n" }, { '"n":-1', "invalid_value", "n" },
    { '"n":129', "invalid_value", "n" }, { '"n":1000000000', "invalid_value", "n" },
  }
  for _, row in ipairs(MEMBERS) do
    it("refuses " .. row[1], function()
      local body = '{"model":"small","messages":[1],' .. row[1] .. "}"
      refused(400, row[2], { body = body }, row[3])
    end)
  end

  it("takes null for absent, and what it does not know as it is", function()
    local body = '{"model":"small","messages":[1],"stream":null,"max_tokens":null,"n":null, '
      .. '"tools":[],"x":{},"y":12345678901234567890,"stream_options":{"include_usage":false}}'
    w.answers.a = { world.completion "hi" }
    assert.equal(200, w:serve({ body = body }).status)
    assert.equal((body:gsub('"small"', '"gpt-4o-mini"')), w.calls[1].request.body:bytes())
  end)

  -- What is left in writing ---------------------------------------------------------------

  it("logs one line without key, query or prompt", function()
    w.answers.a = { world.completion "the answer" }
    w:serve {
      body = { model = "small", messages = { { role = "user", content = "the prompt" } } },
      query = "secret=1", headers = { ["user-agent"] = "tests/1.0 " .. ("x"):rep(200) },
    }
    local line = w:logged("request")[1]
    local text = json.encode(line.fields)
    for _, word in ipairs { "secret-key", "the prompt", "the answer", "secret=1" } do
      assert.is_nil(text:find(word, 1, true))
    end
    assert.equal("info", line.level)
    local fields = line.fields
    assert.same({ "me", "small", "a/gpt-4o-mini", "gpt-4o-mini", 200, "ok" }, {
      fields.key_id, fields.group, fields.deployment, fields.upstream_model, fields.status,
      fields.outcome,
    })
    assert.equal(80, #fields.client)
    assert.is_truthy(fields.duration_ms and fields.overhead_us and fields.config_generation)
  end)

  it("counts a name that a client made up under one label", function()
    refused(404, "model_not_found", chat_with "made-up-by-the-client")
    local name = "moongate_requests_total"
      .. "{dialect=openai,group=,model=_unknown,outcome=client_error}"
    assert.equal(1, w.metrics[name])
  end)

  -- route() --------------------------------------------------------------------------------

  local function routed(body)
    w = world.new(ROUTES .. "route(function(call) " .. body .. " end)")
  end

  it("goes where route() says, and where it was asked for nil", function()
    routed 'if call.model == "small" then return "large" end'
    answers(chat_with "cheap")
    assert.equal("a/gpt-4o", w:usage().deployment)
    answers(chat_with "any/m")
    assert.equal("any/m", w:usage().group)
  end)

  it("lets route() see the call, and neither credentials nor the engine", function()
    routed [[
      assert(call.key.name == "me" and call.input_tokens > 0 and call:percent() < 100)
      assert(call.user == "u1" and call.stream == false)
      assert(not call.request and not call.cfg and not call.doc and not call.key.hash)
      call.model, call.key.name = "large", "other" -- a copy: nobody minds
      return nil]]
    w.answers.a = { world.completion "hi" }
    local body = { model = "small", messages = { { content = "hello" } }, user = "u1" }
    local request = w:serve { body = body }
    assert.equal(200, request.status)
    assert.same({ "small", "me" }, { w:usage().group, w:usage().key })
  end)

  it("fails the request, alone, where route() fails", function()
    for _, body in ipairs {
      "error 'no'", "return call.nothing.here", "return 'nope'", "return 7",
    } do
      routed(body)
      refused(500, "script_error", chat_with "small")
    end
  end)

  it("lets a hook that keeps failing rest", function()
    routed "error 'no'"
    for _ = 1, 8 do w:serve(chat_with "small") end
    assert.equal(6, #w:logged "script_error")
    assert.equal(1, #w:logged "script_disabled")
  end)

  it("tells on_usage what it cost, and does not mind its failure", function()
    w = world.new(ROUTES .. [[
      on_usage(function(usage, call)
        metric("spent", usage.input_tokens, { model = call.model, key = call.key.name })
        error "never mind"
      end)]])
    answers(chat_with "cheap")
    assert.equal(10, w.metrics["spent{key=me,model=small}"])
    assert.equal(1, #w:logged "script_error")
  end)
end)
