-- What single clients need of a gateway (WIRE.md 1), each under its client's name.

local helper = require "helper"
local pair = require "support.pair"

local KEY = "mg-test-all-0123456789abcdef"

local CLAUDE = helper.message "hi"

describe("a client's needs", function()
  local up, gw = pair.once(function(up)
    return {
      env = { KEY_ALL = KEY },
      routes = helper.routes(up, { "one", "two" }, ([[
local claude = provider "anthropic" { api_key = "k", base_url = %q }
model "claude-sonnet-4-5" { claude "claude-sonnet-4-5" }
alias { ["claude-moongate-one"] = "one" }
virtual_key "all" { token = env.KEY_ALL, models = { "*" } }
]]):format(up:url "claude" .. "/v1")),
    }
  end)

  before_each(function()
    up:reply("one", { body = helper.completion "one" })
    up:reply("claude", { body = CLAUDE, headers = {
      ["anthropic-ratelimit-requests-limit"] = "50",
      ["anthropic-ratelimit-requests-remaining"] = "49",
      ["anthropic-ratelimit-requests-reset"] = "2026-11-22T10:00:00Z",
      ["anthropic-organization-id"] = "theirs", ["set-cookie"] = "a=b",
      ["request-id"] = "req_theirs",
    } })
  end)

  local function get(path, headers)
    headers = headers or {}
    if headers.authorization == nil then headers.authorization = "Bearer " .. KEY end
    local answer = gw:request { method = "GET", path = path, headers = headers }
    local ok, body = pcall(helper.json.decode, answer.body)
    answer.json = ok and body or nil
    return answer
  end

  local function head(path, key)
    local connection = gw:raw(("HEAD %s HTTP/1.1\r\nhost: x\r\n%s\r\n"):format(path,
      key and "authorization: Bearer " .. key .. "\r\n" or ""))
    local answer = assert(connection:head())
    connection:close()
    return answer
  end

  it("(Claude Code) finds somebody at HEAD / and /api/hello, with a key and without", function()
    for _, path in ipairs { "/", "/api/hello" } do
      assert.equal(200, head(path).status)
      assert.equal(200, head(path, KEY).status)
    end
  end)

  it("(Claude Code) has its query ignored, and the rest of its calls beside", function()
    for _, path in ipairs { "?beta=true", "?x=1&beta=true&", "" } do
      local answer = gw:chat('{"model":"claude-sonnet-4-5","max_tokens":9,"messages":['
        .. '{"role":"user","content":"x"}]}', { path = "/v1/messages" .. path, key = KEY })
      assert.equal(200, answer.status, answer.body)
      assert.equal(CLAUDE, answer.body)
      assert.equal("/claude/v1/messages", up:last("claude").path)
    end
  end)

  -- tests/doors/anthropic/claude_code* are such requests, and what other families are asked.
  it("(Claude Code) is passed on as it came, with its list of betas", function()
    local beta = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-"
      .. "06-27,per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,thinking-"
      .. "token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24"
    for _, case in ipairs { "claude_code", "claude_code_first" } do
      local text = helper.process.read(("tests/doors/anthropic/%s/call.json"):format(case))
      text = text:gsub("%s+$", ""):gsub("claude%-opus%-4%-6", "claude-sonnet-4-5")
        :gsub(',"stream":true}$', "}")
      local answer = gw:chat(text, { path = "/v1/messages?beta=true", key = KEY, headers = {
        ["anthropic-version"] = "2023-06-01", ["anthropic-beta"] = beta, ["x-app"] = "cli",
        ["x-claude-code-session-id"] = "0b9d7c1e", ["x-claude-code-agent-id"] = "a1",
        ["anthropic-dangerous-direct-browser-access"] = "true",
        ["user-agent"] = "claude-cli/2.1.330 (external, sdk-cli)",
        ["accept-encoding"] = "gzip, deflate, br, zstd",
      } })
      assert.equal(CLAUDE, answer.body)
      local sent = up:last "claude"
      assert.equal(text, sent.body)
      assert.equal(beta, sent.headers["anthropic-beta"])
      assert.equal("2023-06-01", sent.headers["anthropic-version"])
      for _, name in ipairs { "x-app", "x-claude-code-session-id", "x-claude-code-agent-id" } do
        assert.is_nil(sent.headers[name])
      end
    end
  end)

  it("(Claude Code, Anthropic's SDKs) hears of Anthropic's limits alone", function()
    local answer = gw:chat('{"model":"claude-sonnet-4-5","max_tokens":9,"messages":['
      .. '{"role":"user","content":"x"}]}', { path = "/v1/messages", key = KEY })
    assert.equal("50", answer.headers["anthropic-ratelimit-requests-limit"])
    assert.equal("49", answer.headers["anthropic-ratelimit-requests-remaining"])
    assert.equal("2026-11-22T10:00:00Z", answer.headers["anthropic-ratelimit-requests-reset"])
    for _, name in ipairs { "anthropic-organization-id", "set-cookie" } do
      assert.is_nil(answer.headers[name])
    end
    assert.equal(answer.headers["x-moongate-request-id"], answer.headers["request-id"])
    assert.equal(49, gw:metric("moongate_upstream_ratelimit_remaining",
      { deployment = "anthropic/claude-sonnet-4-5", kind = "requests" }))
    local chat = gw:chat(helper.ask "claude-sonnet-4-5", { key = KEY })
    assert.is_nil(chat.headers["anthropic-ratelimit-requests-limit"])
  end)

  it("(Claude Code) lists models page by page, as OpenAI's clients can read too", function()
    local both = get("/v1/models?limit=1000", { ["anthropic-version"] = "2023-06-01" })
    assert.equal(200, both.status, both.body)
    assert.equal("list", both.json.object)
    assert.is_false(both.json.has_more)
    local ids, names = {}, {}
    for i, one in ipairs(both.json.data) do
      ids[i], names[one.id] = one.id, one.display_name
      assert.equal("model", one.type)
      assert.equal("model", one.object)
      assert.is_truthy(one.display_name)
      assert.is_truthy(one.created_at)
      assert.is_truthy(one.created)
      assert.is_truthy(one.owned_by)
    end
    assert.same({ ids[1], ids[#ids] }, { both.json.first_id, both.json.last_id })
    assert.equal("one", names["claude-moongate-one"]) -- it keeps ids with its own name in
    local version = { ["anthropic-version"] = "2023-06-01" }
    local page = get("/v1/models?limit=2", version).json
    assert.same({ ids[1], ids[2], true },
      { page.data[1].id, page.data[2].id, page.has_more })
    page = get("/v1/models?limit=2&after_id=" .. ids[2], version).json
    assert.equal(ids[3], page.data[1].id)
    page = get("/v1/models?limit=1&before_id=" .. ids[3], version).json
    assert.equal(ids[2], page.data[1].id)
    -- OpenAI's clients know no pages.
    assert.equal(#ids, #get("/v1/models?limit=1").json.data)
  end)

  it("(Claude Code's key helper) lists models with x-api-key", function()
    local answer = get("/v1/models", { authorization = false, ["x-api-key"] = KEY })
    assert.equal(200, answer.status, answer.body)
  end)

  it("(any) is never sent elsewhere", function()
    for _, path in ipairs {
      "/v1/models/", "/v1/", "/v1", "//v1/models", "/v1/chat/completions/", "/V1/models",
      "/v1/v1/models", "/index.html", "/v1beta", "/v1/responses/",
    } do
      for method, body in pairs { GET = false, POST = "{}" } do
        local headers = { authorization = "Bearer " .. KEY }
        headers["content-type"] = body and "application/json" or nil
        local answer =
          gw:request { method = method, path = path, body = body or nil, headers = headers }
        assert.is_true(answer.status >= 400 and answer.status < 500, path)
        assert.is_truthy(helper.json.decode(answer.body).error, path)
        assert.is_nil(answer.headers.location)
      end
      assert.is_nil(head(path, KEY).headers.location)
    end
  end)

  it("(whoever doubles the /v1) is told where things are", function()
    local answer = gw:chat(helper.ask "one", { path = "/v1/v1/chat/completions", key = KEY })
    assert.equal(404, answer.status)
    assert.equal("unknown_url", answer.json.error.code)
    assert.is_truthy(answer.json.error.message:find("/v1/chat/completions", 1, true))
  end)

  it("(Codex) is refused a WebSocket so that it goes on over HTTP", function()
    local answer = get("/v1/responses", {
      connection = "Upgrade", upgrade = "websocket", ["sec-websocket-version"] = "13",
      ["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ==",
      ["sec-websocket-extensions"] = "permessage-deflate",
      ["openai-beta"] = "responses_websockets=2026-02-06",
    })
    assert.is_true(answer.status == 404 or answer.status == 426, tostring(answer.status))
    assert.is_truthy(answer.json.error.message:find("POST", 1, true))
    up:reply("one", { body = helper.stream "a", stream = "whole" })
    local stream = gw:chat('{"model":"one","stream":true,"store":false,"input":"x"}',
      { path = "/v1/responses", key = KEY })
    assert.is_truthy(stream.body:find("event: response.completed", 1, true))
  end)

  it("T2: (older Google clients) are told where a key in the URL belongs", function()
    for path, header in pairs {
      ["/v1beta/models/one:generateContent"] = "x-goog-api-key",
      ["/v1/chat/completions"] = "Authorization",
      ["/v1beta/models"] = "x-goog-api-key",
    } do
      local answer = gw:request { method = path == "/v1beta/models" and "GET" or "POST",
        path = path .. "?key=" .. KEY, body = path ~= "/v1beta/models" and "{}" or nil,
        headers = { ["content-type"] = "application/json" } }
      assert.equal(401, answer.status, answer.body)
      assert.is_truthy(answer.body:lower():find(header:lower(), 1, true), answer.body)
      assert.is_nil(answer.body:find(KEY, 1, true))
    end
  end)

  it("(official SDKs) are told whether to try again", function()
    local AGAIN = { [429] = "true", [503] = "true", [500] = "false", [400] = "false" }
    for status, again in pairs(AGAIN) do
      up:reset()
      up:reply("two", { status = status, body = '{"error":{"message":"no"}}' })
      local answer = gw:chat(helper.ask "two", { key = KEY })
      assert.equal(again, answer.headers["x-should-retry"], tostring(status))
      assert.equal(again == "true", answer.headers["retry-after"] ~= nil)
      gw:admin("POST", "/admin/reload")
    end
  end)

  it("(LibreChat, LlamaIndex.TS) may name settings that the model has none of", function()
    local answer = gw:chat(helper.ask("claude-sonnet-4-5", '"temperature":0.8,"top_p":1,'
      .. '"presence_penalty":0,"frequency_penalty":0.1,"user":"u"'), { key = KEY })
    assert.equal(200, answer.status, answer.body)
    assert.is_truthy(answer.headers["x-moongate-dropped"]:find("frequency_penalty", 1, true))
  end)
end)
