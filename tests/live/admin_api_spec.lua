-- The admin API of a real gateway: every operation of its description, called by everybody.

require "engine"
local helper = require "helper"
local json = require "engine.json"
local schema = require "support.json_schema"

local TOKEN = "admin-token-0123456789"
local ROUTE_KEY = "sk-of-routes-0123456789abcdef"
local ROUTES = [[
local mock = provider "mock" {}
model "mock" { mock { "mock", price = { input = "1.5", output = "2.25" } } }
virtual_key "declared" { token = "]] .. ROUTE_KEY .. [[", budget = "$10/month", team = "red" }
limits { team = { red = { budget = "$50/week" } } }]]

local DESCRIPTION = json.decode(helper.process.read "docs/admin-openapi.json")

-- Every operation of the description: { id, method, path, who, answer, status }.
local function operations()
  local out = {}
  for path, methods in pairs(DESCRIPTION.paths) do
    for method, op in pairs(methods) do
      for status, response in pairs(op.responses) do
        if status ~= "default" then
          local content = response.content["application/json"]
          out[#out + 1] = {
            id = op.operationId, method = method:upper(), path = path, who = op["x-who"],
            status = tonumber(status), answer = content and content.schema,
          }
        end
      end
    end
  end
  table.sort(out, function(a, b) return a.id < b.id end)
  return out
end

