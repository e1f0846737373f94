-- Embeddings and legacy completions in the real gateway: what is sent, what is answered, what
-- is written down, and that no budget is bypassed by either.

local helper = require "helper"
local pair = require "support.pair"
local json = helper.json

local KEY = "mg-test-beside-0123456789abcdef"

describe("beside chats", function()
  local function routes(up)
    return ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
local mock = provider "mock" {}
local open = provider "openai_compatible" { name = "open", base_url = "%s/v1" }
local groq = provider "groq" { api_key = "k", base_url = "%s/v1" }
local gemini = provider "gemini" { api_key = "k", base_url = "%s" }
local claude = provider "anthropic" { api_key = "k", base_url = "%s" }
local vectors = open { "vectors", price = { input = 1000, output = 1000 } }
local words = open { "words", price = { input = 10, output = 20 } }
local chats = groq { "chats", price = { input = 1, output = 1 } }
model "mock" { mock { "mock", price = { input = 0, output = 0 } } }
model "bulk" { open { "bulk", price = { input = 0.01, output = 0 } } }
model "vectors" { vectors }
model "words" { words }
model "chats" { chats }
model "either" { chats, vectors, retries = 1 }
model "once" { chats, vectors }
model "gemini" { gemini "gemini-embedding-001" }
model "claude" { claude "claude-sonnet-4-5" }
virtual_key "k" { token = env.KEY, budget = "$1/day" }
virtual_key "c" { token = env.LOW, budget = "$0.01/day", on_low_budget = "clamp" }
local openai = provider "openai" { api_key = "k", base_url = "%s/v1" }
model "small" { openai "text-embedding-3-small" }
]]):format(up:url "open", up:url "groq", up:url "gemini", up:url "claude",
      up:url "open")
  end

  local up, gw = pair.each(function(up)
    return { env = { KEY = KEY, LOW = KEY .. "low" }, routes = routes(up) }
  end)

  local function post(path, body, key)
    return gw:chat(body, { path = path, key = key or KEY })
  end

  local function embed(body) return post("/v1/embeddings", body) end
  local function complete(body) return post("/v1/completions", body) end

  local function last(kind) return gw:last_row(kind) end

  local VECTORS = '{"object":"list", "data":[{"object":"embedding","index":0,'
    .. '"embedding":[0.1,-0.250,1e-3]}],"model":"v-1","usage":{"prompt_tokens":4,'
    .. '"total_tokens":4}}'

  describe("embeddings", function()
    it("go by as they came, but for the model's name", function()
      up:reply("open", { body = VECTORS })
      local response = embed '{"input" : "hi","dimensions":3, "model":"vectors","x":1.0}'
      assert.equal(200, response.status, response.body)
      assert.equal(VECTORS, response.body)
      local asked = up:requests("open")[1]
      assert.equal("/open/v1/embeddings", asked.path)
      assert.equal('{"input" : "hi","dimensions":3, "model":"vectors","x":1.0}', asked.body)
      local row = last "usage"
      assert.same({ "embeddings", 4, 0, 4000000, "ok" }, {
        row.dialect, row.tokens.input, row.tokens.output, row.cost_nano, row.outcome,
      })
      assert.is_false(row.estimated)
      assert.equal("0.004", response.headers["x-moongate-cost"])
    end)

    it("B-29: cost what the list says, for input alone", function()
      up:reply("open", { body = VECTORS })
      assert.equal(200, embed('{"input":"hi","model":"small"}').status)
      assert.equal(4 * 20, last("usage").cost_nano)
    end)

    it("become base64 where the client asked and the server knows numbers only", function()
      up:reply("open", { body = VECTORS })
      local response = embed '{"input":"hi","model":"vectors","encoding_format":"base64"}'
      assert.equal("zczMPQAAgL5vEoM6", response.json.data[1].embedding)
      assert.equal("v-1", response.json.model)
      up:reset()
      for digits, want in pairs { ["0.250000000000000000000001"] = 200, ['"a"'] = 502 } do
        up:reply("open", { body = '{"data":[{"index":0,"embedding":[' .. digits .. "]}]}" }, 1)
        local again = embed '{"input":"hi","model":"vectors","encoding_format":"base64"}'
        assert.equal(want, again.status, again.body)
        assert.equal(want == 200 and "AACAPg==" or nil,
          again.json.data and again.json.data[1].embedding)
      end
    end)

    it("become base64 where there are more than a request may hold", function()
      local vector = "[" .. ("0.123456789,"):rep(3071) .. "0.5]"
      local one = '{"object":"embedding","index":0,"embedding":' .. vector .. "}"
      up:reply("open", { body = '{"data":[' .. (one .. ","):rep(399) .. one .. "]}" })
      local response = embed '{"input":"hi","model":"vectors","encoding_format":"base64"}'
      assert.equal(400, #response.json.data)
      local first = response.json.data[1].embedding
      assert.equal(4 * 3072 * 4 / 3, #first)
      assert.equal(first, response.json.data[400].embedding)
    end)

    it("are made by the deployment that makes them, at the first try", function()
      up:reply("open", { body = VECTORS })
      for _ = 1, 10 do
        local response = embed '{"input":"hi","model":"once"}'
        assert.equal(200, response.status, response.body)
        assert.equal("1", response.headers["x-moongate-attempts"])
      end
      assert.equal(0, #up:requests "groq")
    end)

    it("are translated for Gemini: one text", function()
      up:reply("gemini", {
        body = '{"embedding":{"values":[0.5,-0.0625000]},'
          .. '"usageMetadata":{"promptTokenCount":3}}',
      })
      local response = embed '{"input":"hi","model":"gemini","dimensions":2,"user":"u"}'
      assert.equal(200, response.status, response.body)
      assert.is_truthy(response.body:find('"embedding":[0.5,-0.0625000]', 1, true))
      assert.same({ prompt_tokens = 3, total_tokens = 3 }, response.json.usage)
      assert.equal("user", response.headers["x-moongate-dropped"])
      local asked = up:requests("gemini")[1]
      assert.equal("/gemini/models/gemini-embedding-001:embedContent", asked.path)
      assert.same({
        model = "models/gemini-embedding-001", outputDimensionality = 2,
        content = { parts = { { text = "hi" } } },
      }, json.decode(asked.body))
      assert.equal(450, last("usage").cost_nano)
    end)

    it("are translated for Gemini: many texts, in base64, counted here", function()
      up:reply("gemini", { body = '{"embeddings":[{"values":[0.5]},{"values":[-2]}]}' })
      local response =
        embed '{"input":["hi","you"],"model":"gemini","encoding_format":"base64"}'
      assert.same({ "AAAAPw==", "AAAAwA==" }, {
        response.json.data[1].embedding, response.json.data[2].embedding,
      })
      assert.equal(1, response.json.data[2].index)
      local asked = up:requests("gemini")[1]
      assert.equal("/gemini/models/gemini-embedding-001:batchEmbedContents", asked.path)
      assert.equal(2, #json.decode(asked.body).requests)
      local row = last "usage"
      assert.is_true(row.estimated)
      assert.is_true(row.tokens.input > 0)
      assert.equal(0, row.tokens.output)
    end)

    it("are refused where a provider makes none, or takes no tokens", function()
      for _, model in ipairs { "chats", "claude" } do
        local response = embed(('{"input":"hi","model":"%s"}'):format(model))
        assert.same({ 400, "unsupported_endpoint", "model" },
          { response.status, response.json.error.code, response.json.error.param })
      end
      local response = embed '{"input":[1,2,3],"model":"gemini"}'
      assert.same({ 400, "input" }, { response.status, response.json.error.param })
      assert.equal(0, (up:stats()))
    end)

    it("go to the one of a group that makes them", function()
      up:reply("open", { body = VECTORS })
      local response = embed '{"input":"hi","model":"either"}'
      assert.equal(200, response.status, response.body)
      assert.equal("open/vectors", response.headers["x-moongate-deployment"])
    end)

    it("A-53: take tokens, thousands of texts and an empty one", function()
      up:reply("open", { body = VECTORS })
      local list = ('"a",'):rep(2047) .. '"a"'
      for _, input in ipairs { "[1,2,3]", "[[1,2],[3]]", '""', "[" .. list .. "]" } do
        assert.equal(200, embed('{"model":"bulk","input":' .. input .. "}").status)
      end
      local many = embed('{"model":"bulk","input":[' .. ('"a",'):rep(99999) .. '"a"]}')
      assert.is_true(many.status == 200 or many.status == 400, many.status)
    end)

    it("say which member is wrong", function()
      for body, param in pairs {
        ['{"input":"hi"}'] = "model", ['{"model":"vectors"}'] = "input",
        ['{"model":"vectors","input":7}'] = "input",
        ['{"model":"vectors","input":[]}'] = "input",
        ['{"model":"vectors","input":"x","encoding_format":"f64"}'] = "encoding_format",
      } do
        local response = embed(body)
        assert.same({ 400, param }, { response.status, response.json.error.param })
      end
    end)

    it("pass a provider's own words on", function()
      local body = '{"error":{"message":"too long","type":"invalid_request_error"}}'
      up:reply("open", { status = 400, body = body })
      local response = embed '{"input":"hi","model":"vectors"}'
      assert.same({ 400, body }, { response.status, response.body })
      up:reset()
      up:reply("open", { body = '{"error":{"message":"oh"}}' })
      assert.is_true(embed('{"input":"hi","model":"vectors"}').status >= 400)
      up:reset()
      up:reply("open", { body = "{}" })
      assert.equal(502, embed('{"input":"hi","model":"vectors"}').status)
    end)

    it("T20: take nothing past a budget, as text or as tokens", function()
      up:reply("open", { body = VECTORS })
      local tokens = ("7,"):rep(1000) .. "7" -- a dollar and a little more
      for _, input in ipairs { '"' .. ("word "):rep(1200) .. '"', "[" .. tokens .. "]",
        "[[" .. tokens .. "]]" } do
        local response = embed('{"model":"vectors","user":"\\u0041","input":' .. input .. "}")
        assert.same({ 429, "budget_exceeded" }, { response.status, response.json.error.code })
      end
      assert.equal(0, (up:stats()))
      assert.equal(200, embed('{"model":"vectors","input":"hi"}').status)
      local low = post("/v1/embeddings", '{"model":"vectors","input":"' .. ("word "):rep(20)
        .. '"}', KEY .. "low") -- nothing to shorten
      assert.same({ 429, "budget_exceeded" }, { low.status, low.json.error.code })
    end)

    it("come from the mock, always the same for a text", function()
      local first = embed '{"model":"mock","input":["moon","gate"]}'
      local again = embed '{"model":"mock","input":["gate"],"dimensions":8}'
      assert.same(first.json.data[2].embedding, again.json.data[1].embedding)
      assert.equal(8, #again.json.data[1].embedding)
      assert.is_true(first.json.usage.total_tokens > 0)
      local bytes = embed '{"model":"mock","input":"gate","encoding_format":"base64"}'
      assert.equal(44, #bytes.json.data[1].embedding)
    end)
  end)

  describe("Gemini's embeddings", function()
    local function ask(model, verb, body)
      return post("/v1beta/models/" .. model .. ":" .. verb, body)
    end
    local ONE = '{"content":{"parts":[{"text":"hi"}]},"taskType":"RETRIEVAL_QUERY"}'
    local MANY = '{"requests":[{"model":"models/x","content":{"parts":[{"text":"hi"}]}},'
      .. '{"model":"models/x","content":{"parts":[{"text":"a"},{"text":"b"}]}}]}'

    it("go by as they came, to Gemini", function()
      local answer = '{"embedding":{"values":[0.50]}, "usageMetadata":{"promptTokenCount":3}}'
      up:reply("gemini", { body = answer })
      local response = ask("gemini", "embedContent", ONE)
      assert.same({ 200, answer }, { response.status, response.body })
      local asked = up:requests("gemini")[1]
      assert.same({ "/gemini/models/gemini-embedding-001:embedContent", ONE },
        { asked.path, asked.body })
      local row = last "usage"
      assert.same({ "embed_content", 3, 0, 450 },
        { row.dialect, row.tokens.input, row.tokens.output, row.cost_nano })
    end)

    it("name the deployment's model in each of many", function()
      local answer = '{"embeddings":[{"values":[1]},{"values":[2]}]}'
      up:reply("gemini", { body = answer })
      assert.equal(answer, ask("gemini", "batchEmbedContents", MANY).body)
      local asked = up:requests("gemini")[1]
      assert.equal((MANY:gsub("models/x", "models/gemini-embedding-001")), asked.body)
      assert.is_true(last("usage").estimated)
    end)

    it("are translated for servers of OpenAI's shape", function()
      up:reply("open", { body = VECTORS })
      local response = ask("vectors", "embedContent", ONE)
      assert.equal(200, response.status, response.body)
      assert.is_truthy(response.body:find('"values":[0.1,-0.250,1e-3]', 1, true))
      assert.equal("taskType", response.headers["x-moongate-dropped"])
      assert.same({ model = "vectors", input = "hi", encoding_format = "float" },
        json.decode(up:requests("open")[1].body))
      ask("vectors", "batchEmbedContents", MANY)
      assert.same({ "hi", "ab" }, json.decode(up:requests("open")[2].body).input)
      assert.equal(4, last("usage").tokens.input)
    end)

    it("are refused in Gemini's words, and come from the mock", function()
      local response = ask("chats", "embedContent", ONE)
      assert.same({ 400, "INVALID_ARGUMENT" }, { response.status, response.json.error.status })
      assert.equal(400, ask("mock", "embedContent", '{"content":[]}').status)
      assert.equal(400, ask("mock", "batchEmbedContents", '{"requests":[]}').status)
      assert.equal(400, ask("bulk", "embedContent",
        '{"content":{"parts":[{"inline_data":{"data":"aGk="}}]}}').status)
      assert.equal(2, #ask("mock", "batchEmbedContents", MANY).json.embeddings)
      assert.equal(8, #ask("mock", "embedContent", ONE).json.embedding.values)
    end)

    it("T20: take nothing past a budget", function()
      local text = ("word "):rep(1200)
      local one = '{"content":{"parts":[{"text":"' .. text .. '"}]}}'
      for verb, body in pairs {
        embedContent = one, batchEmbedContents = '{"requests":[' .. one .. "]}",
      } do
        local response = ask("vectors", verb, body)
        assert.equal(429, response.status, response.body)
      end
      assert.equal(0, (up:stats()))
    end)
  end)

  describe("completions", function()
    local WHOLE = '{"id":"cmpl-1", "object":"text_completion","created":1,"model":"w-1",'
      .. '"choices":[{"text":" there","index":0,"logprobs":null,"finish_reason":"length"}],'
      .. '"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}'

    local function piece(text, reason)
      return ('data: {"id":"cmpl-1","object":"text_completion","choices":[{"text":"%s",'
        .. '"index":0,"finish_reason":%s}],"model":"w-1"}\n\n'):format(text, reason or "null")
    end
    local COUNTS = 'data: {"id":"cmpl-1","choices":[],"usage":{"prompt_tokens":2,'
      .. '"completion_tokens":3,"total_tokens":5}}\n\n'
    local DONE = "data: [DONE]\n\n"

    it("go by as they came", function()
      up:reply("open", { body = WHOLE })
      local body = '{"prompt":["a","b"],  "model":"words","echo":true,"n":2,"max_tokens":1}'
      local response = complete(body)
      assert.equal(WHOLE, response.body)
      local asked = up:requests("open")[1]
      assert.same({ "/open/v1/completions", body }, { asked.path, asked.body })
      local row = last "usage"
      assert.same({ "completions", 2, 1, 2 * 10 * 1000 + 20 * 1000, "length" }, {
        row.dialect, row.tokens.input, row.tokens.output, row.cost_nano * 1, row.finish,
      })
    end)

    it("are streamed as they came, and counted without the client's asking", function()
      local said = piece "a" .. piece " b" .. piece(" c", '"stop"')
      for _, sizes in ipairs { "whole", "drip" } do
        up:reset()
        up:reply("open", {
          headers = { ["content-type"] = "text/event-stream" }, body = said .. COUNTS .. DONE,
          stream = sizes,
        })
        local response = complete '{"model":"words","prompt":"x","stream":true}'
        assert.equal(said .. DONE, response.body)
        assert.is_truthy(up:requests("open")[1].body:find('"include_usage":true', 1, true))
        local row = last "usage"
        assert.same({ 2, 3, "stop" }, { row.tokens.input, row.tokens.output, row.finish })
      end
      local asked = complete
        '{"model":"words","prompt":"x","stream":true,"stream_options":{"include_usage":true}}'
      assert.equal(said .. COUNTS .. DONE, asked.body)
    end)

    it("become a chat where a provider only chats", function()
      up:reply("groq", { body = helper.completion "hi there" })
      local response =
        complete '{"model":"chats","prompt":"Say hi","max_tokens":9,"best_of":2,"echo":false}'
      assert.equal(200, response.status, response.body)
      assert.equal("text_completion", response.json.object)
      assert.same({ "hi there", "stop" },
        { response.json.choices[1].text, response.json.choices[1].finish_reason })
      assert.equal(15, response.json.usage.total_tokens)
      assert.equal("best_of", response.headers["x-moongate-dropped"])
      local asked = up:requests("groq")[1]
      assert.equal("/groq/v1/chat/completions", asked.path)
      assert.same({
        model = "chats", max_tokens = 9, messages = { { role = "user", content = "Say hi" } },
      }, json.decode(asked.body))
    end)

    it("become a streamed chat likewise", function()
      up:reply("groq", {
        headers = { ["content-type"] = "text/event-stream" },
        body = helper.stream("hi", "there"), stream = "drip",
      })
      local response = complete '{"model":"chats","prompt":"Say hi","stream":true}'
      local text = ""
      for _, data in ipairs(helper.http.events(response.body)) do
        if data ~= "[DONE]" then
          local event = json.decode(data)
          assert.equal("text_completion", event.object)
          text = text .. event.choices[1].text
        end
      end
      assert.is_truthy(text:find("hi", 1, true))
      assert.is_truthy(response.body:find("%[DONE%]\n\n$"))
    end)

    it("are refused where a chat cannot be them", function()
      for more, param in pairs {
        ['"prompt":["a","b"]'] = "prompt", ['"prompt":[1,2]'] = "prompt",
        ['"prompt":"a","suffix":"b"'] = "suffix", ['"prompt":"a","n":2'] = "n",
        ['"prompt":"a","logprobs":3'] = "logprobs", ['"prompt":"a","echo":true'] = "echo",
      } do
        local response = complete('{"model":"chats",' .. more .. "}")
        assert.same({ 400, param }, { response.status, response.json.error.param })
      end
      assert.equal(0, (up:stats()))
    end)

    it("T20: count every prompt, and every choice, against a budget", function()
      up:reply("open", { body = WHOLE })
      local asked = '{"model":"words","max_tokens":20000,"prompt":%s}'
      assert.equal(200, complete(asked:format '"a"').status)
      for _, more in ipairs {
        '["a","b","c"]', '"a","n":3', '"a","best_of":3', "[[1],[2],[3]]",
      } do
        local response = complete(asked:format(more))
        assert.same({ 429, "budget_exceeded" }, { response.status, response.json.error.code })
      end
    end)

    it("are shortened where money runs low and the key says so", function()
      up:reply("open", { body = WHOLE })
      local response = post("/v1/completions", '{"model":"words","prompt":"a"}', KEY .. "low")
      assert.equal(200, response.status, response.body)
      local most = tonumber(response.headers["x-moongate-clamped"])
      assert.is_true(most > 0 and most < 500)
      assert.equal(most, json.decode(up:requests("open")[1].body).max_tokens)
    end)

    it("say which member is wrong, and fail as chats do", function()
      for body, param in pairs {
        ['{"prompt":"a"}'] = "model", ['{"model":"words"}'] = "prompt",
        ['{"model":"words","prompt":{}}'] = "prompt",
        ['{"model":"words","prompt":"a","n":0}'] = "n",
        ['{"model":"words","prompt":"a","stream":1}'] = "stream",
      } do
        local response = complete(body)
        assert.same({ 400, param }, { response.status, response.json.error.param })
      end
      up:reply("open", {
        headers = { ["content-type"] = "text/event-stream" }, body = piece "a",
        stream = "whole",
      })
      local cut = complete '{"model":"words","prompt":"x","stream":true}'
      assert.is_truthy(cut.body:find('"upstream_truncated"', 1, true))
      assert.is_nil(cut.body:find("[DONE]", 1, true))
    end)
  end)
end)
