-- Embeddings at Vertex: what `predict` and `embedContent` are asked, and how either answers in
-- OpenAI's words and in Gemini's.

require "engine"

local json = require "engine.json"
local stub = require "tools.stub"

-- As recorded of text-embedding-004, but for the length of the vectors.
local PREDICTED = '{"predictions":[{"embeddings":{"statistics":{"truncated":false,'
  .. '"token_count":10},"values":[0.025784462690353394,-1e-7]}},{"embeddings":{"statistics":'
  .. '{"token_count":2,"truncated":false},"values":[1.50,2]}}],"metadata":'
  .. '{"billableCharacterCount":29}}'
local EMBEDDED = '{"embedding":{"values":[-0.006532297,0.020047152]},"usageMetadata":'
  .. '{"promptTokenCount":11,"totalTokenCount":11}}'

local function visitor(door, text)
  return stub.visitor(require("dialects." .. door), text)
end

local function face_of(call, model, more)
  local dep = stub.deployment("vertex", model, more, { project = "p" })
  return assert(require("lib.natives").of(call.dialect, dep)), dep
end

local function asked(call, model, more)
  local face, dep = face_of(call, model, more)
  local path = face.path(dep, call)
  return stub.asked(call, dep), path:match "([^/]+)$"
end

local function heard(call, model, answer)
  local face, dep = face_of(call, model)
  local reply, client = stub.reply(call, dep, call.door)
  face.decode(assert(json.index(answer)), reply)
  reply:close()
  return client:bytes(), reply.usage_total
end

local function refused(call, model)
  local ok, err = pcall(asked, call, model)
  assert.is_false(ok)
  return err.kind, err.param
end

describe("embeddings at vertex, in OpenAI's words,", function()
  local function openai(input, more)
    return visitor("embeddings", ('{"model":"m","input":%s%s}'):format(input, more or ""))
  end

  it("are predicted, as many as are asked for", function()
    local body, path = asked(openai('["a","b"]', ',"dimensions":768'), "text-embedding-004")
    assert.equal('{"instances":[{"content":"a"},{"content":"b"}],'
      .. '"parameters":{"outputDimensionality":768}}', body)
    assert.equal("text-embedding-004:predict", path)
    body, path = asked(openai '"a"', "gemini-embedding-001")
    assert.equal('{"instances":[{"content":"a"}]}', body)
    assert.equal("gemini-embedding-001:predict", path)
  end)

  it("are told with every digit, and with all tokens", function()
    local text, usage = heard(openai '["a","b"]', "text-embedding-004", PREDICTED)
    assert.truthy(text:find('"embedding":[0.025784462690353394,-1e-7]', 1, true), text)
    assert.truthy(text:find('"index":1,"embedding":[1.50,2]', 1, true), text)
    assert.truthy(text:find('"prompt_tokens":12', 1, true), text)
    assert.equal(12, usage.input_tokens)
    text = heard(openai('"a"', ',"encoding_format":"base64"'), "m", PREDICTED)
    assert.truthy(text:find('"embedding":"AADAPwAAAEA="', 1, true), text)
  end)

  it("come one at a time of newer models", function()
    local body, path = asked(openai('["a"]', ',"dimensions":3'), "gemini-embedding-2")
    assert.equal('{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}', body)
    assert.equal("gemini-embedding-2:embedContent", path)
    local kind, param = refused(openai '["a","b"]', "gemini-embedding-2")
    assert.equal("bad_request", kind)
    assert.equal("input", param)
    local text, usage = heard(openai '"a"', "gemini-embedding-2", EMBEDDED)
    assert.truthy(text:find('"embedding":[-0.006532297,0.020047152]', 1, true), text)
    assert.equal(11, usage.input_tokens)
  end)

  it("take texts, and no more than Vertex has words for", function()
    assert.equal("bad_request", (refused(openai "[[1,2]]", "text-embedding-004")))
    local _, param = refused(openai('"a"', ',"flavour":1'), "text-embedding-004")
    assert.equal("flavour", param)
    local call = openai('"a"', ',"user":"u"')
    asked(call, "text-embedding-004")
    assert.same({ "user" }, call.dropped)
  end)
end)

