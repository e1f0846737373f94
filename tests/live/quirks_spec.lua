-- One conversation, whoever answers it: a tool loop begun at one provider goes on at another
-- that refuses half of its members, and each is sent what it takes.

local helper = require "helper"
local pair = require "support.pair"

local json = helper.json

local HISTORY = [[
"messages":[
 {"role":"developer","content":"Be brief."},
 {"role":"user","content":"Weather in Oslo?"},
 {"role":"assistant","content":null,"refusal":null,"annotations":[],
  "reasoning_content":"I need it.",
  "tool_calls":[{"id":"call_0123456789","type":"function",
   "function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},
 {"role":"tool","tool_call_id":"call_0123456789","content":"3 degrees"}],
"max_completion_tokens":50,"store":false,"seed":7}]]

describe("quirks", function()
  local up, gw = pair.once(function(up)
    return { routes = ([[
local groq    = provider "groq"    { api_key = "up-groq", base_url = %q }
local mistral = provider "mistral" { api_key = "up-mistral", base_url = %q }
local router  = provider "openrouter" { api_key = "up-router", base_url = %q }
model "first"  { groq "llama", retries = 0, fallback = { "second" } }
model "second" { mistral "small" }
model "router" { router "openai/gpt-4o" }
]]):format(up:url "groq", up:url "mistral", up:url "router") }
  end)

  it("give each provider of a fallback what it takes", function()
    up:reply("groq", { status = 498, body = '{"error":{"message":"Flex tier is full"}}' })
    up:reply("mistral", { body = helper.completion "3 degrees in Oslo" })
    local response = gw:chat('{"model":"first",' .. HISTORY)
    assert.equal(200, response.status, response.body)
    assert.equal("store,messages.reasoning_content", response.headers["x-moongate-dropped"])

    local sent = json.decode(up:last("groq").body)
    assert.equal("I need it.", sent.messages[3].reasoning)
    assert.is_nil(sent.messages[3].reasoning_content)
    assert.same({ "developer", 50 }, { sent.messages[1].role, sent.max_completion_tokens })

    sent = json.decode(up:last("mistral").body)
    local answer, result = sent.messages[3], sent.messages[4]
    assert.same({ "system", 50, 7 },
      { sent.messages[1].role, sent.max_tokens, sent.random_seed })
    for _, name in ipairs { "refusal", "annotations", "reasoning_content" } do
      assert.is_nil(answer[name], name)
    end
    assert.equal(9, #result.tool_call_id)
    assert.equal(answer.tool_calls[1].id, result.tool_call_id)
  end)

  it("bill what the provider says", function()
    up:reply("router", { body = helper.completion("hi"):gsub('"usage"%s*:%s*{',
      '%0"cost":0.00000123,', 1) })
    local response = gw:chat(helper.ask "router")
    assert.equal("0.00000123", response.headers["x-moongate-cost"], response.body)
    helper.wait_until(function() return #gw:journal() > 0 end)
    local row = gw:last_row()
    assert.same({ 1230, "reported" }, { row.cost_nano, row.prices })
  end)
end)
