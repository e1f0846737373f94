-- What providers say they counted → one shape of disjoint parts, and what a call cost by it.

require "engine"

local bill = require "lib.bill"
local json = require "engine.json"
local money = require "lib.money"
local stub = require "tools.stub"
local usage = require "lib.usage"

-- What both ways of reading OpenAI's `usage` say.
local function openai(text)
  local decoded = usage.merge({}, usage.from_openai(json.decode(text)))
  local indexed = usage.merge({},
    usage.from_doc(json.index('{"model":"m","usage":' .. text .. "}")))
  assert.same(decoded, indexed)
  return decoded
end

describe("OpenAI's usage", function()
  it("has sound and images as parts", function()
    assert.same({
      input_tokens = 1000, output_tokens = 500, cache_read_tokens = 300,
      cache_write_tokens = 100, reasoning_tokens = 50, audio_input_tokens = 200,
      image_input_tokens = 20, audio_output_tokens = 150, image_output_tokens = 7,
    }, openai('{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,'
      .. '"prompt_tokens_details":{"cached_tokens":300,"cache_write_tokens":100,'
      .. '"audio_tokens":200,"text_tokens":380,"image_tokens":20},'
      .. '"completion_tokens_details":{"reasoning_tokens":50,"audio_tokens":150,'
      .. '"image_tokens":7,"accepted_prediction_tokens":9}}'))
  end)

  it("has none where zeros say so", function()
    assert.same({ input_tokens = 10, output_tokens = 5, cache_read_tokens = 0,
      reasoning_tokens = 0 }, openai('{"prompt_tokens":10,"completion_tokens":5,'
      .. '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0,"image_tokens":0},'
      .. '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}'))
  end)

  it("adds cached tokens that are counted beside the prompt: there are more of them", function()
    local got = openai('{"prompt_tokens":29,"completion_tokens":6,"total_tokens":35,'
      .. '"prompt_tokens_details":{"cached_tokens":157,"text_tokens":29}}')
    assert.same({ 186, 157 }, { got.input_tokens, got.cache_read_tokens })
    assert.equal(157, openai('{"prompt_tokens":157,"prompt_tokens_details":'
      .. '{"cached_tokens":157}}').input_tokens)
  end)

  it("may name the cache as Anthropic does", function()
    local got = openai('{"prompt_tokens":100,"cache_read_input_tokens":70,'
      .. '"cache_creation_input_tokens":20}')
    assert.same({ 100, 70, 20 },
      { got.input_tokens, got.cache_read_tokens, got.cache_write_tokens })
  end)

  it("flags parts that are no counts", function()
    for _, odd in ipairs { "-3", "1.5", '"7"', "{}" } do
      assert.is_true(openai('{"prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":'
        .. odd .. "}}").odd)
    end
  end)

  it("says how it was served beside it", function()
    local call = stub.call '{"model":"m","messages":[]}'
    local reply = stub.reply(call, { model = "m", name = "m" })
    reply:completion(json.index('{"id":"1","model":"m","service_tier":"flex","choices":[],'
      .. '"usage":{"prompt_tokens":1,"completion_tokens":2}}'))
    assert.equal("flex", reply.usage_total.service_tier)
    reply:chunk { service_tier = "priority", choices = {},
      usage = { prompt_tokens = 1, completion_tokens = 3 } }
    assert.equal("priority", reply.usage_total.service_tier)
  end)
end)

describe("Anthropic's usage", function()
  local function read(text)
    local reply = stub.recorder()
    require("providers.anthropic").decode(json.decode('{"id":"1","model":"claude",'
      .. '"content":[],"stop_reason":"end_turn","usage":' .. text .. "}"), reply)
    return reply.usage_total
  end

  it("has writes for five minutes and for an hour (B-04)", function()
    assert.same({
      input_tokens = 12600, output_tokens = 7, cache_read_tokens = 10000,
      cache_write_tokens = 2500, cache_write_1h_tokens = 500, service_tier = "standard",
    }, read('{"input_tokens":100,"output_tokens":7,"cache_read_input_tokens":10000,'
      .. '"cache_creation_input_tokens":2500,"cache_creation":{"ephemeral_5m_input_tokens":'
      .. '2000,"ephemeral_1h_input_tokens":500},"service_tier":"standard"}'))
  end)

  it("has writes where only their parts are said", function()
    assert.equal(2500, read('{"input_tokens":1,"output_tokens":1,"cache_creation":'
      .. '{"ephemeral_5m_input_tokens":2000,"ephemeral_1h_input_tokens":500}}')
      .cache_write_tokens)
  end)

  it("has searches, speed and place", function()
    local got = read('{"input_tokens":1,"output_tokens":1,"server_tool_use":'
      .. '{"web_search_requests":3},"speed":"fast","inference_geo":"us"}')
    assert.same({ { web_search = 3 }, "us+fast" }, { got.units, got.service_tier })
    assert.equal("us", read('{"input_tokens":1,"inference_geo":"us"}').service_tier)
    assert.equal("batch", read('{"input_tokens":1,"service_tier":"batch"}').service_tier)
    assert.is_nil(read('{"input_tokens":1,"service_tier":7}').service_tier)
  end)
end)

