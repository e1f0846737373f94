-- Bad input to the ledger's verbs: a 400 that names the field, and nothing changed.

require "engine"
local json = require "engine.json"
local ledger = require "support.ledger"

local ask, must = ledger.ask, ledger.must

local LONG = ("x"):rep(1024 * 1024)
local SQL = "x'; DROP TABLE keys; --"
local HOSTILE = { "a\0b", "a\nb", "\27[2J", "\194\128", "\226\128\168", "\255\254", SQL, LONG }
local DEEP = { { { {} } } }

local function numbers(most)
  return {
    -1, 0.5, most + 1, 1e300, 1 / 0, -1 / 0, 0 / 0, "5", "", true, {}, { 5 }, json.null, SQL,
    LONG, DEEP,
  }
end

local function with(list, ...)
  local out = {}
  for _, more in ipairs { list, { ... } } do
    for _, value in ipairs(more) do out[#out + 1] = value end
  end
  return out
end

local NAMES = with(HOSTILE, "", " a", "a%", "é", ("x"):rep(65), 5, true, {}, { "a" }, json.null)
local BUDGETS = {
  "$5/day", 5, true, {}, json.null, { {} }, { 5 }, { "$5/day" }, { window = "day", nano = 1 },
  { { window = "day" } }, { { nano = 1 } }, { { window = "decade", nano = 1 } },
  { { window = "day", nano = -1 } }, { { window = "day", nano = 0.5 } },
  { { window = "day", nano = "1" } }, { { window = "day", nano = 2 ^ 53 * 2 } },
  { { window = "day", nano = 1, spent = 0 } }, { { window = SQL, nano = 1 } },
  { { window = "day", nano = 1 }, { window = "day", nano = 2 } },
  { { window = "day", nano = 1 }, [3] = { window = "hour", nano = 1 } }, DEEP,
}
local WORDS = { "", "OPEN", "yes", 1, true, {}, json.null, SQL, LONG, "a\0b" }

local function many(n)
  local out = {}
  for i = 1, n do out[i] = "m" .. i end
  return out
end

local function tagged(n)
  local out = {}
  for i = 1, n do out["t" .. i] = "v" end
  return out
end

local WRONG = {
  name = NAMES, team = NAMES, rpm = with(numbers(1e9), 0), tpm = with(numbers(1e12), 0),
  parallel = with(numbers(1e6), 0), expires_at = with(numbers(253402300799), 0),
  budgets = BUDGETS, soft_budgets = BUDGETS, on_low_budget = WORDS, without_cluster = WORDS,
  role = with(WORDS, "operator", "admin"),
  disabled = { 0, 1, "true", "", {}, json.null, SQL },
  models = {
    "smart", 5, true, {}, json.null, { "" }, { 5 }, { {} }, { "a", "a" }, { "a*b*" },
    { ("x"):rep(257) }, many(257), { a = "smart" }, { "a", [3] = "b" }, { "a\nb" }, { "a\0b" },
    { "\255" }, { LONG }, DEEP,
  },
  tags = {
    "tier=batch", 5, true, json.null, { "batch" }, { tier = 5 }, { tier = "" }, { tier = {} },
    { [("x"):rep(65)] = "a" }, { ["a b"] = "c" }, { [SQL] = "c" }, { tier = "a\nb" },
    { tier = "a\0b" }, { tier = LONG }, { team = "other" }, tagged(33),
  },
}
local OF_A_TEAM = {
  "models", "rpm", "tpm", "parallel", "budgets", "soft_budgets", "disabled", "tags",
}

describe("input of the ledger's keys", function()
  local close, key, before

  setup(function()
    close = ledger.open()
    must("teams.create", { name = "search" })
    key = must("keys.create", { name = "known", team = "search", rpm = 5 })
    before = ledger.snapshot()
  end)

  teardown(function() close() end)

  local function refused(verb, args, param, code)
    local result, err = ask(verb, args)
    assert.is_nil(result, param)
    assert.same({ 400, param, code or "invalid_value" }, { err.status, err.param, err.code })
    assert.is_true(#err.message < 300, param)
    assert.is_nil(err.message:find "[%z\1-\31\127]")
  end

  local function unchanged()
    assert.equal(before, ledger.snapshot())
  end

  for field, values in pairs(WRONG) do
    it("S-15: " .. field .. " takes nothing else when a key is made", function()
      for _, value in ipairs(values) do
        refused("keys.create", { name = "new", [field] = value }, field)
      end
      unchanged()
    end)

    it("S-15: " .. field .. " takes nothing else when a key is changed", function()
      local code = field == "role" and "unknown_field" or nil
      for _, value in ipairs(values) do
        refused("keys.update", { id = key.id, set = { [field] = value } }, field, code)
      end
      unchanged()
    end)
  end

  for _, field in ipairs(OF_A_TEAM) do
    it("S-15: a team's " .. field .. " takes nothing else", function()
      for _, value in ipairs(WRONG[field]) do
        refused("teams.create", { name = "new", [field] = value }, field)
        refused("teams.update", { name = "search", set = { [field] = value } }, field)
      end
      unchanged()
    end)
  end

  it("S-15: no other field is taken", function()
    for _, name in ipairs {
      "id", "hash", "mac", "spend", "spent", "team_id", "token", "created_at", "created_by",
      "secret_expires_at", "within", "published", "record", "RPM", "", "x-y", "rpm_",
    } do
      refused("keys.create", { name = "new", [name] = 1 }, name, "unknown_field")
      refused("keys.update", { id = key.id, set = { [name] = 1 } }, name, "unknown_field")
      refused("keys.update", { id = key.id, clear = { name } }, name, "unknown_field")
      refused("teams.create", { name = "new", [name] = 1 }, name, "unknown_field")
      refused("teams.update", { name = "search", set = { [name] = 1 } }, name, "unknown_field")
    end
    refused("keys.create", { name = "new", [SQL] = 1 }, "x???DROP?TABLE?keys??--",
      "unknown_field")
    unchanged()
  end)

  it("S-15: a name is needed, and something to change", function()
    refused("keys.create", {}, "name", "missing_required_parameter")
    refused("teams.create", {}, "name", "missing_required_parameter")
    refused("keys.update", { id = key.id }, nil)
    refused("keys.update", { id = key.id, set = {}, clear = {} }, nil)
    refused("teams.update", { name = "search" }, nil)
    unchanged()
  end)

  it("S-15: nothing is given twice, nor cleared that must be", function()
    refused("keys.update", { id = key.id, set = { rpm = 5 }, clear = { "rpm" } }, "rpm")
    refused("keys.update", { id = key.id, clear = { "rpm", "rpm" } }, "rpm")
    for _, name in ipairs { "name", "role", "disabled" } do
      refused("keys.update", { id = key.id, clear = { name } }, name, "unknown_field")
    end
    for _, clear in ipairs { "rpm", 5, true, { rpm = true }, { [2] = "rpm" } } do
      refused("keys.update", { id = key.id, clear = clear }, "clear")
    end
    unchanged()
  end)

  it("S-16, S-17: an id that is none is not there", function()
    for _, id in ipairs(with(HOSTILE, "", "a", 5, true, {}, json.null, "ABCDEFGHIJKL", "%",
      ("a"):rep(12), ("a"):rep(13), key.id:upper())) do
      for _, verb in ipairs { "show", "rotate", "disable", "enable", "delete" } do
        local _, err = ask("keys." .. verb, { id = id })
        assert.same({ 404, "not_found" }, { err.status, err.code })
      end
      local _, err = ask("teams.show", { name = id })
      assert.equal(404, err.status)
    end
    unchanged()
  end)

  it("S-17: an overlap and a page are bounded", function()
    for _, value in ipairs(numbers(30 * 86400)) do
      refused("keys.rotate", { id = key.id, overlap = value }, "overlap")
    end
    for _, value in ipairs(with(numbers(1000), 0)) do
      refused("keys.list", { limit = value }, "limit")
      refused("teams.list", { limit = value }, "limit")
    end
    refused("keys.list", { after = LONG }, "after")
    refused("keys.list", { disabled = "true" }, "disabled")
    refused("teams.delete", { name = "search", cascade = 1 }, "cascade")
    unchanged()
  end)

  it("S-17: only prepared text reaches SQLite", function()
    -- sql.run and its kin take a text and values; every text in scripts/ledger is a literal.
    for _, file in ipairs { "store", "keys", "teams", "actor" } do
      local handle = assert(io.open("scripts/ledger/" .. file .. ".lua"))
      local text = handle:read "*a"
      handle:close()
      for argument in text:gmatch "sql%.%a+%(%s*([^%s,)]+)" do
        assert.truthy(argument:find '^"' or argument == "fn", file .. ": " .. argument)
      end
      assert.is_nil(text:find 'sql%.%a+%("[^)]*" %.%. [%a_]', file)
    end
  end)
end)
