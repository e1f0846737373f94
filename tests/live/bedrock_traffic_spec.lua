-- What Bedrock recorded, through the real binary: what reaches the provider of a chat is what
-- was recorded, and what was answered, whole and a byte at a time, reaches clients of all four
-- dialects equal in text, thought, tools, finish and usage.

local helper = require "helper"
local lfs = require "lfs"

local APIS = {
  converse = true, converse_stream = true, chat_completions = true, responses = true,
}

describe("recorded traffic of Bedrock", function()
  if not lfs.attributes("build/tests/engine.so") then return end
  local bedrock = require "support.bedrock"
  local recorded = require "support.recorded"
  local cjson = helper.json
  local list = recorded.list(APIS)
  if not list then
    it("is not here: skipped", function() pending(recorded.folder .. " is absent") end)
    return
  end

  local up, gw

  setup(function()
    up = helper.upstream()
    gw = helper.gateway {
      loud = true,
      env = { KEY = "bedrock-key-1", ID = "AKIDEXAMPLE", SECRET = "wJalrXUtnFEMI" },
      routes = ([[
defaults { retries = 0, cooldown = { allowed_fails = 100000, within = "1s", time = "1s" } }
model "bedrock/*" { provider "bedrock" {
  region = "us-east-1", access_key_id = env.ID, secret_access_key = env.SECRET, base_url = "%s",
} "*" }
model "openai/*" { provider "bedrock_openai" {
  region = "us-east-1", endpoint = "mantle", api_key = env.KEY, base_url = "%s",
} "*" }
]]):format(up:url "bedrock", up:url "openai"),
    }
  end)

  teardown(function()
    gw:stop()
    up:stop()
  end)

  before_each(function() up:reset() end)
  after_each(function() gw:assert_silent() end)

  -- The doors ----------------------------------------------------------------------------

  local function thought_of_events(body, read)
    local out = ""
    for _, data in ipairs(helper.http.events(body)) do
      if data ~= "[DONE]" then out = out .. (read(cjson.decode(data)) or "") end
    end
    return out
  end

  local function text_or_nil(value) return type(value) == "string" and value or nil end

  local DOORS = {}

  DOORS.chat = {
    ask = function(model, stream)
      return helper.ask(model, stream
        and '"stream":true,"stream_options":{"include_usage":true}' or nil),
        "/v1/chat/completions"
    end,
    read = function(body, stream)
      return recorded.openai(stream and helper.http.events(body) or body)
    end,
    thought = function(body, stream)
      local function said(piece)
        local choice = piece.choices[1]
        return choice and text_or_nil((choice.delta or choice.message).reasoning_content)
      end
      return stream and thought_of_events(body, said) or said(cjson.decode(body)) or ""
    end,
  }

  DOORS.messages = {
    ask = function(model, stream)
      return ('{"model":"%s","max_tokens":99,%s"messages":[{"role":"user","content":"hi"}]}')
        :format(model, stream and '"stream":true,' or ""), "/v1/messages"
    end,
    read = recorded.anthropic,
    thought = function(body, stream)
      local out = ""
      if stream then
        return thought_of_events(body, function(event)
          return event.type == "content_block_delta" and text_or_nil(event.delta.thinking)
        end)
      end
      for _, block in ipairs(cjson.decode(body).content) do
        out = out .. (text_or_nil(block.thinking) or "")
      end
      return out
    end,
  }

  DOORS.responses = {
    ask = function(model, stream)
      return ('{"model":"%s","max_output_tokens":99,%s"input":"hi"}')
        :format(model, stream and '"stream":true,' or ""), "/v1/responses"
    end,
    read = recorded.responses,
    thought = function(body, stream)
      local events, out = stream and helper.http.events(body), ""
      local whole = cjson.decode(stream and events[#events] or body)
      for _, item in ipairs((whole.response or whole).output) do
        for _, part in ipairs(item.type == "reasoning" and item.summary or {}) do
          out = out .. part.text
        end
      end
      return out
    end,
  }

  DOORS.gemini = {
    ask = function(model, stream)
      local verb = stream and "streamGenerateContent?alt=sse" or "generateContent"
      return '{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
        ("/v1beta/models/%s:%s"):format(model:gsub("/", "%%2F"):gsub(":", "%%3A"), verb)
    end,
    read = recorded.gemini,
    thought = function(body, stream)
      local function said(piece)
        local out, candidate = "", (piece.candidates or {})[1] or {}
        for _, part in ipairs((candidate.content or {}).parts or {}) do
          out = out .. (part.thought and part.text or "")
        end
        return out
      end
      return stream and thought_of_events(body, said) or said(cjson.decode(body))
    end,
  }

  -- Answers ------------------------------------------------------------------------------

  local function plain(meaning)
    local calls = {}
    for i, call in ipairs(meaning.calls) do
      calls[i] = { call.name, cjson.decode(call.arguments) }
    end
    return {
      text = meaning.text .. (meaning.refusal or ""), thought = meaning.thought, calls = calls,
      finish = meaning.finish, prompt = meaning.prompt, completion = meaning.completion,
      cached = meaning.cached,
    }
  end

  local function meaning_of(exchange)
    local text = exchange.response.text
    if exchange.api ~= "chat_completions" then return bedrock.meaning(text, exchange.stream) end
    local out = recorded.openai(text)
    out.thought = cjson.decode(text).choices[1].message.reasoning
    return out
  end

  local function check_answer(exchange, answer, name)
    assert.equal(200, answer.status, answer.body)
    local door = DOORS[name]
    local got = door.read(answer.body, exchange.stream)
    if name == "chat" and exchange.api == "chat_completions" then -- as it came
      assert.equal(exchange.response.text, answer.body)
      got.thought = cjson.decode(answer.body).choices[1].message.reasoning
    else
      got.thought = door.thought(answer.body, exchange.stream)
    end
    assert.same(plain(meaning_of(exchange)), plain(got))
  end

  -- The model is not there: that is between the gateway and its provider.
  local function check_failure(answer)
    assert.equal(502, answer.status, answer.body)
    local err = cjson.decode(answer.body).error
    assert.truthy(err.message:find("The provided model identifier is invalid.", 1, true))
    local id, kind = answer.headers["x-moongate-request-id"], nil
    helper.wait_until(function()
      for _, line in ipairs(gw:log "request") do
        if line.request_id == id then kind = line.attempts[1].reason end
      end
      return kind
    end, 5, function() return "the request's line in the log" end)
    assert.equal("model_missing", kind)
  end

  local OPENAI = { chat_completions = "/v1/chat/completions", responses = "/v1/responses" }

  local function lane(exchange) return OPENAI[exchange.api] and "openai" or "bedrock" end

  local function serve(exchange, mode)
    local response = exchange.response
    up:reply(lane(exchange), {
      status = response.status, body = response.text, stream = mode,
      headers = {
        ["content-type"] = response.headers["content-type"],
        ["x-amzn-errortype"] = response.headers["x-amzn-errortype"],
      },
    })
  end

  local function replay(exchange, name, mode)
    serve(exchange, mode)
    local wants_stream = exchange.api == "converse_stream"
    local model = OPENAI[exchange.api] and exchange.request.body.model
      or bedrock.model(exchange.request.path)
    local body, path = DOORS[name].ask(lane(exchange) .. "/" .. model, wants_stream)
    local answer = gw:chat(body, { path = path })
    if exchange.response.status ~= 200 then return check_failure(answer) end
    check_answer(exchange, answer, name)
  end

  -- Requests -----------------------------------------------------------------------------

  -- What a chat has no words for; nothing else may be.
  local WORDLESS = {
    ["ruby-llm-chat-citations-with-bedrock-claude-haiku-4-5-cites"] = "citations of a document",
    ["ruby-llm-chat-citations-with-bedrock-claude-haiku-4-5-streams"] =
      "citations of a document",
    ["ruby-llm-chat-web-search-with-bedrock"] = "systemTool",
  }

  local function wordless(path)
    for name, what in pairs(WORDLESS) do
      if path:find("/" .. name, 1, true) then return what end
    end
    return nil
  end

  local function check_request(exchange)
    local recorded_body = exchange.request.body
    local chat, what = bedrock.chat(recorded_body)
    if not chat then return assert.equal(wordless(exchange.path), what) end
    assert.is_nil(wordless(exchange.path))
    serve(exchange)
    local model = bedrock.model(exchange.request.path)
    chat.model = "bedrock/" .. model
    chat.stream = exchange.api == "converse_stream" or nil
    local answer = gw:chat(cjson.encode(chat))
    assert.equal(exchange.response.status == 200 and 200 or 502, answer.status, answer.body)
    assert.is_nil(answer.headers["x-moongate-dropped"])
    local sent = up:last "bedrock"
    assert.same(bedrock.canonical(recorded_body), bedrock.canonical(cjson.decode(sent.body)))
    local verb = exchange.request.path:match("[^/]+$")
    local segment = model:gsub("[:/]", { [":"] = "%3A", ["/"] = "%2F" })
    assert.equal(("/bedrock/model/%s/%s"):format(segment, verb), sent.path)
    assert.truthy(sent.headers.authorization:find "^AWS4%-HMAC%-SHA256 Credential=AKIDEXAMPLE/")
  end

  -- One dialect on both sides: the bytes that arrive are the bytes that leave, both ways.
  local function check_passing(exchange, mode)
    serve(exchange, mode)
    local body = exchange.request.text
    local model = exchange.request.body.model
    local function with(name)
      return (body:gsub('"model"%s*:%s*"[^"]*"', function()
        return ('"model":"%s"'):format(name)
      end, 1))
    end
    local answer = gw:chat(with("openai/" .. model), { path = OPENAI[exchange.api] })
    assert.equal(200, answer.status, answer.body)
    assert.equal(exchange.response.text, answer.body)
    local sent = up:last "openai"
    assert.equal(with(model), sent.body)
    assert.equal("/openai" .. exchange.request.path, sent.path)
    assert.equal("Bearer bedrock-key-1", sent.headers.authorization)
  end

  -- All of them --------------------------------------------------------------------------

  -- Clients of Responses are answered by Responses, where OpenAI's dialect is spoken.
  local function doors_of(exchange)
    if exchange.api == "responses" then return {} end
    local out = {}
    for name, door in pairs(DOORS) do out[name] = door end
    if exchange.api == "chat_completions" then out.responses = nil end
    return out
  end

  for _, path in ipairs(list) do
    if path:find "^bedrock/" then
      local exchange = recorded.load(path)
      local short = path:gsub("^bedrock/", ""):gsub("%.json$", "")
      it(short .. ": what is asked", function()
        if not OPENAI[exchange.api] then return check_request(exchange) end
        check_passing(exchange, exchange.stream and "whole" or nil)
        check_passing(exchange, "drip")
      end)
      for name in pairs(doors_of(exchange)) do
        it(("%s: %s, whole"):format(short, name), function()
          replay(exchange, name, exchange.stream and "whole" or nil)
        end)
        it(("%s: %s, a byte at a time"):format(short, name), function()
          replay(exchange, name, "drip")
        end)
      end
    end
  end
end)
