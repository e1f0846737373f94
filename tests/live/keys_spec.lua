-- Keys of the ledger on a running gateway: made, changed and taken away while it serves.

local admin_of = require "support.admin"
local helper = require "helper"

local ROUTES = [[
local mock = provider "mock" {}
model "small" { mock "mock" }
model "large" { mock { "mock", name = "large" } }
model "any/*" { mock "*" }
alias { ["gpt-small"] = "small", ["gpt-large"] = "large" }
virtual_key "written" { token = "written-key" }
]]
local NOBODY = "mg-" .. ("a"):rep(12) .. "-" .. ("b"):rep(43)

describe("keys of the ledger", function()
  local gw, admin

  setup(function()
    gw = helper.gateway { routes = ROUTES, workers = 2 }
    admin = admin_of(gw)
    admin:team { name = "search" }
    admin:team { name = "data" }
  end)

  teardown(function() gw:stop() end)
  after_each(function() gw:assert_silent() end)

  local function status(key, model)
    local response = gw:chat(helper.ask(model or "small"), { key = key })
    return response.status, response.json and response.json.error and response.json.error.code
  end

  -- On new connections, so that both workers are asked.
  local function each_time(want, key, model)
    for _ = 1, 12 do
      local got, code = status(key, model)
      assert.equal(want, code or got)
    end
  end

  local function usage_of(id)
    return helper.wait_until(function()
      for _, row in ipairs(gw:journal()) do
        if row.type == "usage" and row.key_id == id then return row end
      end
    end, 5, "a usage row")
  end

  it("serve as soon as they are made, beside those of routes.lua", function()
    local key = admin:key { name = "first", team = "search", tags = { tier = "batch" } }
    each_time(200, key.key)
    each_time(200, "written-key")
    local row = usage_of(key.id)
    assert.same({ "first", "search", "batch" }, { row.key, row.team, row.tags.tier })
    assert.equal("key:" .. key.id, row.accounts[1])
  end)

  it("follow every change at once, in all workers", function()
    local key = admin:key { name = "changing" }
    each_time(200, key.key)
    admin:must("POST", "/admin/keys/" .. key.id .. "/disable")
    each_time("key_disabled", key.key)
    admin:must("POST", "/admin/keys/" .. key.id .. "/enable")
    each_time(200, key.key)
    admin:must("PATCH", "/admin/keys/" .. key.id, { models = { "large" } })
    each_time("model_not_found", key.key)
    each_time(200, key.key, "large")
    admin:must("DELETE", "/admin/keys/" .. key.id)
    each_time("invalid_api_key", key.key)
  end)

  it("rotate with an overlap, which ends", function()
    local key = admin:key { name = "rotating" }
    local second = admin:must("POST", "/admin/keys/" .. key.id .. "/rotate", { overlap = "4s" })
    assert.equal(200, (status(key.key)))
    assert.not_equal(key.key, second.key)
    each_time(200, second.key)
    helper.wait_until(function() return status(key.key) == 401 end, 20, "the overlap's end")
    local _, code = status(key.key)
    assert.equal("invalid_api_key", code)
    each_time(200, second.key)
    local third = admin:must("POST", "/admin/keys/" .. key.id .. "/rotate")
    each_time("invalid_api_key", second.key)
    each_time(200, third.key)
  end)

  it("end when they expire, and say so to nobody else", function()
    local key = admin:key { name = "short", expires = "2999-01-01" }
    each_time(200, key.key)
    admin:must("PATCH", "/admin/keys/" .. key.id, { expires = "2020-01-01" })
    each_time("key_expired", key.key)
    local wrong = key.key:sub(1, -2) .. (key.key:sub(-1) == "A" and "B" or "A")
    local _, code = status(wrong)
    assert.equal("invalid_api_key", code)
  end)

  it("go by their team's models and state, when it is asked", function()
    local key = admin:key { name = "member", team = "data", models = { "small", "large" } }
    each_time(200, key.key, "large")
    admin:must("PATCH", "/admin/teams/data", { models = { "small", "any/*" } })
    each_time("model_not_found", key.key, "large")
    each_time(200, key.key, "gpt-small")
    each_time("model_not_found", key.key, "any/x")
    admin:must("POST", "/admin/teams/data/disable")
    each_time("key_disabled", key.key)
    admin:must("POST", "/admin/teams/data/enable")
    each_time(200, key.key)
  end)

  it("reach no model through an alias that their maker may not ask for", function()
    local boss = admin:key {
      name = "boss", team = "search", role = "team_admin", models = { "gpt-*", "small" },
    }
    local key = admin_of(gw, boss.key):key { name = "sly", models = { "gpt-large" } }
    each_time("model_not_found", boss.key, "gpt-large")
    each_time("model_not_found", key.key, "gpt-large")
    each_time("model_not_found", key.key, "large")
    assert.equal(200, (status(boss.key, "gpt-small")))
  end)

  it("are wrong in one way", function()
    local key = admin:key { name = "right" }
    local seen = {}
    local function told(token)
      local response = gw:chat(helper.ask "small", { key = token })
      assert.equal(401, response.status)
      seen[response.body] = true
    end
    told(NOBODY)
    told(key.key:sub(1, 16) .. NOBODY:sub(17))
    told(NOBODY:sub(1, 16) .. key.key:sub(17))
    told(key.key .. "x")
    told "mg-"
    told "anything"
    local bodies = {}
    for body in pairs(seen) do bodies[#bodies + 1] = body end
    assert.equal(1, #bodies)
  end)

  it("S-18: are not read from the URL, a cookie or the body, and never logged", function()
    local key = admin:key { name = "hidden" }
    local body = helper.ask("small", ('"api_key":"%s","key":"%s"'):format(key.key, key.key))
    for _, want in ipairs {
      { path = "/v1/chat/completions?key=" .. key.key },
      { path = "/v1/chat/completions?api_key=" .. key.key },
      { path = "/v1/chat/completions", headers = { cookie = "key=" .. key.key } },
      { path = "/v1/chat/completions" },
    } do
      want.method, want.body = "POST", body
      want.headers = want.headers or {}
      want.headers["content-type"] = "application/json"
      local response = gw:request(want)
      assert.equal(401, response.status)
      assert.truthy(response.body:find("missing_api_key", 1, true))
    end
    assert.is_nil(gw:log_text():find(key.key, 1, true))
    assert.is_nil(gw:log_text():find(key.key:sub(17), 1, true))
  end)

  it("S-17: are not moved by what comes in their place", function()
    local before = admin:must("GET", "/admin/keys")
    local wrong = {
      "' OR 1=1 --", "mg-'; DROP TABLE keys; --", "%", "_", "mg-" .. ("%"):rep(12) .. "-"
        .. ("%"):rep(43), "mg-" .. ("_"):rep(12) .. "-" .. ("'"):rep(43), ("x"):rep(512),
      ("x"):rep(9000), "mg-" .. ("A"):rep(12) .. "-" .. ("b"):rep(43), "\255\254", "\194\128",
    }
    for _, token in ipairs(wrong) do
      local got, code = status(token)
      assert.same({ 401, "invalid_api_key" }, { got, code })
    end
    for _, bytes in ipairs { "a\0b", ("x"):rep(1024 * 1024) } do
      local connection = gw:raw("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
        .. bytes .. "\r\n\r\n")
      local response = connection:response()
      assert.is_true(not response or response.status == 400 or response.status == 431)
      connection:close()
    end
    assert.same(before, admin:must("GET", "/admin/keys"))
  end)

  it("outlive a crash, and keep the gateway closed", function()
    local key = admin:key { name = "lasting" }
    each_time(200, key.key)
    os.execute("kill -9 " .. gw:child())
    helper.wait_until(function()
      local ok, response = pcall(gw.chat, gw, helper.ask "small", { key = key.key })
      return ok and response.status == 200
    end, 10, "the gateway again")
    each_time(200, key.key)
    each_time("invalid_api_key", NOBODY)
    gw.loud = true
  end)
end)

describe("a gateway without keys in routes.lua", function()
  local OPEN = [[model "small" { provider "mock" {} "mock" }]]

  it("is open until the ledger has one", function()
    local gw = helper.gateway { routes = OPEN }
    local admin = admin_of(gw)
    assert.equal(200, gw:chat(helper.ask "small").status)
    local key = admin:key { name = "first" }
    assert.equal(401, gw:chat(helper.ask "small").status)
    assert.equal(200, gw:chat(helper.ask "small", { key = key.key }).status)
    admin:must("POST", "/admin/keys/" .. key.id .. "/disable")
    assert.equal(401, gw:chat(helper.ask "small").status)
    gw:stop()
  end)

  it("stays closed when the ledger's last key is deleted, over a restart too", function()
    local dir = helper.process.temp_dir()
    local gw = helper.gateway { routes = OPEN, data = dir .. "/data" }
    local admin = admin_of(gw)
    local key = admin:key { name = "only" }
    admin:must("DELETE", "/admin/keys/" .. key.id)
    assert.equal(401, gw:chat(helper.ask "small").status)
    gw:stop()
    gw = helper.gateway { routes = OPEN, data = dir .. "/data" }
    assert.equal(401, gw:chat(helper.ask "small").status)
    assert.is_nil(gw:log_text():find("none needed", 1, true))
    gw:stop()
    helper.remove_tree(dir)
  end)

  it("starts away from this machine only where the ledger has one", function()
    local dir = helper.process.temp_dir()
    helper.process.write(dir .. "/routes.lua", OPEN)
    local code, _, err = helper.process.run({
      helper.binary, "serve", "--routes", dir .. "/routes.lua", "--data", dir .. "/data",
      "--listen", "0.0.0.0:0", "--admin", "off",
    })
    helper.remove_tree(dir)
    assert.not_equal(0, code)
    assert.truthy(err:find("the ledger has no key either", 1, true), err)
  end)
end)
