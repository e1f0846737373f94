-- The OpenAI chat shapes, and adapters made of them.

require "engine"

local chat = require "lib.chat"
local chat_errors = require "lib.chat_errors"
local json = require "engine.json"
local stub = require "tools.stub"

local function encoded(text, dep, more)
  local call = stub.call(text)
  dep = dep or stub.deployment("openai", call.model, more)
  return stub.encoded(call, dep)
end

describe("chat.encode", function()
  local ASK = '{ "messages":[ ],"model":"m"%s }'

  it("leaves every byte where nothing has to change", function()
    local text = '{ "seed":12345678901234567890,"b":[],"a":{},"model":"m","messages":[]\n}'
    assert.equal(text, encoded(text))
  end)

  it("names the deployment's model", function()
    assert.equal('{ "messages":[ ],"model":"gpt-x" }',
      encoded(ASK:format "", stub.deployment("openai", "gpt-x")))
    assert.equal('{ "messages":[ ],"model":"ours" }',
      encoded(ASK:format "", stub.deployment("azure", "gpt-x", { deployment = "ours" })))
  end)

  it("asks a stream for its usage", function()
    local asked = json.decode(encoded(ASK:format ',"stream":true'))
    assert.same({ include_usage = true }, asked.stream_options)
    asked = json.decode(encoded(ASK:format
      ',"stream":true,"stream_options":{"include_obfuscation":false}'))
    assert.same({ include_obfuscation = false, include_usage = true }, asked.stream_options)
    asked = json.decode(encoded(ASK:format ',"stream":true,"stream_options":null'))
    assert.same({ include_usage = true }, asked.stream_options)
    local already = ASK:format ',"stream":true,"stream_options":{ "include_usage" : true}'
    assert.equal(already, encoded(already))
    assert.equal(ASK:format ',"stream":false', encoded(ASK:format ',"stream":false'))
  end)

  it("lowers a wish to the deployment's ceiling", function()
    local function limit(more, provider)
      local dep = stub.deployment(provider or "openai", "m", { max_tokens = 50 })
      local out = json.decode(encoded(ASK:format(more), dep))
      return out.max_tokens, out.max_completion_tokens
    end
    assert.same({ 50, nil }, { limit ',"max_tokens":90' })
    assert.same({ 20, nil }, { limit ',"max_tokens":20' })
    assert.same({ nil, 50 }, { limit "" })
    assert.same({ 50, nil }, { limit("", "openai_compatible") })
  end)
end)

describe("chat helpers", function()
  it("read the text of a content", function()
    assert.equal("a", chat.text "a")
    assert.equal("", chat.text(nil))
    assert.equal("", chat.text(json.null))
    assert.equal("ab", chat.text { { type = "text", text = "a" }, json.null,
      { type = "image_url" }, { type = "refusal", refusal = "b" } })
  end)

  it("take data URLs apart", function()
    assert.same({ "image/png", "AA==" }, { chat.data_url "data:image/png;base64,AA==" })
    assert.same({ "image/svg+xml", "AA" },
      { chat.data_url "DATA:image/SVG+xml;charset=utf-8;base64,AA" })
    assert.is_nil(chat.data_url "data:text/plain,hello")
    assert.is_nil(chat.data_url "https://example.com/a.png")
  end)

  it("read an event again, of whatever lines it is made", function()
    local value = chat.reread('event: x\r\ndata: {"input":\r\ndata:{"b":1,"a":[]}}\r\n\r\n',
      { raw = { input = true } })
    assert.equal('{"b":1,"a":[]}', json.text(value.input))
  end)
end)

