-- A strict deployment drops nothing: what others are let do without is a 400 that names it, at
-- every door, before anybody is called.

local helper = require "helper"
local pair = require "support.pair"

local HI = '"messages":[{"role":"user","content":"hi"}]'

-- What each door's client sends, the member that is named, and where its error says it.
local DOORS = {
  { name = "chat", path = "/v1/chat/completions", hint = "metadata",
    body = '{"model":"%s","metadata":{"a":"b"},' .. HI .. "}" },
  { name = "chat, a way of sampling", path = "/v1/chat/completions", hint = "seed",
    body = '{"model":"%s","seed":7,' .. HI .. "}" },
  { name = "messages", path = "/v1/messages", hint = "service_tier", to = "compatible",
    body = '{"model":"%s","max_tokens":9,"service_tier":"auto",' .. HI .. "}" },
  { name = "messages, of a mark for a cache", path = "/v1/messages", hint = "cache_control",
    to = "compatible", body = '{"model":"%s","max_tokens":9,"system":[{"type":"text",'
      .. '"text":"x","cache_control":{"type":"ephemeral"}}],' .. HI .. "}" },
  { name = "responses", path = "/v1/responses", hint = "truncation", to = "compatible",
    body = '{"model":"%s","truncation":"auto","input":"hi"}' },
  { name = "gemini", path = "/v1beta/models/%s:generateContent", hint = "safetySettings",
    to = "compatible", body = '{"safetySettings":[{"category":"x","threshold":"y"}],'
      .. '"contents":[{"parts":[{"text":"hi"}]}]}' },
  { name = "a server that refuses a member", path = "/v1/chat/completions", hint = "store",
    to = "groqish", body = '{"model":"%s","store":true,' .. HI .. "}" },
}

local CLAUDE = helper.message "hi"

describe("a strict deployment", function()
  local up, gw = pair.once(function(up)
    return { routes = ([[
local claude = provider "anthropic" { api_key = "k", base_url = %q }
local compatible = provider "openai_compatible" { name = "c", base_url = %q }
local groqish = provider "mistral" { api_key = "k", base_url = %q }
defaults { strict = true }
model "claude-strict" { claude { "claude-sonnet-4-5", name = "cs" } }
model "claude-lax" { claude { "claude-sonnet-4-5", name = "cl" }, strict = false }
model "claude-free" { claude { "claude-sonnet-4-5", name = "cf", drop_unsupported = true } }
model "compatible-strict" { compatible { "m", name = "ms", strict = true }, strict = false }
model "compatible-lax" { compatible { "m", name = "ml", strict = false } }
model "groqish-strict" { groqish { "g", name = "gs" } }
model "groqish-lax" { groqish { "g", name = "gl" }, strict = false }
]]):format(up:url "claude", up:url "compatible" .. "/v1", up:url "groqish" .. "/v1") }
  end)

  before_each(function()
    up:reply("claude", { body = CLAUDE })
    for _, lane in ipairs { "compatible", "groqish" } do
      up:reply(lane, { body = helper.completion "hi" })
    end
  end)

  local function ask(door, how)
    local model = (door.to or "claude") .. "-" .. how
    local function put(text) return (text:gsub("%%s", function() return model end)) end
    return gw:chat(put(door.body), { path = put(door.path) })
  end

  local function named(answer)
    local err = answer.json.error
    return err.param or err.message
  end

  for _, door in ipairs(DOORS) do
    it("refuses what it cannot take, at the door of " .. door.name, function()
      local answer = ask(door, "strict")
      assert.equal(400, answer.status, answer.body)
      assert.is_truthy(named(answer):find(door.hint, 1, true), answer.body)
      assert.is_nil(answer.headers["x-moongate-dropped"])
      assert.equal(0, (up:stats()))
    end)

    it("is what others are not, at the door of " .. door.name, function()
      local answer = ask(door, "lax")
      assert.equal(200, answer.status, answer.body)
      assert.is_truthy(answer.headers["x-moongate-dropped"]:find(door.hint, 1, true))
    end)
  end

  it("says nothing where nothing has to be dropped", function()
    for _, model in ipairs { "claude-strict", "compatible-strict", "groqish-strict" } do
      local answer = gw:chat(helper.ask(model, '"temperature":0.5'))
      assert.equal(200, answer.status, answer.body)
      assert.is_nil(answer.headers["x-moongate-dropped"])
    end
  end)

  it("is not one that may drop all, whatever defaults say", function()
    local answer = gw:chat(helper.ask("claude-free", '"n":2,"seed":1'))
    assert.equal(200, answer.status, answer.body)
    assert.equal("n,seed", answer.headers["x-moongate-dropped"])
  end)
end)
