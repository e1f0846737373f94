-- Beside chats: forms as scripts see them, bills of what is no text, and that whatever a client
-- or a provider says there passes, or is a fault with a kind.

require "engine"

local bills = require "lib.bill"
local form = require "engine.form"
local json = require "engine.json"
local rates = require "lib.rates"
local scraps = require "support.scraps"
local stub = require "tools.stub"
local taken = require "support.taken"

local pick = scraps.pick

local images = require "dialects.images"
local transcripts = require "dialects.transcripts"
local DOORS = {
  images.made, images.edited, images.varied, require "dialects.speech",
  transcripts.written, transcripts.translated, require "dialects.moderations",
  require "dialects.rerank", require "dialects.ocr",
}

describe("a form", function()
  local TYPE = "multipart/form-data; boundary=b"
  local BODY = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\n'
    .. "Content-Disposition: form-data; name=file; filename=\"\"\r\nContent-Type: a/b\r\n\r\n"
    .. "\0\r\n-\255\r\n--b--\r\n"

  it("tells its parts, and keeps its bytes", function()
    local one = assert(form.read(TYPE, BODY))
    assert.same({
      { name = "model", size = 1 }, { name = "file", filename = "", type = "a/b", size = 5 },
    }, one:parts())
    assert.same({ "m", "\0\r\n-\255", "\0\r", "" },
      { one:text(1), one:text(2), one:text(2, 2), one:text(2, 0) })
    assert.is_true(one:bytes() == BODY and #one == #BODY)
  end)

  it("has one part replaced, and no other byte", function()
    local one = assert(form.read(TYPE, BODY))
    for _, text in ipairs { "", "x", "a longer one", "\r\n-b" } do
      local other = one:splice(1, text)
      assert.is_true(other:bytes() == (BODY:gsub("\r\n\r\nm\r\n", function()
        return "\r\n\r\n" .. text .. "\r\n"
      end, 1)))
      assert.equal(text, other:text(1))
      assert.equal("\0\r\n-\255", other:splice(1, "y"):text(2))
    end
    assert.is_true(one:bytes() == BODY)
    assert.has_error(function() one:splice(1, "x\r\n--b--") end)
    assert.has_error(function() one:splice(3, "x") end)
    assert.has_error(function() one:text(0) end)
  end)

  it("is refused in words", function()
    local one, why = form.read(TYPE, "x")
    assert.is_nil(one)
    assert.is_string(why)
    assert.is_nil((form.read("multipart/form-data", BODY)))
    assert.is_nil((form.read(TYPE, "--b--")))
  end)
end)

describe("B-29: what is no text", function()
  local function cost(price, total, call)
    local at = assert(rates.read(price))
    return bills.of(at, "own", call or { doc = json.index "{}" }, total, true),
      bills.guessed(at, total)
  end
  local NONE = { input_tokens = 0, output_tokens = 0 }
  local function by(units, kind, guess)
    return { input_tokens = 0, output_tokens = 0, by = units, kind = kind, guess = guess }
  end

  it("is billed by what has a price", function()
    local sizes = { input = 0, output = 0, image = { high_1x1 = 0.2, ["2x2"] = 0.1 } }
    assert.equal(400e6, (cost(sizes, by({ image = 2 }, "high_1x1"))))
    assert.equal(100e6, (cost(sizes, by({ image = 1 }, "low_2x2"))))
    assert.equal(0, (cost(sizes, by({ image = 1 }, "low_3x3"))))
    assert.equal(3e6,
      (cost({ input = 0, output = 0, image = 0.003 }, by({ image = 1 }, "x_y"))))
    assert.equal(6000, (cost({ input = 0, output = 0, second_input = 0.000004 },
      by { ms_input = 1500 })))
    assert.equal(77000, (cost({ input = 0, output = 0, query = 0.000002, page = 0.000025 },
      by { query = 1, page = 3, image = 9 })))
  end)

  it("is billed by its tokens where those are sold and counted", function()
    local both = { input = 1, output = 2, image_output = 40, image = 0.5 }
    local total = {
      input_tokens = 10, output_tokens = 100, image_output_tokens = 90, by = { image = 1 },
    }
    assert.equal(10 * 1000 + 10 * 2000 + 90 * 40000, (cost(both, total)))
    assert.equal(5e8, (cost(both, by { image = 1 })))
    assert.equal(0, (cost({ input = 1, output = 2 }, NONE)))
  end)

  it("is guessed where it has to be, and says so", function()
    local price = { input = 0, output = 0, second_output = 0.001 }
    assert.same({ 2e6, true },
      { cost(price, by({ character_input = 9 }, nil, { ms_output = 2000 })) })
    assert.same({ 9e3, false }, {
      cost({ input = 0, output = 0, character_input = 0.000001, second_output = 1 },
        by({ character_input = 9 }, nil, { ms_output = 2000 })),
    })
  end)

  it("S-33: is bounded by the dearest that it may be", function()
    local at = assert(rates.read {
      input = 0, output = 0, image = 0.01, ["image_high_1x1"] = 0.2, ["image_low_1x1"] = 0.1,
    })
    local function bound(kind)
      return bills.bound(at, { media = { by = { image = 2 }, kind = kind } }, nil, 0, 0)
    end
    assert.same({ 400e6, 200e6, 400e6 }, { bound "", bound "low_1x1", bound "standard_1x1" })
    assert.is_nil(bills.bound(nil, { media = { by = { image = 1 } } }, nil, 0, 0))
  end)
end)

describe("beside chats", function()
  local NAMES = {
    "input", "prompt", "n", "size", "quality", "stream", "partial_images", "query", "documents",
    "document", "pages", "speed", "stream_format", "response_format", "images", "image", "zzz",
    "top_n", "user", "type",
  }
  local ANSWER = {
    "data", "results", "text", "pages", "usage", "usage_info", "meta", "error", "id", "model",
    "size", "quality", "duration", "seconds", "billed_units", "search_units", "total_tokens",
    "input_tokens", "output_tokens", "pages_processed", "type", "b64_json",
  }
  local objects = scraps.of {
    '"a"', '""', "null", "true", "0", "-1", "7", "1e400", "0.5", '"1024x1024"', '"auto"',
    "12345678901234567890123", '"high"', '"text"', '"error"',
  }
  local ADAPTERS = { "openai", "openai_compatible", "mistral", "groq", "together", "xai" }

  it("any request passes, or is refused", function()
    math.randomseed(21)
    local passed = 0
    for _ = 1, 6000 do
      local door, text = pick(DOORS), objects:object(NAMES, '"model":"m"')
      taken(text, function()
        local call = stub.visitor(door, text)
        assert.is_true((call.media and call.media.input or 0) >= 0)
        local dep = stub.deployment(pick(ADAPTERS), "other")
        local face = dep.provider.adapter.natives[door.name]
        if not face then return door.fit(call, dep) end
        assert.equal("other", face.encode(call, dep):get "model")
        passed = passed + 1
      end)
    end
    assert.is_true(passed > 100)
  end)

  it("any answer passes, or is a fault", function()
    math.randomseed(22)
    local asked = {
      images = '{"model":"m","prompt":"a","n":2}', speech = '{"model":"m","input":"a"}',
      image_edits = '{"model":"m","prompt":"a"}', image_variations = '{"model":"m"}',
      transcriptions = '{"model":"m"}', translations = '{"model":"m"}',
      moderations = '{"model":"m","input":"a"}', ocr = '{"model":"m","document":{}}',
      rerank = '{"model":"m","query":"a","documents":["a"]}',
    }
    for _ = 1, 6000 do
      local door = pick(DOORS)
      local call = stub.visitor(door, asked[door.name])
      local adapter = door.name == "ocr" and "mistral" or pick { "openai_compatible" }
      call.dep = stub.deployment(adapter, "m")
      local face = call.dep.provider.adapter.natives[door.name]
      local text = objects:object(ANSWER)
      if face.decode then
        local reply = stub.reply(call, call.dep, door)
        taken(text, face.decode, assert(json.index(text)), reply)
      end
    end
  end)
end)
