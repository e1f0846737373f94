-- Our count beside the provider's: in rows, in a metric, in what is learned and kept.

local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local exact = lfs.attributes "build/vocabularies/made" and it or pending

describe("counted tokens", function()
  local up, gw, data

  setup(function()
    up = helper.upstream()
    data = process.temp_dir()
  end)
  teardown(function()
    up:stop()
    helper.remove_tree(data)
  end)

  local function start()
    gw = helper.gateway { data = data, routes = ([[
local up = provider "openai_compatible" { name = "up", base_url = "%s/v1" }
model "plain" { up { "gpt-4o" }, retries = 0 }
model "other" { up { "claude-sonnet-4-5" }, retries = 0 }
]]):format(up:url "one") }
  end

  before_each(function()
    up:reset()
    start()
  end)

  after_each(function()
    gw:assert_silent()
    gw:stop()
  end)

  local function answer(reported)
    up:reply("one", { body = (helper.completion("hi"):gsub('"prompt_tokens":%d+',
      '"prompt_tokens":' .. reported)) })
  end

  local function ask(model, text, reported)
    answer(reported)
    local response = gw:chat { model = model, messages = { { role = "user", content = text } } }
    assert.equal(200, response.status)
    return gw:last_row()
  end

  exact("stand in the row, and drift in a metric", function()
    assert.same({ input = 9, exact = true, delta = 0 }, ask("plain", "hello world", 9).counted)
    local function drift()
      return gw:admin("GET", "/metrics").body:match 'drift_ratio{model="gpt%-4o"} (%S+)'
    end
    assert.equal("1", drift())
    ask("plain", "hello world", 18)
    assert.equal("0.75", drift())
  end)

  exact("are of long bodies too, counted while the provider is at work", function()
    local row = ask("plain", ("word "):rep(40000), 40008)
    assert.same({ input = 40008, exact = true, delta = 0 }, row.counted)
  end)

  exact("are learned from, over a restart", function()
    local first = ask("other", ("word "):rep(100), 200).counted.input
    for _ = 1, 20 do ask("other", ("word "):rep(100), 200) end
    local learned = ask("other", ("word "):rep(100), 200).counted.input
    assert.is_true(math.abs(learned - 200) < math.abs(first - 200) / 4)
    gw:assert_silent()
    gw:stop()
    local kept = process.read(data .. "/tokens.learned")
    assert.truthy(kept:find "claude%-sonnet%-4%-5")
    start()
    local after = ask("other", ("word "):rep(100), 200).counted.input
    assert.is_true(math.abs(after - learned) <= 2)
  end)
end)
