-- Recorded traffic through the real binary: what providers answered once is served again,
-- whole, as it was cut, and a byte at a time; the client gets the same as OpenAI would say it.

local helper = require "helper"
local lfs = require "lfs"

-- Who speaks for a provider of that name in the recordings; the rest are openai_compatible.
local ADAPTERS = {
  azure = "azure", cerebras = "cerebras", cloudflare = "cloudflare", databricks = "databricks",
  deepseek = "deepseek", groq = "groq", huggingface = "huggingface", llamacpp = "llama_cpp",
  mistral = "mistral", ollama = "ollama", openrouter = "openrouter", perplexity = "perplexity",
  together = "together", xai = "xai",
}
local APIS = {
  chat_completions = true, messages = true,
  generate_content = true, stream_generate_content = true,
}

describe("recorded traffic", function()
  if not lfs.attributes("build/tests/engine.so") then return end
  local recorded = require "support.recorded"
  local list = recorded.list(APIS)
  if not list then
    it("is not here: skipped", function() pending(recorded.folder .. " is absent") end)
    return
  end

  local up, gw
  local resting = {} -- groups that failed: the gateway asks them no more for a while

  local function routes()
    local out = { ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
model "openai/*" { provider "openai_compatible" { name = "o", base_url = "%s/v1" } "*" }
model "anthropic/*" { provider "anthropic" { api_key = "k", base_url = "%s" } "*" }
model "gemini/*" { provider "gemini" { api_key = "k", base_url = "%s" } "*" }
]]):format(up:url "openai", up:url "anthropic", up:url "gemini") }
    for _, name in pairs(ADAPTERS) do
      local version = name == "azure" and ', api_version = "2024-10-21"' or ""
      out[#out + 1] = ([[
model "%s/*" { provider "%s" { api_key = "k", base_url = "%s"%s } "*" }
]]):format(name, name, up:url(name), version)
    end
    return table.concat(out)
  end

  local function start() gw = helper.gateway { loud = true, routes = routes() } end

  setup(function()
    up = helper.upstream()
    start()
  end)

  teardown(function()
    gw:stop()
    up:stop()
  end)

  before_each(function() up:reset() end)

  after_each(function() gw:assert_silent() end)

  -- A new one forgets who has to rest.
  local function start_again()
    gw:stop()
    start()
    resting = {}
  end

  -- In which shape the provider speaks.
  local function dialect(exchange)
    if exchange.api == "messages" then return "anthropic" end
    if exchange.api == "chat_completions" then return "openai" end
    return "gemini"
  end

  -- By which group of the file above the client reaches an adapter of that shape.
  local function group(exchange)
    local shape = dialect(exchange)
    return shape == "openai" and ADAPTERS[exchange.provider] or shape
  end

  local function with_model(text, name)
    local quoted = helper.json.encode(name):gsub("\\/", "/")
    local function put(head) return head .. quoted end
    local out, n = text:gsub('("model"%s*:%s*)"[^"]*"', put, 1)
    if n == 1 then return out end
    return (text:gsub("^%s*{", function(head) return head .. '"model":' .. quoted .. "," end))
  end

  -- What the client sends: the recorded body where it is OpenAI's, else a plain question.
  local function question(exchange)
    local text = exchange.request.text
    if dialect(exchange) == "openai" and text then
      local model = exchange.request.body.model
      if type(model) ~= "string" then model = "m" end
      return with_model(text, group(exchange) .. "/" .. model), model
    end
    return helper.ask(group(exchange) .. "/m", exchange.stream
      and '"stream":true,"stream_options":{"include_usage":true}' or nil), "m"
  end

  local function check_request(exchange, asked, model)
    local sent = up:last(group(exchange)).body
    local want = with_model(asked, model)
    if sent == want then return end
    local added = '"stream_options"%s*:%s*{[^}]*}%s*,?'
    assert.equal((want:gsub(added, "")), (sent:gsub(added, "")))
    assert.is_true(helper.json.decode(sent).stream_options.include_usage)
  end

  -- Like what { text, calls … } says, in plain tables that can be compared.
  local function plain(meaning)
    local calls = {}
    for i, call in ipairs(meaning.calls) do
      local ok, arguments = pcall(helper.json.decode, call.arguments)
      calls[i] = { call.name, ok and arguments or call.arguments }
    end
    return {
      text = meaning.text, calls = calls, finish = meaning.finish,
      refusal = meaning.refusal ~= "" and meaning.refusal or nil,
      prompt = meaning.prompt, completion = meaning.completion, cached = meaning.cached,
    }
  end

  local function meaning_of(exchange)
    local shape = dialect(exchange)
    if shape == "openai" then
      local text = exchange.response.text
      return recorded.openai(exchange.stream and helper.http.events(text) or text)
    end
    return recorded[shape](exchange.response.text, exchange.stream)
  end

  local function check_success(exchange, response)
    assert.equal(200, response.status, response.body)
    local got
    if exchange.stream then
      local events = helper.http.events(response.body)
      assert.equal("[DONE]", events[#events])
      got = recorded.openai(events)
    else
      got = recorded.openai(response.body)
    end
    local want = plain(meaning_of(exchange))
    got = plain(got)
    local options = exchange.stream and dialect(exchange) == "openai"
      and exchange.request.body and exchange.request.body.stream_options
    if exchange.stream and dialect(exchange) == "openai" and not options then
      got.prompt, got.completion, got.cached = want.prompt, want.completion, want.cached
    end
    for _, name in ipairs { "prompt", "completion", "cached" } do
      if not want[name] then got[name] = nil end
    end
    assert.same(want, got)
    if not exchange.stream and dialect(exchange) == "openai" then
      assert.equal(exchange.response.text, response.body)
    end
  end

  local STATUS = { [401] = 502, [403] = 502, [404] = 502, [500] = 502 }
  local CODES = {
    [401] = "upstream_auth_error", [403] = "upstream_auth_error",
    [404] = "upstream_model_not_found", [429] = "upstream_rate_limited",
  }

  local function check_failure(exchange, response)
    local status = exchange.response.status
    if exchange.response.text:find("API_KEY_INVALID", 1, true) then status = 401 end
    assert.equal(STATUS[status] or status, response.status, response.body)
    if dialect(exchange) == "openai" and not STATUS[status] and status ~= 429 then
      assert.equal(exchange.response.text, response.body)
      return
    end
    local err = response.json and response.json.error
    assert.is_table(err, response.body)
    assert.equal("string", type(err.message))
    assert.is_true(#err.message > 0)
    assert.equal("string", type(err.type))
    if CODES[status] then assert.equal(CODES[status], err.code) end
  end

  -- An error inside a 200 is one: before anything was said with a status, else as an event
  -- after which no mark of success comes.
  local function check_broken(exchange, answer)
    if not exchange.stream then
      assert.equal(502, answer.status, answer.body)
      return assert.equal("string", type(answer.json.error.message))
    end
    local events = helper.http.events(answer.body)
    assert.equal("string", type(helper.json.decode(events[#events]).error.message))
  end

  local function is_failure(exchange)
    return exchange.response.status >= 400 or exchange.has.error_in_stream
      or exchange.has.error_in_200
  end

  local function replay(exchange, mode)
    local response = exchange.response
    local headers = { ["content-type"] = response.headers["content-type"] }
    headers["retry-after"] = response.headers["retry-after"]
    if resting[group(exchange)] then start_again() end
    up:reply(group(exchange),
      { status = response.status, headers = headers, body = response.text, stream = mode })
    local asked, model = question(exchange)
    local answer = gw:chat(asked)
    if dialect(exchange) == "openai" and exchange.request.text then
      check_request(exchange, asked, model)
    end
    if not is_failure(exchange) then return check_success(exchange, answer) end
    resting[group(exchange)] = true
    local check = response.status < 400 and check_broken or check_failure
    check(exchange, answer)
  end

  -- Successes first; then a failure of each group, and so on: few starts are needed.
  local runs, failures = {}, {}

  local function add(exchange, mode, how)
    local turn = 0
    if is_failure(exchange) then
      turn = (failures[group(exchange)] or 0) + 1
      failures[group(exchange)] = turn
    end
    runs[#runs + 1] = { exchange = exchange, mode = mode, how = how, turn = turn, at = #runs }
  end

  for _, path in ipairs(list) do
    local exchange = recorded.load(path)
    if exchange.response.text then
      add(exchange, exchange.stream and "whole" or nil, "whole")
      add(exchange, "drip", "a byte at a time")
      local cut = exchange.response.chunk_lengths
      if cut then add(exchange, cut, "as it was cut") end
    end
  end
  table.sort(runs, function(a, b)
    if a.turn ~= b.turn then return a.turn < b.turn end
    return a.at < b.at
  end)
  for _, run in ipairs(runs) do
    it(run.exchange.path:gsub("%.json$", " ") .. run.how, function()
      replay(run.exchange, run.mode)
    end)
  end
end)