describe("chat.decode", function()
  local function kind(text)
    local ok, err = pcall(chat.decode, json.index(text), stub.recorder())
    return not ok and err.kind or nil
  end

  it("takes an error inside a 200 for what it is", function()
    assert.equal("rate_limit", kind '{"error":{"message":"slow down","code":429}}')
    assert.equal("overloaded", kind '{"error":{"message":"x","type":"overloaded_error"}}')
    assert.equal("server_error", kind '{"error":"x"}')
    assert.equal("context_window",
      kind '{"error":{"message":"maximum context length is 5","type":"invalid_request_error"}}')
  end)

  it("wants a completion", function()
    assert.equal("invalid_response", kind '{"detail":"?"}')
    assert.is_nil(kind '{"choices":[]}')
    assert.is_nil(kind '{"usage":{"prompt_tokens":1}}')
  end)
end)

describe("chat.stream", function()
  local function run(bytes)
    local reply = stub.recorder()
    local ok, err = pcall(chat.stream, stub.upstream(bytes), reply)
    return reply.lines, not ok and err or nil
  end

  it("ignores what follows [DONE]", function()
    local lines, err =
      run 'data: {"choices":[]}\n\ndata: [DONE]\n\ndata: junk\n\ndata: [DONE]\n\n'
    assert.is_nil(err)
    assert.equal(1, #lines)
  end)

  it("wants JSON", function()
    local _, err = run "data: <html>\n\n"
    assert.equal("invalid_response", err.kind)
  end)

  it("takes an event called error for one, whatever it holds", function()
    local _, err = run 'event: error\ndata: {"message":"no","type":"rate_limit_error"}\n\n'
    assert.equal("rate_limit", err.kind)
  end)
end)

describe("an adapter", function()
  it("speaks the chat dialect where it says nothing else", function()
    local plain = chat.adapter { base_url = "http://a" }
    assert.equal("openai", plain.dialect)
    assert.equal("/chat/completions", plain.path)
    assert.same({ authorization = "Bearer k" }, plain.headers { provider = { api_key = "k" } })
    assert.same({}, plain.headers { provider = {} })
    assert.is_nil(chat.adapter({ decode = function() end }).dialect)
  end)

  it("can be had with changes, itself unchanged", function()
    local plain = chat.adapter { base_url = "http://a" }
    local other = plain:with { base_url = "http://b" }
    assert.equal("http://b", other.base_url)
    assert.equal("http://a", plain.base_url)
    assert.equal("http://c", other:with({ base_url = "http://c" }).base_url)
  end)

  it("of OpenAI names an organization and a project", function()
    assert.same({
      authorization = "Bearer k", ["openai-organization"] = "o", ["openai-project"] = "p",
    }, require("providers.openai").headers {
      provider = { api_key = "k", organization = "o", project = "p" },
    })
  end)
end)

describe("errors", function()
  local function kind(status, body) return (chat_errors.classify(status, body)) end

  it("are told by status first, then by their words, then by text", function()
    assert.is_nil(kind(500, { error = { code = "invalid_api_key" } }))
    assert.equal("model_missing", kind(400, { error = { code = "model_not_found" } }))
    assert.equal("content_policy", kind(400, { error = { code = "content_filter" } }))
    assert.equal("content_policy", kind(403, { error = { code = "moderation_blocked" } }))
    assert.equal("context_window",
      kind(400, { error = { message = "This model's maximum context length is 8 tokens" } }))
    assert.equal("bad_request",
      kind(422, { error = { message = "context length", type = "invalid_request_error" } }))
    assert.is_nil(kind(429, { error = { message = "maximum context length" } }))
  end)

  it("say when a quota is used up", function()
    local what, more = chat_errors.classify(429, { error = { type = "insufficient_quota" } })
    assert.equal("rate_limit", what)
    assert.is_true(more.exhausted)
  end)

  it("are read in any shape", function()
    assert.equal("m", chat_errors.problem({ error = { message = "m" } }).message)
    assert.equal("m", chat_errors.problem({ error = "m", code = "c" }).message)
    assert.equal("c", chat_errors.problem({ error = "m", code = "c" }).code)
    assert.equal("m", chat_errors.problem({ { error = { message = "m" } } }).message)
    assert.equal("m", chat_errors.problem({ message = "m", object = "error" }).message)
    assert.equal("m", chat_errors.problem("m").message)
    assert.same({}, chat_errors.problem(nil))
  end)
end)
