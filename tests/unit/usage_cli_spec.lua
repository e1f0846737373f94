-- moongate usage: journals in, sums out.

require "engine"
local cjson = require "cjson"
local lfs = require "lfs"

local usage = require "cli.usage"

local function row(id, more)
  local line = {
    type = "usage", id = id, ts = "2026-11-20T10:00:00.000Z", key = "search",
    tags = { team = "red" }, model = "small", provider = "openai", deployment = "openai/m",
    tokens = { input = 1000, output = 10, cache_read = 400 }, cost_nano = 123456789,
    estimated = false, outcome = "ok",
  }
  for name, value in pairs(more or {}) do line[name] = value end
  return cjson.encode(line)
end

describe("moongate usage", function()
  local dir, printed, complaints

  before_each(function()
    dir, printed, complaints = os.tmpname(), {}, {}
    os.remove(dir)
    lfs.mkdir(dir)
    lfs.mkdir(dir .. "/journal")
  end)

  after_each(function()
    for name in lfs.dir(dir .. "/journal") do os.remove(dir .. "/journal/" .. name) end
    os.remove(dir .. "/journal")
    os.remove(dir)
  end)

  local function write(name, ...)
    local file = assert(io.open(dir .. "/journal/" .. name, "w"))
    for _, line in ipairs { ... } do file:write(line, "\n") end
    file:close()
  end

  local function run(...)
    local list = { "--data", dir, ... }
    return usage(list, {
      print = function(text) printed[#printed + 1] = text end,
      complain = function(text) complaints[#complaints + 1] = text end,
      now = function() return 1795348800 end, -- 2026-11-22 12:00
    })
  end

  local function report(...)
    assert.equal(0, run("--json", ...))
    return cjson.decode(printed[1])
  end

  it("sums by key, over all files, in exact dollars", function()
    write("2026-11-20-w0.jsonl", row "a", row("b", { outcome = "upstream_error" }))
    write("2026-11-20-w1.jsonl", row("c", { key = "batch", cost_nano = 1 }))
    local got = report()
    assert.same({ "search", "batch" }, { got.rows[1].name, got.rows[2].name })
    local sum = got.rows[1]
    assert.same({ 2, 1, 2000, 800, 20 }, {
      sum.requests, sum.failed, sum.input_tokens, sum.cached_tokens, sum.output_tokens,
    })
    assert.equal("0.246913578", sum.spend_usd)
    assert.equal("0.000000001", got.rows[2].spend_usd)
    assert.equal("0.246913579", got.total.spend_usd)
  end)

  it("groups by everything it says it does", function()
    write("2026-11-20-w0.jsonl", row "a", row("b", { ts = "2026-11-21T00:00:00.000Z" }))
    for by, name in pairs {
      model = "small", provider = "openai", deployment = "openai/m", ["tag:team"] = "red",
      ["tag:none"] = "-", day = "2026-11-20",
    } do
      printed = {}
      assert.equal(name, report("--by", by).rows[1].name)
    end
  end)

  it("looks back as far as it is told", function()
    write("2026-11-10-w0.jsonl", row("a", { ts = "2026-11-10T10:00:00.000Z" }))
    write("2026-11-22-w0.jsonl", row("b", { ts = "2026-11-22T11:00:00.000Z" }))
    for since, n in pairs { ["1h"] = 1, ["30d"] = 2, ["2026-11-10"] = 2, ["2026-11-11"] = 1 } do
      printed = {}
      assert.equal(n, report("--since", since).total.requests)
    end
  end)

  it("counts calls whose end was never written, and lines that are torn", function()
    local intent = '{"type":"intent","id":"%s","ts":"2026-11-20T10:00:00.000Z"}'
    write("2026-11-20-w0.jsonl", intent:format "a", intent:format "a", row "a",
      intent:format "lost", '{"type":"usa')
    local got = report()
    assert.same({ 1, 1, 1 }, { got.total.requests, got.unsettled, got.torn })
  end)

  it("never adds an unknown price as nothing", function()
    write("2026-11-20-w0.jsonl", row("a", { cost_nano = cjson.null }))
    assert.equal(1, report().total.unpriced)
    printed = {}
    assert.equal(0, run())
    assert.is_truthy(printed[1]:find("$0 + ?", 1, true))
    assert.equal("1 request of unknown price is not in the sum (?).", printed[2])
  end)

  it("counts what was cut off, at a price nobody knows, as unknown, not as free", function()
    local cut = { outcome = "cancelled", cost_nano = cjson.null, estimated = true }
    local refused = { outcome = "upstream_error", cost_nano = cjson.null }
    refused.tokens = { input = 0, output = 0, cache_read = 0 }
    write("2026-11-20-w0.jsonl", row("a", cut), row("b", refused))
    assert.equal(1, report().total.unpriced)
  end)

  it("reports apart what unanswered tries may have cost", function()
    local tries = { { suspected_extra = { input = 70 } }, { status = 200 } }
    write("2026-11-20-w0.jsonl", row("a", { attempts = tries }), row "b")
    local got = report()
    assert.same({ 70, 2000 }, { got.total.suspected_extra_tokens, got.total.input_tokens })
    printed = {}
    run()
    assert.is_truthy(printed[2]:find("70 more input tokens", 1, true))
  end)

  it("prints a table for people", function()
    write("2026-11-20-w0.jsonl", row "a", row("b", { key = "batch", tokens = { input = 2e6 } }))
    assert.equal(0, run())
    assert.is_truthy(printed[1]:find("^KEY +REQUESTS"))
    assert.is_truthy(printed[1]:find("2,000,000", 1, true))
    assert.is_truthy(printed[1]:find("\ntotal +2 "))
  end)

  it("says what it does not understand", function()
    assert.equal(2, run("--by", "colour"))
    assert.is_truthy(complaints[1]:find("--by colour: key|model|", 1, true))
    assert.equal(2, run("--since", "yesterday"))
    assert.equal(1, run("--data", dir .. "/nowhere"))
    assert.is_truthy(complaints[#complaints]:find("no journal", 1, true))
  end)
end)
