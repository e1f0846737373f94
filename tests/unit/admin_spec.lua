-- The admin listener: what it answers, and whom not.

local world = require "unit.world"
local json = require "engine.json"

describe("admin", function()
  local w, admin, state

  before_each(function()
    w = world.new [[
      local mock = provider "mock" {}
      model "m" { mock "mock", fallback = { "n" } }
      model "n" { mock "mock-slow" }
      model "any/*" { mock "*" }
      virtual_key "me" { token = "secret-key" }]]
    state = { generation = 3, last_reload_ok = true, draining = false }
    package.loaded["engine.admin"] = {
      status = function() return state end, generation = function() return state.generation end,
      metrics = function() return "# text\n" end, is_token = function() return nil end,
      reload = function()
        if state.refuses then return nil, { message = state.refuses } end
        state.generation = state.generation + 1
        return true
      end,
    }
    package.loaded["engine.ledger"] = { ask = function() error "the ledger was asked" end }
    package.loaded["pipeline.admin"] = nil
    admin = require "pipeline.admin"
  end)

  local function ask(method, path, headers, query)
    local want = { method = method, path = path, query = query, headers = {} }
    want.headers.host, want.headers.authorization = "127.0.0.1", false
    for name, value in pairs(headers or {}) do want.headers[name] = value end
    local request = world.request(w, want)
    admin.serve(request, w.cfg)
    return request
  end

  it("tells how it is", function()
    for _, path in ipairs { "/healthz", "/health/live", "/health/ready" } do
      assert.equal(200, ask("GET", path).status)
    end
    assert.equal(200, ask("HEAD", "/healthz").status)
    state.draining = true
    assert.equal(200, ask("GET", "/health/live").status)
    assert.equal(503, ask("GET", "/health/ready").status)
  end)

  it("prints metrics, with what only a look can tell", function()
    w.engine.shared.set("cooldown:mock/mock", w.clock + 10)
    local request = ask("GET", "/metrics")
    assert.equal("# text\n", request.answer)
    assert.is_truthy(request.sent_headers["content-type"]:find("version=0.0.4", 1, true))
    assert.equal(0, w.metrics["moongate_deployment_up{deployment=mock/mock}"])
    assert.equal(1, w.metrics["moongate_deployment_up{deployment=mock/mock-slow}"])
    assert.equal(0, w.metrics["moongate_streams_open{}"])
  end)

  it("reloads, and says why not, line by line", function()
    local request = ask("POST", "/admin/reload")
    assert.same({ 200, 4 }, { request.status, json.decode(request.answer).generation })
    state.refuses = 'routes.lua:17: unknown word "virtualkey"\nroutes.lua:20: no\nand so on'
    request = ask("POST", "/admin/reload")
    assert.equal(422, request.status)
    local body = json.decode(request.answer)
    assert.same({ "routes.lua", 17, 'unknown word "virtualkey"' },
      { body.errors[1].file, body.errors[1].line, body.errors[1].message })
    assert.same({ 20, "and so on" }, { body.errors[2].line, body.errors[3].message })
    state.refuses = "too many reloads are waiting"
    assert.equal(409, ask("POST", "/admin/reload").status)
  end)

  it("explains", function()
    local request = ask("GET", "/admin/explain", nil, "model=m&key=me&tokens=1200")
    assert.equal(200, request.status)
    local trace = json.decode(request.answer)
    assert.same({ "m", "n", true },
      { trace.group.name, trace.fallbacks[1].name, trace.key.allowed })
    assert.equal(200, ask("GET", "/admin/explain", nil, "model=any%2Fthing").status)
    assert.equal(404, ask("GET", "/admin/explain", nil, "model=nope").status)
    assert.equal(400, ask("GET", "/admin/explain").status)
  end)

  it("has no other doors", function()
    assert.equal(404, ask("GET", "/v1/chat/completions").status)
    assert.equal(404, ask("GET", "/").status)
    local request = ask("GET", "/admin/reload")
    assert.same({ 405, "POST" }, { request.status, request.sent_headers.allow })
    assert.equal(405, ask("POST", "/metrics").status)
  end)

  it("lets no page in a browser in, whatever it calls us", function()
    local before = state.generation
    for _, headers in ipairs {
      { origin = "http://evil.example" }, { origin = "null" }, { host = "evil.example" },
      { host = "evil.example:4001" }, { host = "127.0.0.1.evil.example" }, { host = "" },
    } do
      assert.equal(403, ask("POST", "/admin/reload", headers).status)
      assert.equal(403, ask("GET", "/metrics", headers).status)
    end
    assert.equal(before, state.generation)
    for _, host in ipairs { "localhost", "localhost:4001", "127.0.0.1:4001", "[::1]:4001" } do
      assert.equal(200, ask("GET", "/healthz", { host = host }).status)
    end
  end)
end)