describe("embeddings at vertex, in Gemini's words,", function()
  local ONE = '{"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY",'
    .. '"title":"t","outputDimensionality":5}'

  it("pass to models that know them", function()
    local body, path = asked(visitor("embed_content", ONE), "gemini-embedding-2")
    assert.equal(ONE, body)
    assert.equal("gemini-embedding-2:embedContent", path)
    local text = heard(visitor("embed_content", ONE), "gemini-embedding-2", EMBEDDED)
    assert.equal(EMBEDDED, text)
    local named = '{"model":"models/m",' .. ONE:sub(2)
    assert.equal(ONE, (asked(visitor("embed_content", named), "gemini-embedding-2")))
  end)

  it("are predicted by others", function()
    local body, path = asked(visitor("embed_content", ONE), "text-embedding-005")
    assert.equal('{"instances":[{"content":"ab","title":"t","task_type":"RETRIEVAL_QUERY"}],'
      .. '"parameters":{"outputDimensionality":5}}', body)
    assert.equal("text-embedding-005:predict", path)
    local text = heard(visitor("embed_content", ONE), "text-embedding-005", PREDICTED)
    assert.truthy(text:find('"embedding":{"values":[0.025784462690353394,-1e-7]}', 1, true))
  end)

  it("come in lists", function()
    local many = '{"requests":[' .. ONE .. "," .. ONE .. "]}"
    local body = asked(visitor("embed_content", many), "text-embedding-005")
    assert.equal(2, #json.decode(body).instances)
    local text, usage = heard(visitor("embed_content", many), "text-embedding-005", PREDICTED)
    assert.equal(2, #json.decode(text).embeddings)
    assert.equal(12, usage.input_tokens)
    local _, param = refused(visitor("embed_content", many), "gemini-embedding-2")
    assert.equal("requests", param)
    local single = '{"requests":[{"model":"models/m",' .. ONE:sub(2) .. "]}"
    assert.equal(ONE, (asked(visitor("embed_content", single), "gemini-embedding-2")))
    text = heard(visitor("embed_content", single), "gemini-embedding-2", EMBEDDED)
    assert.truthy(text:find('{"embeddings":[{"values":[-0.006532297,0.020047152]}]', 1, true))
  end)

  it("need parts with texts", function()
    assert.equal("invalid_type",
      (refused(visitor("embed_content", '{"content":{"parts":5}}'), "text-embedding-005")))
    local _, param = refused(visitor("embed_content",
      '{"content":{"parts":[{"inlineData":{}}]}}'), "text-embedding-005")
    assert.equal("content.parts[0]", param)
  end)
end)

describe("what is no answer of vertex'", function()
  local ODD = {
    "{}", '{"predictions":[]}', '{"predictions":5}', '{"predictions":[{"embeddings":5}]}',
    '{"predictions":[{"embeddings":{"values":null}}]}', '{"error":{"code":500}}',
    '{"embedding":5}', '{"embedding":{}}',
  }

  it("is a fault with a kind", function()
    for _, model in ipairs { "text-embedding-004", "gemini-embedding-2" } do
      for _, answer in ipairs(ODD) do
        for door, text in pairs {
          embeddings = '{"model":"m","input":"a","encoding_format":"base64"}',
          embed_content = '{"requests":[{"content":{"parts":[{"text":"a"}]}}]}',
        } do
          local ok, err = pcall(heard, visitor(door, text), model, answer)
          assert.is_false(ok, model .. door .. answer)
          assert.is_string(err.kind, model .. door .. answer .. tostring(err))
        end
      end
    end
  end)
end)