describe("Gemini's usage", function()
  local function read(counts, candidate)
    local reply = stub.recorder()
    require("providers.gemini").decode(json.decode('{"candidates":[{"finishReason":"STOP"'
      .. (candidate or "") .. '}],"usageMetadata":{' .. counts .. "}}"), reply)
    return reply.usage_total
  end

  it("has sound and images by their modality, but for what was cached", function()
    assert.same({
      input_tokens = 1100, output_tokens = 90, cache_read_tokens = 400,
      audio_input_tokens = 310, image_input_tokens = 258, image_output_tokens = 80,
      reasoning_tokens = 5,
    }, read('"promptTokenCount":1000,"toolUsePromptTokenCount":100,'
      .. '"cachedContentTokenCount":400,"candidatesTokenCount":85,"thoughtsTokenCount":5,'
      .. '"totalTokenCount":1190,"promptTokensDetails":[{"modality":"TEXT","tokenCount":142},'
      .. '{"modality":"AUDIO","tokenCount":600},{"modality":"IMAGE","tokenCount":258}],'
      .. '"toolUsePromptTokensDetails":[{"modality":"AUDIO","tokenCount":10}],'
      .. '"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":300}],'
      .. '"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":80}]'))
  end)

  it("has searches, and how it was served", function()
    local got = read('"promptTokenCount":1,"trafficType":"ON_DEMAND_FLEX"',
      ',"groundingMetadata":{"webSearchQueries":["a","b"]}')
    assert.same({ { web_search = 2 }, "flex" }, { got.units, got.service_tier })
    assert.equal("priority", read('"promptTokenCount":1,"serviceTier":"PRIORITY"').service_tier)
    assert.is_nil(read('"promptTokenCount":1,"promptTokensDetails":"x","trafficType":5').units)
  end)
end)

describe("a call's bill", function()
  local function call(body, model, adapter)
    local one = stub.call(body)
    rawset(one, "dep", {
      model = model or "gpt-5",
      provider = { adapter = adapter or require "providers.openai" },
    })
    return one
  end
  local RATES = money.rates {
    input = 2, output = 8, flex = { input = 1, output = 4 }, priority = 2, batch = 0.5,
  }
  local SEARCH = money.rates {
    input = 0, output = 0, web_search = { low = "0.03", medium = "0.035", high = "0.05" },
  }

  it("goes by the provider's word on its service, else by the client's wish (B-30)", function()
    local function cost(said, wished, adapter)
      local tier = wished and ',"service_tier":"' .. wished .. '"' or ""
      return bill.cost(RATES, call('{"model":"m"' .. tier .. "}", nil, adapter),
        { input_tokens = 1, output_tokens = 0, service_tier = said })
    end
    assert.equal(2000, cost())
    assert.equal(1000, cost("flex"))
    assert.equal(4000, cost("priority", "flex"))
    assert.equal(2000, cost("default", "flex"))
    assert.equal(2000, cost("scale"))
    assert.equal(1000, cost(nil, "flex"))
    assert.equal(4000, cost(nil, "priority"))
    assert.equal(2000, cost(nil, "auto"))
    assert.equal(2000, cost(nil, "batch")) -- a wish that no chat can have
    assert.equal(2000, cost(nil, "flex", require "providers.anthropic")) -- never told of it
  end)

  local function bound(rates, asked, ...)
    return bill.bound(rates, asked, asked.dep, ...)
  end

  it("has the search that OpenAI's usage is silent about", function()
    local none = { input_tokens = 0, output_tokens = 0 }
    assert.equal(0, bill.cost(SEARCH, call '{"model":"m"}', none))
    assert.equal(35e6, bill.cost(SEARCH, call '{"model":"m","web_search_options":{}}', none))
    assert.equal(50e6, bill.cost(SEARCH, call('{"model":"m","web_search_options":'
      .. '{"search_context_size":"high"}}'), none))
    assert.equal(35e6, bill.cost(SEARCH, call('{"model":"m"}', "gpt-4o-search-preview"), none))
    assert.equal(35e6, bound(SEARCH, call('{"model":"m"}', "gpt-4o-search-preview"), 0, 0))
    assert.is_nil(none.units)
  end)

  it("is bounded by what was asked for", function()
    assert.equal(2000, bound(RATES, call '{"model":"m"}', 1, 0))
    assert.equal(4000, bound(RATES, call '{"model":"m","service_tier":"priority"}', 1, 0))
    assert.equal(2000, bound(RATES, call '{"model":"m","service_tier":"flex"}', 1, 0))
    assert.is_nil(bound(nil, call '{"model":"m"}', 1, 0))
  end)
end)
