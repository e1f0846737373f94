-- Every door: keys in all forms, models, health, the admin listener, the headers of an answer.

local helper = require "helper"
local pair = require "support.pair"

local ALL = "mg-test-all-0123456789abcdef"
local SOME = "mg-test-some-0123456789abcdef"
local OLD = "mg-test-old-0123456789abcdef"

describe("doors", function()
  local up, gw = pair.once(function(up)
    return {
      env = { KEY_ALL = ALL, KEY_SOME = SOME, KEY_OLD = OLD },
      routes = helper.routes(up, { "one", "two" }, [[
model "plain/*" { provider "openai_compatible" { name = "wild", base_url = "]]
        .. up:url "wild" .. [[/v1" } "*" }
alias { ["gpt-nice"] = "one" }
virtual_key "all" { token = env.KEY_ALL, models = { "*" }, tags = { team = "red" } }
virtual_key "some" { token = env.KEY_SOME, models = { "two" } }
virtual_key "old" { token = env.KEY_OLD, models = { "*" }, expires = "2020-01-01" }
]]),
    }
  end)

  before_each(function()
    for _, lane in ipairs { "one", "two", "wild" } do
      up:reply(lane, { body = helper.completion(lane) })
    end
  end)

  local function post(path, headers)
    headers["content-type"] = "application/json"
    local response =
      gw:request { method = "POST", path = path, headers = headers, body = helper.ask "one" }
    response.json = helper.json.decode(response.body)
    return response
  end

  for name, headers in pairs {
    ["Authorization: Bearer"] = { authorization = "Bearer " .. ALL },
    ["authorization: bearer"] = { authorization = "bearer " .. ALL },
    ["api-key"] = { ["api-key"] = ALL },
    ["x-api-key"] = { ["x-api-key"] = ALL },
    ["both, the same"] = { authorization = "Bearer " .. ALL, ["x-api-key"] = ALL },
  } do
    for _, path in ipairs { "/v1/chat/completions", "/chat/completions" } do
      it("takes the key as " .. name .. " at " .. path, function()
        local response = post(path, headers)
        assert.equal(200, response.status, response.body)
        assert.equal("one", response.json.choices[1].message.content)
      end)
    end
  end

  it("T3: refuses two keys that differ", function()
    local response = post("/v1/chat/completions",
      { authorization = "Bearer " .. ALL, ["x-api-key"] = SOME })
    assert.equal(400, response.status)
    response = post("/v1/chat/completions",
      { { "authorization", "Bearer " .. ALL }, { "authorization", "Bearer " .. SOME } })
    assert.equal(400, response.status)
    assert.equal(0, (up:stats()))
  end)

  it("refuses an expired key", function()
    local response = post("/v1/chat/completions", { authorization = "Bearer " .. OLD })
    assert.equal(403, response.status)
    assert.equal("key_expired", response.json.error.code)
  end)

  local function models(key, path)
    local response =
      gw:request { path = path or "/v1/models", headers = { authorization = "Bearer " .. key } }
    assert.equal(200, response.status, response.body)
    local list = helper.json.decode(response.body)
    assert.equal("list", list.object)
    local names = {}
    for _, model in ipairs(list.data) do
      assert.equal("model", model.object)
      names[model.id] = true
    end
    return names
  end

  it("lists the models that a key may use", function()
    local names = models(ALL)
    assert.is_true(names.one and names.two)
    assert.same(names, models(ALL, "/models"))
    assert.same({ two = true }, models(SOME))
  end)

  it("lists no models without a key", function()
    assert.equal(401, gw:request({ path = "/v1/models" }).status)
  end)

  it("serves a wildcard group by the matched name", function()
    local response = gw:chat(helper.ask "plain/some-model", { key = ALL })
    assert.equal(200, response.status, response.body)
    assert.equal("some-model", helper.json.decode(up:last("wild").body).model)
  end)

  it("serves an alias", function()
    assert.equal(200, gw:chat(helper.ask "gpt-nice", { key = ALL }).status)
    assert.equal(1, #up:requests "one")
  end)

  it("says who answered, at which try, for how much", function()
    local headers = gw:chat(helper.ask "one", { key = ALL }).headers
    assert.equal("one/gpt-4o-mini", headers["x-moongate-deployment"])
    assert.equal("1", headers["x-moongate-attempts"])
    assert.equal("0.00002", headers["x-moongate-cost"])
    assert.is_truthy(headers["x-moongate-request-id"]:match "^%x+%-%x+%-7%x+%-%x+%-%x+$")
    assert.is_truthy(headers["x-request-id"])
  end)

  it("says that a cost is unknown where the price is", function()
    local before = gw:metric "moongate_unpriced_requests_total" or 0
    local headers = gw:chat(helper.ask "plain/some-model", { key = ALL }).headers
    assert.equal("unknown", headers["x-moongate-cost"])
    assert.equal(before + 1, gw:metric "moongate_unpriced_requests_total")
  end)

  it("says on a stream what is known when it begins", function()
    up:reset()
    up:reply("one", { stream = "whole", body = helper.stream "hi" })
    local headers = gw:chat(helper.ask("one", '"stream":true'), { key = ALL }).headers
    assert.equal("one/gpt-4o-mini", headers["x-moongate-deployment"])
    assert.equal("1", headers["x-moongate-attempts"])
    assert.is_nil(headers["x-moongate-cost"])
  end)

  it("tells the official clients whether to try again", function()
    assert.equal("false", gw:chat(helper.ask "none", { key = ALL }).headers["x-should-retry"])
  end)

  it("is well, on both listeners, for anybody", function()
    assert.equal(200, gw:request({ path = "/healthz" }).status)
    assert.equal(200, gw:admin("GET", "/healthz").status)
  end)

  it("A-40: answers HEAD without a body", function()
    local connection = gw:raw("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
      .. "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert.equal(200, connection:head().status)
    assert.equal(200, connection:head().status)
    connection:close()
  end)

  -- The admin listener -----------------------------------------------------------------------

  it("keeps the public doors off the admin listener", function()
    local response = helper.http.request(gw.admin_port, {
      method = "POST", path = "/v1/chat/completions", body = helper.ask "one",
      headers = { authorization = "Bearer " .. ALL, ["content-type"] = "application/json" },
    })
    assert.equal(404, response.status)
  end)

  it("S-24: keeps metrics and admin off the public listener", function()
    for _, path in ipairs { "/metrics", "/admin/explain?model=one" } do
      local headers = { authorization = "Bearer " .. ALL }
      assert.equal(404, gw:request({ path = path, headers = headers }).status)
    end
  end)

  it("T32: refuses browsers", function()
    local origin = { origin = "http://evil.example" }
    assert.equal(403, gw:admin("POST", "/admin/reload", origin).status)
    assert.equal(403, gw:admin("GET", "/metrics", origin).status)
    assert.equal(403, gw:admin("GET", "/metrics", { host = "evil.example" }).status)
    assert.equal(200, gw:admin("GET", "/metrics", { host = "localhost:4001" }).status)
  end)

  it("explains", function()
    local response = gw:admin("GET", "/admin/explain?model=gpt-nice")
    assert.equal(200, response.status, response.body)
    assert.is_truthy(response.body:find("one/gpt-4o-mini", 1, true))
    assert.is_truthy(gw:admin("GET", "/admin/explain?model=none").status >= 400)
  end)

  local NAMES = {
    "moongate_build_info", "moongate_config_generation",
    "moongate_config_last_reload_successful", "moongate_requests_total",
    "moongate_request_duration_seconds_count", "moongate_time_to_first_token_seconds_count",
    "moongate_upstream_attempts_total", "moongate_upstream_duration_seconds_count",
    "moongate_tokens_total", "moongate_cost_usd_total", "moongate_requests_in_flight",
    "moongate_streams_open", "moongate_connections", "process_cpu_seconds_total",
    "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
    "process_start_time_seconds",
  }

  it("shows its metrics as Prometheus reads them", function()
    assert.equal(200, gw:chat(helper.ask "one", { key = ALL }).status)
    up:reset()
    up:reply("one", { stream = "whole", body = helper.stream "hi" })
    assert.equal(200, gw:chat(helper.ask("one", '"stream":true'), { key = ALL }).status)
    local response = gw:admin("GET", "/metrics")
    assert.equal(200, response.status)
    assert.is_truthy(response.headers["content-type"]:find("text/plain", 1, true))
    local kinds = {}
    for line in response.body:gmatch "[^\n]+" do
      local name, kind = line:match "^# TYPE ([%w_:]+) (%l+)$"
      if name then
        assert.is_nil(kinds[name], "twice: " .. line)
        kinds[name] = kind
      elseif not line:find "^# HELP [%w_:]+ " then
        local series, rest = line:match "^([%a_:][%w_:]*)(.*)$"
        local family = series:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
        assert.is_truthy(kinds[series] or kinds[family], "no TYPE before " .. line)
        assert.is_truthy(rest:find "^%b{} %S+$" or rest:find "^ %S+$", line)
        assert.is_truthy(tonumber(rest:match "(%S+)$"), line)
      end
    end
    for _, name in ipairs(NAMES) do
      assert.is_truthy(gw:metric(name), name .. " is missing")
    end
    assert.is_truthy(gw:metric("moongate_requests_total",
      { dialect = "openai", group = "one", model = "one", outcome = "ok" }))
    assert.is_truthy(gw:metric("moongate_cost_usd_total", { team = "red", group = "one" }))
  end)

  it("S-25: counts names that no file knows as one", function()
    for i = 1, 5 do gw:chat(helper.ask("made-up-" .. i), { key = ALL }) end
    local text = gw:admin("GET", "/metrics").body
    assert.is_nil(text:find("made%-up"))
    assert.is_truthy(gw:metric("moongate_requests_total", { model = "_unknown" }) >= 5)
  end)

  it("S-21: shows no secret and no prompt anywhere", function()
    local ask = '{"model":"one","messages":[{"role":"user","content":"canary-prompt"}]}'
    gw:chat(ask, { key = ALL })
    up:reset()
    up:reply("one", { status = 500,
      body = '{"error":{"message":"bad key upstream-key","type":"x"}}' })
    local answer = gw:chat(ask, { key = ALL }).body
    local out = table.concat {
      answer, gw:log_text(), gw:journal_text(), gw:admin("GET", "/metrics").body,
      gw:admin("GET", "/admin/explain?model=one").body,
    }
    for _, secret in ipairs { ALL, "upstream-key", "canary-prompt" } do
      assert.is_nil(out:find(secret, 1, true), secret .. " got out")
    end
  end)
end)

describe("a file without keys", function()
  local ROUTES = 'model "mock" { provider "mock" {} "mock" }'

  it("serves whoever asks, whatever key they send", function()
    local gw = helper.gateway { routes = ROUTES }
    for _, headers in ipairs { {}, { authorization = "Bearer any" }, { ["api-key"] = "x" } } do
      headers["content-type"] = "application/json"
      local response = gw:request { method = "POST", path = "/v1/chat/completions",
        headers = headers, body = helper.ask "mock" }
      assert.equal(200, response.status, response.body)
    end
    gw:assert_silent()
    gw:stop()
  end)

  it("is refused on an address that others reach", function()
    local dir = helper.process.temp_dir()
    helper.process.write(dir .. "/routes.lua", ROUTES)
    local status, out, err = helper.process.run { helper.binary, "serve", "--routes",
      dir .. "/routes.lua", "--data", dir .. "/data",
      "--listen", "0.0.0.0:" .. helper.free_port(),
      "--admin", "127.0.0.1:" .. helper.free_port() }
    assert.equal(3, status, out .. err)
    assert.is_truthy((out .. err):find("virtual_key", 1, true), out .. err)
    helper.remove_tree(dir)
  end)

  it("is refused at a reload there, too, and the file with keys serves on", function()
    local keyed = ROUTES .. '\nvirtual_key "me" { token = env.KEY }'
    local gw = helper.gateway {
      routes = keyed, loud = true, env = { KEY = "mg-key" }, host = "0.0.0.0",
    }
    helper.process.write(gw.routes_file, ROUTES)
    local status, out, err =
      gw:run { "reload", "--wait", "--admin", "127.0.0.1:" .. gw.admin_port }
    assert.equal(6, status, out .. err)
    assert.is_truthy(err:find("virtual_key", 1, true), err)
    assert.equal(401, gw:request({ path = "/v1/models" }).status)
    gw:stop()
  end)
end)
