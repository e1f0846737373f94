-- The door of Messages in the real binary: what of a head goes along, what goes by in a
-- stream while nobody looks, and what counting costs nobody.

local helper = require "helper"
local pair = require "support.pair"

local ROUTES = [[
model "claude" {
  provider "anthropic" { api_key = "sk-provider", base_url = "%s", beta = "ours" } "claude-x" }
model "gpt" { provider "openai_compatible" { name = "o", base_url = "%s/v1" } "m" }
]]

local HEAD = '{"model":"%s","max_tokens":9,%s"messages":[{"role":"user","content":"hi"}]}'

describe("the door of Messages", function()
  local up, gw = pair.once(function(up)
    return { routes = ROUTES:format(up:url "a", up:url "o") }
  end)

  local function ask(model, more, headers)
    return gw:chat(HEAD:format(model, more or ""),
      { path = "/v1/messages?beta=true", headers = headers })
  end

  local function event(name, members)
    return ('event: %s\ndata: {"type":"%s"%s}\n\n'):format(name, name, members or "")
  end

  it("lets anthropic-* headers along, and no others", function()
    up:reply("a", { status = 200, headers = { ["content-type"] = "application/json" },
      body = '{"type":"message","content":[],"stop_reason":"end_turn"}' })
    local answer = ask("claude", nil, {
      ["Anthropic-Beta"] = "one,two", ["anthropic-version"] = "2026-10-21",
      ["anthropic-dangerous-direct-browser-access"] = "true", ["x-app"] = "cli",
      ["x-api-key"] = "any", authorization = "Bearer any",
    })
    assert.equal(200, answer.status, answer.body)
    local sent = up:last("a").headers
    assert.equal("one,two,ours", sent["anthropic-beta"])
    assert.equal("2026-10-21", sent["anthropic-version"])
    assert.equal("true", sent["anthropic-dangerous-direct-browser-access"])
    assert.equal("sk-provider", sent["x-api-key"])
    assert.is_nil(sent["x-app"])
    assert.is_nil(sent.authorization)
    ask "claude"
    assert.equal("ours", up:last("a").headers["anthropic-beta"])
  end)

  it("passes pings and thousands of events, and reads the usage among them", function()
    local events = {
      event("message_start", ',"message":{"id":"msg_1","model":"claude-x","content":[],"usage":'
        .. '{"input_tokens":5,"cache_read_input_tokens":20,"output_tokens":1}}'),
      event("content_block_start",
        ',"index":0,"content_block":{"type":"text","text":""}'), event "ping",
    }
    for _ = 1, 3000 do
      events[#events + 1] = event("content_block_delta",
        ',"index":0,"delta":{"type":"text_delta","text":"word \\"message_delta\\""}')
    end
    events[#events + 1] = event "ping"
    events[#events + 1] = event("content_block_stop", ',"index":0')
    events[#events + 1] = event("message_delta",
      ',"delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":3000}')
    events[#events + 1] = event "message_stop"
    local bytes = table.concat(events)
    up:reply("a", { status = 200, headers = { ["content-type"] = "text/event-stream" },
      body = bytes })
    local answer = ask("claude", '"stream":true,')
    assert.equal(bytes, answer.body)
    local line = helper.wait_until(function()
      local list = gw:log "request"
      return list[#list].stream and list[#list]
    end)
    assert.equal(25, line.tokens["in"])
    assert.equal(3000, line.tokens.out)
    assert.equal(20, line.tokens.cache_read)
    assert.equal("length", line.finish)
    assert.equal("anthropic", line.dialect)
  end)

  it("gives what was asked for, a stream or none, whatever comes", function()
    local events = event("message_start",
        ',"message":{"id":"a","model":"c","usage":{"input_tokens":3}}')
      .. event("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}')
      .. event("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":"t"}')
      .. event("message_delta",
        ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}')
    up:reply("a", { status = 200, headers = { ["content-type"] = "text/event-stream" },
      body = events }, 1)
    local answer = ask "claude"
    assert.equal("t", answer.json.content[1].text)
    up:reply("a", { status = 200, headers = { ["content-type"] = "application/json" },
      body = '{"type":"message","content":[{"type":"text","text":"t"}],"stop_reason":'
        .. '"end_turn","usage":{"input_tokens":3,"output_tokens":1}}' }, 1)
    answer = ask("claude", '"stream":true,')
    assert.is_truthy(answer.body:find('"text_delta","text":"t"', 1, true))
    assert.is_truthy(answer.body:find "event: message_stop\n")
  end)

  it("counts two dozen times in a go, and asks nobody", function()
    local first
    for _ = 1, 25 do
      local answer = gw:chat(HEAD:format("gpt", ""),
        { path = "/v1/messages/count_tokens?beta=true" })
      assert.equal(200, answer.status, answer.body)
      first = first or answer.json.input_tokens
      assert.equal(first, answer.json.input_tokens)
    end
    assert.is_true(first > 0)
    assert.is_nil(up:last "o")
  end)
end)
