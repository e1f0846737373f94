-- Recorded traffic through Gemini's door: Gemini's own passes byte for byte, request
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
  chat_completions = true, messages = true,
  generate_content = true, stream_generate_content = true,
}

describe("recorded traffic at Gemini's door", function()
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
  local function shape_of(exchange)
    if exchange.api == "messages" then return "anthropic" end
    return exchange.api == "chat_completions" and "openai" or "gemini"
  end

  local function group(exchange)
    local shape = shape_of(exchange)
    return shape == "openai" and ADAPTERS[exchange.provider] or shape
  end

  -- The recorded body where it is one of Gemini's, else a plain question.
  local function question(exchange)
    local text = exchange.request.text
    if shape_of(exchange) == "gemini" and text and text:find '"contents"' then
      return text, (exchange.request.path:match "([^/]+):%a+$")
    end
    return '{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}', "m"
  end

  -- Body, and path with its query.
  local function address(exchange, model)
    local alt = exchange.response.text:find "^%s*%[" and "" or "?alt=sse"
    return ("/v1beta/models/%s%%2F%s:%s"):format(group(exchange), model,
      exchange.stream and "streamGenerateContent" .. alt or "generateContent")
  end

  local function plain(meaning)
    local calls = {}
    for i, call in ipairs(meaning.calls) do
      local ok, arguments = pcall(helper.json.decode, call.arguments)
      -- Broken off in the middle: they have to be an object all the same.
      calls[i] = { call.name, ok and arguments or { INVALID_JSON = call.arguments } }
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

  local function check_success(exchange, answer, mode)
    assert.equal(200, answer.status, answer.body)
    local text = exchange.response.text
    if shape_of(exchange) == "gemini" and not text:find "^%s*%[" then
      return assert.equal(text, answer.body)
    end
    if exchange.stream then assert.is_nil(("\n" .. answer.body):find "\n:") end
    local want = put_right(plain(meaning_of(exchange)), exchange.path)
    local got = plain(recorded.gemini(answer.body, exchange.stream))
    for _, name in ipairs { "prompt", "completion", "cached" } do
      if not want[name] then got[name] = nil end
    end
    assert.same(want, got, mode)
  end

  local STATUS = { [401] = 502, [403] = 502, [404] = 502, [500] = 502, [529] = 503 }
  local WORDS = {
    [400] = "INVALID_ARGUMENT", [413] = "INVALID_ARGUMENT", [422] = "INVALID_ARGUMENT",
    [429] = "RESOURCE_EXHAUSTED", [502] = "UNAVAILABLE", [503] = "UNAVAILABLE",
  }

  local function check_failure(exchange, answer)
    local status = exchange.response.status
    if exchange.response.text:find("API_KEY_INVALID", 1, true) then status = 401 end
    local want = STATUS[status] or status
    assert.equal(want, answer.status, answer.body)
    if shape_of(exchange) == "gemini" and want == 400 then
      return assert.equal(exchange.response.text, answer.body)
    end
    local err = answer.json.error
    assert.is_true(#err.message > 0)
    assert.equal(want, err.code)
    assert.equal(WORDS[want], err.status, answer.body)
  end

  -- An error inside a 200: with a status before anything was said, else as a last event.
  local function check_broken(exchange, answer)
    if not exchange.stream or answer.status ~= 200 then
      assert.is_true(answer.status >= 500, answer.body)
      return assert.equal(answer.status, answer.json.error.code)
    end
    assert.is_truthy(answer.body:find 'data: {"error":{"code":[^\n]+\n\n$')
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
    local answer = gw:chat(asked, { path = address(exchange, model) })
    if shape_of(exchange) == "gemini" then
      local sent = up:last "gemini"
      assert.equal(asked, sent.body)
      assert.is_truthy(sent.path:find("/models/" .. model .. ":", 1, true), sent.path)
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
