-- moongate count: exact with a vocabulary, an estimate that says so without.

local cjson = require "cjson"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local BIN = helper.binary:sub(1, 1) == "/" and helper.binary
  or lfs.currentdir() .. "/" .. helper.binary
local HERE = lfs.currentdir() .. "/build/vocabularies"
local TEXT = "It's what they'd call a pangram, isn't it? 漢字 😀 12345\n"

describe("moongate count", function()
  local dir

  before_each(function() dir = process.temp_dir() end)
  after_each(function() helper.remove_tree(dir) end)

  local function count(text, ...)
    process.write(dir .. "/text", text)
    local status, out, err = process.run({ BIN, "count", dir .. "/text", ... }, { cwd = dir })
    return status, out, err
  end

  local function counted(text, ...)
    local status, out = count(text, "--json", ...)
    assert.equal(0, status)
    return cjson.decode(out)
  end

  local vocabularies = lfs.attributes(HERE .. "/made") and it or pending

  vocabularies("prints the number alone", function()
    for text, n in pairs { ["hello world"] = "2\n", [""] = "0\n" } do
      local status, out, err = count(text)
      assert.same({ 0, n, "" }, { status, out, err })
    end
  end)

  -- What OpenAI's own tokenizer says.
  vocabularies("is exact in each encoding", function()
    for name, n in pairs {
      o200k_base = 19, o200k_harmony = 19, cl100k_base = 23, p50k_base = 25, r50k_base = 25,
    } do
      local found = counted(TEXT, "--encoding", name)
      assert.same({ name, n, true, n, n },
        { name, found.tokens, found.exact, found.low, found.high })
    end
  end)

  vocabularies("counts the body of a request", function()
    local body = '{"model":"gpt-4o","messages":[{"role":"user","content":"hello world"}]}'
    local found = counted(body, "--chat")
    assert.same({ 9, true }, { found.tokens, found.exact })
    assert.is_false(counted(body, "--chat", "--model", "claude-sonnet-4-5").exact)
    local status, _, err = count("hello", "--chat")
    assert.equal(1, status)
    assert.truthy(err:find "no body of a request")
  end)

  vocabularies("knows a model's encoding, and that some have none that is public", function()
    local old = counted(TEXT, "--model", "gpt-4-turbo")
    assert.same({ "cl100k_base", true }, { old.encoding, old.exact })
    local tuned = counted(TEXT, "--model", "ft:gpt-4o-mini:me::1")
    assert.same({ "o200k_base", true }, { tuned.encoding, tuned.exact })
    local other = counted(TEXT, "--model", "claude-sonnet-4-5")
    assert.is_false(other.exact)
    assert.is_true(other.low < other.tokens and other.tokens < other.high)
  end)

  vocabularies("counts megabytes of one letter", function()
    local _, out = count(("a"):rep(1000000))
    assert.equal("125000\n", out)
  end)

  it("estimates, and says why, where there is no vocabulary", function()
    local status, out, err = count(TEXT, "--vocabularies", dir)
    assert.equal(0, status)
    assert.is_truthy(tonumber(out))
    local reason = "an estimate: " .. dir .. ": there are no vocabularies"
    assert.is_truthy(err:find(reason, 1, true), err)
    assert.is_false(counted(TEXT, "--vocabularies", dir).exact)
  end)

  vocabularies("refuses a truncated and an altered file, and estimates", function()
    local bytes = process.read(HERE .. "/r50k_base.mgv")
    for why, damaged in pairs {
      truncated = bytes:sub(1, -1000),
      altered = bytes:sub(1, 500000) .. "damage!!" .. bytes:sub(500009),
    } do
      process.write(dir .. "/r50k_base.mgv", damaged)
      local status, out, err = count(TEXT, "--encoding", "r50k_base", "--vocabularies", dir)
      assert.equal(0, status)
      assert.is_truthy(tonumber(out))
      assert.is_truthy(err:find(dir .. "/r50k_base.mgv: " .. why, 1, true), err)
    end
  end)

  it("serves on estimates, and logs why", function()
    local routes = 'model "m" { provider "mock" {} { "mock" } }'
    local gw = helper.gateway { routes = routes, args = { "--vocabularies", dir } }
    assert.equal(200, gw:request({
      method = "POST", path = "/v1/chat/completions", body = helper.ask "m",
      headers = { ["content-type"] = "application/json" },
    }).status)
    assert.is_truthy(gw:log_text():find("there are no vocabularies", 1, true))
    gw:stop()
  end)

  it("ends with 2 when used wrongly, with 1 where the file is not there", function()
    assert.equal(2, (count("", "--encoding", "nonsense")))
    assert.equal(2, (count("", "--encoding", "o200k_base", "--model", "gpt-4o")))
    assert.equal(1, (process.run({ BIN, "count", dir .. "/nothing" }, { cwd = dir })))
  end)
end)

describe("call.input_tokens", function()
  local vocabularies = lfs.attributes(HERE .. "/made") and it or pending
  local ROUTES = [[
    local m = provider "mock" {}
    model "gpt-4o-mini" { m { "gpt-4o-mini" } }
    route(function(call) log.info("counted", { n = call.input_tokens }) end)
  ]]

  vocabularies("is the model's own count, also of a long text", function()
    local gw = helper.gateway { routes = ROUTES }
    local function ask(text)
      return gw:request({
        method = "POST", path = "/v1/chat/completions",
        headers = { ["content-type"] = "application/json" },
        body = cjson.encode {
          model = "gpt-4o-mini", messages = { { role = "user", content = text } },
        },
      }).status
    end
    -- Far less than a hook has time for; what it has no time for is estimated.
    local long = helper.shows "speed" and 20000 or 2000
    assert.equal(200, ask "hello world")
    assert.equal(200, ask(("a"):rep(long)))
    helper.wait_until(function() return #gw:log "counted" == 2 end)
    assert.same({ 9, long / 8 + 7 }, { gw:log("counted")[1].n, gw:log("counted")[2].n })
    gw:stop()
  end)
end)