describe("the admin API", function()
  local gw, count

  setup(function()
    count = 0
    gw = helper.gateway { routes = ROUTES, env = { MOONGATE_ADMIN_TOKEN = TOKEN } }
  end)
  teardown(function() gw:stop() end)
  after_each(function() gw:assert_silent() end)

  local function call(method, target, body, token)
    local headers = { ["content-type"] = body and "application/json" }
    if token then headers.authorization = "Bearer " .. token end
    local response = assert(helper.http.request(gw.admin_port, {
      method = method, path = target, headers = headers,
      body = type(body) == "table" and json.encode(body) or body
        or (method ~= "GET" and "" or nil),
    }))
    response.json = json.decode(response.body)
    return response
  end

  local function operator(method, target, body)
    return call(method, target, body, TOKEN)
  end

  local function team(name)
    local found = operator("GET", "/admin/teams/" .. name)
    if found.status == 404 then found = operator("POST", "/admin/teams", { name = name }) end
    return found.json.name
  end

  -- A new key: what its creation answered.
  local function key(fields)
    count = count + 1
    local want = { name = "k" .. count }
    for name, value in pairs(fields or {}) do want[name] = value end
    if want.team then team(want.team) end
    local made = operator("POST", "/admin/keys", want)
    assert.equal(201, made.status, made.body)
    return made.json
  end

  -- How to call each operation on something of the team "red": target, body. An operation
  -- that is not here fails the tests.
  local CALLS = {
    live = function() return "/health/live" end,
    ready = function() return "/health/ready" end,
    health = function() return "/healthz" end,
    metrics = function() return "/metrics" end,
    describe = function() return "/admin/openapi.json" end,
    reload = function() return "/admin/reload" end,
    explain = function() return "/admin/explain?model=mock&tokens=100" end,
    welcome = function() return "/admin/welcome" end,
    createKey = function()
      count = count + 1
      return "/admin/keys", { name = "made" .. count, team = "red", budget = { "$1/day" },
        tags = { tier = "x" }, expires = "2099-12-31" }
    end,
    listKeys = function() return "/admin/keys?limit=2&team=red" end,
    createTeam = function()
      count = count + 1
      return "/admin/teams", { name = "t" .. count, budget = "$5/week", rpm = 5 }
    end,
    listTeams = function() return "/admin/teams?limit=5" end,
    getTeam = function() return "/admin/teams/red" end,
    updateTeam = function()
      return "/admin/teams/red", { tpm = 100000, budget = "$50/week" }
    end,
    deleteTeam = function()
      count = count + 1
      operator("POST", "/admin/teams", { name = "gone" .. count })
      return "/admin/teams/gone" .. count
    end,
    disableTeam = function() return "/admin/teams/" .. team "idle" .. "/disable" end,
    enableTeam = function() return "/admin/teams/" .. team "idle" .. "/enable" end,
    usage = function() return "/admin/usage?by=model&since=1h" end,
    budgets = function() return "/admin/budgets" end,
    audit = function() return "/admin/audit" end,
    prices = function() return "/admin/prices" end,
    litellmKeyGenerate = function()
      count = count + 1
      return "/key/generate", { key_alias = "l" .. count, team_id = "red", max_budget = 1.5,
        budget_duration = "30d", metadata = { tier = "x" }, tags = { "batch" } }
    end,
    litellmTeamNew = function()
      count = count + 1
      return "/team/new", { team_id = "lt" .. count, max_budget = 10 }
    end,
    litellmTeamInfo = function() return "/team/info?team_id=red" end,
    litellmSpendLogs = function() return "/spend/logs" end,
  }
  for name, more in pairs {
    getKey = "", deleteKey = "", updateKey = "", rotateKey = "/rotate",
    disableKey = "/disable", enableKey = "/enable",
  } do
    CALLS[name] = function()
      local body = name == "updateKey" and { rpm = 60, budget = json.null } or nil
      if name == "rotateKey" then body = { overlap = "1h" } end
      return "/admin/keys/" .. key { team = "red" }.id .. more, body
    end
  end
  function CALLS.litellmKeyInfo() return "/key/info?key=" .. key { team = "red" }.key end
  function CALLS.litellmKeyUpdate()
    return "/key/update", { key = key { team = "red" }.id, max_budget = 2 }
  end
  function CALLS.litellmKeyDelete()
    return "/key/delete", { keys = { key { team = "red" }.id } }
  end

  local function call_of(op)
    return assert(CALLS[op.id], "no test calls " .. op.id)()
  end

  local function chat(secret)
    return gw:chat(helper.ask "mock", { key = secret })
  end

  it("answers every operation in the shape that its description says", function()
    team "red"
    assert.equal(200, chat(ROUTE_KEY).status)
    assert.equal(200, chat(key { team = "red", budget = "$5/day" }.key).status)
    for _, op in ipairs(operations()) do
      local response = operator(op.method, call_of(op))
      assert.equal(op.status, response.status, op.id .. ": " .. response.body)
      if op.answer then
        local problem = schema.problem(op.answer, response.json, DESCRIPTION)
        assert.is_nil(problem, op.id .. ": " .. tostring(problem) .. "\n" .. response.body)
      end
    end
  end)

  describe("S-13: lets do what their rights are", function()
    -- Who asks → what is answered to each kind of operation; true is "as the operator".
    local function actors()
      team "red"
      team "ads"
      local disabled, expired = key { team = "red" }, key { team = "red" }
      operator("POST", "/admin/keys/" .. disabled.id .. "/disable")
      operator("PATCH", "/admin/keys/" .. expired.id, { expires = "2020-01-01" })
      local refused = { open = true, scrape = true, team = 401, operator = 401 }
      local forbidden = { open = true, scrape = true, team = 403, operator = 403 }
      return {
        ["nobody"] = { nil, refused },
        ["a wrong token"] = { "mg-aaaaaaaaaaaa-" .. ("x"):rep(43), refused },
        ["something else"] = { "x", refused },
        ["a disabled key"] = { disabled.key, forbidden },
        ["an expired key"] = { expired.key, forbidden },
        ["a client's key"] = { key { team = "red" }.key, forbidden },
        ["a key without a team"] = { key().key, forbidden },
        ["a key of routes.lua"] = { ROUTE_KEY, forbidden },
        ["the team's admin"] = { key { team = "red", role = "team_admin" }.key,
          { open = true, scrape = true, team = true, operator = 403 } },
        ["another team's admin"] = { key { team = "ads", role = "team_admin" }.key,
          { open = true, scrape = true, team = "elsewhere", operator = 403 } },
      }
    end

    -- What another team's admin gets: nothing of the first team is there, or may be named.
    local ELSEWHERE = {
      describe = 200, listTeams = 200, usage = 200, budgets = 200, litellmSpendLogs = 200,
      createKey = 404, litellmKeyGenerate = 404, litellmTeamInfo = 404, listKeys = 404,
    }

    it("for every operation", function()
      for who, actor in pairs(actors()) do
        for _, op in ipairs(operations()) do
          local target, body = call_of(op)
          local response = call(op.method, target, body, actor[1])
          local want = actor[2][op.who]
          if want == true then want = op.status end
          if want == "elsewhere" then want = ELSEWHERE[op.id] or 404 end
          if op.id == "createKey" or op.id == "litellmKeyGenerate" and want == 404 then
            want = (response.status == 403 or response.status == 404) and response.status
              or want -- to name a team that is not one's own is either
          end
          assert.equal(want, response.status, ("%s, %s %s: %s"):format(who, op.method, target,
            response.body:sub(1, 200)))
          if response.status >= 400 then
            assert.is_nil(schema.problem(DESCRIPTION.components.schemas.Error, response.json,
              DESCRIPTION))
          end
        end
      end
    end)

    it("S-24: and nothing of it on the public listener, whoever asks", function()
      for _, op in ipairs(operations()) do
        if op.id ~= "health" then
          local target = op.path:gsub("[{}]", "")
          local response = gw:request { method = op.method, path = target,
            headers = { authorization = "Bearer " .. TOKEN }, body = op.method ~= "GET" and "" }
          assert.equal(404, response.status, op.path)
        end
      end
    end)

    it("S-18: not by a key in the query, a cookie or the body", function()
      for _, want in ipairs {
        { path = "/admin/keys?token=" .. TOKEN }, { path = "/admin/keys?api_key=" .. TOKEN },
        { path = "/admin/keys", headers = { cookie = "token=" .. TOKEN } },
        { path = "/admin/keys", headers = { ["x-api-key"] = TOKEN } },
        { path = "/admin/keys", headers = { ["content-type"] = "application/json" },
          method = "POST", body = '{"name":"x","token":"' .. TOKEN .. '"}' },
      } do
        want.method = want.method or "GET"
        assert.equal(401, helper.http.request(gw.admin_port, want).status, want.path)
      end
      assert.is_nil(gw:log_text():find(TOKEN, 1, true))
    end)

    it("T32: not a page in a browser, even one that knows the token", function()
      for _, headers in ipairs {
        { origin = "http://evil.example" }, { origin = "null" }, { host = "evil.example" },
        { host = "rebound.example:4001" },
      } do
        headers.authorization = "Bearer " .. TOKEN
        local response = helper.http.request(gw.admin_port,
          { method = "GET", path = "/admin/keys", headers = headers })
        assert.equal(403, response.status)
        assert.is_nil(response.headers["access-control-allow-origin"])
      end
    end)
  end)

  it("S-16: answers of another team's key as of none", function()
    local theirs, ours = key { team = "ads" }, key { team = "red", role = "team_admin" }.key
    for _, more in ipairs { "", "/rotate", "/disable", "/enable" } do
      local method = more == "" and "GET" or "POST"
      local other = call(method, "/admin/keys/" .. theirs.id .. more, nil, ours)
      local none = call(method, "/admin/keys/aaaaaaaaaaaa" .. more, nil, ours)
      assert.same({ 404, other.body }, { none.status, none.body })
    end
    assert.equal(200, chat(theirs.key).status)
  end)

  it("changes nothing by bad input", function()
    local function all()
      return operator("GET", "/admin/keys?limit=1000").body
        .. operator("GET", "/admin/teams?limit=1000").body
    end
    local made = key { team = "red", budget = "$3/day", rpm = 5 }
    local before, n = all(), 0
    for path, methods in pairs(DESCRIPTION.paths) do
      for method, op in pairs(methods) do
        local body = op.requestBody
        local ref = body and body.content["application/json"].schema["$ref"]
        local properties = ref and DESCRIPTION.components.schemas[ref:match "%w+$"].properties
        for name in pairs(properties or {}) do
          for _, value in ipairs {
            '{"\'; DROP TABLE keys; --":{}}', "-1", '"\'; DROP TABLE keys; --"', "[[]]",
            "1e400", '"a\\u0000b"', '"' .. ("a"):rep(2 ^ 20) .. '"', "[null]",
          } do
            n = n + 1
            local target = path:gsub("{id}", made.id):gsub("{team}", "red")
            local response = operator(method:upper(), target, ('{"%s":%s}'):format(name, value))
            assert.equal(400, response.status, target .. " " .. name .. " " .. value:sub(1, 60))
          end
        end
      end
    end
    assert.is_true(n > 300)
    assert.equal(before, all())
  end)

  it("makes many keys in a second for scripts that name none", function()
    for _ = 1, 3 do
      local made = operator("POST", "/key/generate", {})
      assert.equal(200, made.status, made.body)
    end
  end)

  it("makes a change hold for the next request", function()
    local made = key { models = { "mock" } }
    assert.equal(200, chat(made.key).status)
    operator("POST", "/admin/keys/" .. made.id .. "/disable")
    assert.equal(403, chat(made.key).status)
    operator("POST", "/admin/keys/" .. made.id .. "/enable")
    local rotated = operator("POST", "/admin/keys/" .. made.id .. "/rotate").json
    assert.same({ 401, 200 }, { chat(made.key).status, chat(rotated.key).status })
    operator("PATCH", "/admin/keys/" .. made.id, { models = { "other" } })
    assert.equal(404, chat(rotated.key).status)
    operator("DELETE", "/admin/keys/" .. made.id)
    assert.equal(401, chat(rotated.key).status)
  end)

  it("does not mind who hangs up while the ledger is asked", function()
    for _ = 1, 20 do
      local connection = helper.http.connect(gw.admin_port)
      connection:send(("GET /admin/audit HTTP/1.1\r\nHost: localhost\r\n"
        .. "Authorization: Bearer %s\r\n\r\n"):format(TOKEN))
      connection:close()
    end
    assert.equal(200, operator("GET", "/admin/usage").status)
  end)

  it("B-32: adds up, and keeps what it has shown secret", function()
    local made = key { team = "red", budget = { "$1/day", "$5" } }
    for _ = 1, 5 do assert.equal(200, chat(made.key).status) end
    local audit = operator("GET", "/admin/audit").json
    assert.is_true(audit.equal, json.encode(audit))
    assert.is_true(audit.settled)
    assert.is_true(audit.accounts >= 3 * 7)
    assert.same({}, audit.different)
    local names = {}
    for _, sum in ipairs(audit.sums) do names[sum.name] = sum.nano end
    assert.is_true(names["moongate_cost_usd_total since start"] >= 5 * 7500)
    local budgets = operator("GET", "/admin/budgets?account=key:" .. made.id).json.data
    assert.same({ "0.0000375", "0.0000375", json.null },
      { budgets[1].spent_usd, budgets[2].spent_usd, budgets[2].resets_at })
    local info = operator("GET", "/key/info?key=" .. made.key)
    assert.is_truthy(info.body:find('"spend":0.0000375,', 1, true))
    local logs = operator("GET", "/spend/logs?api_key=" .. made.id).json
    assert.same({ 5, made.id, "red" }, { #logs, logs[1].api_key, logs[1].team_id })
    for _, text in ipairs { info.body, gw:log_text(), operator("GET", "/admin/keys").body } do
      assert.is_nil(text:find(made.key, 1, true))
    end
  end)
end)
