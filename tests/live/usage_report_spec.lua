-- Usage reports from roll-ups and rows against a plain addition: hundreds of requests of a
-- week, in a journal that no gateway has seen, and reports that begin and end anywhere.

local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local START, DAYS, ROWS = 1795046400, 6, 400 -- 2026-11-19

local function pick(list) return list[math.random(#list)] end

local function iso(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds) end

-- One request, as a usage line of the journal says it.
local function request(i)
  local admitted = START * 1000 + math.random(0, DAYS * 86400 * 1000 - 1)
  local row = {
    type = "usage", id = ("01900000-0000-7000-8000-%012d"):format(i),
    ts = os.date("!%Y-%m-%dT%H:%M:%S", admitted / 1000 + math.random(0, 5000)) .. ".000Z",
    admitted = admitted, key = pick { "app", "batch", "web" }, team = pick { "red", "blue" },
    tags = { tier = pick { "a", "b" } }, dialect = "openai", group = pick { "g1", "g2" },
    model = pick { "small", "large" }, deployment = pick { "d1", "d2" }, provider = "p",
    upstream_model = "u", user = pick { "u1", "u2", "u3" },
    tokens = {
      input = math.random(0, 5000), output = math.random(0, 900),
      cache_read = math.random(0, 90), cache_write = math.random(0, 9), cache_write_1h = 0,
      reasoning = math.random(0, 5),
    },
    cost_nano = math.random(0, 1e9), estimated = math.random() < 0.1, status = 200,
    outcome = math.random() < 0.2 and "upstream_error" or "ok", stream = false, generation = 1,
  }
  row.accounts = { "key:" .. row.key, "team:" .. row.team, "org" }
  if math.random() < 0.1 then row.cost_nano = helper.json.null end
  local last = { deployment = row.deployment, provider = "p", upstream_model = "u",
    status = 200, ms = 1 }
  row.attempts = { last }
  if math.random() < 0.2 then
    local extra = { input = math.random(1, 100), nano = helper.json.null }
    row.attempts = { { deployment = "d0", provider = "p", upstream_model = "u", status = 504,
      ms = 1, suspected_extra = extra }, last }
    row.extra = extra.input
  end
  return row
end

-- What a row is counted under.
local GROUPS = {
  key = function(row) return row.key end, team = function(row) return row.team end,
  model = function(row) return row.model end, group = function(row) return row.group end,
  deployment = function(row) return row.deployment end,
  user = function(row) return row.user end, outcome = function(row) return row.outcome end,
  ["tag:tier"] = function(row) return row.tags.tier end,
  day = function(row) return iso(row.admitted / 1000):sub(1, 10) end,
  hour = function(row) return iso(row.admitted / 1000):sub(1, 13) .. ":00Z" end,
}

local function add(sum, row)
  local known = row.cost_nano ~= helper.json.null
  local billed = row.outcome == "ok" or row.tokens.input + row.tokens.output > 0
  for name, n in pairs {
    requests = 1, failed = row.outcome ~= "ok" and 1 or 0, input_tokens = row.tokens.input,
    output_tokens = row.tokens.output, cached_tokens = row.tokens.cache_read,
    cache_write_tokens = row.tokens.cache_write, reasoning_tokens = row.tokens.reasoning,
    spend_nano = known and row.cost_nano or 0, unpriced = not known and billed and 1 or 0,
    estimated = row.estimated and 1 or 0, suspected_extra_tokens = row.extra or 0,
  } do
    sum[name] = (sum[name] or 0) + n
  end
end

describe("a usage report", function()
  local dir, rows

  setup(function()
    math.randomseed(20261122)
    dir, rows = process.temp_dir() .. "/data", {}
    lfs.mkdir(dir)
    lfs.mkdir(dir .. "/journal")
    local lines = {}
    for i = 1, ROWS do
      rows[i] = request(i)
      local line = {}
      for name, value in pairs(rows[i]) do line[name] = name ~= "extra" and value or nil end
      lines[i] = helper.json.encode(line)
    end
    process.write(dir .. "/journal/2026-11-25-w0.jsonl", table.concat(lines, "\n") .. "\n")
  end)
  teardown(function() helper.remove_tree(dir) end)

  local function report(...)
    local status, out, err =
      process.run { helper.binary, "usage", "--json", "--data", dir, ... }
    assert.equal(0, status, err)
    return helper.json.decode(out)
  end

  -- The report's rows are those of a plain addition, and so is its total.
  local function check(by, from, to, filter, ...)
    local want, total, n = {}, {}, 0
    for _, row in ipairs(rows) do
      local at = row.admitted / 1000
      if at >= (from or 0) and at < (to or math.huge) and (not filter or filter(row)) then
        local name = GROUPS[by](row)
        if not want[name] then n = n + 1 end
        want[name] = want[name] or {}
        add(want[name], row)
        add(total, row)
      end
    end
    local words = { "--by", by, ... }
    if from then words[#words + 1], words[#words + 2] = "--since", iso(from) end
    if to then words[#words + 1], words[#words + 2] = "--until", iso(to) end
    local got = report(unpack(words))
    local shown = table.concat(words, " ")
    assert.equal(n, #got.rows, shown)
    for _, row in ipairs(got.rows) do
      for name, value in pairs(want[row.name] or { requests = -1 }) do
        assert.equal(value, row[name], shown .. ": " .. row.name .. "." .. name)
      end
    end
    for name, value in pairs(total) do assert.equal(value, got.total[name], shown) end
  end

  it("adds up by everything, over all time", function()
    for by in pairs(GROUPS) do check(by) end
  end)

  it("begins and ends anywhere: on days, on hours, between them", function()
    for _, by in ipairs { "key", "team", "hour", "day", "user" } do
      check(by, START + 86400, START + 3 * 86400)
      check(by, START + 86400 + 3600, START + 3 * 86400 + 7200)
      for _ = 1, 6 do
        local from = START + math.random(0, DAYS * 86400)
        check(by, from, from + math.random(1, 3 * 86400))
      end
      check(by, START + 1000, START + 1900) -- within one hour
      check(by, START + 5000, nil)
      check(by, nil, START + 3 * 86400 + 17)
    end
  end)

  it("is of what it is asked", function()
    local from, to = START + 40000, START + 4 * 86400 + 555
    check("model", from, to, function(row) return row.team == "red" end, "--team", "red")
    check("team", from, to, function(row) return row.key == "app" end, "--key", "app")
    check("day", from, to, function(row) return row.tags.tier == "b" end, "--tag", "tier=b")
    check("key", from, to, function(row) return row.user == "u2" end, "--user", "u2")
    check("hour", from, to, function(row)
      return row.model == "small" and row.deployment == "d2"
    end, "--model", "small", "--deployment", "d2")
    assert.same({}, report("--team", "nobody").rows)
  end)

  it("shows the rows of the most spend, and says how many more there are", function()
    local got = report("--by", "hour", "--limit", "10")
    local all = report("--by", "hour")
    assert.same({ 10, #all.rows - 10 }, { #got.rows, got.more })
    assert.equal(all.rows[#all.rows].name, got.rows[10].name)
    local key = report("--by", "key", "--limit", "1")
    assert.same({ 1, report("--by", "key").rows[1].name }, { #key.rows, key.rows[1].name })
    assert.equal(all.total.spend_nano, got.total.spend_nano)
    assert.equal(ROWS, got.total.requests)
    local users, some = report("--by", "user"), report("--by", "user", "--limit", "2")
    assert.same({ 3, 0 }, { #users.rows, users.more })
    assert.same({ 2, 1 }, { #some.rows, some.more })
    assert.same({ users.rows[1], users.rows[2] }, some.rows)
    assert.same(users.total, some.total)
    assert.is_true(users.rows[1].spend_nano > users.rows[2].spend_nano)
  end)
end)
