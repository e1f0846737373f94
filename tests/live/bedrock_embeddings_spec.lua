-- Embeddings at Bedrock through the real binary: Titan's and Cohere's bodies, after AWS's pages
-- of them (model-parameters-titan-embed-text, model-parameters-embed-v3).

local helper = require "helper"
local pair = require "support.pair"

describe("embeddings at Bedrock", function()
  local cjson = helper.json
  local up, gw = pair.once(function(up)
    return {
      loud = true, env = { KEY = "bedrock-key-1" }, routes = ([[
defaults { retries = 0, cooldown = { allowed_fails = 100000 } }
model "b/*" { provider "bedrock" {
  region = "us-east-1", api_key = env.KEY, base_url = "%s",
} "*" }
]]):format(up:url "bedrock"),
    }
  end)

  local function serve(body, n)
    up:reply("bedrock", {
      status = 200, body = body, headers = {
        ["content-type"] = "application/json", ["x-amzn-bedrock-input-token-count"] = n,
      },
    })
  end

  local TITAN = '{"embedding":[0.25,-1.50,3e-05],"inputTextTokenCount":6,'
    .. '"embeddingsByType":{"float":[0.25,-1.50,3e-05]}}'
  local COHERE = '{"id":"x","response_type":"embeddings_by_type","texts":["a","b"],'
    .. '"embeddings":{"float":[[0.25,1.5],[2,-1]]}}'

  local function ask(model, more)
    return gw:chat(('{"model":"b/%s",%s}'):format(model, more), { path = "/v1/embeddings" })
  end

  it("asks Titan for one", function()
    serve(TITAN)
    local answer = ask("amazon.titan-embed-text-v2:0", '"input":"hi","dimensions":256')
    assert.equal(200, answer.status, answer.body)
    assert.truthy(answer.body:find('"embedding":[0.25,-1.50,3e-05]', 1, true))
    assert.same({ prompt_tokens = 6, total_tokens = 6 }, cjson.decode(answer.body).usage)
    local sent = up:last "bedrock"
    assert.equal('{"inputText":"hi","dimensions":256}', sent.body)
    assert.equal("/bedrock/model/amazon.titan-embed-text-v2%3A0/invoke", sent.path)
  end)

  it("packs what a client wants as bytes", function()
    serve(TITAN)
    local answer = ask("amazon.titan-embed-text-v2:0",
      '"input":["hi"],"encoding_format":"base64"')
    assert.equal("AACAPgAAwL+CqPs3", cjson.decode(answer.body).data[1].embedding)
  end)

  it("refuses Titan several texts, and tokens", function()
    for _, input in ipairs { '["a","b"]', "[1,2]", "[[1]]" } do
      local answer = ask("amazon.titan-embed-text-v2:0", '"input":' .. input)
      assert.equal(400, answer.status, answer.body)
      assert.equal("input", cjson.decode(answer.body).error.param)
    end
  end)

  it("asks Cohere's models for many", function()
    serve(COHERE, "4")
    local answer = ask("cohere.embed-multilingual-v3",
      '"input":["a","b"],"input_type":"search_query"')
    assert.equal(200, answer.status, answer.body)
    local body = cjson.decode(answer.body)
    assert.same({ 0.25, 1.5 }, body.data[1].embedding)
    assert.same({ 2, -1 }, body.data[2].embedding)
    assert.same({
      input_type = "search_query", texts = { "a", "b" }, embedding_types = { "float" },
    }, cjson.decode(up:last("bedrock").body))
    local row = gw:row_of(answer)
    assert.equal(4, row.tokens.input)
    assert.is_false(row.estimated)
  end)

  it("answers Gemini's clients in their words", function()
    serve(TITAN)
    local answer = gw:chat('{"content":{"parts":[{"text":"hi"}]}}', {
      path = "/v1beta/models/b%2Famazon.titan-embed-text-v2%3A0:embedContent",
    })
    assert.equal(200, answer.status, answer.body)
    assert.same({ 0.25, -1.5, 3e-05 }, cjson.decode(answer.body).embedding.values)

    serve(COHERE, "4")
    answer = gw:chat('{"requests":[{"model":"m","content":{"parts":[{"text":"a"}]}},'
      .. '{"model":"m","content":{"parts":[{"text":"b"}]}}]}', {
      path = "/v1beta/models/b%2Fcohere.embed-english-v3:batchEmbedContents",
    })
    assert.equal(200, answer.status, answer.body)
    assert.equal(2, #cjson.decode(answer.body).embeddings)
  end)

  it("says that other models make none", function()
    local answer = ask("amazon.nova-lite-v1:0", '"input":"hi"')
    assert.equal(400, answer.status, answer.body)
    assert.equal("unsupported_endpoint", cjson.decode(answer.body).error.code)
    assert.equal(0, #up:requests "bedrock")
  end)

  it("hears Bedrock's errors", function()
    up:reply("bedrock", {
      status = 400, body = '{"message":"expected maxLength: 50000, actual: 60000"}',
      headers = {
        ["content-type"] = "application/json", ["x-amzn-errortype"] = "ValidationException",
      },
    })
    local answer = ask("amazon.titan-embed-text-v2:0", '"input":"hi"')
    assert.equal(400, answer.status)
    assert.truthy(cjson.decode(answer.body).error.message:find("maxLength", 1, true))
  end)
end)
