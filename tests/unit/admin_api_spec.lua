-- The admin API: what reaches the ledger, what comes back, and who may ask.

require "engine"
local admin_world = require "unit.admin_world"
local json = require "engine.json"

local ID = "k3vq7m2xw4ta"

describe("the admin API", function()
  local a
  before_each(function()
    a = admin_world.new { answers = {
      ["keys.create"] = function(args)
        return admin_world.key {
          name = args.name, team = args.team, models = args.models, budgets = args.budgets,
          expires_at = args.expires_at, token = "mg-abc-secret",
        }
      end,
      ["keys.show"] = admin_world.key { budgets = { { window = "month", nano = 5e11 } } },
      ["keys.update"] = admin_world.key(), ["keys.disable"] = admin_world.key(),
      ["keys.delete"] = admin_world.key(),
      ["keys.rotate"] = admin_world.key {
        token = "mg-def-secret", previous_until = 1790000060,
      },
      ["keys.list"] = { keys = { admin_world.key() }, next = ID },
      ["budgets.spent"] = { nano = 1234567890 },
    } }
  end)

  it("makes a key of what is said, in the ledger's words", function()
    local request = a.ask("POST", "/admin/keys", [[{"name":"app","team":"search",
      "models":["gpt-4o","mock/*"],"rpm":60,"budget":["$20/day","$0.000000001"],
      "soft_budget":"$10/day","expires":"2026-12-31","tags":{"tier":"batch"}}]])
    assert.equal(201, request.status, request.answer)
    assert.same({
      name = "app", team = "search", models = { "gpt-4o", "mock/*" }, rpm = 60,
      budgets = { { window = "day", nano = 2e10 }, { window = "ever", nano = 1 } },
      soft_budgets = { { window = "day", nano = 1e10 } }, expires_at = 1798761600,
      tags = { tier = "batch" },
    }, a.last())
    local made = request.json
    assert.same({ "mg-abc-secret", "2027-01-01T00:00:00Z", "$20/day", "$0.000000001" },
      { made.key, made.expires, made.budget[1], made.budget[2] })
    assert.equal(json.null, made.rpm)
    assert.equal("no-store", request.sent_headers["cache-control"])
  end)

  it("tells who names models that there are none of, and makes the key all the same", function()
    local request = a.ask("POST", "/admin/keys",
      '{"name":"app","models":["m","mm","m*","gpt*","*"]}')
    assert.equal(201, request.status, request.answer)
    assert.same({
      'models has "mm", which is not a model of routes.lua now',
      'models has "m*", which is not a model of routes.lua now', -- a * is never nothing
      'models has "gpt*", which is not a model of routes.lua now',
    }, request.json.warnings)
    request = a.ask("PATCH", "/admin/keys/" .. ID, '{"models":["m"]}')
    assert.same({ 200 }, { request.status, request.json.warnings })
    request = a.ask("PATCH", "/admin/keys/" .. ID, '{"models":["gone"]}')
    assert.same({ 200, 1 }, { request.status, #request.json.warnings })
    request = a.ask("PATCH", "/admin/keys/" .. ID, '{"models":null,"rpm":5}')
    assert.same({ 200 }, { request.status, request.json.warnings })
  end)

  it("explains with keys of the ledger, by name and by id", function()
    local known = { search = 1, [ID] = 0, two = 2, none = 0 }
    a.answers["keys.list"] = function(args)
      local list = {}
      for i = 1, known[args.name] do
        local budgets = { { window = "day", nano = 5 } }
        list[i] = admin_world.key { models = { "m" }, budgets = budgets }
      end
      return { keys = list }
    end
    a.answers["keys.show"] = function(args)
      if args.id == ID then return admin_world.key { models = { "other" }, disabled = true } end
      return nil, { status = 404, code = "not_found", message = "there is no such key" }
    end
    local function explained(key) return a.ask("GET", "/admin/explain?model=m&key=" .. key) end
    local trace = explained("search").json
    assert.same({ "search", true, 5 },
      { trace.key.name, trace.key.allowed, trace.key.budget[1].nano })
    assert.is_nil(trace.refused)
    trace = explained(ID).json
    assert.is_false(trace.key.allowed)
    assert.same({ 403, "key_disabled" }, { trace.refused.status, trace.refused.code })
    local request = explained "two"
    assert.same({ 409, "key" }, { request.status, request.json.error.param })
    request = explained "none"
    assert.same({ 404, 'there is no virtual_key "none"' },
      { request.status, request.json.error.message })
    assert.equal("me", explained("me").json.key.name)
    a.answers["keys.list"] = function()
      return nil, { status = 503, code = "ledger_unavailable", message = "full" }
    end
    assert.equal(503, explained("search").status)
  end)

  it("refuses two budgets of one window, and dates that are none", function()
    for body, param in pairs {
      ['{"name":"x","budget":["$1/day","$2/day"]}'] = "budget",
      ['{"name":"x","soft_budget":["$1","$2"]}'] = "soft_budget",
      ['{"name":"x","expires":"2026-02-30"}'] = "expires",
      ['{"name":"x","budget":"$99999999/day"}'] = "budget",
    } do
      local request = a.ask("POST", "/admin/keys", body)
      assert.same({ 400, param }, { request.status, request.json.error.param }, body)
    end
    assert.same({}, a.asked)
  end)

  it("tells null from what is not said", function()
    a.ask("PATCH", "/admin/keys/" .. ID,
      '{"rpm":null,"models":["*"],"budget":null,"tpm":5,"expires":null}')
    local clear = { "budgets", "expires_at", "models", "rpm" }
    assert.same({ id = ID, set = { tpm = 5 }, clear = clear }, (a.last()))
  end)

  it("hands the ledger's refusals on, in the caller's words", function()
    a.answers["keys.create"] = function()
      return nil, { kind = "x", status = 403, code = "not_permitted", param = "budgets",
        message = "budgets must not be more than the team's" }
    end
    local request = a.ask("POST", "/admin/keys", '{"name":"x","budget":"$1/day"}')
    assert.equal(403, request.status)
    assert.same({
      message = "budget must not be more than the team's", type = "permission_error",
      param = "budget", code = "not_permitted",
    }, request.json.error)
    a.answers["keys.list"] = function()
      return nil, { status = 503, code = "ledger_unavailable", message = "full" }
    end
    request = a.ask("GET", "/admin/keys")
    assert.same({ 503, "server_error" }, { request.status, request.json.error.type })
    assert.equal("true", request.sent_headers["x-should-retry"])
    assert.truthy(request.sent_headers["x-request-id"])
  end)

  it("pages", function()
    local request = a.ask("GET", "/admin/keys?limit=1&team=search&disabled=false")
    assert.same({ limit = 1, team = "search", disabled = false }, a.last())
    assert.same({ 1, ID }, { #request.json.data, request.json.next })
    a.answers["keys.list"] = { keys = json.array {} }
    assert.equal(json.null, a.ask("GET", "/admin/keys").json.next)
    assert.equal("[]", json.encode(a.ask("GET", "/admin/keys").json.data))
  end)

  it("rotates with and without an overlap", function()
    local request = a.ask("POST", "/admin/keys/" .. ID .. "/rotate", '{"overlap":"1h30m"}')
    assert.same({ id = ID, overlap = 5400 }, a.last())
    assert.same({ "mg-def-secret", "2026-09-21T14:14:20Z" },
      { request.json.key, request.json.previous_until })
    assert.equal(200, a.ask("POST", "/admin/keys/" .. ID .. "/rotate").status)
    assert.same({ id = ID, overlap = 0 }, a.last())
  end)

  it("shows a secret where it is made, and nowhere else", function()
    a.answers["keys.show"] = admin_world.key { token = "mg-abc-secret", hash = "x", mac = "y" }
    for _, request in ipairs {
      a.ask("GET", "/admin/keys/" .. ID), a.ask("POST", "/admin/keys/" .. ID .. "/disable"),
      a.ask("GET", "/key/info?key=" .. ID),
    } do
      assert.equal(200, request.status, request.answer)
      assert.is_nil(request.answer:find("secret", 1, true))
      assert.is_nil(request.json.hash or request.json.mac)
    end
  end)

  it("says what an address takes", function()
    local request = a.ask("PUT", "/admin/keys/" .. ID)
    assert.same({ 405, "DELETE, GET, HEAD, PATCH" },
      { request.status, request.sent_headers.allow })
    assert.equal("method_not_allowed", request.json.error.code)
  end)
end)

describe("who may ask the admin API", function()
  local TEAM_KEY = { id = ID, name = "lead", team = "search", role = "team_admin" }

  local function listener(want)
    want.answers = {
      ["usage.report"] = { by = "key", rows = json.array {}, total = { name = "total",
        spend_nano = 0 }, unsettled = 0, more = 0 },
      ["keys.list"] = { keys = json.array {} }, ["teams.list"] = { teams = json.array {} },
      ["budgets.list"] = { rows = json.array {} },
    }
    local a = admin_world.new(want)
    local auth = require "pipeline.auth"
    function auth.of_token(token)
      if token == "lead" then return TEAM_KEY end
      if token == "client" then return { name = "c", role = "client", team = "search" } end
      if token == "off" then
        return nil, { status = 403, code = "key_disabled", message = "off" }
      end
      return nil, { status = 401, code = "invalid_api_key", message = "It is not valid." }
    end
    return a
  end

  local function bearer(token) return { authorization = "Bearer " .. token } end

  it("lets whoever reaches it be the operator where no token is configured", function()
    local a = listener {}
    assert.equal(200, a.ask("GET", "/admin/keys").status)
    assert.is_nil(a.last().actor)
    assert.equal(401, a.ask("GET", "/admin/keys", nil, bearer "wrong").status)
    assert.equal(403, a.ask("GET", "/admin/keys", nil, bearer "client").status)
    assert.equal(403, a.ask("GET", "/admin/keys", nil, bearer "off").status)
    assert.equal(401, a.ask("GET", "/admin/keys", nil, { authorization = "Basic eA==" }).status)
  end)

  it("T32: wants the token where one is configured, in its header", function()
    local a = listener { token = "the-token" }
    assert.equal(200, a.ask("GET", "/admin/keys", nil, bearer "the-token").status)
    for _, headers in ipairs {
      {}, bearer "wrong", { ["x-api-key"] = "the-token" }, { cookie = "token=the-token" },
      { authorization = "the-token" },
    } do
      assert.equal(401, a.ask("GET", "/admin/keys", nil, headers).status)
    end
    assert.equal(401, a.ask("GET", "/admin/keys?token=the-token").status)
    for _, path in ipairs { "/metrics", "/health/live", "/health/ready", "/healthz" } do
      assert.equal(200, a.ask("GET", path).status, path)
    end
    assert.equal(1, #a.asked)
  end)

  it("S-24: keeps metrics behind the token too where it is reached from elsewhere", function()
    local a = listener { token = "the-token", remote = true }
    assert.equal(401, a.ask("GET", "/metrics", nil, { host = "gw.example:4001" }).status)
    assert.equal(200, a.ask("GET", "/health/live", nil, { host = "gw.example:4001" }).status)
    local headers = { host = "gw.example:4001", authorization = "Bearer the-token" }
    assert.equal(200, a.ask("GET", "/metrics", nil, headers).status)
    headers.origin = "http://gw.example:4001"
    assert.equal(403, a.ask("GET", "/metrics", nil, headers).status)
  end)

  it("T19: holds a team's admin to its team", function()
    local a = listener {}
    a.ask("GET", "/admin/keys", nil, bearer "lead")
    assert.same(TEAM_KEY, a.last().actor)
    assert.equal(200, a.ask("GET", "/admin/usage?by=key", nil, bearer "lead").status)
    assert.equal("search", a.last().team)
    assert.equal(200, a.ask("GET", "/admin/budgets", nil, bearer "lead").status)
    assert.equal("search", a.last().team)
    assert.equal(403, a.ask("GET", "/admin/usage?team=ads", nil, bearer "lead").status)
    assert.equal(403, a.ask("GET", "/admin/budgets?team=ads", nil, bearer "lead").status)
    local asked = #a.asked
    for _, op in ipairs(require("pipeline.admin.registry").list()) do
      if op.who == "operator" then
        local request = a.ask(op.method, op.path, op.body and "{}", bearer "lead")
        assert.equal(403, request.status, op.id)
        assert.equal("not_permitted", request.json.error.code)
      end
    end
    assert.equal(asked, #a.asked)
  end)

  it("has a known answer to who may, for each operation", function()
    for _, op in ipairs(require("pipeline.admin.registry").list()) do
      assert.is_truthy(({ open = 1, scrape = 1, team = 1, operator = 1 })[op.who], op.id)
    end
  end)
end)

describe("docs/admin-openapi.json", function()
  it("is not stale", function()
    local file = assert(io.open("docs/admin-openapi.json", "rb"))
    local text = file:read "*a"
    file:close()
    assert.is_true(require("tools.openapi").text() == text,
      "run: luajit tests/tools/openapi.lua > docs/admin-openapi.json")
  end)

  it("says the same as the gateway's own checks", function()
    local matches = require("support.json_schema").matches
    local words = {
      "a", "a b", " a", "a ", "", "9x", "_x", "a.b@c:d/e+f-g", "a;b", "a'b", "$1/day", "$1",
      "$1.5", "$1.", "1/day", "$1/fortnight", "$1.1234567891/day", "2026-12-31",
      "2026-12-31T18:00:00Z",
      "2026-12-31T18:00Z", "7d", "1h30m", "7", "d7", "key", "tag:tier", "tag:", "colour",
      "tier=batch", "=x", "x=", "gpt-4o", "openai/*", "*", ("a"):rep(64), ("a"):rep(65),
    }
    admin_world.new()
    local formats = require "pipeline.admin.formats"
    for name, format in pairs(formats) do
      for _, word in ipairs(words) do
        local ours = word ~= "" and #word <= format.most and format.is(word)
        -- A pattern may say less than the check does (no 30th of February), never more.
        if ours and name ~= "text" then
          assert.is_true(matches(word, format.pattern), name .. " takes " .. word)
        end
      end
      assert.is_true(format.is(format.example), name)
    end
  end)
end)
