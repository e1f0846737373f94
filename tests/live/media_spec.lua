-- What servers have beside chats, in the real gateway: moderations, documents put in order.
-- What is sent, what is answered, what is written down, and that no budget is bypassed.

local is_refused = require "support.refusal"
local pair = require "support.pair"

local KEY = "mg-test-media-0123456789abcdef"

describe("beside chats, too:", function()
  local function routes(up)
    return ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
local open = provider "openai_compatible" { name = "open", base_url = "%s/v1" }
local openai = provider "openai" { api_key = "k", base_url = "%s/v1" }
local router = provider "openrouter" { api_key = "k", base_url = "%s/v1" }
local groq = provider "groq" { api_key = "k", base_url = "%s/v1" }
model "words" { open { "words", price = { input = 1000, output = 1000 } } }
model "search" { open { "search", price = { input = 0, output = 0, query = 0.002 } } }
model "unpriced" { open "unpriced" }
model "router" { router "cohere/rerank-v3.5" }
model "omni" { openai "omni-moderation-latest" }
model "groq" { groq { "g", price = { input = 0, output = 0 } } }
model "either" { groq "h", open "either", retries = 1 }
virtual_key "k" { token = env.KEY }
virtual_key "b" { token = env.PAYS, budget = "$1/day" }
]]):format(up:url "open", up:url "openai", up:url "router", up:url "groq")
  end

  local up, gw = pair.each(function(up)
    return { env = { KEY = KEY, PAYS = KEY .. "pays" }, routes = routes(up) }
  end)

  local function post(path, body, key)
    return gw:chat(body, { path = path, key = key or KEY })
  end

  local function last(kind) return gw:last_row(kind) end

  describe("moderations", function()
    local ANSWER = '{"id":"modr-1", "model":"m","results":[{"flagged":false,'
      .. '"category_scores":{"hate":5.0e-06}}]}'

    it("go by as they came, but for the model's name, and cost nothing", function()
      up:reply("openai", { body = ANSWER })
      local body = '{"input" : ["hi",  {"type":"text","text":"x"}],"model":"omni", "x":1.0}'
      for _, path in ipairs { "/v1/moderations", "/moderations" } do
        local response = post(path, body, KEY .. "pays")
        assert.equal(200, response.status, response.body)
        assert.equal(ANSWER, response.body)
        assert.equal("0", response.headers["x-moongate-cost"])
      end
      local asked = up:last "openai"
      assert.equal("/openai/v1/moderations", asked.path)
      assert.equal((body:gsub('"omni"', '"omni-moderation-latest"')), asked.body)
      local row = last "usage"
      assert.same({ "moderations", "ok", 0, "modr-1" },
        { row.dialect, row.outcome, row.cost_nano, row.provider_id })
    end)

    it("are refused where a provider makes none", function()
      is_refused(post("/v1/moderations", '{"model":"groq","input":"x"}'), 400,
        "unsupported_endpoint", "model")
      up:reply("open", { body = ANSWER })
      assert.equal(200, post("/v1/moderations", '{"model":"either","input":"x"}').status)
    end)

    it("say which member is wrong", function()
      for body, param in pairs {
        ['{"input":"x"}'] = "model", ['{"model":"omni"}'] = "input",
        ['{"model":"omni","input":7}'] = "input", ['{"model":"omni","Input":"x"}'] = "input",
      } do
        local response = post("/v1/moderations", body)
        assert.same({ 400, param }, { response.status, response.json.error.param }, body)
      end
      is_refused(post("/v1/moderations", '{"model":"nobody","input":"x"}'), 404,
        "model_not_found", "model")
    end)

    it("tell a provider's failures", function()
      local own = '{"error":{"message":"no","type":"invalid_request_error"}}'
      up:reply("openai", { status = 400, body = own }, 1)
      local response = post("/v1/moderations", '{"model":"omni","input":"x"}')
      assert.same({ 400, own }, { response.status, response.body })
      for body, status in pairs { ["{}"] = 502, ["<p>"] = 502, [""] = 502 } do
        up:reply("openai", { body = body }, 1)
        assert.equal(status, post("/v1/moderations", '{"model":"omni","input":"x"}').status)
      end
    end)
  end)

  describe("documents", function()
    local BODY = '{"model":"%s", "query":"q","documents":["a", {"text":"b"}],"top_n":1}'
    local ANSWER = '{"id":"r","results":[{"index":1,"relevance_score":0.50}],"meta":'
      .. '{"billed_units":{"search_units":2}}}'

    it("B-29: are put in order as they came, and billed by the search", function()
      up:reply("open", { body = ANSWER })
      for _, path in ipairs { "/v1/rerank", "/rerank", "/v2/rerank" } do
        local response = post(path, BODY:format "search", KEY .. "pays")
        assert.same({ 200, ANSWER, "0.004" },
          { response.status, response.body, response.headers["x-moongate-cost"] })
      end
      local asked = up:last "open"
      assert.same({ "/open/v1/rerank", BODY:format "search" }, { asked.path, asked.body })
      local row = last "usage"
      assert.same({ "rerank", 4000000, { query = 2 }, false },
        { row.dialect, row.cost_nano, row.units, row.estimated })
    end)

    it("are billed by the token where tokens are sold", function()
      up:reply("open", {
        body = '{"object":"list","data":[],"model":"words","usage":{"total_tokens":7}}',
      })
      local response = post("/v1/rerank", BODY:format "words", KEY .. "pays")
      assert.equal("0.007", response.headers["x-moongate-cost"])
      assert.same({ 7, 0 }, { last("usage").tokens.input, last("usage").tokens.output })
    end)

    it("cost what a provider says they did", function()
      up:reply("router", {
        body = '{"id":"g","results":[],"usage":{"cost":0.001,"search_units":1}}',
      })
      local response = post("/v1/rerank", BODY:format "router")
      assert.equal("0.001", response.headers["x-moongate-cost"])
      assert.equal("reported", last("usage").prices)
    end)

    it("S-33: take nothing past a budget, and nothing without a price", function()
      local long = ('"%s",'):rep(1000, ""):gsub("%%s", "word")
      is_refused(post("/v1/rerank", '{"model":"words","query":"q","documents":[' .. long
        .. '"x"]}', KEY .. "pays"), 429, "budget_exceeded")
      local query = ('{"model":"words","query":"%s","documents":["a","b","c"]}')
        :format(("q"):rep(300))
      is_refused(post("/v1/rerank", query, KEY .. "pays"), 429, "budget_exceeded")
      is_refused(post("/v1/rerank", BODY:format "unpriced", KEY .. "pays"), 403,
        "model_unpriced", "model")
      assert.equal(0, (up:stats()))
    end)

    it("say which member is wrong", function()
      for body, param in pairs {
        ['{"model":"search","documents":["a"]}'] = "query",
        ['{"model":"search","query":"q"}'] = "documents",
        ['{"model":"search","query":"q","documents":[]}'] = "documents",
        ['{"model":"search","query":"q","documents":"a"}'] = "documents",
      } do
        local response = post("/v1/rerank", body)
        assert.same({ 400, param }, { response.status, response.json.error.param }, body)
      end
    end)
  end)
end)
