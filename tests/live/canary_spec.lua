-- S-21: secrets that must turn up nowhere, through everything that goes well or wrong.

local admin_of = require "support.admin"
local cjson = require "cjson"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"

-- Secrets as people have them; what is looked for is the part that is secret.
local PROVIDER = "sk-canaryprovider0123456789abcdefghijklmnop"
local WRITTEN = "mg-canarywrittenkey0123456789abcdefghijkl"
local TOKEN = "canary-admin-token-0123456789abcdefghijkl"
local PROMPT = "canaryprompt of a very private kind 4711"
local ANSWER = "canaryanswer of a very private kind 4712"

local LANES = {
  "whole", "stream", "echo400", "echo401", "echo429", "echo500", "header", "cut", "broken",
  "streamed_error",
}

-- What an operator's script may do with all it is given, and then fail.
local SCRIPTS = [[
local function dump(value, depth)
  if type(value) ~= "table" or depth > 4 then return tostring(value) end
  local out = {}
  for name, inner in pairs(value) do
    out[#out + 1] = tostring(name) .. "=" .. dump(inner, depth + 1)
  end
  return table.concat(out, " ")
end
route(function(call)
  log.info("route " .. dump(call, 0))
  if call.model == "failing" then error("failing with " .. dump(call, 0)) end
end)
on_error(function(err, call) log.warn("on_error " .. dump(err, 0) .. dump(call, 0)) end)
on_usage(function(usage) log.info("on_usage " .. dump(usage, 0)) end)
]]

local function routes(up)
  local out = {}
  for _, lane in ipairs { "failing", unpack(LANES) } do
    out[#out + 1] = ([[
model %q {
  provider "openai_compatible" { name = %q, base_url = %q, api_key = env.PROVIDER_KEY } {
    { "gpt-4o-mini", price = { input = 1, output = 2 } },
  },
  retries = 0,
}]]):format(lane, lane, up:url(lane) .. "/v1"):gsub("{\n    { (.-) },\n  }", "{ %1 }")
  end
  out[#out + 1] = 'virtual_key "written" { token = env.WRITTEN_KEY }'
  return table.concat(out, "\n") .. "\n" .. SCRIPTS
end

local function echo(status)
  return {
    status = status, headers = { ["x-echo"] = "Bearer " .. PROVIDER },
    body = cjson.encode { error = {
      message = "Incorrect API key provided: " .. PROVIDER .. " (Bearer " .. PROVIDER .. ")",
      type = "invalid_request_error", code = "invalid_api_key",
    } },
  }
end

local function answer_all(up)
  up:reply("whole", { body = helper.completion(ANSWER) })
  up:reply("stream", { body = helper.stream(ANSWER), stream = "whole" })
  for _, status in ipairs { 400, 401, 429, 500 } do
    up:reply("echo" .. status, echo(status))
  end
  local leaky = helper.completion(ANSWER)
  up:reply("header", { body = leaky, headers = {
    authorization = "Bearer " .. PROVIDER, ["x-api-key"] = PROVIDER, ["set-cookie"] = PROVIDER,
  } })
  up:reply("cut", { body = helper.piece(ANSWER), stream = "whole", after = "fin\n" })
  up:reply("broken", { body = '{"key":"' .. PROVIDER .. '",' })
  up:reply("streamed_error", { stream = "whole", body = helper.piece "a"
    .. 'data: {"error":{"message":"bad key ' .. PROVIDER .. '","type":"x"}}\n\n' })
end

local function files_below(dir, into)
  for name in lfs.dir(dir) do
    local path = dir .. "/" .. name
    local mode = lfs.attributes(path, "mode")
    if mode == "directory" and name ~= "." and name ~= ".." then files_below(path, into) end
    if mode == "file" then into[path] = process.read(path) end
  end
  return into
end

describe("S-21: a canary", function()
  local up, gw, key, second, admin, spoken

  local function ask(model, token)
    local response = gw:chat(cjson.encode {
      model = model, stream = model:find "stream" ~= nil or model == "cut", user = "u1",
      messages = { { role = "user", content = PROMPT } },
    }, { key = token })
    spoken[#spoken + 1] = { what = model, text = cjson.encode(response.headers)
      .. response.body }
    return response
  end

  local function look(path, method, body)
    local response = admin:ask(method or "GET", path, body)
    spoken[#spoken + 1] = { what = path, text = response.body }
    return response
  end

  setup(function()
    spoken = {}
    up = helper.upstream()
    answer_all(up)
    gw = helper.gateway {
      routes = routes(up), loud = true, args = { "--log-level", "debug" },
      env = { PROVIDER_KEY = PROVIDER, WRITTEN_KEY = WRITTEN, MOONGATE_ADMIN_TOKEN = TOKEN },
    }
    admin = admin_of(gw, TOKEN)
    admin:team { name = "search" }
    local made = admin:key { name = "made", team = "search" }
    key = made.key
    second = admin:must("POST", "/admin/keys/" .. made.id .. "/rotate", { overlap = "1h" }).key
    for _, token in ipairs { WRITTEN, key, second } do
      for _, lane in ipairs(LANES) do ask(lane, token) end
      assert.equal(500, ask("failing", token).status)
      local broken = gw:chat('{"model":5,"messages":"' .. token, { key = token })
      assert.equal(400, broken.status)
      spoken[#spoken + 1] = { what = "broken JSON", text = broken.body }
      local unknown = gw:chat(helper.ask(token), { key = token }) -- is told its own words
      assert.equal(404, unknown.status)
      assert.equal(401, ask("whole", token .. "x").status)
    end
    look("/admin/keys/" .. made.id, "PATCH", { rpm = key })
    look("/admin/keys", "POST", { name = key, models = { second, TOKEN }, rpm = TOKEN })
    look("/admin/keys/" .. second .. "/rotate", "POST")
    for _, path in ipairs {
      "/admin/keys", "/admin/keys/" .. made.id, "/admin/teams", "/admin/teams/search",
      "/admin/usage?by=key", "/admin/budgets", "/admin/audit", "/admin/openapi.json",
      "/admin/explain?model=whole", "/admin/welcome", "/metrics", "/health/ready",
      "/key/info?key=" .. made.id, "/spend/logs", "/admin/prices",
    } do look(path) end
    assert.equal(200, ask("whole", key).status)
    helper.wait_until(function() return #gw:journal() >= 40 end, 5, "the journal")
    look "/admin/usage?by=key"
  end)

  teardown(function()
    gw:stop()
    up:stop()
  end)

  -- In the clear, or as the hex of its bytes.
  local function absent(text, where, names)
    for name, secret in pairs(names) do
      assert.is_nil(text:find(secret, 1, true), name .. " in " .. where)
    end
  end

  local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end

  local function secrets()
    local pepper = process.read(gw.data .. "/pepper")
    return {
      provider = PROVIDER:sub(4), written = WRITTEN:sub(4), token = TOKEN,
      key = key:sub(17), second = second:sub(17), pepper = pepper, pepper_hex = hex(pepper),
    }
  end

  local function with_content(names)
    names.prompt, names.answer = PROMPT, ANSWER
    return names
  end

  it("provider got its key and the prompt, or this shows nothing", function()
    local request = up:last "whole"
    assert.equal("Bearer " .. PROVIDER, request.headers.authorization)
    assert.truthy(request.body:find(PROMPT, 1, true))
  end)

  it("is in no log line, at any level", function()
    local text = gw:log_text()
    assert.truthy(text:find("on_usage", 1, true) and text:find("failing with", 1, true))
    local names = secrets()
    names.prompt, names.answer = PROMPT, ANSWER
    absent(text, "the log", names)
  end)

  it("is in no answer, of either listener", function()
    for _, one in ipairs(spoken) do absent(one.text, one.what, secrets()) end
  end)

  it("is in no metric", function()
    absent(admin:ask("GET", "/metrics").body, "metrics", with_content(secrets()))
  end)

  it("is in no file of the data folder but the pepper's own", function()
    local files, n = files_below(gw.data, {}), 0
    for path, text in pairs(files) do
      local names = with_content(secrets())
      if path:find "/pepper$" then names.pepper = nil end
      absent(text, path, names)
      n = n + 1
    end
    assert.is_true(n >= 4, n) -- ledger, log, journal, pepper
  end)

  it("S-43: is in no process' environment or command line", function()
    for _, pid in ipairs { gw.process.pid, gw:child() } do
      for _, name in ipairs { "environ", "cmdline" } do
        local file = io.open(("/proc/%d/%s"):format(pid, name))
        local text = file and file:read "*a" or ""
        if file then file:close() end
        absent(text, name, name == "environ" and { token = TOKEN } or secrets())
      end
    end
  end)
end)
