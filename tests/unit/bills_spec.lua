-- B-01: bills, to the nano-dollar, against tests/prices/calculate.py, which shares no
-- code with ours: exact rationals, from the digits of the cost map and the usage objects.
--
-- MOONGATE_GOLDEN_ROWS=100000 compares so many drawn at random, too.

require "engine"

local cost_map = require "cli.cost_map"
local crypto = require "engine.crypto"
local json = require "engine.json"
local money = require "lib.money"
local price_file = require "lib.price_file"
local stub = require "tools.stub"
local usage = require "lib.usage"
local writer = require "cli.price_writer"

local ROOT = "tests/prices/"

local function lines(path) return assert(io.open(ROOT .. path, "rb")):lines() end

-- The cost map, imported, written, and read again: rates and dialect by key.
local function models()
  local file = assert(io.open(ROOT .. "map.json", "rb"))
  local map = assert(cost_map.read(file:read "*a"))
  file:close()
  local bytes = price_file.write(writer.body(map.sections),
    { date = "2026-07-24", source = "map.json", source_sha256 = "00" }, crypto.sha256)
  local made, out = assert(price_file.read(bytes, crypto.sha256)), {}
  for section, content in pairs(map.sections) do
    local dialect = (section == "anthropic" or section == "gemini") and section or "openai"
    for _, entry in ipairs(content.list) do
      out[entry.key] = { rates = made:exact(section, entry.name).rates, dialect = dialect }
    end
  end
  return out
end

-- What our adapters make of a usage object. OpenAI's is read in both ways there are.
local READ = {}

function READ.openai(said)
  local text = json.encode { model = "m", usage = said }
  local doc = usage.merge({}, usage.safe(usage.from_doc(json.index(text))))
  local decoded = usage.merge({}, usage.from_openai(said))
  assert.same(decoded, doc)
  doc.service_tier = said.service_tier
  return doc
end

function READ.anthropic(said)
  local reply = stub.recorder()
  require("providers.anthropic").decode(
    { id = "1", model = "m", content = {}, stop_reason = "end_turn", usage = said }, reply)
  return reply.usage_total
end

function READ.gemini(said)
  local queries = {}
  for i = 1, said.queries or 0 do queries[i] = "q" end
  local reply = stub.recorder()
  require("providers.gemini").decode({
    candidates = {
      { finishReason = "STOP", groundingMetadata = { webSearchQueries = queries } },
    },
    usageMetadata = said.usageMetadata,
  }, reply)
  return reply.usage_total
end

local function usages()
  local out = {}
  for line in lines "usages.jsonl" do
    local said, read = json.decode(line), {}
    for dialect, reader in pairs(READ) do read[dialect] = reader(said[dialect]) end
    out[#out + 1] = read
  end
  return out
end

local function text_of(nano) return nano and ("%.0f"):format(nano) or "-" end

-- A bound holds for every usage that it covers.
local function assert_bound(rates, one, nano, about)
  if not nano then return end
  local bound = money.bound(rates, one.input_tokens, one.output_tokens, nil, one.units)
  assert.is_true(bound == nil or nano <= bound, about)
  bound = money.bound(rates, one.input_tokens, one.output_tokens,
    one.service_tier or "default", one.units)
  assert.is_true(bound == nil or nano <= bound, about)
end

describe("B-01: bills", function()
  local known = models()

  it("are those of the exact calculator, each usage at each model", function()
    local all, compared, unknown = usages(), 0, 0
    assert.is_true(#all >= 300)
    local count = 0
    for line in lines "bills.tsv" do
      local key, bills = line:match("^(%S+)\t(.*)$")
      local model, i = assert(known[key], key), 0
      for wanted in bills:gmatch("%S+") do
        i = i + 1
        local one = all[i][model.dialect]
        local nano = money.cost(model.rates, one)
        if text_of(nano) ~= wanted then
          assert.equal(wanted, text_of(nano), ("%s, usage %d: %s"):format(key, i,
            json.encode(one)))
        end
        assert_bound(model.rates, one, nano, key)
        compared, unknown = compared + 1, unknown + (nano and 0 or 1)
      end
      assert.equal(#all, i)
      count = count + 1
    end
    assert.is_true(count >= 40 and compared >= 12000)
    assert.is_true(unknown < compared / 4)
  end)

  it("B-29: are those of the exact calculator for what is counted, too", function()
    local unknown, count = 0, 0
    for line in lines "counted.tsv" do
      local key, units, wanted = line:match("^(%S+)\t(.*)\t(%S+)$")
      local nano = money.cost(known[key].rates,
        { input_tokens = 0, output_tokens = 0, units = json.decode(units) })
      assert.equal(wanted, text_of(nano), line)
      unknown, count = unknown + (nano and 0 or 1), count + 1
    end
    assert.is_true(count > 500 and unknown > 0 and unknown < count / 2)
  end)

  local rows = tonumber(os.getenv "MOONGATE_GOLDEN_ROWS")
  if rows then
    it(("are those of the exact calculator, %d at random"):format(rows), function()
      local seed = os.getenv "MOONGATE_GOLDEN_SEED" or os.time()
      local pipe = io.popen(("python3 %scalculate.py random %d %s"):format(ROOT, rows, seed))
      local n = 0
      for line in pipe:lines() do
        local key, dialect, said, wanted = line:match("^(%S+)\t(%S+)\t(.*)\t(%S+)$")
        local one = READ[dialect](json.decode(said))
        local nano = money.cost(known[key].rates, one)
        assert.equal(wanted, text_of(nano), ("seed %s: %s"):format(seed, line))
        assert_bound(known[key].rates, one, nano, line)
        n = n + 1
      end
      pipe:close()
      assert.equal(rows, n)
    end)
  end
end)
