-- LiteLLM's management calls: their shapes, on our keys.

require "engine"
local admin_world = require "unit.admin_world"
local json = require "engine.json"

local ID = "k3vq7m2xw4ta"

describe("LiteLLM's management calls", function()
  local a
  before_each(function()
    a = admin_world.new { answers = {
      ["keys.create"] = function(args)
        local out = admin_world.key { token = "mg-abc-secret" }
        for name, value in pairs(args) do out[name] = value end
        return out
      end,
      ["keys.show"] = admin_world.key {
        budgets = { { window = "month", nano = 5e11 } }, tags = { tier = "x", batch = "true" },
      },
      ["keys.update"] = admin_world.key(), ["keys.delete"] = admin_world.key(),
      ["keys.list"] = { keys = json.array {} },
      ["teams.create"] = function(args) return args end,
      ["teams.show"] = { name = "search", rpm = 5, tags = {} },
      ["budgets.spent"] = { nano = 1234567890 },
    } }
  end)

  it("makes a key", function()
    local request = a.ask("POST", "/key/generate", [[{"key_alias":"app","team_id":"search",
      "models":["gpt-4o"],"max_budget":10.5,"budget_duration":"30d","tpm_limit":100,
      "rpm_limit":5,"max_parallel_requests":2,"metadata":{"tier":"x"},"tags":["batch"],
      "duration":"30d"}]])
    assert.equal(200, request.status, request.answer)
    local sent = a.last()
    assert.is_true(sent.expires_at > 1.8e9)
    sent.expires_at = nil
    assert.same({
      name = "app", team = "search", models = { "gpt-4o" }, tpm = 100, rpm = 5, parallel = 2,
      budgets = { { window = "month", nano = 10.5e9 } }, tags = { tier = "x", batch = "true" },
    }, sent)
    local made = request.json
    assert.same({ "mg-abc-secret", ID, "app", "search", 10.5, "30d", "x", "batch", 0 }, {
      made.key, made.token, made.key_alias, made.team_id, made.max_budget,
      made.budget_duration, made.metadata.tier, made.tags[1], made.spend,
    })
  end)

  it("makes one of nothing at all, as theirs does", function()
    local request = a.ask("POST", "/key/generate", "{}")
    assert.equal(200, request.status, request.answer)
    assert.is_truthy(a.last().name:find "^key 2.*Z %x%x%x%x%x%x%x%x$")
    a.ask("POST", "/key/generate", '{"models":[],"max_budget":null}')
    assert.is_nil(a.last().models)
  end)

  it("S-34: reads dollars from their digits", function()
    for text, nano in pairs {
      ["10"] = 10e9, ["0.1"] = 1e8, ["1e-3"] = 1e6, ["1.5E2"] = 150e9, ["0.000000001"] = 1,
      ["123456.789012345"] = 123456789012345, ["2.50"] = 2.5e9, ["1e0"] = 1e9, ["0"] = 0,
      ["9007199.254740991"] = 9007199254740991, ["12e-1"] = 1.2e9,
    } do
      local request = a.ask("POST", "/key/generate", '{"max_budget":' .. text .. "}")
      assert.equal(200, request.status, text .. tostring(request.answer))
      assert.equal(nano, a.last().budgets[1].nano, text)
      assert.equal("ever", a.last().budgets[1].window)
    end
    for _, text in ipairs {
      "-1", "0.0000000001", "1e-10", "1e9", "1e300", "9007199.2547409931", "1e999999999",
      "1e-999999999",
    } do
      local request = a.ask("POST", "/key/generate", '{"max_budget":' .. text .. "}")
      assert.same({ 400, "max_budget" }, { request.status, request.json.error.param }, text)
    end
  end)

  it("refuses what it has no meaning for, by name", function()
    for _, name in ipairs {
      "aliases", "config", "permissions", "user_id", "model_max_budget", "allowed_routes",
      "guardrails", "send_invite_email", "key", "soft_budget", "spend",
    } do
      local request = a.ask("POST", "/key/generate", ('{"%s":{}}'):format(name))
      assert.same({ 400, name }, { request.status, request.json.error.param }, name)
    end
    for field, text in pairs { budget_duration = '"45d"', duration = '"soon"' } do
      local request = a.ask("POST", "/key/generate", ('{"%s":%s}'):format(field, text))
      assert.same({ 400, field }, { request.status, request.json.error.param })
    end
    assert.equal(0, a.changes)
  end)

  it("tells of a key by id, and of none by a token that is no key's", function()
    package.loaded["engine.keyring"].find = function(token)
      if token == "mg-abc-secret" then return "abc", '{"id":"' .. ID .. '"}' end
    end
    for _, word in ipairs { ID, "mg-abc-secret" } do
      local request = a.ask("GET", "/key/info?key=" .. word)
      assert.equal(200, request.status, request.answer)
      assert.same({ ID, 1.23456789, 500, "30d" }, {
        request.json.key, request.json.info.spend, request.json.info.max_budget,
        request.json.info.budget_duration,
      })
      assert.same({ account = "key:" .. ID, window = "month" }, a.last())
    end
    a.answers["keys.show"] = nil
    assert.equal(404, a.ask("GET", "/key/info?key=mg-other-secret").status)
    assert.equal("unknown", a.last().id)
    assert.equal(400, a.ask("GET", "/key/info").status)
  end)

  it("updates half of a budget", function()
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","max_budget":7}')
    assert.same({ { window = "month", nano = 7e9 } }, a.asked[#a.asked - 1].args.set.budgets)
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","budget_duration":"1d"}')
    assert.same({ { window = "day", nano = 5e11 } }, a.asked[#a.asked - 1].args.set.budgets)
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","max_budget":null,"rpm_limit":null}')
    assert.same({ "budgets", "rpm" }, (function(clear)
      table.sort(clear)
      return clear
    end)(a.asked[#a.asked - 1].args.clear))
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","tags":["night"]}')
    assert.same({ tier = "x", night = "true" }, a.asked[#a.asked - 1].args.set.tags)
  end)

  it("keeps the budgets that LiteLLM does not see, where one it sees changes", function()
    local function budgets() return { { window = "day", nano = 2e10 }, { window = "month",
      nano = 5e11 } } end
    a.answers["keys.show"] = function()
      return { id = ID, name = "app", tags = {}, budgets = budgets() }
    end
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","max_budget":30}')
    assert.same({ { window = "day", nano = 3e10 }, budgets()[2] },
      a.asked[#a.asked - 1].args.set.budgets)
    a.ask("POST", "/key/update", '{"key":"' .. ID .. '","budget_duration":"30d"}')
    assert.same({ { window = "month", nano = 2e10 } }, a.asked[#a.asked - 1].args.set.budgets)
  end)

  it("deletes all of the keys named, or none", function()
    local request = a.ask("POST", "/key/delete", ('{"keys":["%s","x"]}'):format(ID))
    assert.same({ 200, { ID, "x" } }, { request.status, { unpack(request.json.deleted_keys) } })
    a.answers["keys.show"] = function(args)
      if args.id == "x" then
        return nil, { status = 404, code = "not_found", message = "there is no such key" }
      end
      return admin_world.key()
    end
    local before = a.changes
    request = a.ask("POST", "/key/delete", ('{"keys":["%s","x"]}'):format(ID))
    assert.same({ 404, "keys.1", before },
      { request.status, request.json.error.param, a.changes })
  end)

  it("makes and shows teams", function()
    local request = a.ask("POST", "/team/new",
      '{"team_alias":"search","max_budget":100,"budget_duration":"1d"}')
    assert.equal(200, request.status, request.answer)
    assert.same({ name = "search", budgets = { { window = "day", nano = 1e11 } } }, a.last())
    assert.equal("search", request.json.team_id)
    request = a.ask("POST", "/team/new", '{"team_alias":"a","team_id":"b"}')
    assert.same({ 400, "team_alias" }, { request.status, request.json.error.param })
    request = a.ask("GET", "/team/info?team_id=search")
    assert.equal(200, request.status, request.answer)
    assert.same({ "search", 5, 0 },
      { request.json.team_id, request.json.team_info.rpm_limit, #request.json.keys })
  end)

  it("lists what was spent, request by request", function()
    a.answers["usage.logs"] = { rows = { {
      id = "r1", ts_ms = 1790000060500, duration_ms = 1500, key = "app", key_id = ID,
      team = "t", tags = { tier = "x", batch = "true" }, group = "smart", model = "gpt-4o",
      deployment = "openai/gpt-4o", provider = "openai", input = 10, output = 5,
      cache_read = 2, cache_write = 0, cost_nano = 123, outcome = "ok", attempts = 1,
      estimated = false,
    }, { id = "r2", ts_ms = 1790000060500, input = 0, output = 0, outcome = "upstream_error",
      tags = {}, key = "app", model = "m", attempts = 1 } } }
    local request = a.ask("GET", "/spend/logs?limit=2&start_date=2026-09-01&summarize=false")
    assert.equal(200, request.status, request.answer)
    assert.equal("1788220800", ("%d"):format(a.last().since))
    local row = request.json[1]
    assert.same({ "r1", 1.23e-7, 15, "success", "batch", "tier=x" }, { row.request_id,
      row.spend, row.total_tokens, row.status, row.request_tags[1], row.request_tags[2] })
    assert.is_truthy(request.answer:find('"spend":0.000000123,', 1, true))
    assert.same({ json.null, "failure" }, { request.json[2].spend, request.json[2].status })
    request = a.ask("GET", "/spend/logs?start_date=2026-09-01")
    assert.same({ 400, "summarize" }, { request.status, request.json.error.param })
  end)
end)
