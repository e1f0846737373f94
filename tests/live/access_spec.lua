-- S-13: every route, for every kind of asker. The routes come from the tables that serve them:
-- one that the table below does not know fails the test.

local admin_of = require "support.admin"
local helper = require "helper"
local socket = require "socket"
local world = require "unit.world"

local TOKEN = "operators-own-token-0123456789"
local NOBODY = "mg-" .. ("a"):rep(12) .. "-" .. ("b"):rep(43)
local CHAT = helper.ask "small"
local ROUTES = [[
model "small" { provider "mock" {} "mock" }
virtual_key "written" { token = "written-key" }
]]

local MESSAGES = (CHAT:gsub("^{", '{"max_tokens":9,'))
local RESPONSES, INPUT = '{"model":"small","input":"hi"}', '{"model":"small","input":["hi"]}'
local PROMPT = '{"model":"small","prompt":"hi"}'
local DOCUMENTS = '{"model":"small","query":"hi","documents":["hi"]}'
local PAGES = '{"model":"small","document":{"type":"document_url"}}'
local CONTENTS = '{"contents":[{"parts":[{"text":"hi"}]}]}'
local CONTENT = '{"content":{"parts":[{"text":"hi"}]}}'
local BATCH = '{"requests":[' .. CONTENT .. "]}"
-- What stands for a code in a dialect whose errors have none.
local STATUS = {
  missing_api_key = 401, invalid_api_key = 401, key_disabled = 403, key_expired = 403,
}

-- Public routes: method, body, and what a good key gets.
local PUBLIC = {
  ["/v1/chat/completions"] = { "POST", CHAT, 200 },
  ["/chat/completions"]    = { "POST", CHAT, 200 },
  ["/v1/messages"]           = { "POST", MESSAGES, 200, codeless = true },
  ["/messages"]              = { "POST", MESSAGES, 200, codeless = true },
  ["/anthropic/v1/messages"] = { "POST", MESSAGES, 200, codeless = true },
  ["/v1/messages/count_tokens"]           = { "POST", MESSAGES, 200, codeless = true },
  ["/messages/count_tokens"]              = { "POST", MESSAGES, 200, codeless = true },
  ["/anthropic/v1/messages/count_tokens"] = { "POST", MESSAGES, 200, codeless = true },
  ["/v1/responses"]   = { "POST", RESPONSES, 200 },
  ["/responses"]      = { "POST", RESPONSES, 200 },
  ["/v1/responses/input_tokens"] = { "POST", RESPONSES, 200 },
  ["/responses/input_tokens"]    = { "POST", RESPONSES, 200 },
  ["/v1/completions"] = { "POST", PROMPT, 200 },
  ["/completions"]    = { "POST", PROMPT, 200 },
  ["/v1/embeddings"]  = { "POST", INPUT, 200 },
  ["/embeddings"]     = { "POST", INPUT, 200 },
  -- Nobody here has these: a good key learns that.
  ["/v1/images/generations"] = { "POST", PROMPT, "unsupported_endpoint" },
  ["/images/generations"]    = { "POST", PROMPT, "unsupported_endpoint" },
  ["/v1/images/edits"]       = { "POST", PROMPT, "unsupported_endpoint" },
  ["/images/edits"]          = { "POST", PROMPT, "unsupported_endpoint" },
  ["/v1/images/variations"]  = { "POST", PROMPT, "unsupported_endpoint" },
  ["/images/variations"]     = { "POST", PROMPT, "unsupported_endpoint" },
  ["/v1/audio/speech"]       = { "POST", RESPONSES, "unsupported_endpoint" },
  ["/audio/speech"]          = { "POST", RESPONSES, "unsupported_endpoint" },
  ["/v1/audio/transcriptions"] = { "POST", PROMPT, "unsupported_endpoint" },
  ["/audio/transcriptions"]    = { "POST", PROMPT, "unsupported_endpoint" },
  ["/v1/audio/translations"] = { "POST", PROMPT, "unsupported_endpoint" },
  ["/audio/translations"]    = { "POST", PROMPT, "unsupported_endpoint" },
  ["/v1/ocr"]                = { "POST", PAGES, "unsupported_endpoint" },
  ["/ocr"]                   = { "POST", PAGES, "unsupported_endpoint" },
  ["/v1/moderations"] = { "POST", INPUT, "unsupported_endpoint" },
  ["/moderations"]    = { "POST", INPUT, "unsupported_endpoint" },
  ["/v1/rerank"]      = { "POST", DOCUMENTS, "unsupported_endpoint" },
  ["/rerank"]         = { "POST", DOCUMENTS, "unsupported_endpoint" },
  ["/v2/rerank"]      = { "POST", DOCUMENTS, "unsupported_endpoint" },
  -- What is found by its parts (pipeline/stored_paths.lua).
  ["/v1/files"]             = { "POST", PROMPT, "unsupported_endpoint" },
  ["/files"]                = { "GET", nil, "unsupported_endpoint" },
  ["/v1/files/f"]           = { "GET", nil, "not_found" },
  ["/files/f"]              = { "DELETE", nil, "not_found" },
  ["/v1/files/f/content"]   = { "GET", nil, "not_found" },
  ["/v1/batches"]           = { "POST", PROMPT, "missing_required_parameter" },
  ["/batches"]              = { "GET", nil, "unsupported_endpoint" },
  ["/v1/batches/b"]         = { "GET", nil, "not_found" },
  ["/v1/batches/b/cancel"]  = { "POST", nil, "not_found" },
  ["/v1/messages/batches"]           = { "GET", nil, 400, codeless = true },
  ["/v1/messages/batches/b"]         = { "DELETE", nil, 404, codeless = true },
  ["/v1/messages/batches/b/results"] = { "GET", nil, 404, codeless = true },
  ["/v1/messages/batches/b/cancel"]  = { "POST", nil, 404, codeless = true },
  ["/anthropic/v1/messages/batches"] = { "GET", nil, 400, codeless = true },
  ["/v1beta/models/small:generateContent"]       = { "POST", CONTENTS, 200, codeless = true },
  ["/v1beta/models/small:streamGenerateContent"] = { "POST", CONTENTS, 200, codeless = true },
  ["/v1beta/models/small:countTokens"]           = { "POST", CONTENTS, 200, codeless = true },
  ["/v1beta/models/small:embedContent"]          = { "POST", CONTENT, 200, codeless = true },
  ["/v1beta/models/small:batchEmbedContents"]    = { "POST", BATCH, 200, codeless = true },
  ["/v1/models/small:generateContent"]           = { "POST", CONTENTS, 200, codeless = true },
  ["/v1beta/models"]       = { "GET", nil, 200, codeless = true },
  ["/v1beta/models/small"] = { "GET", nil, 200, codeless = true },
  ["/v1/models"]           = { "GET", nil, 200 },
  ["/models"]              = { "GET", nil, 200 },
  ["/v1/usage"]            = { "GET", nil, 200 },
  ["/usage"]               = { "GET", nil, 200 },
  ["/healthz"]             = { "GET", nil, 200, open = true },
  ["/v1/healthz"]          = { "GET", nil, 200, open = true },
}

