-- Prices that were imported: what a running gateway bills by, what it does with a damaged file,
-- and what the command line says of both.

local helper = require "helper"
local process = require "support.process"

local MAP = [[{
"sample_spec":{"input_cost_per_token":"dollars","litellm_provider":"one of"},
"gpt-4o-mini":{"litellm_provider":"openai","mode":"chat","max_input_tokens":128000,
  "input_cost_per_token":%s,"output_cost_per_token":2e-06,
  "input_cost_per_token_flex":5e-07,"output_cost_per_token_flex":1e-06},
"groq/llama-9":{"litellm_provider":"groq","mode":"chat","input_cost_per_token":3e-06,
  "output_cost_per_token":4e-06},
"free-one":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":0.0}
}]]

describe("imported prices", function()
  local up, gw, dir, data

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)

  before_each(function()
    up:reset()
    dir = process.temp_dir()
    data = dir .. "/data"
  end)
  after_each(function()
    if gw then
      gw:assert_silent()
      gw:stop()
    end
    gw = nil
    helper.remove_tree(dir)
  end)

  local function run(...)
    local status, out, err = process.run({ helper.binary, ... }, {})
    return status, out .. err
  end

  local function import(price, date)
    process.write(dir .. "/map.json", MAP:format(price))
    local status, out = run("prices", "import", dir .. "/map.json", "--data", data, "--date",
      date or "2026-10-01")
    assert.equal(0, status, out)
    return out
  end

  local function start(loud)
    gw = helper.gateway { data = data, loud = loud, routes = ([[
model "one"  { provider "openai" { name = "one", base_url = %q, api_key = "x" } "gpt-4o-mini" }
model "fast" { provider "openai_compatible" { name = "groq", base_url = %q } "llama-9" }
model "own"  { provider "openai" { name = "two", base_url = %q, api_key = "x" } {
  "gpt-4o-mini", price = { input = 1, output = 2 } } }
]]):format(up:url "one" .. "/v1", up:url "one" .. "/v1", up:url "one" .. "/v1") }
  end

  -- What a chat cost in nano-dollars, and by which table.
  local function bill(model, more)
    up:reply("one", { body = helper.completion("hi", more) })
    local response = gw:chat(helper.ask(model))
    assert.equal(200, response.status, response.body)
    local row = gw:last_row()
    return row.cost_nano, row.prices
  end

  it("price what a gateway serves, from its start and after a reload", function()
    start()
    assert.same({ 10 * 150 + 5 * 600, "2026-07-24" }, { bill "one" }) -- built in
    assert.same({ 10 * 1000 + 5 * 2000, "own" }, { bill "own" })
    import "1e-06"
    assert.same({ 10 * 150 + 5 * 600, "2026-07-24" }, { bill "one" }) -- not yet
    assert.equal(200, gw:admin("POST", "/admin/reload").status)
    local nano, version = bill "one"
    assert.equal(10 * 1000 + 5 * 2000, nano)
    assert.truthy(version:find "^2026%-10%-01#%x%x%x%x%x%x%x%x$")
    assert.equal(10 * 500 + 5 * 1000, (bill("one", ',"service_tier":"flex"')))
    assert.equal(10 * 1000 + 5 * 2000, (bill("one", ',"service_tier":"default"')))
    assert.same({ 10 * 1000 + 5 * 2000, "own" }, { bill "own" })
    assert.equal(0, gw:metric "moongate_prices_refused")
  end)

  it("have a section for a provider that speaks OpenAI's dialect under its name", function()
    import "1e-06"
    start()
    up:reply("one", { body = (helper.completion "hi"):gsub("gpt%-4o%-mini%-2024%-07%-18",
      "llama-9") })
    gw:chat(helper.ask "fast")
    local rows = gw:journal()
    assert.equal(10 * 3000 + 5 * 4000, rows[#rows].cost_nano)
  end)

  it("S-35: that are damaged are refused with an alarm; the old ones stand", function()
    import "1e-06"
    start(true)
    assert.equal(20000, (bill "one"))
    local bytes = process.read(data .. "/prices")
    for _, damaged in ipairs { bytes:sub(1, -2), (bytes:gsub("in", "on", 1)), "", "{}" } do
      process.write(data .. "/prices", damaged)
      assert.equal(200, gw:admin("POST", "/admin/reload").status)
      assert.equal(20000, (bill "one"))
      assert.equal(1, gw:metric "moongate_prices_refused")
    end
    local alarms = gw:log "prices_refused"
    assert.equal(4, #alarms)
    assert.truthy(alarms[1].message:find("data/prices: its end is missing; the table of "
      .. "2026-10-01 stands", 1, true), alarms[1].message)
    import("3e-06", "2026-11-01")
    assert.equal(200, gw:admin("POST", "/admin/reload").status)
    assert.equal(40000, (bill "one"))
    assert.equal(0, gw:metric "moongate_prices_refused")
    os.remove(data .. "/prices")
    assert.equal(200, gw:admin("POST", "/admin/reload").status)
    assert.equal(4500, (bill "one"))
  end)

  it("S-35: that are damaged at the start leave the built-in ones", function()
    import "1e-06"
    process.write(data .. "/prices", process.read(data .. "/prices"):sub(1, 200))
    start(true)
    assert.same({ 4500, "2026-07-24" }, { bill "one" })
    assert.equal(1, #gw:log "prices_refused")
  end)

  it("S-35: that are whole but wrong refuse the reload, as a wrong routes.lua does", function()
    import "1e-06"
    start(true)
    local text = process.read(data .. "/prices"):gsub("sha256 %x+\n$", "")
      :gsub("gpt%-4o%-mini ", "gpt-4o-mini x y z a b c d e f g h ")
    local file = io.popen("printf %s '" .. text .. "' | sha256sum")
    local sum = file:read "*l":match "%x+"
    file:close()
    process.write(data .. "/prices", text .. "sha256 " .. sum .. "\n")
    local response = gw:admin("POST", "/admin/reload")
    assert.truthy(response.status ~= 200)
    assert.truthy(response.body:find("has a word too many", 1, true), response.body)
    assert.equal(20000, (bill "one"))
  end)

  it("are shown by the command line", function()
    local out = import "1e-06"
    assert.truthy(out:find("2 models in the table 2026-10-01#", 1, true), out)
    assert.truthy(out:find("1 has no price", 1, true), out)
    local _, shown = run("prices", "--data", data)
    assert.truthy(shown:find("prices 2026-10-01#", 1, true), shown)
    assert.truthy(shown:find("where it is silent 2026-07-24", 1, true), shown)
    _, shown = run("prices", "gpt-4o-mini-2024-07-18", "--data", data, "--provider", "azure")
    assert.truthy(shown:find("at azure, by the list of openai: as gpt-4o-mini, of which it is "
      .. "a dated form, in the table 2026-10-01#", 1, true), shown)
    assert.truthy(shown:find("flex: input $0.5, output $1", 1, true), shown)
    _, shown = run("prices", "groq/llama-9", "--data", data, "--json")
    local found = helper.json.decode(shown).models[1]
    assert.same({ "groq", 3e9 }, { found.provider, found.rates.input })
    local status
    status, shown = run("prices", "gtp-4o", "--data", data)
    assert.equal(1, status)
    assert.truthy(shown:find('did you mean "gpt-4o"', 1, true), shown)
  end)

  it("are not changed by a file that is refused", function()
    import "1e-06"
    local before = process.read(data .. "/prices")
    for text, why in pairs {
      [MAP:format "-1"] = "map.json: line 3: gpt-4o-mini: input_cost_per_token must be a "
        .. "price, not -1; nothing was changed",
      [MAP:format "NaN"] = "line 4: invalid JSON",
      [MAP:format("1"):sub(1, 300)] = "invalid JSON",
      ["{}"] = "it holds no model with a price",
    } do
      process.write(dir .. "/map.json", text)
      local status, out = run("prices", "import", dir .. "/map.json", "--data", data)
      assert.equal(1, status)
      assert.truthy(out:find(why, 1, true), out)
      assert.equal(before, process.read(data .. "/prices"))
    end
    assert.equal(2, (run("prices", "import")))
    assert.equal(2, (run("prices", "import", "x", "--date", "today")))
    assert.equal(1, (run("prices", "import", "/nowhere", "--data", data)))
  end)
end)
