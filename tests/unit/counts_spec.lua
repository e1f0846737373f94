-- What a request's row says of our own count, and what is learned from a provider's.

local lfs = require "lfs"
local world = require "unit.world"

local exact = lfs.attributes "build/vocabularies/made" and it or pending

local ROUTES = [[
local a = provider "openai_compatible" { name = "a", base_url = "http://a/v1" }
model "plain" { a { "gpt-4o" }, retries = 0 }
model "own" { a { "prod-chat" }, retries = 0 }
model "other" { a { "claude-sonnet-4-5" }, retries = 0 }
virtual_key "search" { token = env.KEY }
]]

-- An answer that says how many tokens went in.
local function says(n, more)
  local usage = '{"prompt_tokens":' .. n .. ',"completion_tokens":1' .. (more or "") .. "}"
  return { body = '{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,'
    .. '"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":'
    .. usage .. "}" }
end

describe("counted tokens", function()
  local w

  before_each(function() w = world.new(ROUTES, { KEY = "secret-key" }) end)

  local function ask(model, answer, more)
    w.answers.a = { answer }
    w:chat(model, more)
    for i = #w.journal, 1, -1 do
      if w.journal[i].type == "usage" then return w.journal[i] end
    end
  end

  exact("stand beside the reported ones, with what they differ by", function()
    local row = ask("plain", says(8))
    assert.same({ input = 8, exact = true, delta = 0 }, row.counted)
    row = ask("plain", says(10))
    assert.same({ input = 8, exact = true, delta = -2 }, row.counted)
    assert.equal(8, w.log[#w.log].fields.counted)
    row = ask("other", says(8))
    assert.is_false(row.counted.exact)
  end)

  it("are absent where nobody reported, and where the request failed", function()
    local silent = says(8)
    silent.body = silent.body:gsub(',"usage".*', "}")
    assert.is_nil(ask("plain", silent).counted)
    local failed = ask("plain", { status = 500, body = "{}" })
    assert.is_nil(failed.counted)
  end)

  exact("are learned from, but not from what says nothing of text", function()
    ask("other", says(9))
    assert.equal(1, w.learned["claude-sonnet-4-51"].n)
    ask("other", says(900)) -- a search on the provider's side
    ask("other", says(9, ',"prompt_tokens_details":{"cached_tokens":50}'))
    ask("other", says(0))
    ask("other", says(9), { messages = { { role = "user", content = {
      { type = "image_url", image_url = { url = "https://example.org/a.png" } },
    } } } })
    assert.equal(1, w.learned["claude-sonnet-4-51"].n)
    local tool = { type = "function", ["function"] = { name = "f" } }
    ask("other", says(600), { tools = { tool } })
    assert.equal(1, w.learned["claude-sonnet-4-57"].n) -- apart
  end)

  exact("raise an alarm once an hour where an exact count drifts", function()
    local function alarms()
      local n = 0
      for _, line in ipairs(w.log) do n = n + (line.event == "token_drift" and 1 or 0) end
      return n
    end
    for _ = 1, 19 do ask("plain", says(10)) end
    assert.equal(0, alarms())
    for _ = 1, 10 do ask("plain", says(10)) end
    assert.equal(1, alarms())
    assert.near(0.8, w.drift["gpt-4o"], 1e-9)
    w.clock = w.clock + 3601
    ask("plain", says(10))
    assert.equal(2, alarms())
  end)

  exact("are of the model that an answer names, where a name says nothing", function()
    local answer = says(8)
    answer.body = answer.body:gsub('"model":"m"', '"model":"gpt-4o-2024-08-06"')
    ask("own", answer)
    assert.same({ input = 8, exact = true, delta = 0 }, ask("own", answer).counted)
  end)

  exact("are not needed where a body's size says that it fits", function()
    local n, body, seen = 0, w.engine.tokens.body, nil
    w.engine.tokens.body = function(...)
      n = n + 1
      return body(...)
    end
    local most
    w.cfg.hooks.route = function(call)
      seen = call:fits(most)
      assert.equal(most < 100 and 1 or 0, n)
    end
    for limit, fits in pairs { [1000] = true, [8] = true, [7] = false } do
      most, n = limit, 0
      ask("plain", says(8))
      assert.equal(fits, seen)
      assert.equal(1, n) -- in all: what is compared at the end is the same
    end
  end)

  exact("are counted once, also where routes or limits asked before", function()
    local n, body = 0, w.engine.tokens.body
    w.engine.tokens.body = function(...)
      n = n + 1
      return body(...)
    end
    w.cfg.groups.plain.deployments[1].tpm = 1e6
    assert.equal(8, ask("plain", says(8)).counted.input)
    assert.equal(1, n)
  end)
end)
