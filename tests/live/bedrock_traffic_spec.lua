-- What was asked of Bedrock and recorded, told as a chat: what reaches the provider of it is
-- what was recorded, at the escaped path, with a signature. What was answered, at every door:
-- the other specs of recorded traffic.

local helper = require "helper"
local pair = require "support.pair"
local recordings = require "support.recordings"

local APIS = {
  converse = true, converse_stream = true, chat_completions = true, responses = true,
}

describe("what was asked of Bedrock", function()
  local list, recorded = recordings(APIS)
  if not list then return end
  local bedrock = require "support.bedrock"
  local cjson = helper.json

  local up, gw = pair.once(function(up)
    return {
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

  local OPENAI = { chat_completions = "/v1/chat/completions", responses = "/v1/responses" }

  local function lane(exchange) return OPENAI[exchange.api] and "openai" or "bedrock" end

  local function serve(exchange)
    local response = exchange.response
    up:reply(lane(exchange), {
      status = response.status, body = response.text,
      stream = exchange.stream and "whole" or nil,
      headers = {
        ["content-type"] = response.headers["content-type"],
        ["x-amzn-errortype"] = response.headers["x-amzn-errortype"],
      },
    })
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
  local function check_passing(exchange)
    serve(exchange)
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

  -- Counts --------------------------------------------------------------------------------

  -- Counted here: the estimate is as far from what Bedrock counted as is said of its family.
  local function check_count(exchange)
    local asked = bedrock.chat(exchange.request.body.input.converse)
    local answer = gw:chat(cjson.encode {
      model = "bedrock/" .. bedrock.model(exchange.request.path), messages = asked.messages,
    }, { path = "/v1/messages/count_tokens" })
    assert.equal(200, answer.status, answer.body)
    local real = exchange.response.body.inputTokens
    local off = math.abs(cjson.decode(answer.body).input_tokens - real)
    assert.is_true(off <= 0.15 * real, answer.body)
  end

  for _, path in ipairs(recorded.list { count_tokens = true }) do
    if path:find "^bedrock/" then
      it(path:gsub("^bedrock/", ""):gsub("%.json$", ""), function()
        check_count(recorded.load(path))
      end)
    end
  end

  -- All of them --------------------------------------------------------------------------

  for _, path in ipairs(list) do
    if path:find "^bedrock/" then
      local exchange = recorded.load(path)
      local short = path:gsub("^bedrock/", ""):gsub("%.json$", "")
      it(short, function()
        local check = OPENAI[exchange.api] and check_passing or check_request
        check(exchange)
      end)
    end
  end
end)
