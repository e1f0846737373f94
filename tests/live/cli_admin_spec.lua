-- moongate keys, teams, usage, budgets and audit, as people type them: with a gateway running,
-- and on its data folder when it is gone.

local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

local BINARY = helper.binary:gsub("^[^/]", lfs.currentdir() .. "/%0")

local ROUTES = [[
local mock = provider "mock" {}
model "mock" { mock { "mock", price = { input = "1.5", output = "2.25" } } }
virtual_key "declared" { token = "sk-of-routes-0123456789abcdef" }]]
local COST = 7500 -- nano-dollars of "hello": two tokens in, two out

describe("the command line and the ledger", function()
  local gw

  before_each(function() gw = helper.gateway { routes = ROUTES } end)
  after_each(function() gw:stop() end)

  -- Run a verb on the gateway's data folder: status, standard output, standard error.
  local function run(...)
    local words = { ... }
    words[#words + 1], words[#words + 2] = "--data", gw.data
    return gw:run(words)
  end

  local function fine(...)
    local status, out, err = run(...)
    assert.equal(0, status, out .. err)
    return out
  end

  local function chat(key) return gw:chat(helper.ask "mock", { key = key }).status end

  -- The gateway is gone for good; another one, so that after_each has one to stop.
  local function without_gateway(body)
    local gone = gw
    gone.process:stop()
    body()
    helper.remove_tree(gone.dir)
    gw = helper.gateway { routes = ROUTES }
  end

  it("makes a key that works at once, and prints it alone", function()
    fine("teams", "create", "search", "--budget", "$100/day")
    local status, out, err = process.run { "sh", "-c", ("KEY=$(%s keys create app "
      .. "--team search --data %s) && printf %%s \"$KEY\""):format(helper.binary, gw.data) }
    assert.equal(0, status, err)
    assert.is_truthy(out:find "^mg%-%w+%-[%w_-]+$", out)
    assert.is_nil(err:find(out, 1, true))
    assert.equal(200, chat(out))
    fine("keys", "disable", "app")
    assert.equal(403, chat(out))
    fine("keys", "enable", "app")
    local function id() return fine("keys", "show", "app"):match "^id +(%w+)" end
    assert.equal(id(), out:match "^mg%-(%w+)%-")
    local new = fine("keys", "rotate", "app", "--overlap", "1h"):match "%S+"
    assert.equal(id(), out:match "^mg%-(%w+)%-") -- the key's, which the new text does not show
    assert.is_nil(new:find(id(), 1, true))
    assert.same({ 200, 200 }, { chat(out), chat(new) })
    new = fine("keys", "rotate", "app"):match "%S+"
    assert.same({ 401, 200 }, { chat(out), chat(new) })
    assert.equal(1, (run("teams", "delete", "search")))
    fine("keys", "delete", "app")
    assert.equal(401, chat(new))
    assert.is_truthy(fine("usage", "--by", "team"):find("search", 1, true))
  end)

  it("tells keys of one name apart where several teams have one", function()
    for _, team in ipairs { "red", "ads" } do
      fine("teams", "create", team)
      assert.equal(200, chat(fine("keys", "create", "app", "--team", team):match "%S+"))
    end
    local out = fine("usage", "--by", "key", "--json")
    local rows = helper.json.decode(out).rows
    assert.equal(2, #rows)
    for _, row in ipairs(rows) do assert.is_truthy(row.name:find "^app %(%w+%)$", out) end
    local status, _, err = run("keys", "disable", "app")
    assert.equal(1, status)
    assert.is_truthy(err:find("several keys are called app", 1, true))
  end)

  it("explains what a key of the ledger and its team may do", function()
    local function explained(...)
      return fine("explain", "mock", "--routes", gw.routes_file, ...)
    end
    local function says(text, want)
      assert.is_truthy(text:find(want, 1, true), text)
    end
    says(explained(), "declared may use it\n")
    fine("teams", "create", "search", "--budget", "$100/day")
    fine("keys", "create", "app", "--team", "search", "--rpm", "60", "--expires", "2030-12-31")
    says(explained(), "declared may use it, and keys of the ledger that allow it")
    local out = explained("--key", "app")
    says(out, "app   may use every model · 60 rpm · until 2030-12-31\n")
    says(out, "team search: $100/day · left now: $100/day\n")
    local _, _, err = run("keys", "create", "b", "--team", "serch")
    says(err, '--team names no team of the ledger; did you mean "search"?')
    fine("keys", "update", "app", "--models", "other")
    local status, why = run("explain", "mock", "--routes", gw.routes_file, "--key", "app")
    assert.equal(1, status)
    says(why, "and so not mock: this call gets a 404")
    local answer = gw:admin("GET", "/admin/explain?model=mock&key=app")
    assert.equal(200, answer.status, answer.body)
    assert.equal(404, helper.json.decode(answer.body).refused.status)
    fine("keys", "update", "app", "--models", "none")
    fine("teams", "disable", "search")
    without_gateway(function()
      local code, text = process.run { helper.binary, "explain", "mock", "--routes",
        gw.routes_file, "--key", "app", "--data", gw.data }
      assert.equal(1, code)
      says(text, "it, or its team, is disabled: this call gets a 403")
    end)
  end)

  it("is told of models that there are none of, with a gateway and without", function()
    local function told(...)
      local status, out, err = run(...)
      assert.equal(0, status, out .. err)
      return err:match 'warning: (%-%-models has "[^\n]*)'
    end
    local want = '--models has "mok", which is not a model of routes.lua now; '
      .. 'did you mean "mock"?'
    assert.equal(want, told("keys", "create", "app", "--models", "mock,mok"))
    assert.is_nil(told("keys", "update", "app", "--models", "mock"))
    assert.equal(want, told("teams", "create", "red", "--models", "mok"))
    without_gateway(function()
      local function alone(name, models)
        local status, out, err = process.run({ BINARY, "keys", "create", name, "--data",
          gw.data, "--models", models }, { cwd = gw.dir })
        assert.equal(0, status, out .. err)
        return err:match 'warning: (%-%-models has "[^\n]*)'
      end
      assert.equal(want, alone("b", "mok"))
      assert.is_nil(alone("c", "mock"))
    end)
  end)

  it("checks a file beside the keys of a ledger", function()
    local text = ROUTES .. '\nmodel "other" { provider "mock" { name = "o" } "mock" }\n'
      .. 'virtual_key "narrow" { token = "sk-narrow-0123456789abcdef", models = { "mock" } }'
    text = text:gsub('virtual_key "declared"[^\n]*\n', "")
    local file = gw.dir .. "/narrow.lua"
    process.write(file, text)
    local function warned() return fine("check", file):find("no virtual_key may", 1, true) end
    assert.is_truthy(warned())
    fine("keys", "create", "app")
    assert.is_nil(warned())
  end)

  it("shows budgets and what is left of them", function()
    local key = fine("keys", "create", "app", "--budget", "$1/day,$5"):match "%S+"
    assert.equal(200, chat(key))
    local out = fine "budgets"
    assert.is_truthy(out:find "key:app +day +%$1 +%$0.0000075 +%$0 +%$0.9999925 +2", out)
    assert.is_truthy(out:find "key:app +ever +%$5 +%$0.0000075 +%$0 +%$4.9999925 +never", out)
    fine("keys", "update", "app", "--budget", "$0.000000001/year")
    assert.equal(429, chat(key))
    fine("keys", "update", "app", "--budget", "none")
    assert.equal(200, chat(key))
    assert.is_nil(fine("budgets"):find("key:app", 1, true))
  end)

  it("answers the same from the folder when no gateway runs", function()
    local key = fine("keys", "create", "app", "--budget", "$1/day"):match "%S+"
    for _ = 1, 3 do assert.equal(200, chat(key)) end
    local before = {
      fine("usage", "--by", "key", "--json"), fine("keys", "list"), fine "budgets",
    }
    without_gateway(function()
      assert.same(before, {
        fine("usage", "--by", "key", "--json"), fine("keys", "list"), fine "budgets",
      })
      local csv = fine("usage", "--csv")
      assert.is_truthy(csv:find("app,3,0,6,0,0,6,0,0.0000225,0,0,0", 1, true), csv)
      assert.is_truthy(fine("keys", "create", "later"):find "^mg%-")
      assert.equal(0, (run "audit"))
    end)
  end)

  it("B-32: audit ends with 1 when a nano-dollar is missing anywhere", function()
    local key = fine("keys", "create", "app"):match "%S+"
    for _ = 1, 3 do assert.equal(200, chat(key)) end
    assert.is_truthy(fine("audit"):find("All agree", 1, true))
    without_gateway(function()
      fine "audit"
      for table, column in pairs {
        requests = "cost_nano", attempts = "cost_nano", usage_sums = "cost_nano",
        spend = "nano",
      } do
        local where = table == "spend" and " WHERE account='org'" or ""
        for _, change in ipairs { "+1", "-1" } do
          local status, _, err = process.run { "python3", "-c", ("import sqlite3\n"
            .. "c=sqlite3.connect(%q)\nc.execute(%q)\nc.commit()"):format(
            gw.data .. "/ledger.db",
            ("UPDATE %s SET %s=%s%s%s"):format(table, column, column, change, where)) }
          assert.equal(0, status, err)
          local code, out = run "audit"
          assert.equal(change == "+1" and 1 or 0, code, table .. change .. out)
        end
      end
    end)
    assert.equal(22500, 3 * COST)
  end)

  it("B-32: audits agree while requests go on", function()
    local one = ROUTES:gsub('model "mock" %b{}', [[
      model "one" { mock { "mock", price = { input = "1.5", output = "2.25" } } }]])
    one = one:gsub("sk%-of%-routes%-0123456789abcdef", "k")
    gw:reload(one)
    local hammers = {}
    for i = 1, 3 do
      hammers[i] = process.start({ "luajit", "tests/support/hammer.lua", tostring(gw.port),
        gw.dir .. "/out" .. i }, { stdout = gw.dir .. "/hammer.log" })
    end
    local function served()
      return gw:metric("moongate_requests_total", { outcome = "ok" }) or 0
    end
    helper.wait_until(function() return served() > 100 end, 20, "requests")
    for _ = 1, 8 do
      local status, out = run "audit"
      assert.equal(0, status, out)
    end
    for _, hammer in ipairs(hammers) do hammer:stop(process.KILL) end
    fine "audit"
  end)

  it("is answered from the first moment that it can ask", function()
    for i = 1, 6 do
      local port = helper.free_port()
      local other = process.start({ helper.binary, "serve", "--routes", gw.routes_file,
        "--data", gw.dir .. "/early" .. i, "--listen", "127.0.0.1:0",
        "--admin", "127.0.0.1:" .. port, "--workers", "2" }, { stdout = gw.dir .. "/log2" })
      local response = helper.wait_until(function()
        local ok, answer = pcall(helper.http.request, port,
          { method = "GET", path = "/admin/keys" })
        return ok and answer
      end, 10, "an answer")
      other:stop()
      assert.equal(200, response.status, response.body)
    end
  end)

  it("T18: takes the token from the environment, over a Unix socket of mode 0600",
    function()
      local other = helper.gateway {
        routes = ROUTES, args = { "--admin", "unix:" .. gw.dir .. "/admin.sock" },
        env = { MOONGATE_ADMIN_TOKEN = "admin-token-0123456789" }, silent = true,
      }
      finally(function() other:stop() end)
      local address = "unix:" .. gw.dir .. "/admin.sock"
      local _, mode = process.run { "stat", "-c", "%a", gw.dir .. "/admin.sock" }
      assert.equal("600\n", mode)
      local words = { "keys", "list", "--admin", address }
      local status, out, err = gw:run(words)
      assert.equal(1, status, out)
      assert.is_truthy(err:find("admin token is needed", 1, true), err)
      local third
      third, out, err = process.run { helper.binary, "serve", "--data", gw.dir .. "/third",
        "--listen", "127.0.0.1:0", "--admin", address } -- which must not take it away
      assert.equal(4, third, out .. err)
      assert.is_truthy(err:find("--admin names another address", 1, true), err)
      local env = { MOONGATE_ADMIN_TOKEN = "admin-token-0123456789" }
      assert.equal(0, (gw:run(words, { env = env })))
      assert.equal(0, (gw:run({ "reload", "--wait", "--admin", address }, { env = env })))
      assert.equal(1, (gw:run { "reload", "--wait", "--admin", address }))
    end)

  it("S-24: leaves this machine only with a token", function()
    local port = helper.free_port()
    local args = { "--admin", "0.0.0.0:" .. port }
    local all = { helper.binary, "serve", "--routes", gw.routes_file, "--data", gw.dir .. "/d",
      "--listen", "127.0.0.1:0", unpack(args) }
    local status, out, err = process.run(all, { env = gw.env })
    assert.equal(2, status, out .. err)
    local other = process.start(all, { stdout = gw.dir .. "/log2",
      env = { MOONGATE_ADMIN_TOKEN = "admin-token-0123456789" } })
    finally(function() other:stop() end)
    local function ask(path, headers)
      return helper.http.request(port, { method = "GET", path = path, headers = headers })
    end
    helper.wait_until(function()
      local ok, response = pcall(ask, "/healthz")
      return ok and response and response.status == 200
    end, 10, "the other gateway")
    local token = { authorization = "Bearer admin-token-0123456789", host = "gw.example:4001" }
    assert.equal(401, ask("/metrics", { host = "gw.example:4001" }).status)
    assert.equal(401, ask("/admin/keys", { host = "gw.example:4001" }).status)
    assert.equal(200, ask("/metrics", token).status)
    assert.equal(200, ask("/admin/keys", token).status)
    token.origin = "http://gw.example"
    assert.equal(403, ask("/admin/keys", token).status)
  end)
end)
