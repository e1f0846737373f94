-- Clients of Anthropic's Messages and Claude on Bedrock: by InvokeModel, as recorded, both
-- ways.

local helper = require "helper"
local lfs = require "lfs"
local pair = require "support.pair"

local APIS = { invoke = true, invoke_stream = true }

describe("Messages to Bedrock", function()
  if not lfs.attributes("build/tests/engine.so") then return end
  local bedrock = require "support.bedrock"
  local crypto = require "engine.crypto"
  local recorded = require "support.recorded"
  local cjson = helper.json
  local up, gw = pair.once(function(up)
    local line = 'provider "bedrock" { name = "%s", region = "us-east-1", api_key = env.KEY, '
      .. 'base_url = "%s"%s } %s'
    local function model(name, more, deployment)
      return ('model "%s/*" { %s }\n'):format(name,
        line:format(name, up:url "bedrock", more, deployment))
    end
    return {
      loud = true, env = { KEY = "bedrock-key-1" },
      routes = 'defaults { retries = 0, cooldown = { allowed_fails = 100000 } }\n'
        .. model("b", "", '"*"') .. model("plain", "", '{ "*", api = "converse" }')
        .. model("g", ', guardrail = "g1", beta = "fast-mode-2026-02-01"', '"*"'),
    }
  end)

  local STREAM = { ["content-type"] = "application/vnd.amazon.eventstream" }
  local JSON = { ["content-type"] = "application/json" }

  local function serve(body, stream, status, errortype)
    up:reply("bedrock", {
      status = status or 200, body = body, stream = stream,
      headers = {
        ["content-type"] = (stream and STREAM or JSON)["content-type"],
        ["x-amzn-errortype"] = errortype,
      },
    })
  end

  local function ask(body, headers)
    return gw:chat(body, { path = "/v1/messages", headers = headers })
  end

  -- What a client of Anthropic's is sent of such a stream.
  local function told(bytes)
    local out = {}
    for _, message in ipairs(bedrock.messages(bytes)) do
      local text = crypto.unbase64(message.data.bytes)
      out[#out + 1] = ("event: %s\ndata: %s\n\n"):format(cjson.decode(text).type, text)
    end
    return table.concat(out)
  end

  local function body_of(exchange, model)
    local text = exchange.request.text:gsub('"anthropic_version"%s*:%s*"[^"]*"', function()
      return ('"model":"%s"'):format(model) .. (exchange.stream and ',"stream":true' or "")
    end, 1)
    return text
  end

  local function replay(exchange, mode)
    local model = bedrock.model(exchange.request.path)
    serve(exchange.response.text, exchange.stream and mode or nil, exchange.response.status,
      exchange.response.headers["x-amzn-errortype"])
    local answer = ask(body_of(exchange, "b/" .. model))
    assert.equal(200, answer.status, answer.body)
    assert.is_nil(answer.headers["x-moongate-dropped"])
    assert.equal(exchange.stream and told(exchange.response.text) or exchange.response.text,
      answer.body)
    local sent = up:last "bedrock"
    assert.same(exchange.request.body, cjson.decode(sent.body))
    assert.equal(("/bedrock/model/%s/%s"):format(model:gsub(":", "%%3A"),
      exchange.stream and "invoke-with-response-stream" or "invoke"), sent.path)
    assert.equal("Bearer bedrock-key-1", sent.headers.authorization)
    assert.is_nil(sent.headers["anthropic-version"])
  end

  for _, path in ipairs(recorded.list(APIS) or {}) do
    local exchange = path:find "^bedrock/" and recorded.load(path)
    if exchange and exchange.request.path:find "anthropic%.claude" then
      local short = path:gsub("^bedrock/", ""):gsub("%.json$", "")
      it(short .. ": whole", function() replay(exchange, "whole") end)
      it(short .. ": a byte at a time", function() replay(exchange, "drip") end)
    end
  end

  local function chunk(text)
    return bedrock.event("chunk", ('{"bytes":"%s","p":"abc"}'):format(crypto.base64(text)))
  end

  local START = chunk('{"type":"message_start","message":{"id":"msg_1","type":"message",'
    .. '"role":"assistant","content":[],"model":"claude-sonnet-4-6","stop_reason":null,'
    .. '"usage":{"input_tokens":3,"cache_read_input_tokens":5,"output_tokens":1}}}')
  local TEXT = chunk('{"type":"content_block_start","index":0,"content_block":{"type":"text",'
    .. '"text":""}}') .. chunk('{"type":"content_block_delta","index":0,"delta":{"type":'
    .. '"text_delta","text":"Hello"}}')
  local STOP = chunk('{"type":"content_block_stop","index":0}') .. chunk('{"type":'
    .. '"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}')
    .. chunk('{"type":"message_stop"}')

  local function question(model, more)
    return ('{"model":"%s","max_tokens":9,"stream":true,"messages":[{"role":"user",'
      .. '"content":"hi"}]%s}'):format(model, more or "")
  end

  it("counts what Claude counted", function()
    serve(START .. TEXT .. STOP, "whole")
    local answer = ask(question "b/anthropic.claude-sonnet-4-6")
    assert.equal(told(START .. TEXT .. STOP), answer.body)
    local row = gw:row_of(answer)
    assert.same({ 8, 7, 5 }, { row.tokens.input, row.tokens.output, row.tokens.cache_read })
    assert.equal(115500, row.cost_nano)
  end)

  it("puts betas into the body that are known there, and names the rest", function()
    serve(START .. TEXT .. STOP, "whole")
    local answer = ask(question("b/us.anthropic.claude-opus-4-6-v1",
      ',"tools":[{"name":"t","input_schema":{"type":"object"},"defer_loading":true,'
        .. '"eager_input_streaming":true}]'), {
      ["anthropic-beta"] = "interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,"
        .. "fine-grained-tool-streaming-2025-05-14",
    })
    assert.equal("tools.eager_input_streaming,"
      .. "anthropic-beta.fine-grained-tool-streaming-2025-05-14",
      answer.headers["x-moongate-dropped"])
    local sent = up:last "bedrock"
    local body = cjson.decode(sent.body)
    assert.same({
      "interleaved-thinking-2025-05-14", "tool-search-tool-2025-10-19",
      "tool-examples-2025-10-29",
    }, body.anthropic_beta)
    assert.is_true(body.tools[1].defer_loading)
    assert.is_nil(body.tools[1].eager_input_streaming)
    assert.is_nil(sent.headers["anthropic-beta"])
  end)

  it("adds what the provider says", function()
    serve(START .. TEXT .. STOP, "whole")
    assert.equal(200, ask(question "g/anthropic.claude-sonnet-4-6").status)
    local sent = up:last "bedrock"
    assert.same({ "fast-mode-2026-02-01" }, cjson.decode(sent.body).anthropic_beta)
    assert.equal("g1", sent.headers["x-amzn-bedrock-guardrailidentifier"])
    assert.equal("DRAFT", sent.headers["x-amzn-bedrock-guardrailversion"])
  end)

  it("goes by Converse to other models, and where a deployment says so", function()
    for _, model in ipairs { "b/amazon.nova-lite-v1:0", "plain/anthropic.claude-sonnet-4-6" } do
      serve(bedrock.event("messageStart", '{"role":"assistant"}') .. bedrock.event(
        "contentBlockDelta", '{"contentBlockIndex":0,"delta":{"text":"Hello"}}')
        .. bedrock.event("messageStop", '{"stopReason":"end_turn"}'), "whole")
      local answer = ask(question(model))
      assert.equal(200, answer.status, answer.body)
      assert.truthy(answer.body:find("Hello", 1, true))
      assert.truthy(up:last("bedrock").path:find "/converse%-stream$")
    end
  end)

  it("tells Bedrock's errors in Anthropic's words", function()
    serve('{"message":"messages: text content blocks must be non-empty"}', nil, 400,
      "ValidationException")
    local answer = ask(question "b/anthropic.claude-sonnet-4-6")
    assert.equal(400, answer.status)
    local body = cjson.decode(answer.body)
    assert.equal("error", body.type)
    assert.equal("invalid_request_error", body.error.type)
    assert.equal("messages: text content blocks must be non-empty", body.error.message)

    serve(START .. TEXT .. bedrock.message({
      { ":message-type", "exception" }, { ":exception-type", "throttlingException" },
    }, '{"message":"slow down"}'), "whole")
    answer = ask(question "b/anthropic.claude-sonnet-4-6")
    assert.equal(200, answer.status)
    local events = helper.http.events(answer.body)
    assert.equal("rate_limit_error", cjson.decode(events[#events]).error.type)
  end)

  it("takes no end of the connection for the end of the answer", function()
    serve(START .. TEXT, "whole")
    local answer = ask(question "b/anthropic.claude-sonnet-4-6")
    local events = helper.http.events(answer.body)
    assert.equal("error", cjson.decode(events[#events]).type)
  end)

  it("believes no message without an event in it", function()
    for _, payload in ipairs { "{}", '{"bytes":"!"}', '{"bytes":"W10"}', '{"bytes":7}' } do
      serve(START .. TEXT .. bedrock.event("chunk", payload) .. STOP, "whole")
      local answer = ask(question "b/anthropic.claude-sonnet-4-6")
      local events = helper.http.events(answer.body)
      assert.equal("error", cjson.decode(events[#events]).type, payload)
    end
  end)
end)
