-- DATA/prices: whole, or refused (S-35).

require "engine"

local crypto = require "engine.crypto"
local price_file = require "lib.price_file"
local price_table = require "lib.price_table"

local BODY = [[
[openai]
* - - code_interpreter=0.03
gpt-9          1000 100 2.5 10 1.25
  >200000 5 20 2.5
  flex 1.25 5 0.625
  flex>200000 2.5 10 1.25
  + request=0.01
gpt-9-mini     - - 0.1 0.4 - - -

[xai]
grok/1         1000 1000 2 10
  >=128000 4 20
  batch x0.5
]]

local ABOUT = { date = "2026-07-24", source = "map.json", source_sha256 = "ab" }

local function written(body) return price_file.write(body or BODY, ABOUT, crypto.sha256) end

describe("a file of prices", function()
  it("is read as it was written", function()
    local made = assert(price_file.read(written(), crypto.sha256))
    assert.same({ "2026-07-24", "map.json", "ab" },
      { made.date, made.source, made.source_sha256 })
    assert.equal(3, made:check())
    assert.same({ "openai", "xai" }, made:section_names())
    local nine = made:exact("openai", "gpt-9")
    assert.same({ 1000, 100 }, { nine.max_input, nine.max_output })
    assert.same({ input = 2.5, output = 10, cache_read = 1.25 }, nine.price)
    assert.same({ 2.5e9, 5e9, 1.25e9, 2.5e9, 10e12, 30e12 }, {
      nine.rates.input, nine.rates.tiers[1].input, nine.rates.service.flex.input,
      nine.rates.service.flex.tiers[1].input, nine.rates.request,
      nine.rates.service.flex.code_interpreter,
    })
    local grok = made:exact("xai", "grok/1").rates
    assert.same({ 127999, 1e9, 2e9 }, { grok.tiers[1].tokens, grok.service.batch.input,
      grok.service.batch.tiers[1].input })
    assert.is_nil(made:exact("openai", "grok/1"))
    assert.is_nil(made:exact("openai", "*"))
    assert.is_nil(made:exact("openai", ""))
    assert.is_nil(made:exact("openai", "gpt-9 "))
    assert.is_nil(made:exact("groq", "gpt-9"))
  end)

  it("S-35: is refused whole wherever a byte of it is changed, cut or added", function()
    local bytes = written()
    local function refused(text)
      local made, why = price_file.read(text, crypto.sha256)
      assert.is_nil(made)
      assert.is_string(why)
    end
    for i = 1, #bytes do
      refused(bytes:sub(1, i - 1) .. string.char((bytes:byte(i) + 1) % 256) .. bytes:sub(i + 1))
      refused(bytes:sub(1, i - 1))
    end
    refused(bytes .. "\n")
    refused(bytes .. bytes)
    refused("\n" .. bytes)
    refused ""
  end)

  it("S-35: has every model once, and no line that cannot be read", function()
    for body, why in pairs {
      ["[openai]\na 1 1 1 1\na 1 1 2 2\n"] = "a: stands in [openai] twice",
      ["[openai]\na 1 1 1 1 1 1 1 1\n"] = "a 1 1 1 1 1 1 1 1: has a word too many: 1",
      ["[openai]\na 1 1 -1 1\n"] = "a 1 1 -1 1: cannot be read: input",
      ["[openai]\na 1 1 nan 1\n"] = "a 1 1 nan 1: cannot be read: input",
      ["[openai]\na 1 1 1 1 sound=3\n"] = "a 1 1 1 1 sound=3: knows no price called sound",
      ["[openai]\na 1 1 1 1\n  slow 2 2\n"] = "  slow 2 2: knows no service called slow",
      ["[openai]\na 1 1 1 1\n  >x 2 2\n"] = "  >x 2 2: has no threshold",
      ["[openai]\na 1 1 1 1\n  slow x2\n"] = "  slow x2: is no factor of a service",
      ["[openai]\na 1 1 9000000 1\n  fast x2\n"] = "a 1 1 9000000 1: cannot be read: fast",
    } do
      local ok, err = pcall(function()
        return price_file.read(written(body), crypto.sha256):check()
      end)
      assert.is_false(ok, body)
      assert.equal(why, err.message)
    end
  end)

  it("may be empty of sections", function()
    assert.equal(0, price_table.open("", {}):check())
    assert.is_nil(price_table.open("", {}):exact("openai", "gpt-4o"))
  end)
end)
