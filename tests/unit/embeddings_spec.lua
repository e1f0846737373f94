-- Floats as bytes, what doors of embeddings and completions count, what providers are asked.

require "engine"

local ffi = require "ffi"
local floats = require "lib.floats"
local json = require "engine.json"
local stub = require "tools.stub"
local tokens = require "lib.tokens"

local embeddings = require "dialects.embeddings"
local completions = require "dialects.completions"

describe("floats", function()
  local function same(list)
    local array = ffi.new("float[?]", #list, list)
    assert.equal(ffi.string(array, 4 * #list), floats.pack(list))
  end

  it("are a processor's, bit for bit", function()
    same {}
    same { 0, -0.0, 1, -1, 0.1, 1 / 3, 2 ^ 24 + 1, 2 ^ 25 + 2, 3.4028234e38, 1e39, -1e300 }
    same { 2 ^ -126, 2 ^ -127, 2 ^ -149, 2 ^ -150, 3 * 2 ^ -150, 1e-45, 1e-60, 1.17549435e-38 }
    same { 0.99999999, 1.99999999, 16777215.5, 3.40282356e38, 3.4028236e38 }
  end)

  it("are so for any number", function()
    math.randomseed(7)
    for n = 1, 200 do
      local list = {}
      for i = 1, n do
        list[i] = (math.random() - 0.5) * 2 ^ math.random(-160, 130)
      end
      same(list)
    end
  end)
end)

describe("vectors in base64", function()
  it("are packed a few at a time, and others have their turn between", function()
    local time, turns = require "engine.time", 0
    local sleep = time.sleep
    time.sleep = function(seconds)
      assert.equal(0, seconds)
      turns = turns + 1
    end
    local vector = json.raw("[" .. ("0.123456789,"):rep(3071) .. "0.5]")
    local list = {}
    for i = 1, 100 do list[i] = vector end
    local packed = require("lib.embeddings").pack(list)
    time.sleep = sleep
    assert.equal(100, #packed)
    assert.equal(4 * 3072 * 4 / 3, #packed[100])
    assert.equal(math.floor(100 / math.ceil(256 * 1024 / 36863)), turns) -- 256 KiB a time
  end)
end)

describe("what is set aside of a door that reads one member", function()
  local profiles = { runtime = { profiles = tokens.profiles() } }

  local function counted(door, text)
    local call = stub.visitor(door, text)
    call.cfg = profiles
    local n, about = tokens.count_call(call, "text-embedding-3-small", true)
    return n, about, tokens.bound(call)
  end

  it("is one for each token that came as a number", function()
    for text, want in pairs {
      ["[1,2,3]"] = 3, ["[[1,2],[ 3 ],[]]"] = 3, ["[1e3,-4]"] = 2,
      ['["a \\" 1 2",[7,8]]'] = 2,
    } do
      local n, about, bound =
        counted(embeddings, '{"model":"m","input":' .. text .. "}")
      assert.is_true(n >= want and about.high >= want, text)
      assert.is_true(not bound or bound >= about.high, text)
    end
    assert.equal(3, (counted(completions, '{"model":"m","prompt":[1,2,3]}')))
  end)

  it("is a text's own, without what stands around messages", function()
    local body = '{"model":"m","input":["hello world","hello world"]}'
    local n, about = counted(embeddings, body)
    if about.exact then assert.equal(4, n) end
    assert.is_true(about.high >= 4)
  end)

  it("is what a client cannot hide by how it writes", function()
    local body = '{"model":"m","user":"\\u0041","input":[%s]}'
    local n = counted(embeddings, body:format(("7,"):rep(999) .. "7"))
    assert.is_true(n >= 1000)
  end)
end)

describe("what a provider is asked", function()
  local function asked(door, adapter, text, more)
    local call = stub.visitor(door, text)
    local dep = stub.deployment(adapter, "m", more)
    local ok, body = pcall(stub.asked, call, dep)
    return ok and body or body, call
  end

  it("is the client's body with the deployment's name for the model", function()
    local body, call = asked(embeddings, "openai", '{ "model":"x","input":"a","y":[1.50] }')
    assert.equal('{ "model":"m","input":"a","y":[1.50] }', body)
    assert.same({}, call.dropped)
  end)

  it("lacks what it refuses", function()
    local body, call = asked(embeddings, "mistral", '{"model":"x","input":"a","user":"u"}')
    assert.equal('{"model":"m","input":"a"}', body)
    assert.same({ "user" }, call.dropped)
  end)

  it("has the deployment's ceiling for a completion", function()
    for _, given in ipairs { "", ',"max_tokens":9' } do
      local body = asked(completions, "vllm", '{"model":"m","prompt":"a"' .. given .. "}",
        { max_tokens = 5 })
      assert.equal(5, json.decode(body).max_tokens)
    end
  end)

  it("has no stream_options where those are refused", function()
    local body = asked(completions, "databricks",
      '{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}}')
    assert.equal('{"model":"m","prompt":"a","stream":true}', body)
  end)

  it("is a chat where there is no more", function()
    for _, adapter in ipairs { "groq", "mistral", "gemini", "anthropic" } do
      local body = asked(completions, adapter,
        '{"model":"m","prompt":["say hi"],"max_tokens":7,"temperature":0.5,"seed":null}')
      assert.is_truthy(tostring(body):find("say hi", 1, true), tostring(body))
      assert.is_nil(body:find("seed", 1, true), adapter)
    end
  end)

  it("leaves what a chat cannot be told, where the deployment allows it", function()
    local body, call = asked(completions, "groq", '{"model":"m","prompt":"a","suffix":"b"}',
      { drop_unsupported = true })
    assert.is_nil(json.decode(body).suffix)
    assert.same({ "suffix" }, call.dropped)
  end)

  it("is at the path that Azure has for it", function()
    local natives = require("providers.azure").natives
    local dep = stub.deployment("azure", "m", nil,
      { resource = "r", api_version = "2024-10-21" })
    assert.equal("/openai/deployments/m/embeddings?api-version=2024-10-21",
      natives.embeddings.path(dep))
    dep.provider.api_version = nil
    assert.equal("/openai/v1/completions", natives.completions.path(dep))
  end)
end)
