-- Recorded traffic through the door of Responses: OpenAI's own passes byte for byte, request
-- and answer; what others answered reaches the client equal in text, tools, finish and usage.

local helper = require "helper"
local lfs = require "lfs"

-- Who speaks for a provider of that name in the recordings; the rest are openai_compatible.
local ADAPTERS = {
  azure = "azure", cerebras = "cerebras", deepseek = "deepseek", groq = "groq",
  mistral = "mistral", ollama = "ollama", openrouter = "openrouter",
  perplexity = "perplexity", together = "together", xai = "xai",
}
local APIS = {
  chat_completions = true, messages = true, responses = true,
  generate_content = true, stream_generate_content = true,
}

describe("recorded traffic at the door of Responses", function()
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
model "native/*" { provider "openai" { api_key = "k", base_url = "%s/v1" } "*" }
model "gemini/*" { provider "gemini" { api_key = "k", base_url = "%s" } "*" }
]]):format(up:url "openai", up:url "anthropic", up:url "native", up:url "gemini") }
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
  local function shape_of(exchange)
    if exchange.api == "messages" then return "anthropic" end
    if exchange.api == "responses" then return "native" end
    return exchange.api == "chat_completions" and "openai" or "gemini"
  end

  local function group(exchange)
    local shape = shape_of(exchange)
    return shape == "openai" and ADAPTERS[exchange.provider] or shape
  end

  local function with_model(text, name)
    local quoted = helper.json.encode(name):gsub("\\/", "/")
    local function put(head) return head .. quoted end
    local out, n = text:gsub('("model"%s*:%s*)"[^"]*"', put, 1)
    if n == 1 then return out end
    return (text:gsub("^%s*{", function(head) return head .. '"model":' .. quoted .. "," end))
  end

  -- The recorded body where it is one of Responses, else a plain question.
  local function question(exchange)
    local text = exchange.request.text
    if shape_of(exchange) == "native" and text and text:find '"input"' then
      local model = exchange.request.body.model
      if type(model) ~= "string" then model = "m" end
      return with_model(text, "native/" .. model), model
    end
    return ('{"model":"%s/m","max_output_tokens":99,%s"input":"hi"}')
      :format(group(exchange), exchange.stream and '"stream":true,' or ""), nil
  end

  local function plain(meaning)
    local calls = {}
    for i, call in ipairs(meaning.calls) do
      local ok, arguments = pcall(helper.json.decode, call.arguments)
      calls[i] = { call.name, ok and arguments or call.arguments }
    end
    return {
      text = meaning.text .. (meaning.refusal or ""), calls = calls, finish = meaning.finish,
      prompt = meaning.prompt, completion = meaning.completion, cached = meaning.cached,
    }
  end

  local function meaning_of(exchange)
    local shape, text = shape_of(exchange), exchange.response.text
    if shape == "openai" then
      return recorded.openai(exchange.stream and helper.http.events(text) or text)
    end
    return recorded[shape](text, exchange.stream)
  end

  -- What the recording says otherwise than OpenAI would, and the gateway puts right.
  local RIGHT = {
    ["azure/chat_completions/ruby-llm-chat-with-params-azure-grok-4-1"] = { prompt = 186 },
    ["openai/chat_completions/mirascope-openai-gpt-4o-completions-1-6b0"] = {
      finish = "tool_calls", -- it called a tool, and says stop
    },
    ["xai/chat_completions/fantasy-simple-object-0"] = { completion = 546 }, -- thought apart
    ["xai/chat_completions/fantasy-tool-streaming-1"] = { completion = 50 },
    ["xai/chat_completions/llm-rb-llm-function-multiple-0"] = { completion = 336 },
    ["xai/chat_completions/req-llm-grok-4-usage-0"] = { completion = 135 },
    ["cloudflare/chat_completions/chatlas-test-cloudflare-data-extraction-1"] = {
      text = '{"author":"Hadley Wickham","title":"Apples are tasty"}', -- sent as an object
    },
    ["mistral/chat_completions/dd-trace-py-mistral-v1-chat-completions-post-20aaaaf3"] = {
      text = "What is 2+2?\n\\[ 2 + 2 = 4 \\]\n\n${answer}", -- sent as parts
    },
  }

  local function put_right(want, path)
    for name, right in pairs(RIGHT) do
      if path:sub(1, #name) == name then
        for member, value in pairs(right) do want[member] = value end
      end
    end
    return want
  end

  -- Events are numbered, items end once and in the way they began, and the last one says all.
  local function check_order(bytes)
    local n, open, last = 0, {}, nil
    for name, data in bytes:gmatch "event: ([%w_.]+)\ndata: ([^\n]+)\n\n" do
      local event = helper.json.decode(data)
      assert.equal(name, event.type)
      assert.equal(n, event.sequence_number)
      n, last = n + 1, name
      if name == "response.output_item.added" then
        assert.is_nil(open[event.output_index])
        open[event.output_index] = event.item.id
      elseif name == "response.output_item.done" then
        assert.equal(open[event.output_index], event.item.id)
        open[event.output_index] = false
      elseif event.item_id then
        assert.equal(open[event.output_index], event.item_id)
      end
    end
    for _, left in pairs(open) do assert.is_false(left) end
    assert.is_truthy(last == "response.completed" or last == "response.incomplete")
  end

  local function check_success(exchange, answer)
    assert.equal(200, answer.status, answer.body)
    if shape_of(exchange) == "native" then
      return assert.equal(exchange.response.text, answer.body)
    end
    if exchange.stream then check_order(answer.body) end
    local want = put_right(plain(meaning_of(exchange)), exchange.path)
    local meaning = recorded.responses(answer.body, exchange.stream)
    if exchange.stream then assert.equal(meaning.text, meaning.streamed) end
    local got = plain(meaning)
    for _, name in ipairs { "prompt", "completion", "cached" } do
      if not want[name] then got[name] = nil end
    end
    assert.same(want, got)
  end

  local STATUS = { [401] = 502, [403] = 502, [404] = 502, [500] = 502, [529] = 503 }

  local function check_failure(exchange, answer)
    local status = exchange.response.status
    local text = exchange.response.text
    if text:find("API_KEY_INVALID", 1, true) or text:find("ncorrect API key", 1, true) then
      status = 401
    end
    local want = STATUS[status] or status
    assert.equal(want, answer.status, answer.body)
    if shape_of(exchange) == "native" and want == 400 then
      return assert.equal(exchange.response.text, answer.body)
    end
    local err = answer.json and answer.json.error
    assert.is_true(#err.message > 0)
    assert.is_truthy(err.type)
  end

  -- An error inside a 200: with a status before anything was said, else as a last event.
  local function check_broken(exchange, answer)
    if not exchange.stream or answer.status ~= 200 then
      assert.is_true(answer.status >= 429, answer.body)
      return assert.is_truthy(answer.json.error.message)
    end
    assert.is_truthy(answer.body:find "event: response.failed\ndata: [^\n]+\n\n$")
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
    local answer = gw:chat(asked, { path = "/v1/responses" })
    if model then
      assert.equal(with_model(asked, model), up:last(group(exchange)).body)
    end
    if not is_failure(exchange) then return check_success(exchange, answer) end
    resting[group(exchange)] = true
    local check = response.status < 400 and check_broken or check_failure
    check(exchange, answer)
  end

  -- What is neither asked nor answered by a response: GET, DELETE and compact.
  local function is_served(exchange)
    return exchange.api ~= "responses" or exchange.request.method == "POST"
      and exchange.request.path:find "/responses$" ~= nil
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
    if exchange.response.text and is_served(exchange) then
      add(exchange, exchange.stream and "whole" or nil, "whole")
      if exchange.stream then add(exchange, "drip", "a byte at a time") end
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
