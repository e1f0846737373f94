-- Recorded traffic through the door of Messages: Anthropic's own passes byte for byte, request
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

describe("recorded traffic at the door of Messages", function()
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

  local function with_model(text, name)
    local quoted = helper.json.encode(name):gsub("\\/", "/")
    local function put(head) return head .. quoted end
    local out, n = text:gsub('("model"%s*:%s*)"[^"]*"', put, 1)
    if n == 1 then return out end
    return (text:gsub("^%s*{", function(head) return head .. '"model":' .. quoted .. "," end))
  end

  -- The recorded body where it is one of Messages, else a plain question.
  local function question(exchange)
    local text = exchange.request.text
    if shape_of(exchange) == "anthropic" and text and text:find '"max_tokens"' then
      local model = exchange.request.body.model
      if type(model) ~= "string" then model = "m" end
      return with_model(text, "anthropic/" .. model), model
    end
    return ('{"model":"%s/m","max_tokens":99,%s"messages":[{"role":"user","content":"hi"}]}')
      :format(group(exchange), exchange.stream and '"stream":true,' or ""), nil
  end

  local function plain(meaning)
    local calls = {}
    for i, call in ipairs(meaning.calls) do
      local ok, arguments = pcall(helper.json.decode, call.arguments)
      calls[i] = { call.name, ok and arguments or call.arguments }
    end
    local refusal, finish = meaning.refusal or "", meaning.finish
    if refusal ~= "" and finish == "stop" then finish = "content_filter" end
    return {
      text = meaning.text .. refusal, calls = calls, finish = finish,
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

  -- Events stand in their order, and blocks inside one another's never.
  local function check_order(bytes)
    local open, ended
    for name, data in bytes:gmatch "event: ([%w_]+)\ndata: ([^\n]+)\n\n" do
      local event = helper.json.decode(data)
      assert.equal(name, event.type)
      assert.is_nil(ended)
      if name == "content_block_start" then
        assert.is_nil(open)
        open = event.index
      elseif name == "content_block_delta" then
        assert.equal(open, event.index)
      elseif name == "content_block_stop" then
        assert.equal(open, event.index)
        open = nil
      elseif name == "message_delta" then
        assert.is_nil(open)
      end
      ended = name == "message_stop" or nil
    end
    assert.is_true(ended)
  end

  local function check_success(exchange, answer)
    assert.equal(200, answer.status, answer.body)
    if shape_of(exchange) == "anthropic" then
      return assert.equal(exchange.response.text, answer.body)
    end
    if exchange.stream then check_order(answer.body) end
    local want = put_right(plain(meaning_of(exchange)), exchange.path)
    local got = plain(recorded.anthropic(answer.body, exchange.stream))
    for _, name in ipairs { "prompt", "completion", "cached" } do
      if not want[name] then got[name] = nil end
    end
    assert.same(want, got)
  end

  local STATUS = { [401] = 502, [403] = 502, [404] = 502, [500] = 502, [503] = 529 }
  local TYPES = {
    [400] = "invalid_request_error", [413] = "request_too_large",
    [422] = "invalid_request_error", [429] = "rate_limit_error", [502] = "api_error",
    [529] = "overloaded_error",
  }

  local function check_failure(exchange, answer)
    local status = exchange.response.status
    if exchange.response.text:find("API_KEY_INVALID", 1, true) then status = 401 end
    local want = STATUS[status] or status
    assert.equal(want, answer.status, answer.body)
    if shape_of(exchange) == "anthropic" and want == 400 then
      return assert.equal(exchange.response.text, answer.body)
    end
    local err = answer.json and answer.json.error
    assert.equal("error", answer.json.type)
    assert.is_true(#err.message > 0)
    assert.equal(TYPES[want], err.type, answer.body)
  end

  -- An error inside a 200: with a status before anything was said, else as a last event.
  local function check_broken(exchange, answer)
    if not exchange.stream or answer.status ~= 200 then
      assert.is_true(answer.status >= 500, answer.body)
      return assert.equal("error", answer.json.type)
    end
    assert.is_truthy(answer.body:find "event: error\ndata: {\"type\":\"error\"[^\n]+\n\n$")
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
    local answer = gw:chat(asked, { path = "/v1/messages?beta=true" })
    if model then
      assert.equal(with_model(asked, model), up:last(group(exchange)).body)
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
