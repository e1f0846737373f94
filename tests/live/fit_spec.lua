-- What a translated target cannot take: hints are dropped and named, the rest is refused with
-- the field's name, or dropped too where the deployment says so.

local helper = require "helper"
local pair = require "support.pair"

local CLAUDE = helper.message "hi"
local GEMINI = '{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},'
  .. '"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,'
  .. '"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-2.5-flash"}'

local HINTS = '"metadata":{"a":"b"},"store":true,"prompt_cache_key":"k","service_tier":"auto",'
  .. '"safety_identifier":"s","prompt_cache_retention":"24h"'
local IMAGE = '"messages":[{"role":"user","content":[{"type":"text","text":"x"},'
  .. '{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]'

-- model = { what is refused there → the field that is named }
local REFUSED = {
  claude = {
    ['"n":2'] = "n", ['"logprobs":true'] = "logprobs", ['"top_logprobs":3'] = "top_logprobs",
    ['"response_format":{"type":"json_object"}'] = "response_format",
    ['"tools":[{"type":"custom","custom":{"name":"x"}}]'] = "tools[0]",
    ['"modalities":["text","audio"]'] = "modalities",
    ['"web_search_options":{}, "audio":{"voice":"a","format":"wav"}'] = "audio",
    [IMAGE] = "messages[0].content[1]",
  },
  gemini = {
    ['"tools":[{"type":"custom","custom":{"name":"x"}}]'] = "tools[0]",
    ['"modalities":["text","audio"]'] = "modalities",
    ['"audio":{"voice":"a","format":"wav"}'] = "audio",
  },
}

-- model = { hints → what the header names }
local DROPPED = {
  claude = {
    [HINTS .. ',"seed":1,"logit_bias":{"5":1}'] =
      "logit_bias,metadata,prompt_cache_key,prompt_cache_retention,safety_identifier,seed,"
      .. "service_tier,store",
    ['"frequency_penalty":0.5,"presence_penalty":0.5'] = "frequency_penalty,presence_penalty",
    ['"user":"someone@example.com"'] = "user",
    ['"temperature":1.5'] = "temperature",
  },
  gemini = {
    [HINTS .. ',"user":"u","logit_bias":{"5":1}'] =
      "logit_bias,metadata,prompt_cache_key,prompt_cache_retention,safety_identifier,"
      .. "service_tier,store,user",
  },
}

describe("a target of another dialect", function()
  local up, gw = pair.once(function(up)
    return { routes = ([[
local anthropic = provider "anthropic" { api_key = "up-a", base_url = %q }
local gemini = provider "gemini" { api_key = "up-g", base_url = %q }
model "claude" { anthropic "claude-sonnet-4-5" }
model "gemini" { gemini "gemini-2.5-flash" }
model "claude-lax" { anthropic { "claude-sonnet-4-5", name = "a", drop_unsupported = true } }
model "gemini-lax" { gemini { "gemini-2.5-flash", name = "g", drop_unsupported = true } }]])
      :format(up:url "claude", up:url "gemini") }
  end)

  before_each(function()
    up:reply("claude", { body = CLAUDE })
    up:reply("gemini", { body = GEMINI })
  end)

  local function ask(model, more)
    if more:find('"messages"', 1, true) then
      return gw:chat(('{"model":%q,%s}'):format(model, more))
    end
    return gw:chat(helper.ask(model, more))
  end

  for model, rows in pairs(REFUSED) do
    for more, param in pairs(rows) do
      it(("(%s) refuses %s with its name, and is not asked"):format(model, param), function()
        local response = ask(model, more)
        assert.equal(400, response.status, response.body)
        assert.equal("invalid_request_error", response.json.error.type)
        assert.equal(param, response.json.error.param)
        assert.equal(0, (up:stats()))
      end)

      it(("(%s) drops %s where that is allowed"):format(model, param), function()
        local response = ask(model .. "-lax", more)
        assert.equal(200, response.status, response.body)
        local named = "," .. response.headers["x-moongate-dropped"] .. ","
        assert.is_truthy(named:find("," .. param .. ",", 1, true), named)
      end)
    end
  end

  for model, rows in pairs(DROPPED) do
    for more, names in pairs(rows) do
      it(("(%s) is not told %s, and the client hears it"):format(model, names), function()
        local response = ask(model, more)
        assert.equal(200, response.status, response.body)
        assert.equal(names, response.headers["x-moongate-dropped"])
        assert.equal("hi", response.json.choices[1].message.content)
        local sent = helper.json.decode(up:last(model).body)
        for name in names:gmatch "[^,]+" do assert.is_nil(sent[name]) end
      end)
    end
  end

  it("says nothing of what asks for nothing", function()
    for _, model in ipairs { "claude", "gemini" } do
      local response = ask(model, '"n":1,"logprobs":false,"metadata":{},"seed":null,'
        .. '"logit_bias":{},"tools":[],"stop":[],"stream_options":null')
      assert.equal(200, response.status, response.body)
      assert.is_nil(response.headers["x-moongate-dropped"])
    end
  end)
end)

describe("a target of the same dialect", function()
  it("decides for itself", function()
    local up = helper.upstream()
    local gw = helper.gateway { routes = helper.routes(up, { "one" }) }
    up:reply("one", { body = helper.completion "hi" })
    local body = helper.ask("gpt-4o-mini", HINTS .. ',"n":2,"logprobs":true,"seed":1')
    local response = gw:chat((body:gsub("gpt%-4o%-mini", "one")))
    assert.equal(200, response.status, response.body)
    assert.is_nil(response.headers["x-moongate-dropped"])
    assert.equal(body, up:last("one").body)
    gw:assert_silent()
    gw:stop()
    up:stop()
  end)
end)
