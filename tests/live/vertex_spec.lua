-- Vertex and Azure through the real binary: which dialect a model is spoken to in, what a
-- client of Messages sends that Claude on Vertex does not know, whose words an error is in.

local helper = require "helper"
local pair = require "support.pair"

local MESSAGE = '{"id":"msg_vrtx_1","type":"message","role":"assistant",'
  .. '"model":"claude-opus-4-6","content":[{"type":"text","text":"pong"}],'
  .. '"stop_reason":"end_turn","stop_sequence":null,'
  .. '"usage":{"input_tokens":3,"output_tokens":1}}'

local BODY = '{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"ping"}],'
  .. '"context_management":{"edits":[]}}'

describe("a provider of several families", function()
  local up, gw = pair.once(function(up)
    return { routes = ([[
local vertex = provider "vertex" {
  base_url = %q, token = env.TOKEN, project = "acme-1", location = "us-east5",
}
local azure = provider "azure" { base_url = %q, api_key = env.KEY }
model "claude" { vertex "claude-opus-4-6@20260205", retries = 0 }
model "foundry" { azure { "claude-opus-4-6", deployment = "our-opus" }, retries = 0 }
model "gone" { vertex "claude-gone", retries = 0 }
model "any/*" { vertex { "*", name = "any" }, retries = 0 }
]]):format(up:url "vertex/v1", up:url "azure/openai/v1"), env = {
      TOKEN = "token-secret", KEY = "key-secret",
    } }
  end)

  local function ask(body, headers)
    return gw:chat(body, { path = "/v1/messages?beta=true", headers = headers })
  end

  it("speaks each model's dialect, known when it is asked for", function()
    local answers = {
      ["claude-haiku-4-5@20251001"] = { MESSAGE, "/publishers/anthropic/models/"
        .. "claude-haiku-4-5@20251001:rawPredict" },
      ["gemini-2.5-pro"] = {
        '{"candidates":[{"content":{"role":"model","parts":[{"text":"pong"}]},'
          .. '"finishReason":"STOP"}]}',
        "/publishers/google/models/gemini-2.5-pro:generateContent",
      },
      ["meta/llama-4-maas"] = { helper.completion "pong",
        "/endpoints/openapi/chat/completions" },
    }
    for model, want in pairs(answers) do
      up:reset()
      up:reply("vertex", { body = want[1] })
      local answer = gw:chat(helper.ask("any/" .. model))
      assert.equal(200, answer.status, answer.body)
      assert.equal("pong", answer.json.choices[1].message.content)
      local sent = up:last "vertex"
      assert.equal(want[2], sent.path:sub(-#want[2]))
      if model:find "^meta" then
        assert.equal(model, helper.json.decode(sent.body).model)
      end
    end
  end)

  it("counts Claude's tokens by itself", function()
    local answer = gw:chat(BODY, { path = "/v1/messages/count_tokens?beta=true" })
    assert.equal(200, answer.status)
    assert.is_true(answer.json.input_tokens > 0)
    assert.equal(0, #up:requests())
  end)

  it("tells Claude on Vertex of the betas known there, and the client of the rest", function()
    up:reply("vertex", { body = MESSAGE })
    local answer = ask(BODY, {
      ["anthropic-version"] = "2023-06-01",
      ["anthropic-beta"] = "claude-code-20250219,context-management-2025-06-27,"
        .. "advanced-tool-use-2025-11-20",
    })
    assert.equal(200, answer.status)
    assert.equal(MESSAGE, answer.body)
    assert.equal("anthropic-beta.claude-code-20250219", answer.headers["x-moongate-dropped"])
    local sent = up:last "vertex"
    assert.equal("/vertex/v1/projects/acme-1/locations/us-east5/publishers/anthropic/models/"
      .. "claude-opus-4-6@20260205:rawPredict", sent.path)
    assert.equal("Bearer token-secret", sent.headers.authorization)
    assert.is_nil(sent.headers["anthropic-version"])
    assert.equal("context-management-2025-06-27,tool-search-tool-2025-10-19",
      sent.headers["anthropic-beta"])
    local body = helper.json.decode(sent.body)
    assert.is_nil(body.model)
    assert.equal("vertex-2023-10-16", body.anthropic_version)
    assert.is_table(body.context_management)
  end)

  it("tells Claude's errors on Vertex as received, Google's in Anthropic's words", function()
    local own = '{"type":"error","error":{"type":"invalid_request_error","message":"messages: '
      .. 'roles must alternate"},"request_id":"req_vrtx_1"}'
    up:reply("vertex", { status = 400, body = own })
    local answer = ask(BODY)
    assert.equal(400, answer.status)
    assert.equal(own, answer.body)
    up:reset()
    up:reply("vertex", { status = 400, body = '[{"error":{"code":400,"message":"Invalid '
      .. 'argument token-secret","status":"INVALID_ARGUMENT"}}]' })
    answer = ask(BODY)
    assert.equal(400, answer.status)
    assert.same({ type = "invalid_request_error", message = "Invalid argument ***" },
      answer.json.error)
    assert.equal("error", answer.json.type)
    up:reset()
    up:reply("vertex", { status = 404, body = '{"error":{"code":404,"message":"Publisher Model '
      .. 'was not found","status":"NOT_FOUND"}}' })
    assert.equal(502, ask((BODY:gsub('"claude"', '"gone"'))).status)
  end)

  it("has a Claude on Azure at Foundry's endpoint, with all that its clients send", function()
    up:reply("azure", { body = MESSAGE })
    local body = BODY:gsub('"claude"', '"foundry"')
    local answer = ask(body, {
      ["anthropic-version"] = "2023-06-01", ["anthropic-beta"] = "claude-code-20250219",
    })
    assert.equal(MESSAGE, answer.body)
    assert.is_nil(answer.headers["x-moongate-dropped"])
    local sent = up:last "azure"
    assert.equal("/azure/anthropic/v1/messages", sent.path)
    assert.equal("key-secret", sent.headers["x-api-key"])
    assert.equal("claude-code-20250219", sent.headers["anthropic-beta"])
    assert.equal((body:gsub('"foundry"', '"our-opus"')), sent.body)
  end)
end)