-- Operations of the admin listener: who may. "team": a team's administrator too, on what is its
-- own; "here": whoever reaches it on this machine.
local ADMIN = {
  live = "open", ready = "open", health = "open", metrics = "here",
  describe = "team", reload = "operator", explain = "operator", welcome = "operator",
  createKey = "team", listKeys = "team", getKey = "team", updateKey = "team",
  deleteKey = "team", rotateKey = "team", disableKey = "team", enableKey = "team",
  createTeam = "operator", listTeams = "team", getTeam = "team", updateTeam = "operator",
  deleteTeam = "operator", disableTeam = "operator", enableTeam = "operator",
  usage = "team", budgets = "team", audit = "operator", prices = "operator",
  litellmKeyGenerate = "team", litellmKeyInfo = "team", litellmKeyUpdate = "team",
  litellmKeyDelete = "team", litellmTeamNew = "operator", litellmTeamInfo = "team",
  litellmSpendLogs = "team",
}

-- Bodies that would be right.
local BODIES = {
  createKey = { name = "made" }, updateKey = { rpm = 1 }, createTeam = { name = "made" },
  updateTeam = { rpm = 1 },
}

local read = require("support.file").text

local function public_paths()
  local out = {}
  local list = read "scripts/pipeline/ingress.lua":match "local ENDPOINTS = (%b{})"
  for path in list:gmatch '%["(/[^"]+)"%]' do out[#out + 1] = path end
  assert(#out > 0)
  for path in pairs(PUBLIC) do -- whose model stands in the path
    if path:find("^/v1beta/") or path:find(":", 1, true) or path:find("/files", 1, true)
      or path:find("/batches", 1, true) then out[#out + 1] = path end
  end
  table.sort(out)
  return out
end

local function operations()
  world.new(ROUTES)
  package.loaded["engine.admin"] = { status = function() return {} end }
  package.loaded["engine.ledger"] = {}
  return require "pipeline.admin.registry".list()
end

describe("S-13:", function()
  local gw, operator, keys

  setup(function()
    gw = helper.gateway { routes = ROUTES, env = { MOONGATE_ADMIN_TOKEN = TOKEN } }
    operator = admin_of(gw, TOKEN)
    operator:team { name = "mine" }
    operator:team { name = "theirs" }
    keys = {
      client = operator:key { name = "client", team = "mine" },
      disabled = operator:key { name = "disabled", team = "mine", disabled = true },
      expired = operator:key { name = "expired", team = "mine", expires = "2020-01-01" },
      boss = operator:key { name = "boss", team = "mine", role = "team_admin" },
      victim = operator:key { name = "victim", team = "theirs" },
    }
  end)

  teardown(function() gw:stop() end)

  local function public(path, token)
    local route = PUBLIC[path]
    local want = { method = route[1], path = path, body = route[2], headers = {} }
    if want.body then want.headers["content-type"] = "application/json" end
    if token then want.headers.authorization = "Bearer " .. token end
    local response = gw:request(want)
    local code = response.body:match '"code":"([%w_]+)"'
    return response.status >= 400 and code or response.status
  end

  it("every public route is in the table", function()
    for _, path in ipairs(public_paths()) do assert.truthy(PUBLIC[path], path) end
  end)

  it("public routes, for every kind of asker", function()
    for _, path in ipairs(public_paths()) do
      local route = PUBLIC[path]
      local function expects(want, token)
        if route.codeless then want = STATUS[want] or want end
        assert.equal(route.open and 200 or want, public(path, token), path)
      end
      expects("missing_api_key")
      expects("invalid_api_key", NOBODY)
      expects("key_disabled", keys.disabled.key)
      expects("key_expired", keys.expired.key)
      expects(route[3], keys.client.key)
      expects(route[3], keys.victim.key)
      expects(route[3], keys.boss.key)
      expects(route[3], "written-key")
      expects("invalid_api_key", TOKEN)
    end
  end)

  local function ask(op, token, id, team)
    local path = op.path:gsub("{id}", id or NOBODY:sub(4, 15)):gsub("{team}", team or "theirs")
    local response = admin_of(gw, token):ask(op.method, path, BODIES[op.id])
    local code = response.json and response.json.error and response.json.error.code
    return response.status, code, response
  end

  it("every operation of the admin listener is in the table", function()
    for _, op in ipairs(operations()) do assert.truthy(ADMIN[op.id], op.id) end
  end)

  it("admin operations refuse whoever is not known", function()
    for _, op in ipairs(operations()) do
      local open = ADMIN[op.id] == "open" or ADMIN[op.id] == "here"
      local function refuses(status, code, token)
        local got, why = ask(op, token)
        if open then
          assert.is_true(got == 200, op.id)
        else
          assert.same({ status, code }, { got, why }, op.id)
        end
      end
      refuses(401, "missing_api_key")
      refuses(403, "key_disabled", keys.disabled.key)
      refuses(403, "key_expired", keys.expired.key)
      refuses(403, "not_permitted", keys.client.key)
      refuses(403, "not_permitted", "written-key")
    end
  end)

  it("admin operations refuse a wrong key", function()
    for i, op in ipairs(operations()) do
      local open = ADMIN[op.id] == "open" or ADMIN[op.id] == "here"
      if i % 9 == 0 then socket.sleep(1.1) end -- or the limiter waits for us
      local status, code = ask(op, NOBODY)
      assert.same(open and { 200 } or { 401, "invalid_api_key" }, { status, code }, op.id)
    end
  end)

  it("a team's administrator does nothing global", function()
    for _, op in ipairs(operations()) do
      if ADMIN[op.id] == "operator" then
        local status, code = ask(op, keys.boss.key)
        assert.same({ 403, "not_permitted" }, { status, code }, op.id)
      end
    end
  end)

  it("S-16: another team's objects are absent, word for word", function()
    for _, op in ipairs(operations()) do
      if ADMIN[op.id] == "team" and op.path:find("{", 1, true) then
        local status, code, response = ask(op, keys.boss.key, keys.victim.id, "theirs")
        assert.same({ 404, "not_found" }, { status, code }, op.id)
        local _, _, absent = ask(op, keys.boss.key, nil, "nowhere")
        assert.equal(absent.body, response.body, op.id)
      end
    end
    assert.equal(200, public("/v1/models", keys.victim.key))
  end)

  it("a team's administrator sees its own team alone", function()
    local boss = admin_of(gw, keys.boss.key)
    for _, path in ipairs { "/admin/keys", "/admin/teams", "/admin/usage?by=key",
      "/admin/budgets" } do
      local response = boss:ask("GET", path)
      assert.equal(200, response.status, path .. response.body)
      assert.is_nil(response.body:find("theirs", 1, true), path)
      assert.is_nil(response.body:find("victim", 1, true), path)
      assert.is_nil(response.body:find(keys.victim.id, 1, true), path)
    end
    assert.equal(4, #boss:must("GET", "/admin/keys").data)
  end)

  it("nothing of the admin listener is on the public one", function()
    local seen = {}
    for _, op in ipairs(operations()) do
      if not PUBLIC[op.path] and not seen[op.path] then
        seen[op.path] = true
        local response = gw:request {
          method = op.method, path = op.path:gsub("[{}]", ""),
          headers = { authorization = "Bearer " .. TOKEN },
        }
        assert.equal(404, response.status, op.path)
      end
    end
  end)
end)
