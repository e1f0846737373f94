-- Files and batches in the real gateway: passed to the account that has them, known by ids that
-- another team's keys cannot use, and billed once.

local helper = require "helper"
local process = require "support.process"
local json = helper.json

local KEY = "mg-test-files-0123456789abcdef"

describe("files and batches:", function()
  local up, gw, dir

  local function routes()
    return ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
local openai = provider "openai" { api_key = "k", base_url = "%s/v1" }
local open = provider "openai_compatible" { name = "open", base_url = "%s/v1" }
local claude = provider "anthropic" { api_key = "k", base_url = "%s" }
model "gpt" { openai "gpt-4o-mini" }
model "own" { open { "own", price = { input = 4, output = 8, batch = 0.25 } } }
model "claude" { claude "claude-sonnet-4-5" }
model "mine" { claude "claude-opus-4-8" }
virtual_key "a" { token = env.KEY, team = "red" }
virtual_key "same" { token = env.SAME, team = "red" }
virtual_key "b" { token = env.OTHER, team = "blue" }
virtual_key "narrow" { token = env.NARROW, team = "red", models = { "gpt" } }
virtual_key "claudes" { token = env.CLAUDES, team = "red", models = { "mine" } }
virtual_key "paid" { token = env.PAID, team = "red", budget = "$5/day" }
]]):format(up:url "openai", up:url "open", up:url "claude")
  end

  setup(function() up = helper.upstream() end)
  teardown(function() up:stop() end)

  local function start()
    gw = helper.gateway { routes = routes(), data = dir .. "/data", env = {
      KEY = KEY, SAME = KEY .. "s", OTHER = KEY .. "o", NARROW = KEY .. "n", PAID = KEY .. "p",
      CLAUDES = KEY .. "c",
    } }
  end

  local function restart()
    gw:stop()
    start()
  end

  before_each(function()
    up:reset()
    dir = process.temp_dir()
    start()
  end)

  after_each(function()
    gw:assert_silent()
    gw:stop()
    os.execute("rm -r " .. dir)
  end)

  local function ask(method, path, body, more, key)
    local headers = { authorization = "Bearer " .. KEY .. (key or "") }
    if body then headers["content-type"] = "application/json" end
    for name, value in pairs(more or {}) do headers[name] = value end
    local response = gw:request {
      method = method, path = path, body = body, headers = headers,
    }
    local ok, value = pcall(json.decode, response.body)
    response.json = ok and value or nil
    return response
  end

  local FORM = '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\n'
    .. 'Content-Disposition: form-data; name="file"; filename="x.jsonl"\r\n\r\n{}\n\0\r\n'
    .. "--b--\r\n"
  local AS_FORM = { ["content-type"] = "multipart/form-data; boundary=b" }

  local function form(more)
    local out = {}
    for name, value in pairs(AS_FORM) do out[name] = value end
    for name, value in pairs(more or {}) do out[name] = value end
    return out
  end

  local AT_OPENAI = { ["x-moongate-model"] = "gpt" }

  local function upload(key)
    up:reply("openai", { body = '{"object":"file", "id":"file-1","bytes":3}' }, 1)
    local response = ask("POST", "/v1/files", FORM, form(AT_OPENAI), key)
    assert.equal(200, response.status, response.body)
    return response.json.id, response
  end

  local function last() return gw:last_row() end

  local function is_refused(response, status, code)
    assert.same({ status, code }, { response.status, response.json.error.code })
  end

  it("a file goes up as it came, and is known by an id of its own", function()
    local id, response = upload()
    assert.is_truthy(id:find "^file%-1%-mg%x+$")
    assert.equal('{"object":"file", "id":"' .. id .. '","bytes":3}', response.body)
    local asked = up:last "openai"
    assert.same({ "POST", "/openai/v1/files" }, { asked.method, asked.path })
    assert.is_true(asked.body == FORM)
    assert.equal("multipart/form-data; boundary=b", asked.headers["content-type"])
    assert.same({ "files", "gpt", 0, "ok" },
      { last().dialect, last().group, last().cost_nano, last().outcome })
  end)

  it("a file is shown, read and deleted under that id", function()
    local id = upload()
    up:reply("openai", { body = '{"id":"file-1","object":"file"}' }, 1)
    local response = ask("GET", "/v1/files/" .. id)
    assert.same({ 200, id }, { response.status, response.json.id })
    assert.same({ "GET", "/openai/v1/files/file-1", "" },
      { up:last("openai").method, up:last("openai").path, up:last("openai").body })
    local bytes = ("\0{}\n"):rep(1000)
    up:reply("openai", { body = bytes, headers = { ["content-type"] = "application/json" } }, 1)
    response = ask("GET", "/files/" .. id .. "/content")
    assert.is_true(response.body == bytes)
    assert.equal("/openai/v1/files/file-1/content", up:last("openai").path)
    up:reply("openai", { body = '{"id":"file-1","object":"file","deleted":true}' }, 1)
    response = ask("DELETE", "/v1/files/" .. id, nil, nil, "s")
    assert.same({ 200, id }, { response.status, response.json.id })
    assert.equal("DELETE", up:last("openai").method)
  end)

  it("S-16: another team's file or batch is as one that is not there", function()
    local id = upload()
    local seen = up:stats()
    local forged = id:gsub("%x$", function(c) return c == "0" and "1" or "0" end)
    local absent
    for _, one in ipairs {
      { id, "o" }, { forged, "" }, { "file-1", "" }, { "nothing-mg" .. ("0"):rep(40), "" },
      { (id:gsub("file%-1", "file-2")), "" },
    } do
      for _, way in ipairs {
        { "GET", "/v1/files/" .. one[1] }, { "DELETE", "/v1/files/" .. one[1] },
        { "GET", "/v1/files/" .. one[1] .. "/content" }, { "GET", "/v1/batches/" .. one[1] },
        { "POST", "/v1/batches/" .. one[1] .. "/cancel" },
        { "POST", "/v1/batches", '{"input_file_id":"' .. one[1] .. '"}' },
      } do
        local key = one[2]
        if not (one[1] == id and key == "") then
          local response = ask(way[1], way[2], way[3], nil, key)
          is_refused(response, 404, "not_found")
          absent = absent or response.body
          assert.equal(absent, response.body)
        end
      end
    end
    assert.equal(seen, (up:stats()))
    up:reply("openai", { status = 404, body = '{"error":{"message":"No such File"}}' }, 1)
    local response = ask("GET", "/v1/files/" .. id)
    assert.same({ 404, absent }, { response.status, response.body })
  end)

  it("ids outlive the gateway that gave them", function()
    local id = upload()
    restart()
    up:reply("openai", { body = '{"id":"file-1"}' }, 1)
    assert.equal(200, ask("GET", "/v1/files/" .. id).status)
  end)

  it("go to the account that is meant", function()
    is_refused(ask("POST", "/v1/files", FORM, form()), 400, "missing_required_parameter")
    up:reply("open", { body = '{"id":"f"}' }, 1)
    assert.equal(200, ask("POST", "/v1/files?model=own", FORM, form()).status)
    assert.equal("/open/v1/files", up:last("open").path)
    up:reply("openai", { body = '{"id":"f"}' }, 1)
    assert.equal(200, ask("POST", "/v1/files", FORM, form(), "n").status) -- has one only
    is_refused(ask("POST", "/v1/files?model=own", FORM, form(), "n"), 404, "model_not_found")
    is_refused(ask("POST", "/v1/files?model=claude", FORM, form()), 400, "unsupported_endpoint")
    is_refused(ask("GET", "/v1/files"), 400, "unsupported_endpoint")
    is_refused(ask("GET", "/v1/batches"), 400, "unsupported_endpoint")
    for path, allow in pairs {
      ["/v1/files"] = "GET, POST", ["/v1/batches/x"] = "GET", ["/v1/files/x"] = "DELETE, GET",
    } do
      local response = ask("PUT", path, "{}")
      assert.same({ 405, allow }, { response.status, response.headers.allow })
    end
    for _, path in ipairs {
      "/v1/files/a/b", "/v1/files/", "/v1/batches/a.b", "/v1/files/a/",
    } do
      assert.equal(404, ask("GET", path).status, path)
    end
  end)

  local BATCH = '{"id":"batch_9","object":"batch","input_file_id":"file-1","status":"%s",'
    .. '"output_file_id":%s,"model":%s,"usage":{"input_tokens":1000,"output_tokens":100,'
    .. '"total_tokens":1100}}'

  local function make(id)
    up:reply("openai", { body = BATCH:format("validating", "null", "null") }, 1)
    return ask("POST", "/v1/batches", '{"input_file_id":"' .. id .. '","endpoint":'
      .. '"/v1/chat/completions","completion_window":"24h"}')
  end

  it("B-30: a batch is made of a file, and billed once when it is done", function()
    local id = upload()
    local response = make(id)
    assert.equal(200, response.status, response.body)
    local batch = response.json
    assert.same({ id, "validating" }, { batch.input_file_id, batch.status })
    assert.equal('{"input_file_id":"file-1","endpoint":"/v1/chat/completions",'
      .. '"completion_window":"24h"}', up:last("openai").body)
    assert.equal(0, last().cost_nano)
    for turn = 1, 3 do
      up:reply("openai", { body = BATCH:format("completed", '"file-2"', '"gpt-4o-mini"') }, 1)
      if turn == 3 then restart() end
      response = ask("GET", "/v1/batches/" .. batch.id)
      assert.equal(200, response.status, response.body)
      -- half of 0.15 and 0.6 dollars a million
      assert.equal(turn == 1 and 1000 * 75 + 100 * 300 or 0, last().cost_nano)
      assert.equal(turn == 1 and 1000 or 0, last().tokens.input)
    end
    up:reply("openai", { body = "{}\n" }, 1)
    local out = ask("GET", "/v1/files/" .. response.json.output_file_id .. "/content")
    assert.same({ 200, "{}\n" }, { out.status, out.body })
    up:reply("openai", { body = BATCH:format("cancelling", "null", "null") }, 1)
    assert.equal(200, ask("POST", "/v1/batches/" .. batch.id .. "/cancel").status)
    assert.same({ "POST", "/openai/v1/batches/batch_9/cancel" },
      { up:last("openai").method, up:last("openai").path })
  end)

  it("B-30: a batch costs what the operator says its model does", function()
    up:reply("open", { body = '{"id":"f"}' }, 1)
    local id = ask("POST", "/v1/files?model=own", FORM, form()).json.id
    up:reply("open", { body = BATCH:format("completed", "null", '"own"') }, 1)
    assert.equal(200, ask("POST", "/v1/batches", '{"input_file_id":"' .. id .. '"}').status)
    assert.equal(1000 * 1000 + 100 * 2000, last().cost_nano)
  end)

  it("S-33: no batch bypasses what a key is held to", function()
    local id = upload()
    local body = '{"input_file_id":"' .. id .. '"}'
    local seen = up:stats()
    is_refused(ask("POST", "/v1/batches", body, nil, "p"), 403, "model_unpriced")
    is_refused(ask("POST", "/v1/batches", body, nil, "n"), 403, "not_permitted")
    is_refused(ask("POST", "/v1/batches", "{}"), 400, "missing_required_parameter")
    assert.equal(seen, (up:stats()))
  end)

  describe("Anthropic's", function()
    local OWN = { ["anthropic-version"] = "2023-06-01", ["anthropic-beta"] = "files-api-1" }
    local REQUESTS = '{"requests": [{"custom_id":"1","params":{"model":"claude-sonnet-4-5",'
      .. '"max_tokens":9,"messages":[]}}]}'

    it("batches go by as they came", function()
      up:reply("claude", { body = '{"id":"msgbatch_1","type":"message_batch",'
        .. '"results_url":"https://api.example/v1/messages/batches/msgbatch_1/results"}' })
      local response = ask("POST", "/v1/messages/batches", REQUESTS, OWN)
      assert.equal(200, response.status, response.body)
      assert.same({ "/claude/messages/batches", REQUESTS, "files-api-1" }, {
        up:last("claude").path, up:last("claude").body,
        up:last("claude").headers["anthropic-beta"],
      })
      local id = response.json.id
      assert.equal("/v1/messages/batches/" .. id .. "/results", response.json.results_url)
      assert.equal(200, ask("GET", "/v1/messages/batches/" .. id, nil, OWN).status)
      assert.equal(200, ask("DELETE", "/v1/messages/batches/" .. id, nil, OWN).status)
      response = ask("POST", "/v1/messages/batches/" .. id .. "/cancel", "{}", OWN)
      assert.equal(200, response.status)
      up:reset()
      local line = '{"custom_id":"%s", "result":{"type":"succeeded","message":{"model":'
        .. '"claude-sonnet-4-5","usage":{"input_tokens":10,"output_tokens":%d,'
        .. '"cache_read_input_tokens":100,"service_tier":"batch"}}}}\n'
      local lines = line:format("1", 5) .. '{"custom_id":"2","result":{"type":"errored"}}\r\n\n'
        .. line:format("3", 7):sub(1, -2)
      up:reply("claude", { body = lines, stream = "drip" })
      for turn = 1, 2 do
        response = ask("GET", "/v1/messages/batches/" .. id .. "/results", nil, OWN)
        assert.equal(lines, response.body)
        -- half of 3, 15 and 0.3 dollars a million
        assert.equal(turn == 1 and 20 * 1500 + 12 * 7500 + 200 * 150 or 0, last().cost_nano)
        assert.equal(turn == 1 and 220 or 0, last().tokens.input)
      end
      assert.equal("/claude/messages/batches/msgbatch_1/results", up:last("claude").path)
    end)

    it("T20: batches name models by the names that this key may use", function()
      up:reply("claude", { body = '{"id":"msgbatch_1","type":"message_batch"}' })
      local mine = '{"requests": [{"params":{"max_tokens":9,"model":"mine"},'
        .. '"custom_id":"1"}]}'
      local response = ask("POST", "/v1/messages/batches", mine, OWN, "c")
      assert.equal(200, response.status, response.body)
      assert.equal('{"requests": [{"params":{"max_tokens":9,"model":"claude-opus-4-8"},'
        .. '"custom_id":"1"}]}', up:last("claude").body)
      local seen = up:stats()
      for _, name in ipairs { "claude-opus-4-8", "claude", "gpt", "nobody" } do
        response = ask("POST", "/v1/messages/batches", (mine:gsub("mine", name)), OWN, "c")
        assert.equal(403, response.status, name)
      end
      assert.equal(seen, (up:stats()))
    end)

    it("errors are in its words", function()
      local response = ask("GET", "/v1/messages/batches/x", nil, OWN)
      assert.same({ 404, "not_found_error" }, { response.status, response.json.error.type })
      response = ask("POST", "/v1/messages/batches", REQUESTS, OWN, "p")
      assert.same({ 403, "permission_error" }, { response.status, response.json.error.type })
      up:reply("claude", { status = 400,
        body = '{"type":"error","error":{"type":"invalid_request_error","message":"no"}}' }, 1)
      response = ask("POST", "/v1/messages/batches", REQUESTS, OWN)
      assert.same({ 400, "no" }, { response.status, response.json.error.message })
    end)

    it("files are told from OpenAI's by their version", function()
      up:reply("claude", { body = '{"id":"file_7","type":"file"}' })
      local response = ask("POST", "/v1/files", FORM, form(OWN))
      assert.equal(200, response.status, response.body)
      assert.equal("/claude/files", up:last("claude").path)
      assert.equal("files-api-1", up:last("claude").headers["anthropic-beta"])
      response = ask("GET", "/v1/files/" .. response.json.id, nil, OWN)
      assert.equal("/claude/files/file_7", up:last("claude").path)
      assert.equal(200, response.status)
    end)
  end)
end)
